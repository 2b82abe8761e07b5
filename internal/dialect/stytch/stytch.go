// Package stytch owns the wire of Stytch's B2B API: its paths, objects, references
// and errors, over the services of the domain.
//
// A project is a realm. Its id and secret are those of an application of the realm.
package stytch

import (
	"context"
	"net/http"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
)

// Scheme is the word for credentials of this wire: what another one issued is unknown here.
const Scheme = "stytch"

// KeySet gives the public keys of a realm as a JSON Web Key Set (RFC 7517 section 5).
type KeySet interface {
	JWKS(ctx context.Context, realm id.ID) ([]byte, error)
}

// An API serves the vendor's B2B API.
type API struct {
	Directory   *directory.Service
	Credentials *credential.Service
	Tokens      KeySet
	// RealmName gives the name of a realm, which is shown as the project's.
	RealmName func(ctx context.Context, realm id.ID) (string, error)
	// Formerly leads ids from before an import to what came of them; may be nil.
	Formerly archive.Lookup
}

// Name is the word for this dialect in logs and metrics.
func (a *API) Name() string { return "stytch" }

// Prefixes are the paths answered here. The clients of the vendor know no prefix of their own.
func (a *API) Prefixes() []string { return []string{"/v1/"} }

// projectPermissions are what the secret of a project allows: everything that the API offers.
var projectPermissions = []access.Permission{
	access.OrganizationRead, access.OrganizationCreate, access.OrganizationWrite, access.OrganizationDelete,
	access.UserRead, access.UserCreate, access.UserWrite, access.UserDelete,
	access.MemberRead, access.MemberCreate, access.MemberWrite, access.MemberDelete,
	access.RoleRead, access.RoleWrite, access.RoleDelete, access.RoleAssign,
}

// The headers that name a member's session beside the project's own credentials.
const (
	sessionTokenHeader = "X-Stytch-Member-Session"
	sessionJWTHeader   = "X-Stytch-Member-SessionJWT"
)

// Authenticate proves a project by its id and secret (RFC 7617). A member's
// session beside them would narrow what they allow; one that does not exist
// allows nothing.
func (a *API) Authenticate(r *http.Request) (access.Actor, error) {
	project, secret, ok := r.BasicAuth()
	if !ok || project == "" || secret == "" || len(r.Header.Values("Authorization")) > 1 {
		return access.Actor{}, access.ErrUnauthenticated
	}
	p, err := a.Credentials.Client(r.Context(), project, secret, Scheme)
	if err != nil {
		return access.Actor{}, err
	}
	if r.Header.Get(sessionTokenHeader) != "" || r.Header.Get(sessionJWTHeader) != "" {
		return access.Actor{}, errSessionNotFound
	}
	grants := p.Grants
	if len(grants) == 0 {
		grants = []access.Grant{{On: p.Organization, Permissions: projectPermissions}}
	}
	return access.Actor{Realm: p.Realm, Subject: p.Subject, User: p.User, Home: p.Organization, Grants: grants, Claims: p.Claims}, nil
}

// Admit has nothing to add: a project may call every operation.
func (a *API) Admit(access.Actor, *edge.Route) error { return nil }

// Limited adds nothing: the vendor's answers carry no headers about limits.
func (a *API) Limited(http.Header, edge.Limit) {}

// project is the project id that the caller gave.
func project(r *http.Request) string {
	name, _, _ := r.BasicAuth()
	return name
}

const livePrefix = "project-live-"

// environment is the word in the ids of a project: clients tell live projects
// from those for tests by the prefix of the project id alone.
func environment(r *http.Request) string {
	if strings.HasPrefix(project(r), livePrefix) {
		return "live"
	}
	return "test"
}
