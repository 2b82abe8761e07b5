package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/query"
	"guildhall/internal/server"
	"guildhall/internal/session"
)

func TestSessionsAreEndedFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	acme := d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	s := server.NewServices(d.DB, d.Master)
	ada, err := s.Directory.CreateUser(t.Context(), d.System, directory.NewUser{User: directory.User{Email: "ada@example.com", Home: acme.ID}})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.do(t, "session"); !strings.Contains(got, "Nobody is signed in.") {
		t.Errorf("nobody yet: %s", got)
	}
	secrets := make([]string, 3)
	for i := range secrets {
		began, secret, err := s.Sessions.Start(t.Context(), d.Realm.ID, session.New{User: ada.ID, Organization: acme.ID, Device: "Firefox\n on Linux"})
		if err != nil {
			t.Fatal(err)
		}
		secrets[i] = secret
		if i == 1 {
			if _, secrets[2], err = s.Sessions.Exchange(t.Context(), d.Realm.ID, began, acme.ID); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	listed := d.do(t, "session", "list", "--user", "ada@example.com", "--organization", "acme")
	found := regexp.MustCompile(`(ses_\w+).* ([0-9a-f]{64}) `).FindAllStringSubmatch(listed, -1)
	if len(found) != 3 || found[1][2] != found[2][2] || found[0][2] == found[1][2] || strings.Count(listed, "\n") != 4 {
		t.Fatalf("listed: %s", listed)
	}
	alive := func() (n int) {
		for _, secret := range secrets {
			if _, _, err := s.Sessions.Check(t.Context(), secret, ""); err == nil {
				n++
			}
		}
		return n
	}
	d.refused(t, []string{"session", "revoke"}, "name one session")
	d.refused(t, []string{"session", "revoke", found[0][1], "--user", "ada@example.com"}, "name one session")
	d.refused(t, []string{"session", "revoke", "--user", "nobody@example.com"}, "there is no user")
	d.refused(t, []string{"session", "revoke", "--organization", "nothing"}, "there is no organization")
	d.do(t, "session", "revoke", found[0][1])
	d.refused(t, []string{"session", "revoke", found[0][1]}, "does not exist")
	if n := alive(); n != 2 {
		t.Errorf("one was ended, %d are alive", n)
	}
	if got := d.do(t, "session", "revoke", "--device", found[1][2]); !strings.Contains(got, "Ended 2") || alive() != 0 {
		t.Errorf("of a device: %s", got)
	}
}

func TestRulesForSigningInAreSetFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	holds := func(told string, rules map[string]string) {
		t.Helper()
		for rule, value := range rules {
			if !regexp.MustCompile(`(?m)^` + rule + ` +` + regexp.QuoteMeta(value) + `$`).MatchString(told) {
				t.Errorf("%s is not %q:\n%s", rule, value, told)
			}
		}
	}
	holds(d.do(t, "realm", "rules"), map[string]string{"mfa": "optional", "sign-up": "closed", "password-length": "8", "session-life": "168h0m0s"})
	d.do(t, "realm", "set", "--methods", "password,passkey", "--mfa", "required", "--mfa-methods", "totp", "--sign-up", "open", "--email-domains", "acme.example",
		"--invitations", "required", "--password-reset", "off", "--password-length", "12", "--password-score", "3", "--session-idle", "8h", "--session-life", "24h", "--sso-suffices", "yes")
	all := map[string]string{
		"methods": "password, passkey", "mfa": "required", "mfa-methods": "totp", "sign-up": "open", "email-domains": "acme.example", "invitations": "required",
		"password-reset": "off", "password-length": "12", "password-score": "3", "session-idle": "8h0m0s", "session-life": "24h0m0s", "sso-suffices": "yes",
	}
	holds(d.do(t, "realm", "rules"), all)
	d.do(t, "realm", "set", "--grace", "native=1h") // what is not named stays
	holds(d.do(t, "realm", "rules"), all)
	d.do(t, "realm", "set", "--methods", "any", "--mfa", "optional", "--session-idle", "0s")
	holds(d.do(t, "realm", "rules"), map[string]string{"mfa": "optional", "mfa-methods": "totp", "session-idle": "72h0m0s", "session-life": "24h0m0s"})
	d.refused(t, []string{"realm", "set", "--methods", "No Such"}, "method")
	d.refused(t, []string{"realm", "set", "--email-domains", "nodomain"}, "domain")
	d.refused(t, []string{"realm", "set", "--password-length", "3"}, "6 to 128")
	d.refused(t, []string{"realm", "set", "--session-life=-1s"}, "400 days")

	holds(d.do(t, "organization", "rules", "acme"), map[string]string{"methods": "the realm's", "join-by-domain": "no", "invitations": "all"})
	d.do(t, "organization", "rules", "acme", "--methods", "passkey", "--mfa", "required", "--mfa-methods", "passkey", "--email-domains", "acme.example",
		"--join-by-domain", "yes", "--join-by-provider", "yes", "--invitations", "email-domains", "--session-life", "12h")
	holds(d.do(t, "organization", "rules", "acme"), map[string]string{
		"methods": "passkey", "mfa": "required", "mfa-methods": "passkey", "email-domains": "acme.example", "join-by-domain": "yes", "join-by-provider": "yes",
		"invitations": "email-domains", "session-life": "12h0m0s",
	})
	d.do(t, "organization", "rules", "acme", "--methods", "any", "--join-by-domain", "no")
	holds(d.do(t, "organization", "rules", "acme"), map[string]string{"methods": "the realm's", "mfa": "required", "join-by-domain": "no"})
	d.refused(t, []string{"organization", "rules", "nothing"}, "there is no organization")
}

func TestTemplatesAreWrittenFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	file := filepath.Join(t.TempDir(), "code.html")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.do(t, "template"); !regexp.MustCompile(`(?m)^invitation +mail +- +-$`).MatchString(got) {
		t.Errorf("none yet:\n%s", got)
	}
	write("<p>\n{% nonsense %}</p>")
	d.refused(t, []string{"template", "set", "code", "--html", file}, "html, line 2", "nonsense")
	write("<p><a href='https://evil.example/'>x</a></p>")
	d.refused(t, []string{"template", "set", "code", "--html", file}, "evil.example")
	d.refused(t, []string{"template", "set", "code"}, "nothing to write")
	write("<p>Code of {{ sender.name }}: {{ code }}</p>")
	if got := d.do(t, "template", "preview", "code", "--html", file, "--part", "html"); got != "<p>Code of "+d.Realm.Name+": 123 456</p>" {
		t.Errorf("preview: %s", got)
	}
	d.do(t, "template", "set", "code", "--organization", "acme", "--html", file, "--locale", "de")
	if got := d.do(t, "template", "list", "--organization", "acme"); !regexp.MustCompile(`(?m)^code +mail +de +2`).MatchString(got) {
		t.Errorf("listed:\n%s", got)
	}
	if got := d.do(t, "template", "show", "code", "--organization", "acme", "--locale", "de"); !strings.Contains(got, "-- html --\n<p>Code of {{ sender.name }}") || !strings.Contains(got, "-- subject --") {
		t.Errorf("shown: %s", got)
	}
	if got := d.do(t, "template", "preview", "code", "--organization", "acme", "--locale", "de"); !strings.Contains(got, "<p>Code of Acme: 123 456</p>") {
		t.Errorf("preview: %s", got)
	}
	d.refused(t, []string{"template", "test", "code", "ada@example.com"}, "not been told how to send")
	d.do(t, "template", "reset", "code", "--organization", "acme", "--locale", "de")
	d.refused(t, []string{"template", "reset", "code", "--organization", "acme", "--locale", "de"}, "no template")
	d.refused(t, []string{"template", "show", "newsletter"}, "no such kind")
}

func TestApplicationsAreRegisteredFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	if got := d.do(t, "application"); !strings.Contains(got, "There are no applications.") {
		t.Errorf("none yet: %s", got)
	}
	d.refused(t, []string{"application", "create", "Bad", "--redirect-uri", "/back"}, "https")
	made := d.do(t, "application", "create", "Shop", "--redirect-uri", "https://shop.example/back", "--organization", "acme", "--access-life", "10m")
	found := regexp.MustCompile(`Registered (app_\w+)\.\nclient_id: (\S+)\nclient_secret \(shown this once\): (\S+)\n`).FindStringSubmatch(made)
	if found == nil {
		t.Fatalf("registered: %s", made)
	}
	if got := d.do(t, "application", "create", "Page", "--kind", "browser", "--redirect-uri", "https://page.example/"); strings.Contains(got, "secret") {
		t.Errorf("one in a browser has a secret: %s", got)
	}
	if got := d.do(t, "application", "list", "--organization", "acme"); !strings.Contains(got, found[1]) || strings.Contains(got, "Page") {
		t.Errorf("listed: %s", got)
	}
	got := d.do(t, "application", "update", found[2], "--redirect-uri", "https://a.example/", "--redirect-uri", "https://b.example/", "--third-party", "--state", "disabled", "--name", "Store")
	for _, want := range []string{"https://a.example/, https://b.example/", "disabled", "Store", "10m0s"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
	if got := d.do(t, "application", "show", found[1]); !regexp.MustCompile(`third-party +true`).MatchString(got) {
		t.Errorf("shown: %s", got)
	}
	s := server.NewServices(d.DB, d.Master)
	d.do(t, "application", "update", found[1], "--state", "enabled", "--no-third-party")
	rotated := strings.TrimSpace(d.do(t, "application", "rotate-secret", found[1]))
	fresh := rotated[strings.LastIndexByte(rotated, '\n')+1:]
	if _, err := s.Credentials.Client(t.Context(), found[2], found[3], "openid"); err == nil {
		t.Error("the old secret is good")
	}
	if _, err := s.Credentials.Client(t.Context(), found[2], fresh, "openid"); err != nil {
		t.Errorf("the new secret: %v", err)
	}
	d.do(t, "application", "delete", found[1])
	d.refused(t, []string{"application", "show", found[1]}, "does not exist")
}

func TestIdentityProvidersAreConnectedFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	t.Setenv("GUILDHALL_CLIENT_SECRET", "hush")
	contains(t, d.do(t, "connection"), "There are no connections")
	contains(t, d.do(t, "connection", "create", "okta", "--provider", "google", "--client-id", "abc"), "Connected con_", "/sign-in/callback")
	contains(t, d.do(t, "connection", "create", "OKTA", "--organization", "acme", "--provider", "oidc", "--issuer", "https://acme.okta.com", "--client-id", "def", "--domain", "acme.example"), "Connected con_")
	listed := d.do(t, "connection", "list")
	contains(t, listed, "https://accounts.google.com", "https://acme.okta.com")
	if of := d.do(t, "connection", "list", "--organization", "acme"); strings.Count(of, "\n") != 2 || !strings.Contains(of, "OKTA") {
		t.Errorf("of the organization: %s", of)
	}
	d.refused(t, []string{"connection", "show", "okta"}, "several owners", "by its id")
	d.refused(t, []string{"connection", "show", "nothing"}, "does not exist")
	d.refused(t, []string{"connection", "create", "github", "--provider", "oauth2", "--issuer", "github", "--client-id", "x"}, "three addresses")
	named := regexp.MustCompile(`(con_\w+) +OKTA`).FindStringSubmatch(listed)[1]
	contains(t, d.do(t, "connection", "update", named, "--state", "disabled", "--sign-up", "--display-name", "Acme staff"), "disabled", "Acme staff", "acme.example")
	shown := d.do(t, "connection", "show", named)
	contains(t, shown, "disabled", "open", "def")
	if strings.Contains(shown, "hush") {
		t.Error("the secret is shown")
	}
	contains(t, d.do(t, "connection", "delete", named), `Deleted "OKTA"`)
	contains(t, d.do(t, "connection", "show", "okta"), "https://accounts.google.com") // one is left of the name
}

func TestPeopleAreInvitedFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	acme := d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	if _, err := d.Directory.CreateRole(t.Context(), d.System, directory.Role{Key: "Admin"}); err != nil {
		t.Fatal(err)
	}
	create := func(more ...string) []string {
		return append([]string{"invitation", "create", "acme", "ada@acme.example"}, more...)
	}
	d.refused(t, create(), "no origin", "realm set")
	d.do(t, "realm", "set", "--origin", "https://id.example.com")
	d.refused(t, create("--role", "king"), `no role "king"`)
	d.refused(t, create("--life=-1h"), "invites nobody")
	contains(t, d.do(t, "invitation", "list", "acme"), "Nobody is invited.")
	made := d.do(t, create("--role", "admin", "--inviter", "Grace")...)
	link := regexp.MustCompile(`https://id\.example\.com/invitation\?ticket=(\S+)`).FindStringSubmatch(made)
	if link == nil {
		t.Fatalf("no link: %s", made)
	}
	page, err := d.Directory.Invitations(t.Context(), d.System, acme.ID, query.Query{Limit: 9})
	if err != nil || len(page.Items) != 1 || len(page.Items[0].Roles) != 1 || page.Items[0].TicketHash != directory.TicketHash(link[1]) {
		t.Fatalf("%+v %v", page, err)
	}
	mailed := d.do(t, "invitation", "create", "acme", "bob@acme.example", "--mail")
	if strings.Contains(mailed, "ticket=") {
		t.Errorf("a link that is mailed is shown to somebody else: %s", mailed)
	}
	listed := d.do(t, "invitation", "list", "acme")
	contains(t, listed, "ada@acme.example", "Grace", "bob@acme.example", "open")
	named := regexp.MustCompile(`(inv_\w+) +bob`).FindStringSubmatch(listed)[1]
	contains(t, d.do(t, "invitation", "revoke", "acme", named), "Revoked 1")
	contains(t, d.do(t, "invitation", "revoke", "acme", "ADA@acme.example"), "Revoked 1")
	d.refused(t, []string{"invitation", "revoke", "acme", "ada@acme.example"}, "nobody with the address")
	contains(t, d.do(t, "invitation", "list", "acme"), "Nobody is invited.")
}
