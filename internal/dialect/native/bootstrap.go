package native

import (
	"errors"
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/realm"
)

// The credential that a new installation prints. It can do one thing once: be
// exchanged for an operator's key.
const (
	BootstrapScheme = "bootstrap"
	BootstrapPrefix = "gb_"
)

func (a *API) bootstrapOperations() []operation {
	return []operation{{
		name: "bootstrap", method: http.MethodPost, path: "/bootstrap", public: true, status: http.StatusCreated,
		summary:  "Exchange the bootstrap token for a key",
		notes:    "The token that a new installation prints goes into the Authorization header. It works once.",
		handling: gives(a.bootstrap),
	}}
}

// bootstrap revokes the token before it makes the key: of two callers with one
// token one gets a key.
func (a *API) bootstrap(c edge.Call) (createdKey, error) {
	secret, ok := edge.Bearer(c.Request)
	if !ok {
		return createdKey{}, access.ErrUnauthenticated
	}
	p, err := a.Credentials.Key(c.Context(), secret, BootstrapScheme)
	if err != nil {
		return createdKey{}, err
	}
	c.Actor = access.System(p.Realm)
	if err := a.Credentials.RevokeKey(c.Context(), c.Actor, p.Key); err != nil {
		if errors.Is(err, credential.ErrKeyNotFound) {
			return createdKey{}, credential.ErrCredential
		}
		return createdKey{}, err
	}
	k, secret, err := a.Credentials.CreateKey(c.Context(), c.Actor, credential.Key{
		Scheme: Scheme, Name: "operator", Claims: []string{AllPermissions, realm.Operator}, Grants: []access.Grant{{On: id.None, Permissions: access.All()}},
	}, KeyPrefix)
	return createdKey{Key: showKey(c, k), Secret: &secret}, err
}
