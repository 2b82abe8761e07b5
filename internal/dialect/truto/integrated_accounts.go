package truto

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// accountStatuses are all an integrated account can be in.
var accountStatuses = []string{statusActive, "connecting", "post_install_error", "validation_error", statusNeedsReauth}

// accountObject shows an integrated account. The organization it is limited to
// stands in its context, where a provider's settings go.
func (c call) accountObject(a credential.IntegratedAccount) record {
	context := directory.Metadata{}
	for k, v := range a.Context {
		context[k] = v
	}
	if a.Organization != id.None {
		context[organizationContext] = c.codec(id.Organization).Decimal(a.Organization)
	}
	return record{
		{"id", c.codec(id.IntegratedAccount).UUID(a.ID)}, {"tenant_id", a.TenantKey}, {"environment_id", environmentID(c.by.Realm)},
		{"environment_integration_id", installationID(c.by.Realm)}, {"status", first(a.Status, statusActive)}, {"is_sandbox", false},
		{"authentication_method", known(a.Method)}, {"region", nil}, {"context", context}, {"object_store_context_fields", []string{}},
		{"integration", integrationRef(c.by.Realm)}, {"last_error", nil}, {"last_action_result", nil}, {"unified_model_override", nil},
		{"created_at", stamp(a.CreatedAt)}, {"updated_at", stamp(a.UpdatedAt)},
	}
}

// organizationContext is the key of an account's context that limits it to one
// organization. It is chosen once, at creation.
const organizationContext = "organization_id"

func (a *API) listAccounts(c call) (edge.Reply, error) {
	uuid := func(v string) (query.Condition, error) {
		i, ok := c.codec(id.IntegratedAccount).ParseUUID(strings.ToLower(v))
		return matches(ok, query.Is("id", i)), nil
	}
	where, err := conditions(c.params, []filter{
		{name: "id", means: uuid},
		{name: "tenant_id", field: "tenant_key"},
		{name: "status", field: "status"},
		{name: "environment_id", means: func(v string) (query.Condition, error) {
			return matches(v == environmentID(c.by.Realm), everybody), nil
		}},
		{name: "environment_integration_id", means: func(v string) (query.Condition, error) {
			return matches(v == installationID(c.by.Realm), everybody), nil
		}},
		{name: "is_sandbox", means: func(v string) (query.Condition, error) { return matches(v == "false" || v == "0", everybody), nil }},
		{name: "integration", inner: "name", means: func(v string) (query.Condition, error) { return matches(v == integrationName, everybody), nil }},
		{name: "created_at", field: "created_at", time: true},
		{name: "updated_at", field: "updated_at", time: true},
	})
	if err != nil {
		return edge.Reply{}, err
	}
	q := query.Query{Where: where}
	if q.By, q.Desc, err = order(c.params, map[string]string{"id": "id", "created_at": "id", "updated_at": "updated_at", "tenant_id": "tenant_key"}); err != nil {
		return edge.Reply{}, err
	}
	return a.accountsPage(c, q)
}

// everybody is the condition that always holds.
var everybody = query.Condition{All: []query.Condition{}}

// matches gives c, or the condition that never holds.
func matches(ok bool, c query.Condition) query.Condition {
	if ok {
		return c
	}
	return query.Any()
}

// adminLimit is the page size of administrative lists, default and largest.
const adminLimit = 5000

// accountsPage collects one page of the wire out of as many of the domain as it takes.
func (a *API) accountsPage(c call, q query.Query) (edge.Reply, error) {
	limit, err := c.params.number("limit")
	if err != nil {
		return edge.Reply{}, err
	}
	if limit == 0 || limit > adminLimit {
		limit = adminLimit
	}
	if q, err = c.page(q); err != nil {
		return edge.Reply{}, err
	}
	result := []record{}
	for {
		q.Limit = min(limit-len(result), query.MaxLimit)
		page, err := a.Credentials.IntegratedAccounts(c.ctx(), c.by, q)
		if err != nil {
			return edge.Reply{}, err
		}
		for _, account := range page.Items {
			result = append(result, c.accountObject(account))
		}
		if page.Next == nil || len(result) == limit {
			return answer(admin(result, c.next(page.Next), limit)), nil
		}
		q.After = page.Next
	}
}

// admin is the envelope of administrative lists.
func admin(result []record, next string, limit int) record {
	return record{{"result", result}, {"next_cursor", known(next)}, {"limit", limit}}
}

// accountID reads the id of an integrated account.
func (c call) accountID(spelled string) (id.ID, error) {
	if i, ok := c.codec(id.IntegratedAccount).ParseUUID(strings.ToLower(spelled)); ok {
		return i, nil
	}
	return id.None, credential.ErrIntegratedAccountNotFound
}

