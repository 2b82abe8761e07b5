package server

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/notify"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/session"
	"guildhall/internal/store/storetest"
)

// A surfer is a browser without scripts at a development server.
type surfer struct {
	*http.Client
	s    *Server
	base string
}

func surf(t *testing.T) *surfer {
	t.Helper()
	s, _ := started(t, Config{Data: storetest.Folder(t), Dev: true, Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", Fast: true})
	return &surfer{newBrowser(), s, "http://" + s.listeners[0].Addr().String()}
}

func newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (b *surfer) do(t *testing.T, method, path string, form url.Values, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.base)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	answer, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// letter waits for the newest message to somebody.
func (b *surfer) letter(t *testing.T, to string, k string) notify.Letter {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		all := b.s.messages.letters(b.s.home.ID)
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].To == to && strings.Contains(all[i].Subject, k) {
				return all[i]
			}
		}
	}
	t.Fatalf("no message to %s about %q", to, k)
	return notify.Letter{}
}

var pagePaths = []string{"/", "/sign-in", "/sign-up", "/reset", "/reset?token=x", "/sign-out", "/sign-out?done=1", "/invitation?ticket=x", "/sign-in/link?token=x", "/unlock?token=x", "/sign-in/nothing", "/account/nothing"}

var posts = []string{
	"/sign-in/identify", "/sign-in/password", "/sign-in/code", "/sign-in/send", "/sign-in/method", "/sign-in/passkey", "/sign-in/link", "/sign-in/account", "/sign-in/organization",
	"/sign-in/join", "/sign-in/confirm-link", "/sign-in/enrol", "/sign-in/totp", "/sign-in/new-password", "/sign-in/continue", "/sign-in/restart", "/sign-up", "/invitation", "/reset",
	"/verify", "/consent", "/device", "/device/decide", "/sign-out", "/language", "/account/sessions/end", "/account/sessions/others", "/account/switch", "/account/passkeys",
	"/account/totp", "/account/totp/confirm", "/account/recovery-codes", "/account/factors/remove", "/account/connected/remove", "/account/password", "/account/applications/revoke", "/account/factors/name", "/unlock",
}

func TestT_L01_L06_EveryPageIsGuarded(t *testing.T) {
	b := surf(t)
	for _, path := range pagePaths {
		answer, body := b.do(t, "GET", path, nil)
		policy := answer.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s (%d): no %s in %q", path, answer.StatusCode, want, policy)
			}
		}
		if answer.StatusCode == 200 && !strings.Contains(policy, "require-trusted-types-for 'script'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %q", path, policy)
		}
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if got := answer.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if answer.StatusCode >= 500 {
			t.Errorf("%s: %d\n%s", path, answer.StatusCode, body)
		}
	}
}

func TestT_L02_L07_OnlyEmbeddedFilesAreServed(t *testing.T) {
	b := surf(t)
	_, page := b.do(t, "GET", "/sign-in", nil)
	files := regexp.MustCompile(`/assets/[^"]+`).FindAllString(page, -1)
	if len(files) < 4 {
		t.Fatalf("files of a page: %v", files)
	}
	for _, f := range files {
		answer, _ := b.do(t, "GET", f, nil)
		if answer.StatusCode != 200 || answer.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(answer.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %d %v", f, answer.StatusCode, answer.Header)
		}
	}
	for _, f := range []string{"/assets/", "/assets/login.css", "/assets/../sign-in", "/assets/..%2f..%2fetc%2fpasswd", "/assets//evil.example/x", "/assets/%2e%2e/x", "/assets/theme-ffffff%0a.css", "//evil.example/assets/login.css"} {
		answer, body := b.do(t, "GET", f, nil)
		if l := answer.Header.Get("Location"); answer.StatusCode == 200 && !strings.Contains(body, "<html") || strings.Contains(l, "://") || strings.HasPrefix(l, "//") || strings.HasPrefix(l, "/\\") {
			t.Errorf("%s: %d, %q", f, answer.StatusCode, l)
		}
	}
	for _, back := range []string{"//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "\x00", "/sign-in\r\nSet-Cookie: a=b"} {
		answer, _ := b.do(t, "POST", "/language", url.Values{"lang": {"de"}, "back": {back}})
		if l := answer.Header.Get("Location"); l != "/sign-in" {
			t.Errorf("back to %q leads to %q", back, l)
		}
	}
}

