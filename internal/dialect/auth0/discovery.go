package auth0

import (
	"guildhall/internal/edge"
	"guildhall/internal/id"
)

// managementName is the name of this API among the resource servers.
const managementName = "Auth0 Management API"

type serverJSON struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	IsSystem   bool        `json:"is_system"`
	Identifier string      `json:"identifier"`
	Scopes     []scopeJSON `json:"scopes"`
	Algorithm  string      `json:"signing_alg"`
	Offline    bool        `json:"allow_offline_access"`
	Life       int         `json:"token_lifetime"`
}

type scopeJSON struct {
	Value string `json:"value"`
}

// resourceServer is this API as a resource server: the only one there is.
func (a *API) resourceServer(c edge.Call) serverJSON {
	s := serverJSON{
		ID: id.For(c.Actor.Realm, id.Realm).Hex24(c.Actor.Realm), Name: managementName, IsSystem: true,
		Identifier: a.origin(c.Request, c.Actor.Realm) + apiPath, Algorithm: "ES256", Life: int(tokenLife.Seconds()),
	}
	for _, name := range Scopes() {
		s.Scopes = append(s.Scopes, scopeJSON{name})
	}
	return s
}

var serverList = style{key: "resource_servers", offset: true}

func (a *API) listResourceServers(c edge.Call) (edge.Reply, error) {
	l, err := serverList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	servers := []serverJSON{}
	wanted := c.Query()["identifiers"]
	for _, s := range wanted {
		if managed(a.Origins(c.Actor.Realm), s) != "" {
			servers = append(servers, a.resourceServer(c))
			break
		}
	}
	if len(wanted) == 0 {
		servers = append(servers, a.resourceServer(c))
	}
	return reply(c, l, sliced(servers, l)), nil
}

// getResourceServer finds it by its id or by its identifier, which some clients
// encode twice.
func (a *API) getResourceServer(c edge.Call) (edge.Reply, error) {
	s := a.resourceServer(c)
	for _, raw := range []string{c.Path("id"), formDecoded(c.Path("id"))} {
		if raw == s.ID || managed(a.Origins(c.Actor.Realm), raw) != "" {
			return edge.OK(s), nil
		}
	}
	return edge.Reply{}, errServerNotFound
}
