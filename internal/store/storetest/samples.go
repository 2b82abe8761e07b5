package storetest

import (
	"fmt"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/authn"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/sso"
	"guildhall/internal/vault"
	"guildhall/internal/webhook"
)

// A fixture is what samples hang on: living owners of every kind.
type fixture struct {
	organization, other directory.Organization
	away                directory.Organization
	user                directory.User // at home in organization
	guest               directory.User // at home in away
	member              directory.Member
	role                directory.Role // of organization
	project             project.Project
	grant               project.Grant // of project to other
}

// newFixture makes living owners in the world's realm.
func newFixture(t TB, w *World) (f fixture) {
	t.Helper()
	f.organization = w.Organization(t, directory.Organization{Name: "Owner"})
	f.other = w.Organization(t, directory.Organization{Name: "Other"})
	f.away = w.Organization(t, directory.Organization{Name: "Away"})
	w.Update(t, func(tx Tx) (err error) {
		f.user = directory.User{Home: f.organization.ID, Scope: f.organization.ID, Kind: directory.Human, State: directory.UserActive}
		if err = tx.Users().Insert(ctx, &f.user); err != nil {
			return err
		}
		f.guest = directory.User{Home: f.away.ID, Scope: f.away.ID, Kind: directory.Human, State: directory.UserActive}
		if err = tx.Users().Insert(ctx, &f.guest); err != nil {
			return err
		}
		f.member = directory.Member{Organization: f.organization.ID, User: f.user.ID, State: directory.MemberActive}
		if err = tx.Members().Insert(ctx, &f.member); err != nil {
			return err
		}
		f.role = directory.Role{Organization: f.organization.ID, Key: "fixture"}
		if err = tx.Roles().Insert(ctx, &f.role); err != nil {
			return err
		}
		f.project = project.Project{Organization: f.organization.ID, Name: "Fixture", Active: true}
		if err = tx.Projects().Insert(ctx, &f.project); err != nil {
			return err
		}
		f.grant = project.Grant{Organization: f.organization.ID, Project: f.project.ID, Granted: f.other.ID, Active: true}
		return tx.ProjectGrants().Insert(ctx, &f.grant)
	})
	return f
}

// awkward is text that has to survive as it is on its way into and out of a database.
const awkward = "O'Brien \"the\" 100% _under\\score; --\n\t<&> Ünïcödé 組織 🏛 ﷽ \u200b$1 ?"

func word(s string, n int) string { return fmt.Sprintf("%s %d %s", s, n, awkward) }

func metadata(n int) directory.Metadata {
	return directory.Metadata{
		"text": word("m", n), "number": float64(n) + 0.5, "yes": true, "nothing": nil,
		"list": []any{"a", float64(1), map[string]any{"deep": awkward}}, awkward: "key",
	}
}

var moment = time.Date(2027, 3, 4, 5, 6, 7, 123456000, time.UTC)

func sampleOrganization(_ fixture, n int) directory.Organization {
	return directory.Organization{
		Alias: fmt.Sprintf("test:%d", n), Name: word("name", n), NameClaimed: true, DisplayName: word("display", n), Slug: fmt.Sprintf("Slug-%d", n),
		ExternalID: word("external", n), State: directory.Suspended, Protected: true,
		Branding: directory.Branding{LogoURL: "https://a/b.png", Primary: "#112233", Background: "#445566"},
		Profile:  directory.Profile{Address: awkward, Website: "https://a", TimeZone: "Europe/Zurich", Currency: "CHF"},
		Settings: directory.Settings{
			EmailDomains: []string{"a.example"}, AllowOutsiders: true, EmailJIT: "restricted", OAuthTenants: map[string][]string{"slack": {"T1"}},
			EmailRoles: []directory.RoleMapping{{Domain: "a.example", Role: "admin"}}, TokenQuota: map[string]any{"a": float64(1)},
		},
		Public: metadata(n), Private: metadata(n + 1),
	}
}

