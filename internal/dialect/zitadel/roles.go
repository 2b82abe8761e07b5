package zitadel

import (
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/project"
)

// The default roles of ZITADEL and what each allows, by permission. A word that
// ends in "*" stands for all permissions with that beginning.
var roles = map[string][]string{
	"IAM_OWNER": {
		"iam.*", "org.*", "user.*", "policy.*", "project.*", "events.read", "milestones.read", "session.*", "action.*",
	},
	"IAM_OWNER_VIEWER": {
		"iam.read", "iam.policy.read", "iam.member.read", "iam.idp.read", "iam.action.read", "iam.flow.read", "iam.feature.read",
		"iam.web_key.read", "org.read", "org.global.read", "org.member.read", "org.idp.read", "org.action.read", "org.flow.read",
		"org.feature.read", "user.read", "user.global.read", "user.grant.read", "user.membership.read", "user.feature.read",
		"policy.read", "project.read", "project.member.read", "project.role.read", "project.app.read", "project.grant.read",
		"project.grant.member.read", "events.read", "milestones.read", "session.read", "action.target.read", "action.execution.read",
	},
	"IAM_ORG_MANAGER": {"org.*", "user.*", "policy.*", "project.*", "session.read", "session.delete"},
	"IAM_USER_MANAGER": {
		"org.read", "org.global.read", "org.member.read", "org.member.delete", "user.*", "project.read", "project.member.read",
		"project.role.read", "project.app.read", "project.grant.*", "session.read", "session.delete",
	},
	"IAM_LOGIN_CLIENT": {
		"iam.read", "iam.policy.read", "iam.member.read", "iam.member.write", "iam.idp.read", "iam.feature.read", "org.read",
		"org.member.read", "org.member.write", "org.idp.read", "org.feature.read", "user.read", "user.write", "user.grant.read",
		"user.grant.write", "user.membership.read", "user.credential.write", "user.passkey.write", "user.feature.read", "policy.read",
		"project.read", "project.member.read", "project.member.write", "project.role.read", "project.app.read",
		"project.grant.read", "project.grant.member.read", "session.read", "session.write", "session.link", "session.delete",
	},
	"IAM_ADMIN_IMPERSONATOR":    {"admin.impersonation", "impersonation"},
	"IAM_END_USER_IMPERSONATOR": {"impersonation"},
	"ORG_OWNER": {
		"org.read", "org.global.read", "org.write", "org.delete", "org.member.*", "org.idp.*", "org.action.*", "org.flow.*",
		"org.feature.*", "user.*", "policy.*", "project.read", "project.create", "project.write", "project.delete",
		"project.member.*", "project.role.*", "project.app.read", "project.app.write", "project.grant.*", "session.read", "session.delete",
	},
	"ORG_OWNER_VIEWER": {
		"org.read", "org.global.read", "org.member.read", "org.idp.read", "org.action.read", "org.flow.read", "org.feature.read",
		"user.read", "user.global.read", "user.grant.read", "user.membership.read", "user.feature.read", "policy.read",
		"project.read", "project.member.read", "project.role.read", "project.app.read", "project.grant.read", "project.grant.member.read",
	},
	"ORG_USER_MANAGER": {
		"org.read", "user.*", "policy.read", "project.read", "project.role.read", "session.read", "session.delete",
	},
	"ORG_SETTINGS_MANAGER": {
		"org.read", "org.write", "org.member.read", "org.idp.*", "org.feature.*", "policy.*",
	},
	"ORG_USER_PERMISSION_EDITOR": {
		"org.read", "org.member.read", "user.read", "user.global.read", "user.grant.*", "policy.read", "project.read",
		"project.member.read", "project.role.read", "project.app.read", "project.grant.read", "project.grant.member.read",
	},
	"ORG_PROJECT_PERMISSION_EDITOR": {
		"org.read", "org.member.read", "user.read", "user.global.read", "user.grant.*", "policy.read", "project.read",
		"project.member.read", "project.role.read", "project.app.read", "project.grant.*",
	},
	"ORG_PROJECT_CREATOR":         {"user.global.read", "policy.read", "project.read:self", "project.create"},
	"ORG_ADMIN_IMPERSONATOR":      {"admin.impersonation", "impersonation"},
	"ORG_END_USER_IMPERSONATOR":   {"impersonation"},
	"ORG_USER_SELF_MANAGER":       {"policy.read", "user.self.delete"},
	"SELF_MANAGEMENT_GLOBAL":      {"org.create", "policy.read", "user.self.delete"},
	"PROJECT_OWNER":               projectOwner,
	"PROJECT_OWNER_GLOBAL":        projectOwner,
	"PROJECT_OWNER_VIEWER":        projectViewer,
	"PROJECT_OWNER_VIEWER_GLOBAL": projectViewer,
	"PROJECT_GRANT_OWNER": {
		"org.global.read", "policy.read", "project.read", "project.grant.read", "project.grant.member.*", "project.role.read",
		"user.read", "user.global.read", "user.grant.*", "user.membership.read",
	},
	"PROJECT_GRANT_OWNER_VIEWER": {
		"policy.read", "project.read", "project.grant.read", "project.grant.member.read", "project.role.read", "user.read",
		"user.global.read", "user.grant.read", "user.membership.read",
	},
}

