package directory

import (
	"time"

	"guildhall/internal/id"
)

// An OrganizationState says whether people can sign in through an organization.
type OrganizationState string

// The states of a living organization; see erasure for those after deletion.
const (
	Active    OrganizationState = "active"
	Suspended OrganizationState = "suspended"
)

// An Organization is one customer of a realm: the people who sign in together.
type Organization struct {
	Stamp
	Alias       string // the id its creator chose, as "scheme:id"; never reused
	Name        string // for people, 1 to 255 characters
	NameClaimed bool   // the name is unique among organizations that claim theirs
	DisplayName string // shown instead of Name where both exist; may be ""
	Slug        string // 1 to 128 of letters, digits and "._~-"; unique without regard to case
	ExternalID  string // the caller's own id; unique; "" when unset
	State       OrganizationState
	Protected   bool // every deletion is refused
	Branding    Branding
	Profile     Profile
	Settings    Settings
	Public      Metadata // readable by members
	Private     Metadata // for the application only
}

// Title is the name to show to people.
func (o Organization) Title() string {
	if o.DisplayName != "" {
		return o.DisplayName
	}
	return o.Name
}

// Branding is how an organization looks on pages.
type Branding struct {
	LogoURL    string `json:"logo_url,omitempty"`
	Primary    string `json:"primary,omitempty"`    // colour, "#" and six hex digits
	Background string `json:"background,omitempty"` // the same
}

// Profile is what an organization says of itself.
type Profile struct {
	Address  string `json:"address,omitempty"`
	Website  string `json:"website,omitempty"`
	TimeZone string `json:"time_zone,omitempty"`
	Currency string `json:"currency,omitempty"`
}

// A Rule says how much of something is allowed; "" means the default.
type Rule string

// The rules.
const (
	AllowAll  Rule = "all"
	AllowSome Rule = "some" // only what the list beside the rule names
	AllowNone Rule = "none"
)

// A RoleMapping gives a role to everybody with an address in a domain.
type RoleMapping struct {
	Domain string `json:"domain"`
	Role   string `json:"role"` // key of the role
}

// Settings say how people get into an organization and how they prove themselves.
type Settings struct {
	EmailDomains      []string            `json:"email_domains,omitempty"`   // addresses that may be invited or join
	ClaimedDomains    []string            `json:"claimed_domains,omitempty"` // kept for this organization alone
	AllowOutsiders    bool                `json:"allow_outsiders,omitempty"` // members may have other addresses
	EmailJIT          Rule                `json:"email_jit,omitempty"`
	EmailInvites      Rule                `json:"email_invites,omitempty"`
	SSOJIT            Rule                `json:"sso_jit,omitempty"`
	SSOJITConnections []string            `json:"sso_jit_connections,omitempty"`
	DefaultConnection string              `json:"default_connection,omitempty"`
	OAuthTenantJIT    Rule                `json:"oauth_tenant_jit,omitempty"`
	OAuthTenants      map[string][]string `json:"oauth_tenants,omitempty"`
	Methods           Rule                `json:"methods,omitempty"` // ways to sign in
	AllowedMethods    []string            `json:"allowed_methods,omitempty"`
	MFARequired       bool                `json:"mfa_required,omitempty"`
	MFAMethods        Rule                `json:"mfa_methods,omitempty"`
	AllowedMFAMethods []string            `json:"allowed_mfa_methods,omitempty"`
	EmailRoles        []RoleMapping       `json:"email_roles,omitempty"`
	FirstPartyApps    Rule                `json:"first_party_apps,omitempty"`
	AllowedFirstParty []string            `json:"allowed_first_party,omitempty"`
	ThirdPartyApps    Rule                `json:"third_party_apps,omitempty"`
	AllowedThirdParty []string            `json:"allowed_third_party,omitempty"`
	TokenQuota        map[string]any      `json:"token_quota,omitempty"`
	SessionIdle       int64               `json:"session_idle,omitempty"` // seconds; 0 leaves it to the realm
	SessionLife       int64               `json:"session_life,omitempty"` // the same
}

// A UserKind tells people from programs.
type UserKind string

// The kinds of user.
const (
	Human   UserKind = "human"
	Machine UserKind = "machine"
)

// A UserState says whether a user can sign in.
type UserState string

// The states of a living user.
const (
	UserActive   UserState = "active"
	UserInactive UserState = "inactive" // switched off by an administrator
	UserLocked   UserState = "locked"   // locked after failed attempts, or blocked
	UserInitial  UserState = "initial"  // has not finished signing up
	UserDeleted  UserState = "deleted"  // kept to be looked at or reactivated; cannot sign in
)

