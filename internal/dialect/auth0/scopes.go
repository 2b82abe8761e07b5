package auth0

import (
	"slices"
	"strings"

	"guildhall/internal/access"
)

// scopes says what each scope allows in the domain. A route asks for its scope
// at its own door first, so a scope may carry here all that its routes need on
// their way: reading the role that is assigned, or the user that becomes a member.
var scopes = map[string][]access.Permission{
	"read:organizations":         {access.OrganizationRead, access.UserRead},
	"read:organizations_summary": {access.OrganizationRead},
	"create:organizations":       {access.OrganizationCreate},
	"update:organizations":       {access.OrganizationWrite, access.OrganizationRead},
	"delete:organizations":       {access.OrganizationDelete, access.OrganizationRead},

	"create:organization_connections": nil, // asked for where an organization is created with connections

	"read:organization_members":        {access.MemberRead, access.OrganizationRead},
	"create:organization_members":      {access.MemberCreate, access.OrganizationRead, access.UserRead},
	"delete:organization_members":      {access.MemberDelete, access.OrganizationRead, access.UserRead},
	"read:organization_member_roles":   {access.MemberRead, access.OrganizationRead, access.UserRead, access.RoleRead},
	"create:organization_member_roles": {access.RoleAssign, access.OrganizationRead, access.UserRead, access.RoleRead, access.MemberRead},
	"delete:organization_member_roles": {access.RoleAssign, access.OrganizationRead, access.UserRead, access.RoleRead},

	"read:organization_invitations":   {access.InvitationRead, access.OrganizationRead},
	"create:organization_invitations": {access.InvitationWrite, access.OrganizationRead, access.RoleRead, access.ApplicationRead},
	"delete:organization_invitations": {access.InvitationWrite, access.OrganizationRead},

	"read:organization_discovery_domains":   {access.DomainRead, access.OrganizationRead},
	"create:organization_discovery_domains": {access.DomainWrite, access.OrganizationRead},
	"update:organization_discovery_domains": {access.DomainWrite, access.OrganizationRead},
	"delete:organization_discovery_domains": {access.DomainWrite, access.OrganizationRead},

	"read:users":                {access.UserRead, access.MemberRead, access.OrganizationRead, access.RoleRead},
	"create:users":              {access.UserCreate},
	"update:users":              {access.UserWrite, access.UserRead, access.RoleAssign, access.RoleRead},
	"update:users_app_metadata": {access.UserWrite, access.UserRead},
	"delete:users":              {access.UserDelete, access.UserRead},

	"read:roles":          {access.RoleRead, access.UserRead, access.MemberRead, access.OrganizationRead},
	"create:roles":        {access.RoleWrite, access.OrganizationRead},
	"update:roles":        {access.RoleWrite, access.RoleRead, access.RoleAssign, access.UserRead},
	"delete:roles":        {access.RoleDelete, access.RoleRead},
	"read:role_members":   {access.RoleRead, access.UserRead, access.MemberRead},
	"create:role_members": {access.RoleAssign, access.RoleRead, access.UserRead},
	"delete:role_members": {access.RoleAssign, access.RoleRead, access.UserRead},

	"read:resource_servers": {access.RealmRead},
}

// Scopes lists every scope that means something here, in order: what a client
// gets that may do all the dialect can.
func Scopes() []string {
	names := make([]string, 0, len(scopes))
	for name := range scopes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// allowed gives the permissions of scopes.
func allowed(claims []string) []access.Permission {
	all := make([]access.Permission, 0, 3*len(claims))
	for _, name := range claims {
		all = append(all, scopes[name]...)
	}
	return all
}

// granted is what a token may still do: the scopes it was issued with, as far as
// its client has them today.
func granted(scope string, today []string) []string {
	if scope == strings.Join(today, " ") {
		return today
	}
	var both []string
	for name := range strings.FieldsSeq(scope) {
		if slices.Contains(today, name) {
			both = append(both, name)
		}
	}
	return both
}
