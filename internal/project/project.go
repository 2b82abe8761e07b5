// Package project owns what organizations build and share: projects, their
// roles, the grants of both, and who administers what.
package project

import (
	"context"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Project groups applications and the roles people have in them.
type Project struct {
	directory.Stamp
	Organization   id.ID
	Alias          string // the id its creator chose, as "scheme:id"
	Name           string // unique in the organization without regard to case
	Active         bool
	RoleAssertion  bool   // roles are put into tokens
	RoleCheck      bool   // signing in needs a role
	ProjectCheck   bool   // signing in needs a grant to the user's organization
	PrivateLabel   string // whose branding pages show
	AdminsRequired bool
}

// A Role is a role of a project, known by its key.
type Role struct {
	directory.Stamp
	Organization id.ID // of the project
	Project      id.ID
	Key          string
	DisplayName  string
	Group        string
}

// A Grant lets another organization give roles of a project to its own users.
type Grant struct {
	directory.Stamp
	Organization id.ID // of the project
	Project      id.ID
	Granted      id.ID // the organization that may use it
	Roles        []string
	Active       bool
}

// A UserGrant gives roles of a project to a user.
type UserGrant struct {
	directory.Stamp
	Organization        id.ID // in which it was given: the owner of the grant
	User                id.ID
	Home                id.ID // of the user
	Project             id.ID
	ProjectOrganization id.ID // the owner of the project
	Grant               id.ID // the project grant it stands on, or none
	Roles               []string
	Active              bool
}

// A Scope is a level at which somebody administers.
type Scope string

// The scopes.
const (
	OfRealm        Scope = "realm"
	OfOrganization Scope = "organization"
	OfProject      Scope = "project"
	OfGrant        Scope = "project_grant"
)

// An Administrator is a user with administrative roles on something.
type Administrator struct {
	directory.Stamp
	Organization id.ID // the owner of the object; none for the realm
	Granted      id.ID // for a project grant: the organization it was granted to
	User         id.ID
	Home         id.ID // of the user
	Scope        Scope
	Object       id.ID // organization, project or project grant; none for the realm
	Roles        []string
}

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	Projects() query.Objects[Project]
	ProjectRoles() query.Objects[Role]
	ProjectGrants() query.Objects[Grant]
	UserGrants() query.Objects[UserGrant]
	Administrators() query.Objects[Administrator]
	Organizations() query.Objects[directory.Organization]
	Users() query.Objects[directory.User]
	event.Log
}

// Store runs functions in transactions on a realm; see directory.Store.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Service performs the operations of this package.
type Service struct {
	Store Store
	Now   func() time.Time
}

// The facts this package reports.
var (
	ErrProjectNotFound       = fault.New(fault.NotFound, "project_not_found", "", "the project does not exist")
	ErrRoleNotFound          = fault.New(fault.NotFound, "project_role_not_found", "", "the project has no such role")
	ErrGrantNotFound         = fault.New(fault.NotFound, "project_grant_not_found", "", "the project grant does not exist")
	ErrUserGrantNotFound     = fault.New(fault.NotFound, "user_grant_not_found", "", "the user grant does not exist")
	ErrAdministratorNotFound = fault.New(fault.NotFound, "administrator_not_found", "", "the user is no administrator there")

	ErrProjectTaken        = fault.New(fault.Conflict, "project_taken", "name", "the organization has a project with this name already")
	ErrRoleTaken           = fault.New(fault.Conflict, "project_role_taken", "key", "the project has a role with this key already")
	ErrGrantExists         = fault.New(fault.Conflict, "project_grant_exists", "", "the project is granted to this organization already")
	ErrUserGrantExists     = fault.New(fault.Conflict, "user_grant_exists", "", "the user has a grant on this project already")
	ErrAdministratorExists = fault.New(fault.Conflict, "administrator_exists", "", "the user is an administrator there already")

	ErrProjectState   = fault.New(fault.Precondition, "project_state", "", "the project is in that state already")
	ErrGrantState     = fault.New(fault.Precondition, "project_grant_state", "", "the grant is in that state already")
	ErrUserGrantState = fault.New(fault.Precondition, "user_grant_state", "", "the user grant is in that state already")
	ErrUnknownRole    = fault.New(fault.Precondition, "project_role_unknown", "roles", "a role is not one of the project's, or not granted")
)
