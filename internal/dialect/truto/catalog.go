package truto

import (
	"slices"
	"strings"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// The one integration there is: the server's own directory.
const (
	integrationName     = "guildhall"
	integrationLabel    = "Guildhall"
	integrationCategory = "directory"
	modelName           = "user-directory"
)

// What is looked up here exists once per realm; its id is spelled from the
// realm's. The kinds only keep the three apart.
func environmentID(realm id.ID) string  { return id.For(realm, id.Realm).UUID(realm) }
func integrationID(realm id.ID) string  { return id.For(realm, id.Connection).UUID(realm) }
func installationID(realm id.ID) string { return id.For(realm, id.Origin).UUID(realm) }

// The facts about them.
var (
	errEnvironmentNotFound  = fault.New(fault.NotFound, "environment_not_found", "", "the environment does not exist")
	errIntegrationNotFound  = fault.New(fault.NotFound, "integration_not_found", "", "the integration does not exist")
	errInstallationNotFound = fault.New(fault.NotFound, "environment_integration_not_found", "", "the integration is not installed")
)

func (a *API) ping(call) (edge.Reply, error) { return answer(record{{"message", "pong"}}), nil }

func (a *API) environment(c call) (record, error) {
	r, err := a.Realms.Realm(c.ctx(), c.by, c.by.Realm)
	return record{
		{"id", environmentID(r.ID)}, {"name", r.Name}, {"team_id", nil}, {"created_at", stamp(r.CreatedAt)}, {"updated_at", stamp(r.UpdatedAt)},
	}, err
}

func (a *API) listEnvironments(c call) (edge.Reply, error) {
	e, err := a.environment(c)
	return answer(admin([]record{e}, "", adminLimit)), err
}

func (a *API) getEnvironment(c call) (edge.Reply, error) {
	if !strings.EqualFold(c.Path("id"), environmentID(c.by.Realm)) {
		return edge.Reply{}, errEnvironmentNotFound
	}
	e, err := a.environment(c)
	return answer(e), err
}

func integrationRef(realm id.ID) record {
	return record{{"id", integrationID(realm)}, {"name", integrationName}, {"label", integrationLabel}, {"category", integrationCategory}}
}

func integration(realm id.ID) record {
	at := stamp(realm.Time())
	return append(integrationRef(realm), record{
		{"is_beta", false}, {"sharing", "allow"}, {"can_install", false}, {"created_at", at}, {"updated_at", at},
	}...)
}

func (a *API) listIntegrations(c call) (edge.Reply, error) {
	name, err := c.params.text("name")
	if err != nil {
		return edge.Reply{}, err
	}
	result := []record{}
	if name == "" || name == integrationName {
		result = append(result, integration(c.by.Realm))
	}
	return answer(admin(result, "", adminLimit)), nil
}

// hasIntegration reports whether the path names the one integration, by its id
// or its slug.
func (c call) hasIntegration() bool {
	return c.Path("id") == integrationName || strings.EqualFold(c.Path("id"), integrationID(c.by.Realm))
}

func (a *API) getIntegration(c call) (edge.Reply, error) {
	if !c.hasIntegration() {
		return edge.Reply{}, errIntegrationNotFound
	}
	return answer(integration(c.by.Realm)), nil
}

// installation is the integration as it stands in the environment.
func installation(realm id.ID) record {
	at := stamp(realm.Time())
	return record{
		{"id", installationID(realm)}, {"integration_id", integrationID(realm)}, {"environment_id", environmentID(realm)},
		{"show_in_catalog", true}, {"is_enabled", true}, {"is_active", true}, {"override", record{}}, {"integration", integrationRef(realm)},
		{"created_at", at}, {"updated_at", at},
	}
}

func (a *API) listInstallations(c call) (edge.Reply, error) {
	return answer(admin([]record{installation(c.by.Realm)}, "", adminLimit)), nil
}

func (a *API) getInstallation(c call) (edge.Reply, error) {
	if !strings.EqualFold(c.Path("id"), installationID(c.by.Realm)) {
		return edge.Reply{}, errInstallationNotFound
	}
	return answer(installation(c.by.Realm)), nil
}

// integrationCapabilities tells what the integration can do.
func (a *API) integrationCapabilities(c call) (edge.Reply, error) {
	if !c.hasIntegration() {
		return edge.Reply{}, errIntegrationNotFound
	}
	body, err := a.capabilities(c)
	return answer(body), err
}

// accountCapabilities tells what can be done through an integrated account: a
// program asks before it shows a button to delete an organization.
func (a *API) accountCapabilities(c call) (edge.Reply, error) {
	i, err := c.accountID(c.Path("id"))
	if err != nil {
		return edge.Reply{}, err
	}
	account, err := a.Credentials.IntegratedAccount(c.ctx(), c.by, i)
	if err != nil {
		return edge.Reply{}, err
	}
	body, err := a.capabilities(c)
	if err != nil {
		return edge.Reply{}, err
	}
	return answer(append(body, field{"account", record{
		{"id", c.codec(id.IntegratedAccount).UUID(account.ID)}, {"status", first(account.Status, statusActive)},
		{"authentication_method", known(account.Method)}, {"is_blocked", false},
	}})), nil
}

func (a *API) capabilities(c call) (record, error) {
	surface, err := c.params.text("type")
	if err != nil {
		return nil, err
	}
	resource, err := c.params.text("resource")
	if err != nil {
		return nil, err
	}
	var methods []string
	for _, v := range c.params.at("methods").plain() {
		methods = append(methods, strings.Split(v, ",")...)
	}
	unified := []record{}
	if surface != "proxy" {
		for _, name := range a.resources() {
			if offered := a.methodsOf(name, methods); (resource == "" || resource == name) && len(offered) > 0 {
				unified = append(unified, record{
					{"model", modelName}, {"model_label", "Unified User Directory API"}, {"resource", name}, {"methods", offered}, {"env_overridden", false},
				})
			}
		}
	}
	return record{
		{"integration", integrationRef(c.by.Realm)}, {"environment_id", environmentID(c.by.Realm)}, {"proxy", []record{}}, {"unified", unified},
		{"auth", record{{"formats", []string{"api_key"}}, {"fields", []record{}}}},
		{"ai_readiness", record{{"proxy_methods", 0}, {"proxy_methods_with_descriptions", 0}, {"ai_ready_score", 0}}},
	}, nil
}

// resources lists the resources of the unified model, from the route table, so
// that nothing is told that is not served.
func (a *API) resources() (names []string) {
	for _, r := range a.Routes() {
		if name, _, ok := unifiedOperation(r); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (a *API) methodsOf(resource string, only []string) (methods []string) {
	for _, r := range a.Routes() {
		name, method, ok := unifiedOperation(r)
		if ok && name == resource && (len(only) == 0 || slices.Contains(only, method)) {
			methods = append(methods, method)
		}
	}
	return methods
}

// unifiedOperation splits the name of an operation of the unified model; other
// spellings of an operation are none of their own.
func unifiedOperation(r edge.Route) (resource, method string, ok bool) {
	if !strings.HasPrefix(r.Pattern, unifiedPath) || strings.Contains(r.Operation, ".alias") {
		return "", "", false
	}
	return strings.Cut(r.Operation, ".")
}
