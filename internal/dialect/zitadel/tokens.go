package zitadel

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user"
	userv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (a *API) tokenMethods() []wire.Endpoint {
	return []wire.Endpoint{
		method(management.ManagementService_AddPersonalAccessToken_FullMethodName, a.addToken),
		method(management.ManagementService_GetPersonalAccessTokenByIDs_FullMethodName, a.getToken),
		method(management.ManagementService_ListPersonalAccessTokens_FullMethodName, a.listTokens),
		method(management.ManagementService_RemovePersonalAccessToken_FullMethodName, a.removeToken),
		method(userv2.UserService_AddPersonalAccessToken_FullMethodName, a.addTokenV2),
		method(userv2.UserService_ListPersonalAccessTokens_FullMethodName, a.listTokensV2),
		method(userv2.UserService_RemovePersonalAccessToken_FullMethodName, a.removeTokenV2),
	}
}

var errExpiration = &refusal{codes.InvalidArgument, "COMMAND-dv3t5", "The expiration date is in the past"}

// tokenScopes are the scopes that every personal access token has.
var tokenScopes = []string{"openid", "urn:zitadel:iam:org:project:id:zitadel:aud"}

// issue makes a token that stands for a machine user. What it may do follows the
// user's memberships at the moment of use.
func (a *API) issue(c *call, u directory.User, expires time.Time) (credential.Key, string, error) {
	if u.Kind != directory.Machine {
		return credential.Key{}, "", errNotMachine
	}
	if !expires.IsZero() && !expires.After(a.Now()) {
		return credential.Key{}, "", errExpiration
	}
	if err := a.mayStandFor(c, u); err != nil {
		return credential.Key{}, "", err
	}
	return a.Credentials.CreateKey(c, c.Actor, credential.Key{
		Organization: u.Home, User: u.ID, Scheme: scheme, Name: "personal access token", ExpiresAt: expires,
	}, "")
}

// tokens lists the tokens that meet the conditions.
func (a *API) tokens(c *call, q query.Query) (query.Page[credential.Key], error) {
	q.Where = append(q.Where, query.Is("scheme", scheme), query.Where("user_id", query.Ne, id.None))
	return a.Credentials.Keys(c, c.Actor, q)
}

// token finds a token of a user.
func (a *API) token(c *call, u directory.User, text string) (credential.Key, error) {
	i, err := parse(c, id.Key, text, errTokenUnknown)
	if err != nil {
		return credential.Key{}, err
	}
	page, err := a.tokens(c, query.Query{Where: []query.Condition{query.Is("id", i), query.Is("user_id", u.ID)}, Limit: 1})
	if err == nil && len(page.Items) == 0 {
		err = errTokenUnknown
	}
	if err != nil {
		return credential.Key{}, err
	}
	return page.Items[0], nil
}

func (c *caller) tokenID(k credential.Key) string { return spell(c.Actor.Realm, id.Key, k.ID, "") }

func (a *API) addToken(c *call, q *management.AddPersonalAccessTokenRequest) (*management.AddPersonalAccessTokenResponse, error) {
	u, err := a.ownUser(c, q.GetUserId())
	if err != nil {
		return nil, err
	}
	k, secret, err := a.issue(c, u, timeOf(q.GetExpirationDate()))
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.AddPersonalAccessTokenResponse{TokenId: c.tokenID(k), Token: secret, Details: created(k.Stamp, owner)}, err
}

func (a *API) tokenV1(c *call, keys ...credential.Key) (out []*user.PersonalAccessToken, err error) {
	owner, err := a.spelling(c, id.Organization, c.Organization)
	for _, k := range keys {
		out = append(out, &user.PersonalAccessToken{Id: c.tokenID(k), Details: read(k.Stamp, owner), ExpirationDate: when(k.ExpiresAt), Scopes: tokenScopes})
	}
	return out, err
}

func (a *API) getToken(c *call, q *management.GetPersonalAccessTokenByIDsRequest) (*management.GetPersonalAccessTokenByIDsResponse, error) {
	u, err := a.ownUser(c, q.GetUserId())
	if err != nil {
		return nil, err
	}
	k, err := a.token(c, u, q.GetTokenId())
	if err != nil {
		return nil, err
	}
	all, err := a.tokenV1(c, k)
	if err != nil {
		return nil, err
	}
	return &management.GetPersonalAccessTokenByIDsResponse{Token: all[0]}, nil
}

func (a *API) listTokens(c *call, q *management.ListPersonalAccessTokensRequest) (*management.ListPersonalAccessTokensResponse, error) {
	u, err := a.ownUser(c, q.GetUserId())
	if err != nil {
		return nil, err
	}
	ask, err := listing(q.GetQuery(), "")
	if err != nil {
		return nil, err
	}
	ask.Where = []query.Condition{query.Is("user_id", u.ID)}
	page, err := a.tokens(c, ask)
	if err != nil {
		return nil, err
	}
	result, err := a.tokenV1(c, page.Items...)
	return &management.ListPersonalAccessTokensResponse{Details: a.listed(page.Total), Result: result}, err
}