func sampleUser(f fixture, n int) directory.User {
	return directory.User{
		Home: f.organization.ID, Scope: f.organization.ID, Alias: fmt.Sprintf("test:user:%d", n), Kind: directory.Machine, State: directory.UserLocked,
		Username: word("username", n), Email: fmt.Sprintf("Person.%d@Example.com", n), EmailVerified: true, Phone: fmt.Sprintf("+1202555%04d", n),
		PhoneVerified: true, GivenName: word("given", n), FamilyName: word("family", n), Name: word("full", n), Nickname: word("nick", n),
		Picture: "https://a/b", Language: "de-CH", Gender: "diverse", ExternalID: word("external", n), Connection: "conn", Description: awkward,
		OpaqueTokens: true, Public: metadata(n), Private: metadata(n + 1), LastSignInAt: moment, SignIns: 42,
	}
}

// sampleMember is a member whose person is made by newPerson.
func sampleMember(f fixture, n int) directory.Member {
	return directory.Member{
		Organization: f.organization.ID, Home: f.organization.ID, State: directory.MemberPending, ExternalID: word("external", n), Breakglass: true, MFAEnrolled: true,
		DefaultMFA: "totp", Retired: []directory.RetiredEmail{{ID: 7, Address: `a"breakglass":true@example.com`}}, Public: metadata(n), Private: metadata(n + 1),
	}
}

func sampleRole(f fixture, n int) directory.Role {
	return directory.Role{
		Organization: f.organization.ID, Key: word("key", n), Name: word("name", n), Description: awkward,
		Permissions: []directory.Permission{{Resource: "doc", Actions: []string{"read", "*"}, Description: awkward}},
	}
}

func sampleAssignment(f fixture, n int) directory.RoleAssignment {
	return directory.RoleAssignment{Organization: f.organization.ID, Member: f.member.ID, User: f.user.ID, Home: f.organization.ID, Role: f.role.ID, Source: fmt.Sprintf("source %d", n)}
}

func sampleInvitation(f fixture, n int) directory.Invitation {
	return directory.Invitation{
		Organization: f.organization.ID, Email: fmt.Sprintf("Guest.%d@Example.com", n), Inviter: awkward, Roles: []id.ID{f.role.ID}, User: f.user.ID, Home: f.organization.ID,
		Client: "client", Connection: "conn", TicketHash: directory.TicketHash(fmt.Sprintf("%d-%d", f.organization.ID, n)), ExpiresAt: moment,
		AcceptedAt: moment, Public: metadata(n), Private: metadata(n + 1),
	}
}

func sampleMessage(f fixture, n int) notify.Entry {
	return notify.Entry{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Kind: notify.Code, Channel: notify.Mail, Recipient: fmt.Sprintf("%d", n),
		Sealed: []byte("\x00\xff"), State: notify.Queued, Attempts: 3, RunAt: moment, Until: moment.Add(time.Hour), SentAt: moment, Problem: awkward,
	}
}

func sampleTemplate(f fixture, n int) notify.Template {
	return notify.Template{Organization: f.organization.ID, Kind: notify.Code, Locale: fmt.Sprintf("x%d", n), Subject: awkward, Text: awkward, HTML: awkward}
}

func sampleDomain(f fixture, n int) directory.Domain {
	return directory.Domain{
		Organization: f.organization.ID, Name: fmt.Sprintf("d%d.example", n), Verified: true, Primary: true, Discovery: true, Token: awkward, Method: "dns",
	}
}

func sampleEntry(f fixture, n int) directory.Entry {
	return directory.Entry{Organization: f.organization.ID, User: f.user.ID, Key: word("key", n), Value: []byte("\x00\xff bytes " + awkward)}
}

func sampleProject(f fixture, n int) project.Project {
	return project.Project{
		Organization: f.organization.ID, Alias: fmt.Sprintf("test:project:%d", n), Name: word("name", n), Active: true, RoleAssertion: true, RoleCheck: true,
		ProjectCheck: true, PrivateLabel: "label", AdminsRequired: true,
	}
}

func sampleProjectRole(f fixture, n int) project.Role {
	return project.Role{Organization: f.organization.ID, Project: f.project.ID, Key: word("key", n), DisplayName: word("display", n), Group: awkward}
}

// sampleGrant is a grant to an organization made by newGranted.
func sampleGrant(f fixture, _ int) project.Grant {
	return project.Grant{Organization: f.organization.ID, Project: f.project.ID, Roles: []string{"a", awkward}, Active: true}
}

