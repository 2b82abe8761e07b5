// Package directory is the model of organizations, their users, members, roles,
// invitations and domains, with the operations on them.
package directory

import (
	"context"
	"time"

	"guildhall/internal/erasure"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// Metadata is free data of callers, as decoded JSON.
type Metadata map[string]any

// Stamp is what every stored object carries besides its own fields.
type Stamp = query.Stamp

// Tx is what this package asks of a transaction on one realm.
type Tx interface {
	Organizations() query.Objects[Organization]
	Users() query.Objects[User]
	Members() query.Objects[Member]
	Roles() query.Objects[Role]
	RoleAssignments() query.Objects[RoleAssignment]
	Invitations() query.Objects[Invitation]
	Domains() query.Objects[Domain]
	Entries() query.Objects[Entry]
	// SetPassword replaces the password of a user by a hash; it belongs to the user
	// and ends with it.
	// SetPassword gives a user a password. Where it replaces one, everything that the
	// user was signed in with is dead, and so are links that could replace it again.
	SetPassword(ctx context.Context, u User, hash string, change bool) error
	erasure.Queue
	event.Log
}

// Store runs functions in transactions on a realm. View is for reading and sees
// every committed write. Update commits what fn did or nothing; fn may run more
// than once and must not keep effects outside the transaction.
type Store interface {
	View(ctx context.Context, realm id.ID, fn func(Tx) error) error
	Update(ctx context.Context, realm id.ID, fn func(Tx) error) error
}

// A Service performs the operations of this package.
type Service struct {
	Store  Store
	Now    func() time.Time
	Outbox Outbox // nil sends nothing
}

// The facts this package reports.
var (
	ErrOrganizationNotFound = fault.New(fault.NotFound, "organization_not_found", "", "the organization does not exist")
	ErrUserNotFound         = fault.New(fault.NotFound, "user_not_found", "", "the user does not exist")
	ErrMemberNotFound       = fault.New(fault.NotFound, "member_not_found", "", "the user is not a member of the organization")
	ErrRoleNotFound         = fault.New(fault.NotFound, "role_not_found", "", "the role does not exist")
	ErrAssignmentNotFound   = fault.New(fault.NotFound, "role_assignment_not_found", "", "the role is not assigned")
	ErrInvitationNotFound   = fault.New(fault.NotFound, "invitation_not_found", "", "the invitation does not exist")
	ErrDomainNotFound       = fault.New(fault.NotFound, "domain_not_found", "", "the domain does not exist")
	ErrEntryNotFound        = fault.New(fault.NotFound, "metadata_not_found", "", "there is no metadata under that key")

	ErrNameTaken       = fault.New(fault.Conflict, "organization_name_taken", "name", "an organization with this name exists already")
	ErrSlugTaken       = fault.New(fault.Conflict, "organization_slug_taken", "slug", "an organization with this slug exists already")
	ErrExternalIDTaken = fault.New(fault.Conflict, "external_id_taken", "external_id", "this external id is in use already")
	ErrIDTaken         = fault.New(fault.Conflict, "id_taken", "id", "this id is, or once was, in use already")
	ErrEmailTaken      = fault.New(fault.Conflict, "email_taken", "email", "a user with this e-mail address exists already")
	ErrUsernameTaken   = fault.New(fault.Conflict, "username_taken", "username", "a user with this user name exists already")
	ErrPhoneTaken      = fault.New(fault.Conflict, "phone_taken", "phone", "a user with this phone number exists already")
	ErrRoleTaken       = fault.New(fault.Conflict, "role_taken", "key", "a role with this name exists already")
	ErrMemberExists    = fault.New(fault.Conflict, "member_exists", "", "the user is a member of the organization already")
	ErrDomainTaken     = fault.New(fault.Conflict, "domain_taken", "domain", "the domain is taken")
	ErrStale           = fault.New(fault.Stale, "version_conflict", "version", "the object changed since it was read")

	ErrAlreadySuspended = fault.New(fault.Precondition, "already_suspended", "", "the organization is suspended already")
	ErrAlreadyActive    = fault.New(fault.Precondition, "already_active", "", "the organization is active already")
	ErrNotChanged       = fault.New(fault.Precondition, "not_changed", "", "nothing would change")
)
