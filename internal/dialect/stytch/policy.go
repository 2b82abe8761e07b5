package stytch

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A resource is the vendor's Resource object.
type resource struct {
	ResourceID  string   `json:"resource_id"`
	Description string   `json:"description"`
	Actions     []string `json:"actions"`
}

const everyAction = "*"

// builtIn are the resources that every policy has.
var builtIn = []resource{
	{"stytch.organization", "The organization itself.", []string{
		"update.info.name", "update.info.slug", "update.info.logo-url", "update.settings.allowed-auth-methods", "update.settings.allowed-mfa-methods",
		"update.settings.email-jit-provisioning", "update.settings.email-invites", "update.settings.allowed-domains", "update.settings.default-sso-connection",
		"update.settings.sso-jit-provisioning", "update.settings.mfa-policy", "update.settings.implicit-roles", "update.settings.oauth-tenant-jit-provisioning",
		"update.settings.allowed-oauth-tenants", "delete",
	}},
	{"stytch.member", "The members of the organization.", []string{
		"create", "search", "delete", "revoke-sessions", "update.info.name", "update.info.email", "update.info.untrusted-metadata", "update.info.mfa-phone",
		"update.info.delete.mfa-phone", "update.info.delete.mfa-totp", "update.info.delete.password", "update.info.unlink.retired-email",
		"update.settings.is-breakglass", "update.settings.mfa-enrolled", "update.settings.default-mfa-method", "update.settings.roles",
		"get.connected-apps", "revoke.connected-app",
	}},
	{"stytch.self", "The member who acts.", []string{
		"update.info.name", "update.info.untrusted-metadata", "update.info.mfa-phone", "update.info.delete.mfa-phone", "update.info.delete.mfa-totp",
		"update.info.delete.password", "update.info.unlink.retired-email", "update.settings.mfa-enrolled", "update.settings.default-mfa-method",
		"delete", "revoke-sessions", "get.connected-apps", "revoke.connected-app",
	}},
	{"stytch.sso", "The SSO connections of the organization.", []string{"create", "get", "update", "delete"}},
	{"stytch.scim", "The SCIM connection of the organization.", []string{"create", "get", "update", "delete"}},
	{"stytch.custom-org-roles", "The roles of the organization's own.", []string{"create", "get", "update", "delete"}},
}

const (
	memberDescription = "Every member has this role. It cannot be taken away."
	adminDescription  = "May do everything in the organization."
)

var (
	memberPermissions = []directory.Permission{{Resource: "stytch.self", Actions: []string{everyAction}}}
	adminPermissions  = []directory.Permission{
		{Resource: "stytch.organization", Actions: []string{everyAction}}, {Resource: "stytch.member", Actions: []string{everyAction}},
		{Resource: "stytch.sso", Actions: []string{everyAction}}, {Resource: "stytch.scim", Actions: []string{everyAction}},
		{Resource: "stytch.custom-org-roles", Actions: []string{everyAction}},
	}
)

// policyReply is the policy of the project, none of whose lists may be null.
type policyReply struct {
	envelope
	Policy struct {
		Roles     []role     `json:"roles"`
		Resources []resource `json:"resources"`
		Scopes    []struct{} `json:"scopes"`
	} `json:"policy"`
}

func (a *API) policy(c edge.Call) (edge.Reply, error) {
	book, err := a.roles(c, query.Is("organization_id", id.None))
	if err != nil {
		return edge.Reply{}, err
	}
	roles := []directory.Role{
		{Key: memberRole, Description: memberDescription, Permissions: memberPermissions},
		{Key: adminRole, Description: adminDescription, Permissions: adminPermissions},
	}
	var others []directory.Role
	for _, r := range book.byID {
		if at := slices.IndexFunc(roles, func(have directory.Role) bool { return have.Key == r.Key }); at >= 0 {
			roles[at].Permissions = r.Permissions
		} else {
			others = append(others, r)
		}
	}
	slices.SortFunc(others, func(x, y directory.Role) int { return cmp.Compare(x.ID, y.ID) })
	reply := policyReply{envelope: ok(c)}
	reply.Policy.Roles = shownRoles(append(roles, others...))
	reply.Policy.Resources = resources(others)
	reply.Policy.Scopes = []struct{}{}
	return edge.OK(reply), nil
}

// resources lists the resources of a policy: those of every policy, and those
// that roles name, with the actions that they name.
func resources(roles []directory.Role) []resource {
	out := slices.Clone(builtIn)
	for _, r := range roles {
		for _, p := range r.Permissions {
			at := slices.IndexFunc(out, func(have resource) bool { return have.ResourceID == p.Resource })
			if at < 0 {
				at = len(out)
				out = append(out, resource{ResourceID: p.Resource, Description: p.Description, Actions: []string{}})
			}
			for _, action := range p.Actions {
				if at >= len(builtIn) && action != everyAction && !slices.Contains(out[at].Actions, action) {
					out[at].Actions = append(out[at].Actions, action)
				}
			}
		}
	}
	return out
}

// organizationPolicyReply is the policy of an organization, which has roles alone.
type organizationPolicyReply struct {
	envelope
	Policy struct {
		Roles []role `json:"roles"`
	} `json:"org_policy"`
}

