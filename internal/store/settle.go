package store

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/sso"
)

// words refuses text that is too long or not valid.
func words(most int, texts ...string) error {
	for _, s := range texts {
		if !directory.Textual(s, 0, most) {
			return fault.Invalidf("", "text of more than %d characters, or with control characters", most)
		}
	}
	if len(texts) > 1000 {
		return fault.Invalidf("", "more than 1000 values")
	}
	return nil
}

func settleOrganization(ctx context.Context, in *importing, o *directory.Organization) {
	if o.ID != in.head.Organization {
		in.refuse(badLine("id", "the archive is of another organization"))
		return
	}
	for _, renamed := range []struct{ to, field *string }{{&in.opts.Name, &o.Name}, {&in.opts.Slug, &o.Slug}, {&in.opts.ExternalID, &o.ExternalID}} {
		if *renamed.to != "" {
			*renamed.field = *renamed.to
		}
	}
	o.Alias = in.alias(ctx, id.Organization, o.ID, o.Alias)
	if in.writing {
		return
	}
	taken := func(fact *fault.Error, where ...query.Condition) {
		_, err := in.tx.Organizations().Find(ctx, where...)
		switch {
		case err == nil:
			in.refuse(fact)
		case !directory.ErrOrganizationNotFound.Is(err):
			in.failed = err
		}
	}
	taken(directory.ErrSlugTaken, query.Is("slug_key", directory.Fold(o.Slug)))
	if o.ExternalID != "" {
		taken(directory.ErrExternalIDTaken, query.Is("external_id", o.ExternalID))
	}
	if o.NameClaimed {
		taken(directory.ErrNameTaken, query.Is("name_key", directory.Fold(o.Name)), query.Is("name_claimed", true))
	}
}

func listRealmRoles(ctx context.Context, x *exporting, _ id.ID) ([]directory.Role, error) {
	return among(ctx, objects[directory.Role]{roles, x.tx}, &x.roles, query.Is("organization_id", id.None))
}

func listGuests(ctx context.Context, x *exporting, _ id.ID) ([]directory.User, error) {
	return among(ctx, objects[directory.User]{users, x.tx}, &x.guests)
}

func settleRealmRole(ctx context.Context, in *importing, r *directory.Role) {
	found, err := in.tx.Roles().Find(ctx, query.Is("organization_id", id.None), query.Is("key_key", directory.Fold(r.Key)))
	in.missing(err, directory.ErrRoleNotFound, "the realm has no role with this key")
	in.link = found.ID
}

func settleGuest(ctx context.Context, in *importing, u *directory.User) {
	if !in.writing {
		in.lives(ctx, *u, true)
	}
	u.Home, u.Scope, u.Alias = id.None, id.None, in.guestAlias(ctx, *u)
}

// guestAlias is not asked for where the guest is known here.
func (in *importing) guestAlias(ctx context.Context, u directory.User) string {
	if in.link != id.None || in.settled() {
		return u.Alias
	}
	return in.alias(ctx, id.User, u.ID, u.Alias)
}

func settleUser(ctx context.Context, in *importing, u *directory.User) {
	if _, twice := in.guests.find(u.ID); twice {
		in.refuse(badLine("id", "the user is among the guests as well"))
		return
	}
	if !in.writing && (in.opts.Anew || in.head.Realm == in.tx.realm) {
		in.lives(ctx, *u, false)
		if in.link == id.None && in.erased(ctx, u.ID) {
			in.leaveOut("the person was erased by a deletion of their own and is not brought back")
			return
		}
	}
	u.Scope = in.organization
	u.Home = in.organization
	u.Alias = in.guestAlias(ctx, *u)
	if in.link == id.None {
		in.home = in.organization
	}
}

// erased reports whether somebody was erased for their own sake, not with the
// organization.
func (in *importing) erased(ctx context.Context, old id.ID) bool {
	var one int
	err := scanOne(ctx, in.tx.q, "SELECT 1 FROM deletions WHERE subject_id = $1 AND kind = $2 AND state <> 'restored'", []any{int64(old), int64(id.User)}, &one)
	if err != nil && err != errNoRow {
		in.failed = err
	}
	return err == nil
}