func (a *API) getAccount(c call) (edge.Reply, error) {
	i, err := c.accountID(c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	account, err := a.Credentials.IntegratedAccount(c.ctx(), c.by, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return answer(c.accountObject(account)), nil
}

// getOwnAccount shows the account of an integrated-account token.
func (a *API) getOwnAccount(c call) (edge.Reply, error) {
	spelled, _ := boundAccount(c.Actor)
	i, err := c.accountID(spelled)
	if err != nil {
		return edge.Reply{}, err
	}
	account, err := a.Credentials.IntegratedAccount(c.ctx(), access.System(c.by.Realm), i)
	if err != nil {
		return edge.Reply{}, err
	}
	return answer(c.accountObject(account)), nil
}

type accountBody struct {
	TenantID                 optional[string]             `json:"tenant_id"`
	EnvironmentIntegrationID string                       `json:"environment_integration_id"`
	AuthenticationMethod     optional[string]             `json:"authentication_method"`
	Status                   optional[string]             `json:"status"`
	Context                  optional[directory.Metadata] `json:"context"`
}

// createAccount connects a tenant with the built-in directory: with all of it, or
// with the organization that the context names. The directory needs no
// credentials of the tenant's, so what looks like one is not kept.
func (a *API) createAccount(c call) (edge.Reply, error) {
	var body accountBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if body.TenantID.value == "" {
		return edge.Reply{}, errMissingBody.With([]string{"tenant_id"}).On("tenant_id").Saying("tenant_id is required")
	}
	if s := body.EnvironmentIntegrationID; s != "" && s != installationID(c.by.Realm) {
		return edge.Reply{}, errUnknownObject.On("environment_integration_id").Saying("the integration is not installed")
	}
	account := credential.IntegratedAccount{EnvironmentID: environmentID(c.by.Realm), Status: statusActive, Method: "api_key", Organization: c.Actor.Home}
	if spelled, ok := body.Context.value[organizationContext]; ok {
		s, _ := spelled.(string)
		i, err := a.seenOrganization(c, s)
		if err != nil {
			return edge.Reply{}, err
		}
		account.Organization = i
	}
	if err := body.apply(c, &account); err != nil {
		return edge.Reply{}, err
	}
	account, err := a.Credentials.CreateIntegratedAccount(c.ctx(), c.by, account)
	if err != nil {
		return edge.Reply{}, err
	}
	reply := answer(c.accountObject(account))
	reply.Status = http.StatusCreated
	return reply, nil
}

// maxContext bounds the context of an account, in bytes of JSON.
const maxContext = 64 << 10

func (b accountBody) apply(c call, a *credential.IntegratedAccount) error {
	b.TenantID.into(&a.TenantKey)
	b.AuthenticationMethod.into(&a.Method)
	if a.TenantKey == "" {
		return fault.Invalidf("tenant_id", "tenant_id must not be empty")
	}
	if b.Status.set {
		if !slices.Contains(accountStatuses, b.Status.value) {
			return fault.Invalidf("status", "status must be one of %s", strings.Join(accountStatuses, ", "))
		}
		a.Status = b.Status.value
	}
	if !b.Context.set {
		return nil
	}
	merged := merge(a.Context, redacted(b.Context.value))
	if s, ok := merged[organizationContext]; ok {
		if a.Organization == id.None || s != c.codec(id.Organization).Decimal(a.Organization) {
			return errUnprocessable.On("context").Saying("the organization of an integrated account cannot be changed")
		}
		delete(merged, organizationContext)
	}
	if text, err := json.Marshal(merged); err != nil || len(text) > maxContext {
		return fault.Invalidf("context", "the context must have at most %d KiB", maxContext>>10)
	}
	a.Context = merged
	return nil
}

// merge writes fields into a copy of m, objects into objects; null takes a field away.
func merge(m, fields map[string]any) map[string]any {
	out := make(map[string]any, len(m)+len(fields))
	for k, v := range m {
		out[k] = v
	}
	for k, v := range fields {
		old, wasObject := out[k].(map[string]any)
		fresh, isObject := v.(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case wasObject && isObject:
			out[k] = merge(old, fresh)
		default:
			out[k] = v
		}
	}
	return out
}

// secretWords are parts of names under which credentials come.
var secretWords = []string{"secret", "token", "password", "credential", "api_key", "apikey", "private", "authorization", "cookie"}

// redacted gives a copy of m without what looks like a secret: every plain value
// whose own name or that of an object around it says so.
func redacted(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		lower := strings.ToLower(k)
		out[k] = redact(v, slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(lower, w) }))
	}
	return out
}

func redact(v any, secret bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := redacted(v)
		for k := range v {
			if secret {
				out[k] = redact(v[k], true)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = redact(e, secret)
		}
		return out
	case nil:
		return nil
	}
	if secret {
		return "[redacted]"
	}
	return v
}

func (a *API) updateAccount(c call) (edge.Reply, error) {
	var body accountBody
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	i, err := c.accountID(c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	account, err := a.Credentials.UpdateIntegratedAccount(c.ctx(), c.by, i, func(account *credential.IntegratedAccount) error {
		return body.apply(c, account)
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return answer(c.accountObject(account)), nil
}

func (a *API) deleteAccount(c call) (edge.Reply, error) {
	i, err := c.accountID(c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Credentials.DeleteIntegratedAccount(c.ctx(), c.by, i); err != nil {
		return edge.Reply{}, err
	}
	return answer(record{{"id", c.codec(id.IntegratedAccount).UUID(i)}}), nil
}

// createAccountToken makes a short-lived token that is bound to one account.
func (a *API) createAccountToken(c call) (edge.Reply, error) {
	var body struct {
		ID string `json:"integrated_account_id"`
	}
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if body.ID == "" {
		return edge.Reply{}, errMissingBody.With([]string{"integrated_account_id"}).On("integrated_account_id").Saying("integrated_account_id is required")
	}
	i, err := c.accountID(body.ID)
	if err != nil {
		return edge.Reply{}, err
	}
	account, err := a.Credentials.IntegratedAccount(c.ctx(), c.by, i)
	if err != nil {
		return edge.Reply{}, err
	}
	signed, err := a.issueAccountToken(c.ctx(), c.by, account)
	if err != nil {
		return edge.Reply{}, err
	}
	return answer(record{{"integrated_account_token", signed}}), nil
}