// sampleUserGrant stands on a made-up grant, so that a user can have several.
func sampleUserGrant(f fixture, n int) project.UserGrant {
	return project.UserGrant{
		Organization: f.other.ID, User: f.user.ID, Home: f.organization.ID, Project: f.project.ID, ProjectOrganization: f.organization.ID, Grant: f.grant.ID + id.ID(n),
		Roles: []string{"a", awkward}, Active: true,
	}
}

func sampleAdministrator(f fixture, n int) project.Administrator {
	return project.Administrator{
		Organization: f.organization.ID, Granted: f.other.ID, User: f.user.ID, Home: f.organization.ID, Scope: project.OfGrant, Object: f.grant.ID + id.ID(n), Roles: []string{"X", awkward},
	}
}

func grants() []access.Grant {
	return []access.Grant{{On: 5, Permissions: []access.Permission{access.UserRead, access.MemberRead}}, {Permissions: []access.Permission{access.RealmRead}}}
}

func sampleApplication(f fixture, n int) credential.Application {
	return credential.Application{
		Organization: f.organization.ID, Project: f.project.ID, Scheme: "test", Name: word("name", n), ClientID: fmt.Sprintf("client-%d-%d", f.organization.ID, n),
		SecretHash: credential.Hash("secret"), Claims: []string{"a", awkward}, Audiences: []string{"b"}, Grants: grants(), Disabled: true, Settings: metadata(n),
		OpenID: credential.OpenID{Kind: credential.AppWeb, RedirectURIs: []string{"https://a.example/cb"}, AccessLife: 60},
	}
}

func sampleKey(f fixture, n int) credential.Key {
	return credential.Key{
		Organization: f.organization.ID, User: f.user.ID, Scheme: "test", Name: word("name", n), Hash: credential.Hash(fmt.Sprintf("%d-%d", f.organization.ID, n)),
		Hint: "abcd", Claims: []string{"a", awkward}, Grants: grants(), ExpiresAt: moment,
	}
}

func sampleAccount(f fixture, n int) credential.IntegratedAccount {
	return credential.IntegratedAccount{
		Organization: f.organization.ID, TenantKey: word("tenant", n), EnvironmentID: awkward, Status: "active", Method: "key", Context: metadata(n),
	}
}

func sampleFactor(f fixture, n int) credential.Factor {
	return credential.Factor{
		Home: f.organization.ID, User: f.user.ID, Kind: credential.TOTP, Name: word("name", n), Hash: awkward, Handle: fmt.Sprintf("%d-%d", f.organization.ID, n),
		Sealed: []byte("\x00\xff"), Data: credential.FactorData{PartyID: "a.example", PublicKey: awkward, ExpiresAt: 7}, Step: int64(n), Confirmed: true,
		ChangeRequired: true, Failures: 3, BlockedUntil: moment, UsedAt: moment,
	}
}

func sampleChallenge(f fixture, n int) authn.Challenge {
	return authn.Challenge{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Kind: authn.LinkChallenge, Hash: fmt.Sprintf("%d-%d", f.organization.ID, n),
		CodeHash: "code", Flow: 7, Target: word("target", n), Attempts: 2, ExpiresAt: moment,
		Data: authn.Memory{Flow: &authn.State{Request: awkward, Proofs: []authn.Proof{{Method: authn.ByTOTP, At: moment}}}},
	}
}

func sampleConnection(f fixture, n int) sso.Connection {
	return sso.Connection{
		Organization: f.organization.ID, Name: word("name", n), DisplayName: awkward, Provider: sso.OpenID, Issuer: "https://a", ClientID: "c",
		Secret: []byte("\x00\xff"), Enabled: true, Settings: sso.Settings{Scopes: []string{"email"}, SignUp: true},
	}
}

func sampleIdentity(f fixture, n int) sso.Identity {
	return sso.Identity{
		Organization: f.organization.ID, User: f.user.ID, Home: f.organization.ID, Issuer: "https://a", Subject: word("subject", n), Email: awkward, UsedAt: moment,
	}
}

// newConnection gives the sample of an identity a connection of its own.
func newConnection(tx Tx, f fixture, i *sso.Identity) error {
	c := sampleConnection(f, int(time.Now().UnixNano()))
	c.Organization = i.Organization
	err := tx.Connections().Insert(ctx, &c)
	i.Connection = c.ID
	return err
}

