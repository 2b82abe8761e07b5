package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/sso"
)

// A connectionShown is an identity provider as this wire shows it.
type connectionShown struct {
	Stamp
	Organization *string      `json:"organization" doc:"The owner; null for the realm."`
	Name         string       `json:"name"`
	DisplayName  *string      `json:"display_name"`
	Provider     string       `json:"provider"`
	Issuer       string       `json:"issuer"`
	ClientID     string       `json:"client_id"`
	Enabled      bool         `json:"enabled"`
	Settings     sso.Settings `json:"settings"`
}

func (c connectionShown) location() string { return "/connections/" + c.ID }

func showConnection(c edge.Call, v sso.Connection) connectionShown {
	return connectionShown{
		Stamp: stamped(c.Actor.Realm, id.Connection, v.Stamp), Organization: spellOrNull(c.Actor.Realm, id.Organization, v.Organization), Name: v.Name,
		DisplayName: textOrNull(v.DisplayName), Provider: string(v.Provider), Issuer: v.Issuer, ClientID: v.ClientID, Enabled: v.Enabled, Settings: v.Settings,
	}
}

// A newConnection is an identity provider to be.
type newConnection struct {
	Organization string       `json:"organization,omitempty" doc:"The owner; left out, the realm."`
	Name         string       `json:"name" minLength:"1" maxLength:"64"`
	DisplayName  string       `json:"display_name,omitempty" maxLength:"200"`
	Provider     string       `json:"provider" enum:"google,oidc,oauth2"`
	Issuer       string       `json:"issuer,omitempty" maxLength:"400" doc:"Compared exactly; of oauth2 a name for whom its subjects belong to."`
	ClientID     string       `json:"client_id" minLength:"1" maxLength:"400"`
	ClientSecret string       `json:"client_secret,omitempty" maxLength:"4096" writeOnly:"true"`
	Disabled     bool         `json:"disabled,omitempty"`
	Settings     sso.Settings `json:"settings,omitempty"`
}

// A connectionChange changes an identity provider; its owner and issuer stay.
type connectionChange struct {
	DisplayName  optional[string]       `json:"display_name,omitzero" maxLength:"200"`
	ClientID     optional[string]       `json:"client_id,omitzero" nullable:"false" maxLength:"400"`
	ClientSecret optional[string]       `json:"client_secret,omitzero" nullable:"false" maxLength:"4096" writeOnly:"true"`
	Enabled      optional[bool]         `json:"enabled,omitzero" nullable:"false"`
	Settings     optional[sso.Settings] `json:"settings,omitzero" nullable:"false" doc:"All of them."`
}

func (a *API) connectionOperations() []operation {
	const path = "/connections"
	of := func(c edge.Call) id.ID { return object(c, "connection", id.Connection) }
	return []operation{
		{name: "connections.list", method: http.MethodGet, path: path, permission: access.ConnectionRead, summary: "List identity providers",
			handling: lists(listing{filters: []filter{referring("organization", "organization_id", "Only those of this organization.", id.Organization)}, sorts: []sorting{{"name", "name_key"}}},
				func(c edge.Call, q query.Query) (query.Page[sso.Connection], error) {
					return a.Connections.Connections(c.Context(), c.Actor, q)
				}, showConnection)},
		{name: "connections.create", method: http.MethodPost, path: path, permission: access.ConnectionWrite, status: http.StatusCreated,
			summary: "Let people sign in with an identity provider", handling: takes(a.createConnection)},
		{name: "connections.get", method: http.MethodGet, path: path + "/{connection}", permission: access.ConnectionRead, summary: "Get an identity provider",
			handling: gives(func(c edge.Call) (connectionShown, error) {
				v, err := a.Connections.Connection(c.Context(), c.Actor, of(c))
				return showConnection(c, v), err
			})},
		{name: "connections.update", method: http.MethodPatch, path: path + "/{connection}", permission: access.ConnectionWrite, summary: "Change an identity provider",
			handling: takes(a.updateConnection)},
		{name: "connections.delete", method: http.MethodDelete, path: path + "/{connection}", permission: access.ConnectionWrite, summary: "Remove an identity provider",
			notes: "Every link through it ends.", handling: does(func(c edge.Call) error { return a.Connections.Delete(c.Context(), c.Actor, of(c)) })},
	}
}

func (a *API) createConnection(c edge.Call, in newConnection) (connectionShown, error) {
	owned, err := owner(c, access.ConnectionWrite, in.Organization)
	if err != nil {
		return connectionShown{}, err
	}
	v, err := a.Connections.Create(c.Context(), c.Actor, sso.Connection{
		Organization: owned, Name: in.Name, DisplayName: in.DisplayName, Provider: sso.Provider(in.Provider), Issuer: in.Issuer, ClientID: in.ClientID,
		Enabled: !in.Disabled, Settings: in.Settings,
	}, in.ClientSecret)
	return showConnection(c, v), err
}

func (a *API) updateConnection(c edge.Call, in connectionChange) (connectionShown, error) {
	change := sso.Change{Apply: func(v *sso.Connection) error {
		in.DisplayName.into(&v.DisplayName)
		in.ClientID.into(&v.ClientID)
		in.Enabled.into(&v.Enabled)
		in.Settings.into(&v.Settings)
		return nil
	}}
	if in.ClientSecret.set {
		change.Secret = &in.ClientSecret.value
	}
	v, err := a.Connections.Update(c.Context(), c.Actor, object(c, "connection", id.Connection), change)
	return showConnection(c, v), err
}

// providerAnswer reads what an identity provider sent back.
func providerAnswer(m map[string]any) sso.Response {
	text := func(name string) string {
		s, _ := m[name].(string)
		return s
	}
	return sso.Response{State: text("state"), Code: text("code"), Issuer: text("iss"), Error: text("error")}
}