// A User is a person or a program in the realm.
type User struct {
	Stamp
	Home          id.ID  // the organization that owns the user, or none
	Scope         id.ID  // where its names are unique: the home at creation, kept when it is detached
	Alias         string // the id its creator chose, as "scheme:id"; never reused
	Kind          UserKind
	State         UserState
	Username      string // unique in its scope without regard to case; "" when unset
	Email         string // as given; unique in its scope without regard to case; "" when unset
	EmailVerified bool
	Phone         string // E.164
	PhoneVerified bool
	GivenName     string
	FamilyName    string
	Name          string // full name
	Nickname      string
	Picture       string
	Language      string // BCP 47
	Gender        string // "", "female", "male", "diverse"
	ExternalID    string // unique in its scope; "" when unset
	Connection    string // name of the connection it was created for, or ""
	Description   string // of a machine
	OpaqueTokens  bool   // a machine gets opaque access tokens rather than JWTs
	Public        Metadata
	Private       Metadata
	LastSignInAt  time.Time
	SignIns       int64
}

// A MemberState says how far a membership has come.
type MemberState string

// The states of a membership.
const (
	MemberActive  MemberState = "active"
	MemberInvited MemberState = "invited"
	MemberPending MemberState = "pending"
	MemberDeleted MemberState = "deleted" // kept to be looked at or reactivated; counts nowhere
)

// A Member is a user in one organization.
type Member struct {
	Stamp
	Organization id.ID
	User         id.ID
	Home         id.ID // of the user
	State        MemberState
	ExternalID   string // unique in the organization; "" when unset
	Breakglass   bool   // not bound by the organization's sign-in rules
	MFAEnrolled  bool
	DefaultMFA   string
	Retired      []RetiredEmail // addresses the member had before
	Public       Metadata
	Private      Metadata
}

// A Seat is somebody in an organization, with all that is asked for together.
type Seat struct {
	Organization Organization
	User         User
	Member       Member
}

// A RetiredEmail is an address a member had before.
type RetiredEmail struct {
	ID      id.ID  `json:"id"`
	Address string `json:"address"`
}

// A Permission of a role is an action on a resource of the application's own
// making; what the server itself allows is access.Permission.
type Permission struct {
	Resource    string   `json:"resource"`
	Actions     []string `json:"actions"`
	Description string   `json:"description,omitempty"`
}

// A Role is a named set of permissions, of the realm or of one organization.
type Role struct {
	Stamp
	Organization id.ID  // the owner, or none for a role of the realm
	Key          string // unique among the owner's roles without regard to case
	Name         string
	Description  string
	Permissions  []Permission
}

// A RoleAssignment gives a role to a user: in an organization, as its member,
// or in the realm.
type RoleAssignment struct {
	Stamp
	Organization id.ID // none for an assignment in the realm
	Member       id.ID // none for an assignment in the realm
	User         id.ID
	Home         id.ID // of the user
	Role         id.ID
	Source       string // "direct", or what brought it
}

// An Invitation asks somebody to join an organization.
type Invitation struct {
	Stamp
	Organization id.ID
	Email        string
	Inviter      string
	Roles        []id.ID
	User         id.ID // the user it is for, when it exists already
	Home         id.ID // of that user
	Client       string
	Connection   string
	TicketHash   string // SHA-256 of the ticket, hex; the ticket itself is shown once
	Ticket       string // only on the answer to creation
	// Link makes the address that the invited person is to open, of the ticket.
	// Without one nothing is sent. It is not kept.
	Link       func(ticket string) string
	ExpiresAt  time.Time
	AcceptedAt time.Time
	Public     Metadata
	Private    Metadata
}

// A Domain is a DNS name that belongs to an organization.
type Domain struct {
	Stamp
	Organization id.ID
	Name         string // lower-case ASCII; unique in the realm once verified
	Verified     bool
	Primary      bool
	Discovery    bool   // people with such addresses are sent to the organization
	Token        string // to be published as proof
	Method       string // "dns" or "http"; "" when not begun
}

// An Entry is one key and value kept with an organization or a user, as bytes.
type Entry struct {
	Stamp
	Organization id.ID // the owner, or the home of the user; none for a user of the realm
	User         id.ID // none for the organization's own
	Key          string
	Value        []byte
}