func sampleDeletion(f fixture, n int) erasure.Deletion {
	return erasure.Deletion{
		Kind: id.User, Subject: f.user.ID, User: f.user.ID, Organization: f.organization.ID, Users: erasure.Detach, State: erasure.Grace, GraceUntil: moment,
		RequestedBy: awkward, Reason: word("reason", n), Step: 3, Cursor: 4, Done: map[string]int{"removed user": n + 1}, PurgedAt: moment,
		Paused: true, Fingerprint: awkward, StartedAt: moment, Bulk: 5, Export: erasure.Export{ID: 9, SHA256: awkward, Size: 10, Until: moment},
	}
}

// sampleHold is one that was released: it forbids nothing.
func sampleHold(f fixture, n int) erasure.Hold {
	return erasure.Hold{
		Organization: f.organization.ID, User: f.user.ID, Realm: f.other.ID, Reason: word("reason", n), PlacedBy: awkward, Until: moment, ReleasedAt: moment, ReleasedBy: awkward,
	}
}

func sampleReceipt(f fixture, n int) erasure.Receipt {
	return erasure.Receipt{Number: int64(n) + 1, Deletion: f.organization.ID + id.ID(n), // of no deletion, once each
		Previous: awkward, Hash: word("hash", n), JWS: awkward}
}

// sampleKeyset is of an organization made by newSealed: each has one at most.
func sampleKeyset(_ fixture, n int) vault.Keyset {
	return vault.Keyset{Scope: vault.Own, Master: awkward, Wrapped: []byte(word("\x00\xff", n))}
}

func sampleWebhook(f fixture, n int) webhook.Webhook {
	return webhook.Webhook{
		Organization: f.organization.ID, Name: word("name", n), URL: "https://example.com/" + fmt.Sprint(n), Types: []string{"organization.*", "user.created"},
		State: webhook.Disabled, Reason: webhook.Gone, DisabledAt: moment, Keys: []webhook.Key{{Hint: "abcd", CreatedAt: moment, ExpiresAt: moment}},
		Sealed: []byte("\x00\xff" + awkward), FailingSince: moment, SucceededAt: moment, ResumedAt: moment,
	}
}

func sampleDelivery(f fixture, n int) webhook.Delivery {
	return webhook.Delivery{
		Organization: f.organization.ID, Event: f.organization.ID + id.ID(n), Type: "user.created", State: webhook.Failed, Attempts: int64(n), Code: 500,
		Error: awkward, DueAt: moment, EndedAt: moment, Tries: []webhook.Try{{At: moment, Took: time.Second, Code: 500, Error: awkward}},
	}
}

// newWebhook gives the sample of a delivery a webhook of its own.
func newWebhook(tx Tx, f fixture, d *webhook.Delivery) error {
	w := sampleWebhook(f, int(d.Attempts))
	err := tx.Webhooks().Insert(ctx, &w)
	d.Webhook = w.ID
	return err
}

// newPerson gives the sample of a member a user of its own.
func newPerson(tx Tx, _ fixture, m *directory.Member) error {
	u := directory.User{Home: m.Home, Scope: m.Home, Kind: directory.Human, State: directory.UserActive}
	err := tx.Users().Insert(ctx, &u)
	m.User = u.ID
	return err
}

// newSealed gives the sample of a keyset an organization of its own.
func newSealed(tx Tx, _ fixture, k *vault.Keyset) error {
	o := directory.Organization{Name: "Sealed", Slug: fmt.Sprintf("sealed-%d", time.Now().UnixNano()), State: directory.Active}
	err := tx.Organizations().Insert(ctx, &o)
	k.Organization = o.ID
	return err
}

// newGranted gives the sample of a grant an organization of its own.
func newGranted(tx Tx, _ fixture, g *project.Grant) error {
	o := directory.Organization{Name: "Granted", Slug: fmt.Sprintf("granted-%d", time.Now().UnixNano()), State: directory.Active}
	err := tx.Organizations().Insert(ctx, &o)
	g.Granted = o.ID
	return err
}

// A stamp is where an object keeps its stamp.
type stamp = query.Stamp