func checkUser(u *directory.User) error {
	if err := u.CheckState(); err != nil {
		return err
	}
	return u.Check()
}

func settleMember(ctx context.Context, in *importing, m *directory.Member) {
	in.person = m.User
	m.Organization = in.organization
	m.User, m.Home = in.user(m.User)
	for i := range m.Retired {
		var err error
		if m.Retired[i].ID, err = in.fresh(ctx); err != nil {
			in.failed = err
		}
	}
}

func settleAssignment(_ context.Context, in *importing, a *directory.RoleAssignment) {
	at, ok := in.members.find(a.Member)
	if !ok || in.members.user[at] != a.User {
		in.refuse(badLine("member_id", "the member is not in the archive, or is another user"))
		return
	}
	a.Organization, a.Member, a.Role = in.organization, in.members.new[at], in.role(a.Role)
	a.User, a.Home = in.user(a.User)
}

func settleInvitation(_ context.Context, in *importing, v *directory.Invitation) {
	v.Organization = in.organization
	if v.User != id.None {
		v.User, v.Home = in.user(v.User)
	}
	for i := range v.Roles {
		v.Roles[i] = in.role(v.Roles[i])
	}
	v.TicketHash = directory.TicketHash(directory.FreshTicket()) // nobody has this one: links are sent anew
}

// settleDomain makes a domain one that is to be proved: that somebody else looked
// at it once says nothing to this realm.
func settleDomain(_ context.Context, in *importing, d *directory.Domain) {
	d.Organization, d.Verified, d.Primary = in.organization, false, false
	d.Token, d.Method = directory.FreshTicket(), ""
}

func settleGrant(ctx context.Context, in *importing, g *project.Grant) {
	g.Organization, g.Project = in.organization, in.inside(&in.projects, "project_id", g.Project)
	g.Granted = in.elsewhere(ctx, g.Granted)
	in.granted[g.ID] = g.Granted
}

func settleUserGrant(_ context.Context, in *importing, g *project.UserGrant) {
	if g.Grant != id.None {
		in.leaveOut("it stands on a grant of another organization")
		return
	}
	g.Organization, g.ProjectOrganization = in.organization, in.organization
	g.Project = in.inside(&in.projects, "project_id", g.Project)
	g.User, g.Home = in.user(g.User)
}

func settleAdministrator(_ context.Context, in *importing, a *project.Administrator) {
	a.Organization, a.Granted = in.organization, id.None
	switch a.Scope {
	case project.OfOrganization:
		if a.Object != in.head.Organization {
			in.refuse(badLine("object_id", "it is about another organization"))
		}
		a.Object = in.organization
	case project.OfProject:
		a.Object = in.inside(&in.projects, "object_id", a.Object)
	case project.OfGrant:
		a.Granted = in.granted[a.Object]
		a.Object = in.inside(&in.grants, "object_id", a.Object)
	default:
		in.refuse(badLine("scope", "nobody can be made an administrator of more than the organization"))
	}
	a.User, a.Home = in.user(a.User)
}

func settleApplication(ctx context.Context, in *importing, a *credential.Application) {
	a.Organization = in.organization
	if a.Project != id.None {
		a.Project = in.inside(&in.projects, "project_id", a.Project)
	}
	if !in.opts.Credentials {
		a.SecretHash, a.OpenID.Keys = "", "" // whoever wrote the archive may have the other half
	}
	in.within(a.Grants)
	in.unique(ctx, "SELECT 1 FROM applications WHERE client_id = $1", a.ClientID, "an application with this client id is on this server already")
}

func settleKey(ctx context.Context, in *importing, k *credential.Key) {
	k.Organization = in.organization
	if k.User != id.None {
		k.User = in.owned(k.User)
	}
	in.within(k.Grants)
	in.unique(ctx, "SELECT 1 FROM api_keys WHERE hash = $1", k.Hash, "this very key is on this server already")
}