var projectOwner = []string{
	"org.global.read", "policy.read", "project.read", "project.write", "project.delete", "project.member.*", "project.role.*",
	"project.app.*", "project.grant.*", "user.read", "user.global.read", "user.grant.*", "user.membership.read",
}

var projectViewer = []string{
	"policy.read", "project.read", "project.member.read", "project.role.read", "project.app.read", "project.grant.read",
	"project.grant.member.read", "user.read", "user.global.read", "user.grant.read", "user.membership.read",
}

// rolePrefixes are the beginnings of the roles that can be given at a level.
var rolePrefixes = map[project.Scope][]string{
	project.OfRealm:        {"IAM_"},
	project.OfOrganization: {"ORG_", "SELF_MANAGEMENT_GLOBAL"},
	project.OfProject:      {"PROJECT_OWNER"},
	project.OfGrant:        {"PROJECT_GRANT_"},
}

// rolesOf lists the roles that can be given at a level, in alphabetical order.
func rolesOf(level project.Scope) (names []string) {
	for name := range roles {
		if slices.ContainsFunc(rolePrefixes[level], func(p string) bool { return strings.HasPrefix(name, p) }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// allows reports whether one of the roles has a permission.
func allows(held []string, permission string) bool {
	for _, r := range held {
		for _, word := range roles[r] {
			if begin, open := strings.CutSuffix(word, "*"); word == permission || open && strings.HasPrefix(permission, begin) {
				return true
			}
		}
	}
	return false
}

// floor says which permissions of the domain each ZITADEL permission brings. The
// domain asks for them on the very object; the words of ZITADEL are asked before.
var floor = map[string][]access.Permission{
	"iam.read":                    {access.RealmRead, access.OrganizationRead, access.DomainRead},
	"iam.write":                   {access.RealmWrite},
	"iam.member.read":             {access.AdministratorRead},
	"iam.member.write":            {access.AdministratorWrite},
	"iam.member.delete":           {access.AdministratorWrite},
	"org.read":                    {access.OrganizationRead, access.DomainRead, access.RoleRead},
	"org.create":                  {access.OrganizationCreate},
	"org.write":                   {access.OrganizationWrite, access.DomainWrite},
	"org.delete":                  {access.OrganizationDelete},
	"org.member.read":             {access.AdministratorRead},
	"org.member.write":            {access.AdministratorWrite},
	"org.member.delete":           {access.AdministratorWrite},
	"user.read":                   {access.UserRead, access.MemberRead, access.KeyRead},
	"user.write":                  {access.UserCreate, access.UserWrite, access.MemberCreate, access.MemberWrite, access.KeyWrite},
	"user.delete":                 {access.UserDelete, access.MemberDelete},
	"user.grant.read":             {access.GrantRead},
	"user.grant.write":            {access.GrantWrite},
	"user.grant.delete":           {access.GrantDelete},
	"project.read":                {access.ProjectRead},
	"project.create":              {access.ProjectWrite},
	"project.write":               {access.ProjectWrite},
	"project.delete":              {access.ProjectDelete},
	"project.role.read":           {access.ProjectRead},
	"project.role.write":          {access.ProjectWrite},
	"project.role.delete":         {access.ProjectWrite},
	"project.member.read":         {access.AdministratorRead},
	"project.member.write":        {access.AdministratorWrite},
	"project.member.delete":       {access.AdministratorWrite},
	"project.grant.read":          {access.GrantRead},
	"project.grant.write":         {access.GrantWrite},
	"project.grant.delete":        {access.GrantDelete},
	"project.grant.member.read":   {access.AdministratorRead},
	"project.grant.member.write":  {access.AdministratorWrite},
	"project.grant.member.delete": {access.AdministratorWrite},
	"project.app.read":            {access.ApplicationRead},
	"project.app.write":           {access.ApplicationWrite},
	"events.read":                 {access.EventRead},
}

// granted gives the domain's permissions that roles bring.
func granted(held []string) (out []access.Permission) {
	for word, permissions := range floor {
		if !allows(held, word) {
			continue
		}
		for _, p := range permissions {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return out
}
