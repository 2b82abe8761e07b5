package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// probes are reads that every credential of a dialect may do.
var probes = map[string]string{
	"auth0": "/api/v2/organizations", "stytch": "/v1/b2b/rbac/policy", "zitadel": "/management/v1/orgs/me", "ssojet": "/api/v1/organizations",
	"truto": "/unified/user-directory/organizations", "native": "/guildhall/v1/organizations",
}

// TestT_G14_APieceOfASecretIsNoSecret cuts and extends every opaque credential.
func TestT_G14_APieceOfASecretIsNoSecret(t *testing.T) {
	at := newSite(t)
	for _, dialect := range []string{"stytch", "zitadel", "ssojet", "truto", "native"} {
		c := at.root(t, dialect, at.here)
		good := c.header.Get("Authorization")
		c.ok(t, "GET", probes[dialect], "")
		scheme, secret, _ := strings.Cut(good, " ")
		variants := []string{}
		encode := func(s string) string { return s }
		if scheme == "Basic" {
			raw, _ := base64.StdEncoding.DecodeString(secret)
			secret, encode = string(raw), func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
		}
		for _, n := range []int{1, 2, 8, len(secret) / 2, len(secret) - 1} {
			variants = append(variants, secret[:len(secret)-n], secret[n:])
		}
		variants = append(variants, secret+"x", secret+"=", secret+"\x00", secret+secret, "x"+secret, strings.ToUpper(secret), strings.ToLower(secret), credential.Hash(secret))
		for _, v := range variants {
			c.header = http.Header{"Authorization": {scheme + " " + encode(v)}}
			if w := c.send("GET", probes[dialect], ""); w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
				t.Errorf("%s with %q: %s", dialect, v, told(w))
			}
		}
	}
}

// forgeries are tokens like a good one that nobody here signed.
func forgeries(t *testing.T, good string, keys jose.JSONWebKeySet) map[string]string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	parts := strings.Split(good, ".")
	var header map[string]any
	raw, _ := base64.RawURLEncoding.DecodeString(parts[0])
	_ = json.Unmarshal(raw, &header)
	with := func(change map[string]any) map[string]any {
		out := map[string]any{}
		for k, v := range header {
			out[k] = v
		}
		for k, v := range change {
			out[k] = v
		}
		return out
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(h map[string]any, payload string) string {
		what := part(h) + "." + payload
		sum := sha256.Sum256([]byte(what))
		r, s, err := ecdsa.Sign(rand.Reader, own, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		sig := make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		return what + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	out := map[string]string{
		"signed with another key": signed(header, parts[1]), "without a signature": parts[0] + "." + parts[1] + ".", "with an empty payload": parts[0] + ".." + parts[2],
		"with the key in it":   signed(with(map[string]any{"jwk": jose.JSONWebKey{Key: own.Public()}}), parts[1]),
		"with a link to a key": signed(with(map[string]any{"jku": "https://evil.example/jwks", "x5u": "https://evil.example/c"}), parts[1]),
		"without a kid":        signed(map[string]any{"alg": "ES256"}, parts[1]), "with the signature twice": good + "." + parts[2], "cut": good[:len(good)-2],
	}
	for _, kid := range []string{"../../dev/null", "' OR 1=1 --", "", "https://evil.example", strings.Repeat("k", 10_000)} {
		out[fmt.Sprintf("with the kid %.20q", kid)] = signed(with(map[string]any{"kid": kid}), parts[1])
	}
	for _, alg := range []string{"none", "None", "nOnE", "NONE", ""} {
		out["with the algorithm "+alg] = part(with(map[string]any{"alg": alg})) + "." + parts[1] + "."
	}
	for _, k := range keys.Keys { // what is public is no shared secret
		public, _ := k.MarshalJSON()
		what := part(with(map[string]any{"alg": "HS256", "kid": k.KeyID})) + "." + parts[1]
		mac := hmac.New(sha256.New, public)
		mac.Write([]byte(what))
		out["with the public key "+k.Algorithm+" as the secret"] = what + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	out["with another payload"] = parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), `"scope":"`, `"scope":"more `, 1)))
	out["with another payload"] += "." + parts[2]
	return out
}

// TestT_I01_I02_I03_OnlyOurOwnKeysSign presents forged tokens to every API that takes
// signed ones.
func TestT_I01_I02_I03_OnlyOurOwnKeysSign(t *testing.T) {
	at := newSite(t)
	published, err := at.Tokens.JWKS(t.Context(), at.here.realm.ID)
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(published, &keys); err != nil || len(keys.Keys) == 0 {
		t.Fatal(err)
	}
	auth0, truto := at.root(t, "auth0", at.here), at.root(t, "truto", at.here)
	client, secret := at.testClient(t, at.here, credential.Application{Scheme: "ssojet", Claims: []string{"sys_owner"}})
	got := at.nobody("ssojet").ok(t, "POST", "/api/v1/oauth2/token", object("grant_type", "client_credentials", "client_id", client, "client_secret", secret))
	account := truto.ok(t, "POST", "/integrated-account/token", object("integrated_account_id", strings.TrimPrefix(truto.parameters, "integrated_account_id=")))
	for dialect, good := range map[string]struct{ token, parameters string }{
		"auth0":  {strings.TrimPrefix(auth0.header.Get("Authorization"), "Bearer "), ""},
		"ssojet": {got.text("access_token"), "client_id=" + client},
		"truto":  {account.text("integrated_account_token"), ""},
	} {
		c := caller{at, at.tables[dialect], at.here, bearer(good.token), good.parameters}
		c.ok(t, "GET", probes[dialect], "")
		for what, forged := range forgeries(t, good.token, keys) {
			c.header = bearer(forged)
			if w := c.send("GET", probes[dialect], ""); w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
				t.Errorf("%s, %s: %s", dialect, what, told(w))
			}
		}
	}
}