func TestT_L04_L05_FormsOfOtherSitesAreRefused(t *testing.T) {
	b := surf(t)
	b.do(t, "GET", "/sign-in", nil)
	for _, path := range posts {
		for _, h := range [][]string{
			{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example", "X-HTTP-Method-Override", "GET"},
			{"Origin", "https://evil.example", "Content-Type", "text/plain"}, {"Origin", b.base + ".evil.example"},
		} {
			answer, _ := b.do(t, "POST", path, url.Values{"identifier": {"a@x.example"}, "answer": {"yes"}}, h...)
			if answer.StatusCode != http.StatusForbidden || len(answer.Header.Values("Set-Cookie")) > 0 {
				t.Errorf("POST %s with %v: %d %v", path, h, answer.StatusCode, answer.Header)
			}
		}
		if answer, _ := b.do(t, "GET", path, nil); answer.StatusCode == http.StatusOK && !strings.Contains(strings.Join(pagePaths, " ")+" /device", path) {
			t.Errorf("GET %s does what POST does: %d", path, answer.StatusCode)
		}
	}
	if _, page := b.do(t, "GET", "/sign-out?client_id=x", nil); strings.Contains(page, "Sign out?") {
		t.Error("somebody who is not signed in is asked whether to sign out")
	}
}

func TestT_L09_J01_PagesExistAtTheirOwnOriginsAlone(t *testing.T) {
	b := surf(t)
	for _, host := range []string{"evil.example", "localhost.evil.example", "127.0.0.1:1", "localhost", ""} {
		for _, path := range pagePaths {
			if host == "" {
				continue
			}
			answer, body := b.do(t, "GET", path, nil, "Host", host)
			if answer.StatusCode != http.StatusMisdirectedRequest || len(answer.Header.Values("Set-Cookie")) > 0 || strings.Contains(body, host) {
				t.Errorf("%s at %q: %d", path, host, answer.StatusCode)
			}
		}
	}
	u, err := b.s.Directory.CreateUser(t.Context(), access.System(b.s.home.ID), directory.NewUser{User: directory.User{Kind: directory.Human, Email: "v@x.example", EmailVerified: true, Name: "V"}})
	if err != nil {
		t.Fatal(err)
	}
	forged := []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "Forwarded", "host=evil.example", "X-Original-Host", "evil.example"}
	b.do(t, "POST", "/reset", url.Values{"identifier": {u.Email}}, forged...)
	if l := b.letter(t, u.Email, "Reset"); strings.Contains(l.Text+l.HTML, "evil.example") || !strings.Contains(l.Text, b.base+"/reset?token=") {
		t.Errorf("the link leads elsewhere:\n%s", l.Text)
	}
}

// TestT_J05_OpeningALinkConsumesNothing is what programs do that look through mail.
func TestT_J05_OpeningALinkConsumesNothing(t *testing.T) {
	b := surf(t)
	_, err := b.s.Directory.CreateUser(t.Context(), access.System(b.s.home.ID), directory.NewUser{User: directory.User{Kind: directory.Human, Email: "l@x.example", EmailVerified: true, Name: "L"}})
	if err != nil {
		t.Fatal(err)
	}
	b.do(t, "GET", "/sign-in", nil)
	b.do(t, "POST", "/sign-in/identify", url.Values{"identifier": {"l@x.example"}})
	b.do(t, "POST", "/sign-in/method", url.Values{"method": {"magic_link"}})
	at := regexp.MustCompile(`https?://[^/\s]+(/sign-in/link\S+)`).FindStringSubmatch(b.letter(t, "l@x.example", "Sign in").Text)[1]
	scanner := &surfer{newBrowser(), b.s, b.base}
	for range 3 {
		for _, method := range []string{"HEAD", "GET"} {
			answer, _ := scanner.do(t, method, at, nil)
			for _, c := range answer.Cookies() {
				if strings.Contains(c.Name, "session") {
					t.Fatal("a scanner got a session")
				}
			}
			b.do(t, method, at, nil)
		}
	}
	token := url.Values{"token": {strings.TrimPrefix(at, "/sign-in/link?token=")}}
	if answer, _ := scanner.do(t, "POST", "/sign-in/link", token); answer.StatusCode == http.StatusSeeOther {
		t.Error("another browser used the link")
	}
	answer, body := b.do(t, "POST", "/sign-in/link", token)
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/account" {
		t.Fatalf("the link does not work: %d %s", answer.StatusCode, body)
	}
	if answer, _ := b.do(t, "POST", "/sign-in/link", token); answer.StatusCode == http.StatusSeeOther {
		t.Error("it works twice")
	}
}

