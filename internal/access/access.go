// Package access says who calls and what they may do.
package access

import (
	"slices"

	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// A Permission is one thing that can be allowed, as subject:verb.
type Permission string

// The permissions of the domain. A dialect's table maps its own scopes, roles or
// actions to them and may ask for more, never for less.
const (
	RealmRead   Permission = "realm:read"
	RealmWrite  Permission = "realm:write"
	RealmDelete Permission = "realm:delete"

	OrganizationRead   Permission = "organization:read"
	OrganizationCreate Permission = "organization:create"
	OrganizationWrite  Permission = "organization:write"
	OrganizationDelete Permission = "organization:delete"
	OrganizationExport Permission = "organization:export"
	OrganizationImport Permission = "organization:import"

	UserRead   Permission = "user:read"
	UserCreate Permission = "user:create"
	UserWrite  Permission = "user:write"
	UserDelete Permission = "user:delete"

	MemberRead   Permission = "member:read"
	MemberCreate Permission = "member:create"
	MemberWrite  Permission = "member:write"
	MemberDelete Permission = "member:delete"

	RoleRead   Permission = "role:read"
	RoleWrite  Permission = "role:write"
	RoleDelete Permission = "role:delete"
	RoleAssign Permission = "role:assign"

	InvitationRead  Permission = "invitation:read"
	InvitationWrite Permission = "invitation:write"

	DomainRead  Permission = "domain:read"
	DomainWrite Permission = "domain:write"

	ProjectRead   Permission = "project:read"
	ProjectWrite  Permission = "project:write"
	ProjectDelete Permission = "project:delete"

	GrantRead   Permission = "grant:read"
	GrantWrite  Permission = "grant:write"
	GrantDelete Permission = "grant:delete"

	AdministratorRead  Permission = "administrator:read"
	AdministratorWrite Permission = "administrator:write"

	ApplicationRead  Permission = "application:read"
	ApplicationWrite Permission = "application:write"

	KeyRead  Permission = "key:read"
	KeyWrite Permission = "key:write"

	SessionRead  Permission = "session:read"
	SessionWrite Permission = "session:write"

	// CredentialTransfer allows hashes of passwords, keys and client secrets to be
	// put into an export, or taken from an archive.
	CredentialTransfer Permission = "credential:transfer"

	ConnectionRead  Permission = "connection:read"
	ConnectionWrite Permission = "connection:write"

	EventRead Permission = "event:read"

	HoldRead  Permission = "hold:read"
	HoldWrite Permission = "hold:write"

	WebhookRead  Permission = "webhook:read"
	WebhookWrite Permission = "webhook:write"
)

// All lists every permission of the domain.
func All() []Permission {
	return []Permission{
		RealmRead, RealmWrite, RealmDelete,
		OrganizationRead, OrganizationCreate, OrganizationWrite, OrganizationDelete,
		OrganizationExport, OrganizationImport, CredentialTransfer,
		UserRead, UserCreate, UserWrite, UserDelete,
		MemberRead, MemberCreate, MemberWrite, MemberDelete,
		RoleRead, RoleWrite, RoleDelete, RoleAssign,
		InvitationRead, InvitationWrite, DomainRead, DomainWrite,
		ProjectRead, ProjectWrite, ProjectDelete,
		GrantRead, GrantWrite, GrantDelete, AdministratorRead, AdministratorWrite,
		ApplicationRead, ApplicationWrite, KeyRead, KeyWrite, ConnectionRead, ConnectionWrite, SessionRead, SessionWrite, EventRead, HoldRead, HoldWrite,
		WebhookRead, WebhookWrite,
	}
}

// A Grant allows permissions on one resource: an organization, a project, or,
// when On is id.None, everything in the realm.
type Grant struct {
	On          id.ID
	Permissions []Permission
}

func (g Grant) allows(p Permission) bool { return slices.Contains(g.Permissions, p) }

// An Actor is who calls: a realm, a name for the record, and what is allowed.
// The zero Actor may do nothing anywhere.
type Actor struct {
	Realm   id.ID
	Subject string // who it is, for events: "user:123", "client:abc"
	User    id.ID  // the user, when the credential is a person's or machine user's
	Home    id.ID  // the organization the user or credential belongs to, or none
	Grants  []Grant
	Claims  []string // what the credential was given in its dialect's own words: scopes or roles
	limit   *Actor   // a second credential that must allow everything as well
}

// Operator is the claim of a credential that may create, see and end other realms.
const Operator = "operator"

// Operates reports whether the caller is an operator of the whole server.
func (a Actor) Operates() bool {
	return slices.Contains(a.Claims, Operator) && (a.limit == nil || a.limit.Operates())
}

// ErrNotOperator is a caller who may not reach other realms.
var ErrNotOperator = fault.New(fault.Forbidden, "not_operator", "", "only an operator's credential reaches other realms")

// ErrPermissionMissing is a caller who is known but not allowed. Its detail is
// the Permission that was missing.
var ErrPermissionMissing = fault.New(fault.Forbidden, "permission_missing", "", "the credential does not allow this")

// ErrUnauthenticated is a request without a credential that proves anything.
var ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "", "the request carries no valid credential")