func (a *API) organizationPolicy(c edge.Call) (edge.Reply, error) {
	o, err := a.organization(c, c.Path("organization_id"))
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showPolicy(c, o.ID)
}

func (a *API) showPolicy(c edge.Call, organization id.ID) (edge.Reply, error) {
	book, err := a.rolesOf(c, organization)
	if err != nil {
		return edge.Reply{}, err
	}
	reply := organizationPolicyReply{envelope: ok(c)}
	reply.Policy.Roles = shownRoles(book.own[organization])
	return edge.OK(reply), nil
}

// setOrganizationPolicy replaces the custom roles of an organization. All of them
// are checked before the first is written.
func (a *API) setOrganizationPolicy(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.organization(c, c.Path("organization_id"))
	if err != nil {
		return edge.Reply{}, err
	}
	wanted, err := b.policy(o.ID)
	if err != nil {
		return edge.Reply{}, err
	}
	book, err := a.rolesOf(c, o.ID)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.replaceRoles(c, book.own[o.ID], wanted); err != nil {
		return edge.Reply{}, err
	}
	return a.showPolicy(c, o.ID)
}

// replaceRoles turns what an organization has into what is wanted. A role that is
// wanted and there keeps its members.
func (a *API) replaceRoles(c edge.Call, have, wanted []directory.Role) error {
	named := func(roles []directory.Role, key string) int {
		return slices.IndexFunc(roles, func(r directory.Role) bool { return directory.Fold(r.Key) == directory.Fold(key) })
	}
	for _, r := range have {
		if named(wanted, r.Key) < 0 {
			if err := a.Directory.DeleteRole(c.Context(), c.Actor, r.ID); err != nil {
				return err
			}
		}
	}
	for _, r := range wanted {
		var err error
		if at := named(have, r.Key); at < 0 {
			_, err = a.Directory.CreateRole(c.Context(), c.Actor, r)
		} else {
			_, err = a.Directory.UpdateRole(c.Context(), c.Actor, have[at].ID, func(old *directory.Role) error {
				old.Key, old.Name, old.Description, old.Permissions = r.Key, r.Name, r.Description, r.Permissions
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const maxRoles = 500

// policy reads the custom roles that an organization shall have.
func (b *body) policy(organization id.ID) ([]directory.Role, error) {
	p, ok := b.object("org_policy")
	if !ok {
		b.fail(errBadRequest.On("org_policy").Saying("org_policy is required"))
		return nil, b.err
	}
	items, ok := p.objects("roles")
	switch {
	case p.err != nil:
		return nil, p.err
	case !ok:
		return nil, errBadRequest.On("roles").Saying("org_policy.roles is required")
	case len(items) > maxRoles:
		return nil, errTooManyRoles
	}
	roles := make([]directory.Role, 0, len(items))
	seen := map[string]bool{}
	for _, item := range items {
		r, err := item.role()
		if err != nil {
			return nil, err
		}
		if key := directory.Fold(r.Key); seen[key] {
			return nil, errRoleTwice
		} else {
			seen[key] = true
		}
		r.Organization = organization
		roles = append(roles, r)
	}
	return roles, nil
}

// role reads a custom role.
func (b *body) role() (directory.Role, error) {
	name, _ := b.text("role_id")
	description, _ := b.text("description")
	items, _ := b.objects("permissions")
	r := directory.Role{Key: name, Name: name, Description: description}
	switch {
	case b.err != nil:
		return r, errRoleForm
	case strings.TrimSpace(name) == "":
		return r, errRoleEmpty
	case utf8.RuneCountInString(name) > 100:
		return r, errRoleLong
	case strings.HasPrefix(directory.Fold(name), reservedPrefix):
		return r, errRoleReserved
	case utf8.RuneCountInString(description) > 500:
		return r, errRoleDescription
	case len(items) == 0:
		return r, errRoleBare
	case len(items) > maxListed:
		return r, errRoleForm
	}
	for _, item := range items {
		p, err := item.permission()
		if err != nil {
			return r, err
		}
		r.Permissions = append(r.Permissions, p)
	}
	return r, nil
}

// permission reads a permission. Resources beside the built-in ones are taken as
// they are named, since no operation of this API defines any.
func (b *body) permission() (directory.Permission, error) {
	name, _ := b.text("resource_id")
	actions, _ := b.strings("actions")
	p := directory.Permission{Resource: name, Actions: actions}
	at := slices.IndexFunc(builtIn, func(r resource) bool { return r.ResourceID == name })
	switch {
	case b.err != nil:
		return p, errRoleForm
	case strings.TrimSpace(name) == "":
		return p, errResourceEmpty
	case len(name) > maxItem, at < 0 && strings.HasPrefix(name, "stytch."):
		return p, errResource
	case len(actions) == 0:
		return p, errActionsMissing
	case len(actions) > 1 && slices.Contains(actions, everyAction):
		return p, errWildcardMixed
	}
	for i, action := range actions {
		switch {
		case utf8.RuneCountInString(action) > 200:
			return p, errActionLong
		case slices.Contains(actions[:i], action):
			return p, errActionTwice
		case action == "", at >= 0 && action != everyAction && !slices.Contains(builtIn[at].Actions, action):
			return p, errAction
		}
	}
	return p, nil
}
