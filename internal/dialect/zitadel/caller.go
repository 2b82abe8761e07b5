package zitadel

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
)

// A caller is who calls, and in which organization.
type caller struct {
	Actor        access.Actor
	Organization id.ID // the organization in context: named by a header, or the caller's own
	memberships  []membership
}

// A membership is administrative roles at one level.
type membership struct {
	level  project.Scope
	object id.ID // none for the realm
	owner  id.ID // the organization that owns the object
	shared id.ID // for a project grant: the organization it was granted to
	roles  []string
}

// in reports whether the membership counts for calls about an organization.
func (m membership) in(organization id.ID) bool {
	switch m.level {
	case project.OfRealm:
		return true
	case project.OfGrant:
		return m.shared == organization || m.owner == organization
	}
	return m.owner == organization
}

// organizationHeader names the organization a call is about.
const organizationHeader = "X-Zitadel-Orgid"

// admit finds out who calls and whether the method may be called at all. What a
// method is about is checked by the method itself or by the domain.
func (a *API) admit(ctx context.Context, w *wire.Call, in proto.Message) (context.Context, error) {
	c := &call{Context: ctx, wire: w}
	ctx = context.WithValue(ctx, callKey{}, c)
	if w.Method.Permission == "" {
		return ctx, nil
	}
	if err := a.identify(c); err != nil {
		return ctx, a.limited(c, err)
	}
	if err := a.limited(c, nil); err != nil {
		return ctx, err
	}
	if err := a.place(c, in); err != nil {
		return ctx, err
	}
	return ctx, a.permit(c, in)
}

// identify turns the bearer token into a caller with its memberships.
func (a *API) identify(c *call) error {
	sent := c.wire.Request.Header.Values("Authorization")
	if len(sent) == 0 {
		return errNoToken
	}
	secret, ok := edge.Bearer(c.wire.Request)
	if !ok || len(sent) > 1 {
		return errToken
	}
	p, err := a.Credentials.Key(c, secret, scheme)
	if err != nil {
		return instead(err, credential.ErrCredential, errToken)
	}
	c.Organization = p.Organization
	c.memberships = claimed(p)
	if p.User != id.None {
		held, err := a.Projects.AdministratorOf(c, p.Realm, p.User)
		if err != nil {
			return err
		}
		for _, m := range held {
			c.memberships = append(c.memberships, membershipOf(m))
		}
	}
	c.Actor = access.Actor{Realm: p.Realm, Subject: p.Subject, User: p.User, Home: p.Organization, Claims: p.Claims}
	for _, m := range c.memberships {
		for _, role := range m.roles {
			c.Actor.Grants = append(c.Actor.Grants, access.Grant{On: m.object, Permissions: floors()[role]})
		}
	}
	if len(p.Grants) > 0 { // the credential itself is confined
		c.Actor = c.Actor.Within(access.Actor{Realm: p.Realm, Grants: p.Grants})
	}
	return nil
}

// claimed gives the memberships that a credential carries itself, as those do
// that stand for no user: instance roles, and roles in the organization that
// owns the credential.
func claimed(p credential.Principal) (held []membership) {
	var realm, organization []string
	for _, role := range p.Claims {
		switch {
		case roles[role] == nil:
		case strings.HasPrefix(role, "IAM_"):
			realm = append(realm, role)
		case strings.HasPrefix(role, "ORG_"):
			organization = append(organization, role)
		}
	}
	if len(realm) > 0 {
		held = append(held, membership{level: project.OfRealm, roles: realm})
	}
	if len(organization) > 0 && p.Organization != id.None {
		held = append(held, membership{level: project.OfOrganization, object: p.Organization, owner: p.Organization, roles: organization})
	}
	return held
}

func membershipOf(m project.Administrator) membership {
	return membership{level: m.Scope, object: m.Object, owner: m.Organization, shared: m.Granted, roles: m.Roles}
}

// floors are the domain's permissions by role.
var floors = sync.OnceValue(func() map[string][]access.Permission {
	all := make(map[string][]access.Permission, len(roles))
	for role := range roles {
		all[role] = granted([]string{role})
	}
	return all
})

// limited counts the call. Failures before the caller is known count against the
// address, so that guessing tokens is slow.
func (a *API) limited(c *call, failed error) error {
	if a.edge == nil || a.edge.Limiter == nil {
		return failed
	}
	key := c.Actor.Realm.String() + "/" + c.Actor.Subject
	if failed != nil {
		key = id.None.String() + "/" + a.client(c.wire.Request)
	}
	if a.edge.Limiter.Take(a.Name(), "", key).Exceeded {
		return edge.ErrLimited
	}
	return failed
}

