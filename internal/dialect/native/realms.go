package native

import (
	"net/http"
	"slices"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

// A realmShown is a realm as this wire shows it.
type realmShown struct {
	Stamp
	Name                string   `json:"name"`
	DefaultOrganization *string  `json:"default_organization" doc:"Takes who belongs to no other; it cannot be deleted."`
	Origins             []string `json:"origins" doc:"Where the realm is reached."`

	SignIn    realmSignIn `json:"sign_in" doc:"How people sign in. Organizations can only narrow it."`
	Protected bool        `json:"protected" doc:"Against deletion, through any API."`

	DeletionDefaults map[string]deletionDefault `json:"deletion_defaults" doc:"What deletions through an API are like unless their caller says otherwise, by API."`
}

// A deletionDefault is what a realm sets for deletions that come through one API.
type deletionDefault struct {
	Users   *string `json:"users,omitempty" enum:"erase,detach" doc:"What becomes of the users that a deleted organization owned; as the API has it unless given."`
	Grace   *string `json:"grace,omitempty" maxLength:"32" doc:"How long nothing is removed yet, such as 168h or 0s; as the API has it unless given: 0s, and 168h for this one."`
	Members *string `json:"members_grace,omitempty" maxLength:"32" doc:"How long nothing is removed yet of a membership that ends, such as 168h; 0s unless given."`
}

func showDefaults(set map[string]erasure.Default) map[string]deletionDefault {
	shown := make(map[string]deletionDefault, len(set))
	for api, d := range set {
		var of deletionDefault
		if d.Users != "" {
			of.Users = textOrNull(string(d.Users))
		}
		if d.Grace != nil {
			of.Grace = textOrNull(d.Grace.String())
		}
		if d.Members != nil {
			of.Members = textOrNull(d.Members.String())
		}
		shown[api] = of
	}
	return shown
}

// A realmChange changes a realm, field by field.
type realmChange struct {
	Name    optional[string]   `json:"name,omitzero" nullable:"false" minLength:"1" maxLength:"200"`
	Origins optional[[]string] `json:"origins,omitzero" nullable:"false" maxItems:"50" doc:"All of them; needs an operator's key."`

	SignIn    realmSignInChange `json:"sign_in,omitzero" doc:"Changed rule by rule; null for one is what holds where nothing is set."`
	Protected optional[bool]    `json:"protected,omitzero" nullable:"false" doc:"Against deletion, through any API; needs an operator's key."`

	DeletionDefaults optional[map[string]optional[deletionDefault]] `json:"deletion_defaults,omitzero" doc:"Changed API by API; null for one takes its defaults away."`
}

func (g realmChange) apply(r *realm.Realm) error {
	g.Name.into(&r.Name)
	g.Origins.into(&r.Origins)
	g.SignIn.apply(&r.SignIn)
	g.Protected.into(&r.Protected)
	if g.DeletionDefaults.null {
		r.Defaults = nil
	}
	for api, set := range g.DeletionDefaults.value {
		if set.null {
			delete(r.Defaults, api)
			continue
		}
		var d erasure.Default
		if u := set.value.Users; u != nil {
			d.Users = erasure.Users(*u)
		}
		for _, g := range []struct {
			name  string
			given *string
			into  **time.Duration
		}{{"grace", set.value.Grace, &d.Grace}, {"members_grace", set.value.Members, &d.Members}} {
			if g.given == nil {
				continue
			}
			t, ok := grace(*g.given)
			if !ok {
				return errBody.On("deletion_defaults." + api + "." + g.name).Saying(graceRule)
			}
			*g.into = &t
		}
		if r.Defaults == nil {
			r.Defaults = map[string]erasure.Default{}
		}
		r.Defaults[api] = d
	}
	return nil
}

func (r realmShown) location() string { return "/realms/" + r.ID }

func showRealm(_ edge.Call, r realm.Realm) realmShown {
	return realmShown{
		Stamp: stamped(id.None, id.Realm, r.Stamp), Name: r.Name,
		DefaultOrganization: spellOrNull(r.ID, id.Organization, r.Default), Origins: append([]string{}, r.Origins...),
		SignIn: showSignInRules(r.SignIn), Protected: r.Protected, DeletionDefaults: showDefaults(r.Defaults),
	}
}

// A newRealm is a realm to be.
type newRealm struct {
	Name    string   `json:"name" minLength:"1" maxLength:"200"`
	Origins []string `json:"origins,omitempty" maxItems:"50" doc:"Where it is to be reached, such as https://id.example.com."`
}

// A newRealmKey is a key to be for another realm.
type newRealmKey struct {
	Name        string   `json:"name" minLength:"1" maxLength:"200"`
	Permissions []string `json:"permissions" minItems:"1" maxItems:"100" doc:"Permissions such as organization:read; * is everything."`
	ExpiresAt   *moment  `json:"expires_at,omitempty" doc:"Never unless given."`
}

func (a *API) realmOperations() []operation {
	return []operation{
		{
			name: "realms.list", method: http.MethodGet, path: "/realms", permission: access.RealmRead,
			summary: "List realms", notes: "The key's own; all of them for an operator's key.",
			handling: lists(listing{plain: true}, func(c edge.Call, q query.Query) (query.Page[realm.Realm], error) {
				return a.Realms.Realms(c.Context(), c.Actor, q)
			}, showRealm),
		},
		{
			name: "realms.create", method: http.MethodPost, path: "/realms", permission: access.RealmWrite, status: http.StatusCreated,
			summary: "Create a realm", notes: "With a default organization of the same name. Needs an operator's key.",
			handling: takes(a.createRealm),
		},
		{
			name: "realms.get", method: http.MethodGet, path: "/realms/{realm}", permission: access.RealmRead,
			summary: "Get a realm", notes: "An operator's key gets any, others their own.", handling: gives(a.realm),
		},
		{
			name: "realms.update", method: http.MethodPatch, path: "/realms/{realm}", permission: access.RealmWrite, versioned: true,
			summary: "Change a realm", notes: "What is left out stays. An operator's key changes any, others their own; origins need an operator's key.",
			handling: takes(a.updateRealm),
		},
		{
			name: "realms.create_key", method: http.MethodPost, path: "/realms/{realm}/keys", permission: access.RealmWrite,
			status: http.StatusCreated, summary: "Create the first key of a realm",
			notes:    "A key for this API in that realm, which creates further ones. Needs an operator's key.",
			handling: takes(a.createRealmKey),
		},
	}
}

func (a *API) createRealm(c edge.Call, in newRealm) (realmShown, error) {
	r, err := a.Realms.CreateRealm(c.Context(), c.Actor, realm.Realm{Name: in.Name, Origins: in.Origins})
	return showRealm(c, r), err
}

// realmOf gives the realm in the path, which the actor must be allowed to see.
func (a *API) realmOf(c edge.Call) (realm.Realm, error) {
	return a.Realms.Realm(c.Context(), c.Actor, realmNamed(c))
}

func (a *API) realm(c edge.Call) (realmShown, error) {
	r, err := a.realmOf(c)
	return showRealm(c, r), err
}

func (a *API) updateRealm(c edge.Call, in realmChange) (realmShown, error) {
	asked, err := ifMatch(c)
	if err != nil {
		return realmShown{}, err
	}
	r, err := a.Realms.UpdateRealm(c.Context(), c.Actor, realmNamed(c), func(r *realm.Realm) error {
		if err := asked.allows(r.Version); err != nil {
			return err
		}
		return in.apply(r)
	})
	return showRealm(c, r), err
}

// createRealmKey acts inside another realm, which only an operator may. The key
// carries the name of who made it into that realm's record.
func (a *API) createRealmKey(c edge.Call, in newRealmKey) (createdKey, error) {
	if err := c.Actor.Require(access.RealmWrite); err != nil {
		return createdKey{}, err
	}
	if !slices.Contains(c.Actor.Claims, realm.Operator) {
		return createdKey{}, realm.ErrNotOperator
	}
	if err := mayClaim(c, in.Permissions); err != nil {
		return createdKey{}, err
	}
	r, err := a.realmOf(c)
	if err != nil {
		return createdKey{}, err
	}
	k := credential.Key{Scheme: Scheme, Name: in.Name, Claims: in.Permissions, Grants: []access.Grant{{Permissions: permissions(in.Permissions)}}}
	if k.ExpiresAt, err = a.future(in.ExpiresAt); err != nil {
		return createdKey{}, err
	}
	by := access.System(r.ID)
	by.Subject = c.Actor.Subject
	k, secret, err := a.Credentials.CreateKey(c.Context(), by, k, KeyPrefix)
	c.Actor.Realm = r.ID // ids are spelled for the realm they belong to
	return createdKey{Key: showKey(c, k), Secret: &secret, elsewhere: true}, err
}
