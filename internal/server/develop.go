package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/native"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/id"
	"guildhall/internal/realm"
)

// A Development is what --dev writes for programs on this machine: where the
// server is, and one credential for each dialect.
type Development struct {
	Realm   string            `json:"realm"`
	HTTP    string            `json:"http"`
	HTTPS   string            `json:"https"`
	CA      string            `json:"ca"` // path of the certificate of the development CA
	Native  map[string]string `json:"native"`
	Auth0   map[string]string `json:"auth0"`
	Stytch  map[string]string `json:"stytch"`
	Zitadel map[string]string `json:"zitadel"`
	SSOJet  map[string]string `json:"ssojet"`
	Truto   map[string]string `json:"truto"`
}

// DevelopmentFile is where a Development is kept in the data folder.
func DevelopmentFile(data string) string { return filepath.Join(data, "dev", "credentials.json") }

func (d *Development) of(dialect string) *map[string]string {
	return map[string]*map[string]string{
		"native": &d.Native, "auth0": &d.Auth0, "stytch": &d.Stytch, "zitadel": &d.Zitadel, "ssojet": &d.SSOJet, "truto": &d.Truto,
	}[dialect]
}

// develop makes the credentials that are missing, keeps those that still work,
// writes the file and prints how to begin.
func (s *Server) develop(ctx context.Context) error {
	d := Development{Realm: native.Spell(s.home.ID, id.Realm, s.home.ID), CA: s.caPath()}
	s.addresses(&d)
	var old Development
	if b, err := os.ReadFile(DevelopmentFile(s.Data)); err == nil {
		_ = json.Unmarshal(b, &old) // an unreadable file is as good as none
	}
	for _, dialect := range Dialects() {
		values := *old.of(dialect)
		alive, err := s.Alive(ctx, dialect, values)
		if err != nil {
			return err
		}
		if !alive {
			if values, err = s.mintDevelopment(ctx, s.home, dialect); err != nil {
				return fmt.Errorf("make a %s credential: %w", dialect, err)
			}
		}
		*d.of(dialect) = values
	}
	d.Auth0["domain"] = hostOf(d.HTTPS)
	d.Auth0["audience"] = d.HTTPS + "/api/v2/"
	d.Zitadel["organization_id"] = id.For(s.home.ID, id.Organization).Decimal(s.home.Default)
	d.Zitadel["project_id"] = id.For(s.home.ID, id.Project).Decimal(s.home.SystemProject)
	if err := s.writeDevelopment(d); err != nil {
		return err
	}
	if err := s.writeShell(d); err != nil {
		return err
	}
	s.Print("%s", welcome(s.home, d, DevelopmentFile(s.Data)))
	return nil
}

func (s *Server) mintDevelopment(ctx context.Context, r realm.Realm, dialect string) (map[string]string, error) {
	wish := Wish{Dialect: dialect, Name: "development"}
	if dialect == "native" {
		wish.Claims = []string{"*", realm.Operator}
	}
	made, err := s.Mint(ctx, r, wish)
	if err != nil || dialect != "ssojet" {
		return made.Values, err
	}
	_, secret, err := s.Credentials.CreateKey(ctx, access.System(r.ID), credential.Key{
		Scheme: ssojet.Scheme, Name: "development", Claims: []string{"sys_owner"},
	}, "sk_test_")
	made.Values["token"] = secret
	return made.Values, err
}

// addresses fills in where the server really listens.
func (s *Server) addresses(d *Development) {
	for _, l := range s.listeners {
		_, port, _ := net.SplitHostPort(l.Addr().String())
		if l.secure {
			d.HTTPS = "https://localhost:" + port
		} else {
			d.HTTP = "http://" + l.Addr().String()
		}
	}
}

// developmentOrigins are all names of this machine at the ports listened on, the
// one that vendors' clients are given first. Clients that want a slash at the end of
// an issuer find one at localhost, the others at the numbers.
func (s *Server) developmentOrigins() (origins []string) {
	for _, secure := range []bool{true, false} {
		for _, l := range s.listeners {
			if l.secure != secure {
				continue
			}
			scheme := map[bool]string{true: "https://", false: "http://"}[secure]
			_, port, _ := net.SplitHostPort(l.Addr().String())
			for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
				issuer := scheme + host + ":" + port
				if host == "localhost" {
					issuer += "/"
				}
				origins = append(origins, issuer)
			}
		}
	}
	return origins
}

func hostOf(origin string) string {
	if len(origin) < len("https://") {
		return ""
	}
	return origin[len("https://"):]
}

// writeDevelopment writes the file for programs.
func (s *Server) writeDevelopment(d Development) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(DevelopmentFile(s.Data), append(b, '\n'))
}

// writeShell writes the same as variables for a shell to read.
func (s *Server) writeShell(d Development) error {
	var b strings.Builder
	for _, v := range [][2]string{
		{"GH", d.HTTP}, {"GH_HTTPS", d.HTTPS}, {"GH_CA", d.CA}, {"NATIVE_TOKEN", d.Native["token"]},
		{"AUTH0_AUDIENCE", d.Auth0["audience"]}, {"AUTH0_CLIENT_ID", d.Auth0["client_id"]}, {"AUTH0_CLIENT_SECRET", d.Auth0["client_secret"]},
		{"STYTCH_PROJECT_ID", d.Stytch["project_id"]}, {"STYTCH_SECRET", d.Stytch["secret"]},
		{"ZITADEL_PAT", d.Zitadel["pat"]}, {"ZITADEL_ORGANIZATION_ID", d.Zitadel["organization_id"]},
		{"SSOJET_CLIENT_ID", d.SSOJet["client_id"]}, {"SSOJET_TOKEN", d.SSOJet["token"]},
		{"TRUTO_TOKEN", d.Truto["token"]}, {"TRUTO_ACCOUNT", d.Truto["integrated_account_id"]},
	} {
		fmt.Fprintf(&b, "export %s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}
	return replaceFile(filepath.Join(s.Data, "dev", "env"), []byte(b.String()))
}

// replaceFile replaces a file in one step: whoever reads it sees it whole.
func replaceFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