// place sets the organization in context. It fails closed: a header that names
// no living organization, or two different ones, is refused, since the call
// would otherwise act on the caller's own.
func (a *API) place(c *call, in proto.Message) error {
	var named string
	for _, v := range c.wire.Metadata(organizationHeader) {
		if v = strings.TrimSpace(v); v == "" || v == named {
			continue
		}
		if named != "" {
			return errOrgContext
		}
		named = v
	}
	if text, ok := organizationIn(c.wire.Method, in); ok {
		named = text
	}
	if named != "" {
		return a.enter(c, named)
	}
	if c.Organization == id.None {
		r, err := a.realm(c)
		c.Organization = r.Default
		return err
	}
	return nil
}

// enter makes the named organization the one the call is about. Who has nothing
// to do with it, and no role on the instance, learns no more of one that exists
// than of one that does not.
func (a *API) enter(c *call, named string) error {
	i, err := a.resolve(c, id.Organization, named)
	if err == nil {
		_, err = a.Directory.Organization(c, access.System(c.Actor.Realm), i)
	}
	if err != nil && !errors.Is(err, directory.ErrOrganizationNotFound) {
		return err
	}
	belongs := i == c.Actor.Home || slices.ContainsFunc(c.memberships, func(m membership) bool { return m.in(i) })
	switch {
	case !belongs:
		return errNoMembership
	case err != nil:
		return errOrgContext
	}
	c.Organization = i
	return nil
}

// organizationIn reads the organization from the message of a method whose
// descriptor says that it is there.
func organizationIn(m *wire.Method, in proto.Message) (string, bool) {
	if m.OrgField == "" {
		return "", false
	}
	f := in.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(m.OrgField))
	switch {
	case f == nil || !in.ProtoReflect().Has(f):
		return "", false
	case f.Kind() == protoreflect.StringKind:
		return in.ProtoReflect().Get(f).String(), true
	case f.Message() == nil:
		return "", false
	}
	holder := in.ProtoReflect().Get(f).Message()
	for _, name := range []protoreflect.Name{"org_id", "organization_id"} {
		if inner := f.Message().Fields().ByName(name); inner != nil && holder.Has(inner) {
			return holder.Get(inner).String(), true
		}
	}
	return "", false
}

// permit asks for the permission of the method, in the organization in context.
func (a *API) permit(c *call, in proto.Message) error {
	m := c.wire.Method
	if m.Permission == "authenticated" {
		return nil
	}
	broad, narrow, err := c.holds(m.Permission, c.Organization)
	if err != nil || broad {
		return err
	}
	if m.CheckField == "" {
		return nil // the domain asks for it on the very object
	}
	object, err := a.checked(c, in)
	if err != nil {
		return err
	}
	if !slices.Contains(narrow, object) {
		return errOtherResource
	}
	return nil
}

// checked reads the resource on which a narrow permission counts: the field of
// the request that the descriptor names.
func (a *API) checked(c *call, in proto.Message) (id.ID, error) {
	fields := in.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() != protoreflect.StringKind || strings.ReplaceAll(string(f.Name()), "_", "") != strings.ToLower(c.wire.Method.CheckField) {
			continue
		}
		text := in.ProtoReflect().Get(f).String()
		if c.wire.Method.CheckField == "GrantId" {
			return parse(c, id.ProjectGrant, text, project.ErrGrantNotFound)
		}
		return a.resolve(c, id.Project, text)
	}
	return id.None, fault.ErrInternal.Saying("the request has no field %s", c.wire.Method.CheckField)
}

// holds says how the caller has a permission in an organization: for all of it,
// or on some resources only. Who has no role there at all is told that there is
// no membership, as someone would be for whom it does not exist.
func (c *caller) holds(permission string, organization id.ID) (broad bool, narrow []id.ID, err error) {
	member := false
	for _, m := range c.memberships {
		if !m.in(organization) {
			continue
		}
		member = true
		switch {
		case !allows(m.roles, permission):
		case m.level == project.OfRealm, m.level == project.OfOrganization:
			return true, nil, nil
		default:
			narrow = append(narrow, m.object)
		}
	}
	switch {
	case !member:
		return false, nil, errNoMembership
	case len(narrow) == 0:
		return false, nil, errPermission
	}
	return false, narrow, nil
}

// somewhere reports whether the caller has a permission on anything at all.
func (c *caller) somewhere(permission string) bool {
	return slices.ContainsFunc(c.memberships, func(m membership) bool { return allows(m.roles, permission) })
}

// require is the check of methods that name their organization in the message:
// the caller must have the permission there, or on one of the resources.
func (c *caller) require(permission string, organization id.ID, on ...id.ID) error {
	broad, narrow, err := c.holds(permission, organization)
	if err != nil || broad {
		return err
	}
	for _, i := range on {
		if slices.Contains(narrow, i) {
			return nil
		}
	}
	return errResourceDenied
}
