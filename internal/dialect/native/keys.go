package native

import (
	"net/http"
	"slices"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

// A Key as this wire shows it, without its secret.
type Key struct {
	Stamp
	Name         string   `json:"name"`
	Organization *string  `json:"organization" doc:"The key reaches this organization alone; null for a key of the realm."`
	User         *string  `json:"user" doc:"The user it stands for, if any."`
	API          string   `json:"api" doc:"The API it is for: native for this one. No other knows it."`
	Permissions  []string `json:"permissions" doc:"What it may do, in the words of its API; * is everything."`
	Hint         string   `json:"hint" doc:"The last characters of its secret."`
	ExpiresAt    *moment  `json:"expires_at" nullable:"true"`
}

func (k Key) location() string { return "/keys/" + k.ID }

// A createdKey is a key with its secret.
type createdKey struct {
	Key
	Secret         *string `json:"secret" doc:"The bearer token. It is shown this once; only a hash of it is kept."`
	SecretWithheld bool    `json:"secret_withheld" doc:"This answer repeats an earlier one, which alone had the secret. Revoke the key if that one is lost."`

	elsewhere bool // in a realm that the caller's key cannot look into
}

func (k createdKey) location() string {
	if k.elsewhere {
		return ""
	}
	return k.Key.location()
}

func (k createdKey) withheld() any {
	k.Secret, k.SecretWithheld = nil, true
	return k
}

func showKey(c edge.Call, k credential.Key) Key {
	return Key{
		Stamp: stamped(c.Actor.Realm, id.Key, k.Stamp), Name: k.Name,
		Organization: spellOrNull(c.Actor.Realm, id.Organization, k.Organization), User: spellOrNull(c.Actor.Realm, id.User, k.User),
		API: k.Scheme, Permissions: append([]string{}, k.Claims...), Hint: k.Hint, ExpiresAt: momentOrNull(k.ExpiresAt),
	}
}

// A newKey is a key to be.
type newKey struct {
	Name         string   `json:"name" minLength:"1" maxLength:"200"`
	Organization string   `json:"organization,omitempty" doc:"Confine the key to this organization; its end is the key's end."`
	Permissions  []string `json:"permissions" minItems:"1" maxItems:"100" doc:"Permissions such as organization:read, none that the creating key lacks; * is everything."`
	ExpiresAt    *moment  `json:"expires_at,omitempty" doc:"Never unless given."`
}

func (a *API) keyOperations() []operation {
	return []operation{
		{
			name: "keys.list", method: http.MethodGet, path: "/keys", permission: access.KeyRead,
			summary: "List keys", notes: "Those of every API, without their secrets.",
			handling: lists(listing{filters: []filter{
				referring("organization", "organization_id", "Only those of this organization.", id.Organization),
				referring("user", "user_id", "Only those of this user.", id.User),
				exactly("api", "scheme", "Only those for this API; native for this one."),
			}}, func(c edge.Call, q query.Query) (query.Page[credential.Key], error) {
				return a.Credentials.Keys(c.Context(), c.Actor, q)
			}, showKey),
		},
		{
			name: "keys.create", method: http.MethodPost, path: "/keys", permission: access.KeyWrite, status: http.StatusCreated,
			summary: "Create a key for this API", notes: "Its secret is in the answer and nowhere else.", handling: takes(a.createKey),
		},
		{
			name: "keys.get", method: http.MethodGet, path: "/keys/{key}", permission: access.KeyRead,
			summary: "Get a key", handling: gives(a.key),
		},
		{
			name: "keys.revoke", method: http.MethodDelete, path: "/keys/{key}", permission: access.KeyWrite,
			summary: "Revoke a key", notes: "It is refused from this moment on.", handling: does(a.revokeKey),
		},
	}
}

func (a *API) createKey(c edge.Call, in newKey) (createdKey, error) {
	k := credential.Key{Scheme: Scheme, Name: in.Name, Claims: in.Permissions}
	var err error
	if k.Organization, err = owner(c, access.KeyWrite, in.Organization); err != nil {
		return createdKey{}, err
	}
	if k.ExpiresAt, err = a.future(in.ExpiresAt); err != nil {
		return createdKey{}, err
	}
	if err := mayClaim(c, in.Permissions); err != nil {
		return createdKey{}, err
	}
	k.Grants = []access.Grant{{On: k.Organization, Permissions: permissions(in.Permissions)}}
	k, secret, err := a.Credentials.CreateKey(c.Context(), c.Actor, k, KeyPrefix)
	return createdKey{Key: showKey(c, k), Secret: &secret}, err
}

// mayClaim refuses words that are no permission. An operator alone can make
// another operator; that a key never carries more permissions than its creator is
// the service's rule.
func mayClaim(c edge.Call, words []string) error {
	for i, word := range words {
		switch {
		case word == realm.Operator && !slices.Contains(c.Actor.Claims, realm.Operator):
			return realm.ErrNotOperator
		case word != realm.Operator && word != AllPermissions && len(permissions([]string{word})) == 0:
			return errBody.With([]fieldProblem{{
				In: "body", Field: indexed("permissions", i), Reason: "unknown_permission", Detail: "There is no such permission.",
			}}).Saying("the body names a permission that does not exist")
		}
	}
	return nil
}

func (a *API) key(c edge.Call) (Key, error) {
	i := object(c, "key", id.Key)
	page, err := a.Credentials.Keys(c.Context(), c.Actor, query.Query{Where: []query.Condition{query.Is("id", i)}, Limit: 1})
	if err != nil {
		return Key{}, err
	}
	if len(page.Items) == 0 {
		return Key{}, credential.ErrKeyNotFound
	}
	return showKey(c, page.Items[0]), nil
}

func (a *API) revokeKey(c edge.Call) error {
	i := object(c, "key", id.Key)
	return a.Credentials.RevokeKey(c.Context(), c.Actor, i)
}