func (a *API) removeToken(c *call, q *management.RemovePersonalAccessTokenRequest) (*management.RemovePersonalAccessTokenResponse, error) {
	u, err := a.ownUser(c, q.GetUserId())
	if err != nil {
		return nil, err
	}
	k, err := a.revoke(c, u, q.GetTokenId())
	if err != nil {
		return nil, err
	}
	owner, err := a.spelling(c, id.Organization, c.Organization)
	return &management.RemovePersonalAccessTokenResponse{Details: removed(k.Stamp, a.Now(), owner)}, err
}

func (a *API) revoke(c *call, u directory.User, text string) (credential.Key, error) {
	k, err := a.token(c, u, text)
	if err != nil {
		return k, err
	}
	return k, a.Credentials.RevokeKey(c, c.Actor, k.ID)
}

func (a *API) addTokenV2(c *call, q *userv2.AddPersonalAccessTokenRequest) (*userv2.AddPersonalAccessTokenResponse, error) {
	u, err := a.userFor(c, q.GetUserId(), "user.write", false)
	if err != nil {
		return nil, err
	}
	k, secret, err := a.issue(c, u, timeOf(q.GetExpirationDate()))
	if err != nil {
		return nil, err
	}
	return &userv2.AddPersonalAccessTokenResponse{CreationDate: when(k.CreatedAt), TokenId: c.tokenID(k), Token: secret}, nil
}

func (a *API) removeTokenV2(c *call, q *userv2.RemovePersonalAccessTokenRequest) (*userv2.RemovePersonalAccessTokenResponse, error) {
	u, err := a.userFor(c, q.GetUserId(), "user.write", false)
	if err != nil {
		return nil, err
	}
	if _, err := a.revoke(c, u, q.GetTokenId()); err != nil {
		return nil, err
	}
	return &userv2.RemovePersonalAccessTokenResponse{DeletionDate: when(a.Now())}, nil
}

// tokenTerms are the ways to search for tokens.
func (a *API) tokenTerms() terms {
	return terms{
		"token_id_filter":        a.identified("id", id.Key),
		"user_id_filter":         a.identified("user_id", id.User),
		"organization_id_filter": a.identified("organization_id", id.Organization),
		"created_date_filter":    moment("created_at"),
		"expiration_date_filter": moment("expires_at"),
	}
}

// moments are the ways to compare times, by the numbers of the second generation.
var moments = map[protoreflect.EnumNumber]query.Op{0: query.Eq, 1: query.More, 2: query.MoreEq, 3: query.Less, 4: query.LessEq}

// moment compares a field with the time in a message.
func moment(field string) term {
	return func(_ *call, v protoreflect.Value) (query.Condition, error) {
		m := v.Message()
		op, ok := moments[m.Get(m.Descriptor().Fields().ByName("method")).Enum()]
		if !ok {
			return nothing(), errQueryInvalid
		}
		at := m.Get(m.Descriptor().Fields().ByName("timestamp")).Message()
		fields := at.Descriptor().Fields()
		return query.Where(field, op, time.Unix(at.Get(fields.ByName("seconds")).Int(), at.Get(fields.ByName("nanos")).Int()).UTC()), nil
	}
}

var tokenColumns = map[userv2.PersonalAccessTokenFieldName]string{
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_CREATED_DATE:    "created_at",
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_ID:              "id",
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_USER_ID:         "user_id",
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_ORGANIZATION_ID: "organization_id",
	userv2.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_EXPIRATION_DATE: "expires_at",
}

func (a *API) listTokensV2(c *call, q *userv2.ListPersonalAccessTokensRequest) (*userv2.ListPersonalAccessTokensResponse, error) {
	ask, err := listing(q.GetPagination(), tokenColumns[q.GetSortingColumn()])
	if err != nil {
		return nil, err
	}
	if ask.Where, err = where(c, q.GetFilters(), a.tokenTerms()); err != nil {
		return nil, err
	}
	page, err := a.tokens(c, ask)
	if page, err = orNone(page, err); err != nil {
		return nil, err
	}
	var people, homes []id.ID
	for _, k := range page.Items {
		people, homes = append(people, k.User), append(homes, k.Organization)
	}
	users, err := a.spellings(c, id.User, people...)
	if err != nil {
		return nil, err
	}
	organizations, err := a.spellings(c, id.Organization, homes...)
	out := &userv2.ListPersonalAccessTokensResponse{Pagination: paginated(page.Total, ask)}
	for _, k := range page.Items {
		out.Result = append(out.Result, &userv2.PersonalAccessToken{
			CreationDate: when(k.CreatedAt), ChangeDate: when(k.UpdatedAt), Id: c.tokenID(k), UserId: users[k.User],
			OrganizationId: organizations[k.Organization], ExpirationDate: when(k.ExpiresAt),
		})
	}
	return out, err
}