// TestT_D05_OneAddressIsOneAddress tries to write addresses that two programs read
// as two.
func TestT_D05_OneAddressIsOneAddress(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		org := at.here.ids[id.Organization]
		creates := map[string]func(c caller, email string) [3]string{
			"auth0": func(c caller, email string) [3]string {
				return [3]string{"POST", "/api/v2/users", object("connection", "c", "email", email)}
			},
			"stytch": func(c caller, email string) [3]string {
				return [3]string{"POST", "/v1/b2b/organizations/" + c.spell(id.Organization, org) + "/members", object("email_address", email)}
			},
			"zitadel": func(c caller, email string) [3]string {
				return [3]string{"POST", "/management/v1/users/human", object("userName", randomUUID(), "profile", map[string]string{"firstName": "a", "lastName": "b"}, "email", map[string]any{"email": email})}
			},
			"ssojet": func(c caller, email string) [3]string {
				return [3]string{"POST", "/api/v1/users", object("email", email)}
			},
			"truto": func(c caller, email string) [3]string {
				return [3]string{"POST", "/unified/user-directory/users", object("emails", []map[string]string{{"email": email}})}
			},
			"native": func(c caller, email string) [3]string {
				return [3]string{"POST", "/guildhall/v1/users", object("email", email)}
			},
		}
		for _, email := range []string{
			"a@evil.example@good.example", "a＠good.example", `"a@good.example"@evil.example`, "a@", "@good.example", "a b@good.example", "a@good.example\n", "a@good.example,b@evil.example",
			"<a@good.example>", "A <a@good.example>", "a@good.example (b)", "a@good.example\x00", "a", strings.Repeat("a", 65) + "@good.example", "a@" + strings.Repeat("a", 255) + ".example",
			"a\r\nBcc: b@good.example", "a@good.example ", " a@good.example", "a@[127.0.0.1]@good.example",
		} {
			for dialect, create := range creates {
				c := at.root(t, dialect, at.here)
				call := create(c, email)
				c.refused(t, call[0], call[1], call[2], 400)
			}
		}
		page, err := at.Directory.Users(t.Context(), at.here.by, query.Query{Where: []query.Condition{query.Where("email_key", query.Contains, "good.example")}})
		if err != nil || len(page.Items) > 0 {
			t.Errorf("somebody got in: %+v %v", page.Items, err)
		}
		for n, dialect := range []string{"auth0", "stytch", "zitadel", "ssojet", "truto", "native"} { // one person, however it is written
			c := at.root(t, dialect, at.here)
			address := fmt.Sprintf("twin%d@good.example", n)
			first, second := creates[dialect](c, address), creates[dialect](c, strings.ToUpper(address))
			c.ok(t, first[0], first[1], first[2])
			c.refused(t, second[0], second[1], second[2], 400, 409, 422)
		}
	})
}

// TestT_E05_E06_AnInvitationsTicketIsShownOnce looks for it wherever invitations are
// shown, and for invitations where they are none of the caller's business.
func TestT_E05_E06_AnInvitationsTicketIsShownOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, at *site) {
		org := at.here.ids[id.Organization]
		client, _ := at.testClient(t, at.here, clientOf("auth0"))
		a, n := at.root(t, "auth0", at.here), at.root(t, "native", at.here)
		made := a.ok(t, "POST", "/api/v2/organizations/"+a.spell(id.Organization, org)+"/invitations",
			object("client_id", client, "inviter", map[string]string{"name": "i"}, "invitee", map[string]string{"email": "v@a.example"}))
		ticket := made.text("ticket_id")
		if !strings.Contains(made.text("invitation_url"), ticket) {
			t.Fatal(made.v)
		}
		for _, c := range []caller{a, n} {
			for _, r := range c.tb.routes {
				if r.Method != "GET" {
					continue
				}
				path, _ := c.tb.filled(t, at.here, r.Pattern, true)
				for _, more := range []string{"", "?fields=ticket_id,invitation_url", "?include_totals=true"} {
					if w := c.send("GET", path+more, ""); strings.Contains(w.Body.String(), ticket) || strings.Contains(w.Body.String(), directory.TicketHash(ticket)) {
						t.Errorf("%s shows it: %s", r.Operation, told(w))
					}
				}
			}
		}
		few := at.testKey(t, at.here, credential.Key{Scheme: "native", Organization: org, Name: "few", Claims: []string{"organization:read", "member:read"}}, "gh_")
		m := caller{at, n.tb, at.here, bearer(few), ""}
		m.refused(t, "GET", "/guildhall/v1/organizations/"+n.spell(id.Organization, org)+"/invitations", "", http.StatusForbidden)
	})
}