// TestT_K01_L10_PagesDoNotTellWhoHasAnAccount compares what is shown for somebody and for nobody.
func TestT_K01_L10_PagesDoNotTellWhoHasAnAccount(t *testing.T) {
	b := surf(t)
	o, err := b.s.Directory.CreateOrganization(t.Context(), access.System(b.s.home.ID), directory.Organization{Name: "Hidden Holdings"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := b.s.Directory.CreateUser(t.Context(), access.System(b.s.home.ID), directory.NewUser{User: directory.User{Kind: directory.Human, Email: "k@x.example", EmailVerified: true, Name: "K"}})
	if err == nil {
		_, err = b.s.Directory.AddMember(t.Context(), access.System(b.s.home.ID), directory.Member{Organization: o.ID, User: u.ID}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, who := range []string{"k@x.example", "n@x.example"} {
		one := &surfer{newBrowser(), b.s, b.base}
		all := ""
		for _, step := range []struct {
			method, path string
			form         url.Values
		}{
			{"GET", "/sign-in", nil}, {"POST", "/sign-in/identify", url.Values{"identifier": {who}}}, {"GET", "/sign-in", nil},
			{"POST", "/sign-in/password", url.Values{"password": {"wrong"}}}, {"GET", "/sign-in?method=other", nil},
			{"POST", "/sign-in/method", url.Values{"method": {"email_otp"}}}, {"GET", "/sign-in?method=email_otp", nil},
			{"POST", "/sign-in/code", url.Values{"method": {"email_otp"}, "code": {"1"}}}, {"POST", "/reset", url.Values{"identifier": {who}}},
		} {
			answer, body := one.do(t, step.method, step.path, step.form)
			if strings.Contains(body, o.Name) {
				t.Errorf("%s %s tells of organizations", step.method, step.path)
			}
			all += answer.Status + answer.Header.Get("Location") + regexp.MustCompile(`data-options="[^"]*"`).ReplaceAllString(body, "") + "\n"
		}
		seen = append(seen, strings.ReplaceAll(all, who, "$who"))
	}
	if seen[0] != seen[1] {
		t.Errorf("the pages differ:\n%s\n--\n%s", seen[0], seen[1])
	}
}

// TestT_I12_WhatABrowserHadBeforeIsWorthNothingAfterwards puts cookies of a stranger into
// the browser of somebody who then signs in, and gives the stranger all that it had.
func TestT_I12_WhatABrowserHadBeforeIsWorthNothingAfterwards(t *testing.T) {
	b := surf(t)
	const words = "correct horse battery staple 9"
	hash, err := b.s.Credentials.HashPassword(t.Context(), words)
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"victim@x.example", "stranger@x.example"} {
		if _, err := b.s.Directory.CreateUser(t.Context(), access.System(b.s.home.ID), directory.NewUser{
			User: directory.User{Kind: directory.Human, Email: who, EmailVerified: true, Name: who}, PasswordHash: hash,
		}); err != nil {
			t.Fatal(err)
		}
	}
	at, err := url.Parse(b.base)
	if err != nil {
		t.Fatal(err)
	}
	signIn := func(one *surfer, who string) {
		one.do(t, "GET", "/sign-in", nil)
		one.do(t, "POST", "/sign-in/identify", url.Values{"identifier": {who}})
		if answer, body := one.do(t, "POST", "/sign-in/password", url.Values{"password": {words}}); answer.Header.Get("Location") != "/account" {
			t.Fatalf("%s: %d %s", who, answer.StatusCode, body)
		}
	}
	holds := func(cookies []*http.Cookie, who string) bool {
		one := &surfer{newBrowser(), b.s, b.base}
		one.Jar.SetCookies(at, cookies)
		_, body := one.do(t, "GET", "/account", nil)
		return strings.Contains(body, who)
	}
	signedIn := &surfer{newBrowser(), b.s, b.base}
	signIn(signedIn, "stranger@x.example")
	begun := &surfer{newBrowser(), b.s, b.base}
	begun.do(t, "GET", "/sign-in", nil)
	for name, had := range map[string][]*http.Cookie{
		"a session of the stranger's": signedIn.Jar.Cookies(at), "an attempt that the stranger began": begun.Jar.Cookies(at),
		"a session that was made up": {{Name: "guildhall-session", Value: "ghs_" + strings.Repeat("A", 43), Path: "/"}},
	} {
		victim := &surfer{newBrowser(), b.s, b.base}
		victim.Jar.SetCookies(at, had)
		victim.do(t, "GET", "/sign-in?login_hint=victim@x.example", nil) // with which an attempt of one's own begins
		signIn(victim, "victim@x.example")
		now := victim.Jar.Cookies(at)
		if !holds(now, "victim@x.example") {
			t.Errorf("%s: the victim is not signed in", name)
		}
		if holds(had, "victim@x.example") {
			t.Errorf("%s: the stranger is signed in as the victim", name)
		}
		for range 2 { // signing in once more gives another secret, too
			signIn(victim, "victim@x.example")
			if holds(now, "victim@x.example") {
				t.Errorf("%s: a secret from before signing in again is good", name)
			}
			now = victim.Jar.Cookies(at)
		}
	}
}

// TestT_Q08_WaysInAreChangedAfterARecentProof uses a session that is alive and old, as
// somebody has it who found a browser open.
func TestT_Q08_WaysInAreChangedAfterARecentProof(t *testing.T) {
	b := surf(t)
	u, err := b.s.Directory.CreateUser(t.Context(), access.System(b.s.home.ID), directory.NewUser{User: directory.User{Kind: directory.Human, Email: "q@x.example", EmailVerified: true, Name: "Q"}})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := url.Parse(b.base)
	changes := []string{
		"/account/passkeys", "/account/totp", "/account/totp/confirm", "/account/recovery-codes", "/account/factors/remove", "/account/connected/remove", "/account/password",
	}
	for _, age := range []time.Duration{0, time.Hour} {
		proved := time.Now().Add(-age)
		_, secret, err := b.s.Sessions.Start(t.Context(), b.s.home.ID, session.New{
			User: u.ID, Origin: b.base, Factors: []session.Factor{{Method: "password", At: proved}}, Idle: time.Hour, Life: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Jar.SetCookies(at, []*http.Cookie{{Name: session.CookieName(b.base), Value: secret, Path: "/"}})
		if answer, _ := b.do(t, "GET", "/account", nil); answer.StatusCode != http.StatusOK {
			t.Fatalf("the session does not open the account: %d", answer.StatusCode)
		}
		for _, path := range changes {
			answer, _ := b.do(t, "POST", path, url.Values{"id": {"x"}})
			again := strings.HasPrefix(answer.Header.Get("Location"), "/sign-in?") && strings.Contains(answer.Header.Get("Location"), "login_hint=q%40x.example")
			if again != (age > 0) {
				t.Errorf("%s with a proof of %v ago: %d to %q", path, age, answer.StatusCode, answer.Header.Get("Location"))
			}
		}
	}
}

// TestT_L01_FormsLeadToThisServerAlone looks at the policy that browsers get which
// tell what a request is for, and at how they are led on behind a form.
func TestT_L01_FormsLeadToThisServerAlone(t *testing.T) {
	b := surf(t)
	for _, path := range pagePaths {
		answer, _ := b.do(t, "GET", path, nil, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none")
		if policy := answer.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "; form-action 'self'") {
			t.Errorf("%s: %q", path, policy)
		}
	}
	answer, body := b.do(t, "POST", "/language", url.Values{"lang": {"en"}, "back": {"/sign-in?request=x"}}, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin")
	if answer.StatusCode != http.StatusOK || !strings.Contains(body, `http-equiv="refresh" content="0; url=/sign-in?request=x"`) {
		t.Errorf("a form that may lead away: %d %s", answer.StatusCode, body)
	}
}

// TestT_L08_NoPageEndsAnOrganizationOrSomebody sends all that pages take, in the fresh
// session of somebody who administers an organization, as a browser does that fetches
// links ahead, and as one whose buttons are pressed twice.
func TestT_L08_NoPageEndsAnOrganizationOrSomebody(t *testing.T) {
	b := surf(t)
	in, by := b.s.home.ID, access.System(b.s.home.ID)
	o, err := b.s.Directory.CreateOrganization(t.Context(), by, directory.Organization{Name: "Lasting"})
	check(t, err)
	u, err := b.s.Directory.CreateUser(t.Context(), by, directory.NewUser{User: directory.User{Home: o.ID, Kind: directory.Human, Email: "boss@x.example", EmailVerified: true, Name: "B"}})
	check(t, err)
	_, err = b.s.Projects.AddAdministrator(t.Context(), by, project.Administrator{Scope: project.OfOrganization, Object: o.ID, User: u.ID, Roles: []string{"ORG_OWNER"}})
	check(t, err)
	_, err = b.s.Credentials.NewRecoveryCodes(t.Context(), in, u, "test")
	check(t, err)
	factors, err := b.s.Credentials.Factors(t.Context(), by, u.ID)
	check(t, err)
	at, _ := url.Parse(b.base)
	enter := func() {
		_, secret, err := b.s.Sessions.Start(t.Context(), in, session.New{Organization: o.ID, User: u.ID, Origin: b.base, Factors: []session.Factor{{Method: "password", At: time.Now()}}})
		check(t, err)
		b.Jar.SetCookies(at, []*http.Cookie{{Name: session.CookieName(b.base), Value: secret, Path: "/"}})
	}
	form := url.Values{"organization": {o.ID.String()}, "user": {u.ID.String()}, "id": {factors[0].ID.String()}, "answer": {"yes"}, "confirm": {"yes"}, "delete": {"yes"}, "_method": {"DELETE"}, "name": {"Lasting"}}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, path := range append(append([]string{"/account", "/account/organization", "/account/delete", "/organization/delete"}, pagePaths...), posts...) {
			for range 2 {
				enter()
				ask := path
				if method == "GET" {
					ask += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + form.Encode()
				}
				if answer, body := b.do(t, method, ask, form, "Origin", b.base); answer.StatusCode >= 500 || method == "DELETE" && answer.StatusCode < 400 {
					t.Errorf("%s %s: %d %s", method, path, answer.StatusCode, body)
				}
			}
		}
		if left, err := b.s.Credentials.Factors(t.Context(), by, u.ID); method == "GET" && (err != nil || len(left) != len(factors)) {
			t.Errorf("looking took %d ways in away: %v", len(factors)-len(left), err)
		}
		_, err = b.s.Directory.Organization(t.Context(), by, o.ID)
		check(t, err)
		_, err = b.s.Directory.Member(t.Context(), by, o.ID, query.Is("user_id", u.ID))
		check(t, err)
		if page, err := b.s.Erasure.Deletions(t.Context(), by, query.Query{}); err != nil || len(page.Items) > 0 {
			t.Errorf("%s: %d deletions began, %v", method, len(page.Items), err)
		}
	}
}