// System is the actor of work that the server does itself in a realm.
func System(realm id.ID) Actor {
	return Actor{Realm: realm, Subject: "system", Grants: []Grant{{Permissions: All()}}}
}

// Can reports whether p is allowed on one of the resources (an organization, or
// a project and the organization that owns it). Without resources it asks for
// the whole realm.
func (a Actor) Can(p Permission, on ...id.ID) bool {
	if a.limit != nil && !a.limit.Can(p, on...) {
		return false
	}
	for _, g := range a.Grants {
		if (g.On == id.None || slices.Contains(on, g.On)) && g.allows(p) {
			return true
		}
	}
	return false
}

// CanSomewhere reports whether p is allowed on anything at all.
func (a Actor) CanSomewhere(p Permission) bool {
	if a.limit != nil && !a.limit.CanSomewhere(p) {
		return false
	}
	return slices.ContainsFunc(a.Grants, func(g Grant) bool { return g.allows(p) })
}

// Require fails unless p is allowed on one of the resources; see Can.
func (a Actor) Require(p Permission, on ...id.ID) error {
	if a.Can(p, on...) {
		return nil
	}
	return ErrPermissionMissing.With(p)
}

// RequireSeen is Require for an object that exists: a caller who is allowed p
// elsewhere only is told that the object does not exist, in the very form in
// which an unknown one is reported, so that ids of others cannot be probed.
func (a Actor) RequireSeen(p Permission, missing error, on ...id.ID) error {
	switch {
	case a.Can(p, on...):
		return nil
	case a.CanSomewhere(p):
		return missing
	}
	return ErrPermissionMissing.With(p)
}

// Reach says where p is allowed: everywhere in the realm, or on the listed
// resources only. A list query is narrowed by it, never filtered afterwards.
func (a Actor) Reach(p Permission) (everywhere bool, on []id.ID) {
	for _, g := range a.Grants {
		if !g.allows(p) {
			continue
		}
		if g.On == id.None {
			everywhere = true
		} else if !slices.Contains(on, g.On) {
			on = append(on, g.On)
		}
	}
	if a.limit == nil {
		return everywhere, on
	}
	all, within := a.limit.Reach(p)
	switch {
	case all:
		return everywhere, on
	case everywhere:
		return false, within
	}
	return false, slices.DeleteFunc(on, func(i id.ID) bool { return !slices.Contains(within, i) })
}

// Within is the actor of a request that carries two credentials: allowed is
// only what both allow. Credentials of different realms allow nothing.
func (a Actor) Within(other Actor) Actor {
	if a.Realm != other.Realm {
		return Actor{Subject: a.Subject}
	}
	if a.limit != nil {
		other = a.limit.Within(other)
	}
	a.limit = &other
	return a
}