// within puts new ids into grants, and leaves out what allows something outside of
// the organization.
func (in *importing) within(grants []access.Grant) {
	for i, g := range grants {
		if grants[i].On = in.organization; g.On == in.head.Organization {
			continue
		}
		fresh, ok := in.projects.get(g.On)
		if !ok || fresh == id.None {
			in.leaveOut("it allows something outside of the organization")
			return
		}
		grants[i].On = fresh
	}
}

// unique leaves out what the whole server can have but once.
func (in *importing) unique(ctx context.Context, text, value, why string) {
	if in.settled() || in.writing {
		return
	}
	var one int
	switch err := scanOne(ctx, in.tx.q, text, []any{value}, &one); {
	case err == nil:
		in.leaveOut(why)
	case err != errNoRow:
		in.failed = err
	}
}

func hashed(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}

func checkApplication(a *credential.Application) error {
	if a.SecretHash != "" && !hashed(a.SecretHash) {
		return fault.Invalidf("secret_hash", "the hash of the secret is not valid")
	}
	if !directory.Textual(a.ClientID, 1, 255) {
		return fault.Invalidf("client_id", "the client id must have 1 to 255 characters")
	}
	if err := words(255, slices.Concat([]string{a.Name, a.Scheme}, a.Claims, a.Audiences)...); err != nil {
		return err
	}
	o := a.OpenID
	if err := words(2048, slices.Concat(o.RedirectURIs, o.LogoutURIs, o.Origins, o.GrantTypes, o.Scopes, []string{string(o.Kind), o.AuthMethod, o.Algorithm, o.Dialect})...); err != nil {
		return err
	}
	if err := words(2048, o.LogoutNotice, o.LogoURL, o.TermsURL, o.PrivacyURL); err != nil {
		return err
	}
	if !directory.Textual(o.Keys, 0, 64<<10) {
		return fault.Invalidf("openid", "the public keys are too large")
	}
	return a.Settings.Check("settings")
}

func checkKey(k *credential.Key) error {
	if !hashed(k.Hash) {
		return fault.Invalidf("hash", "the hash of the key is not valid")
	}
	return words(255, slices.Concat([]string{k.Name, k.Scheme, k.Hint}, k.Claims)...)
}

// movable are the factors that another server can check. An authenticator app is
// not among them, nor what stands in for it: its secret is sealed here.
var movable = []string{string(credential.Password), string(credential.Passkey), string(credential.MachineKey)}

func settleFactor(_ context.Context, in *importing, f *credential.Factor) {
	f.User, f.Home = in.owned(f.User), in.organization
	if f.Kind == credential.Password {
		f.Handle = f.User.String() // one for each user
	}
}

func checkFactor(f *credential.Factor) error {
	if err := words(2000, f.Name, f.Handle, f.Data.PartyID, f.Data.PublicKey); err != nil {
		return err
	}
	switch {
	case f.Kind == credential.Password:
		return archive.CheckHash(f.Hash)
	case !slices.Contains(movable, string(f.Kind)) || f.Hash != "" || f.Handle == "":
		return fault.Invalidf("kind", "a factor of this kind cannot be imported")
	case f.Kind == credential.Passkey && f.Data.Passkey == nil, f.Kind == credential.MachineKey && f.Data.PublicKey == "":
		return fault.Invalidf("data", "the factor has no public key")
	}
	return nil
}

func checkConnection(c *sso.Connection) error {
	if c.Name == "" {
		return fault.Invalidf("name", "the connection has no name")
	}
	return words(1000, slices.Concat([]string{c.Name, c.DisplayName, string(c.Provider), c.Issuer, c.ClientID}, c.Settings.Scopes)...)
}

// settleIdentity takes only people who came with the organization: an archive must
// not open the account of somebody who is here already.
func settleIdentity(_ context.Context, in *importing, i *sso.Identity) {
	i.Organization, i.Home = in.organization, in.organization
	i.Connection = in.inside(&in.connections, "connection_id", i.Connection)
	if _, guest := in.guests.find(i.User); guest {
		in.leaveOut("the user is a guest and signs in as before")
		return
	}
	i.User = in.owned(i.User)
}
