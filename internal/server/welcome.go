package server

import (
	"fmt"
	"strings"

	"guildhall/internal/realm"
	"guildhall/internal/web/inbox"
)

// welcome is what --dev prints: one request per dialect that can be pasted into
// a shell as it is.
func welcome(r realm.Realm, d Development, file string) string {
	base, ca := d.HTTP, ""
	if base == "" {
		base, ca = d.HTTPS, "--cacert "+d.CA+" "
	}
	curl := "curl -s " + ca
	rows := [][2]string{
		{"native", fmt.Sprintf("%s%s/guildhall/v1/organizations -H 'Authorization: Bearer %s'", curl, base, d.Native["token"])},
		{"Auth0", fmt.Sprintf("%s%s/oauth/token -d grant_type=client_credentials -d audience=%s -d client_id=%s -d client_secret=%s",
			curl, base, d.Auth0["audience"], d.Auth0["client_id"], d.Auth0["client_secret"])},
		{"Stytch", fmt.Sprintf("%s%s/v1/b2b/organizations/search -u %s:%s -d '{}'", curl, base, d.Stytch["project_id"], d.Stytch["secret"])},
		{"ZITADEL", fmt.Sprintf("%s%s/v2/organizations/_search -H 'Authorization: Bearer %s' -d '{}'", curl, base, d.Zitadel["pat"])},
		{"SSOJet", fmt.Sprintf("%s'%s/api/v1/organizations?client_id=%s' -H 'Authorization: Bearer %s'", curl, base, d.SSOJet["client_id"], d.SSOJet["token"])},
		{"Truto", fmt.Sprintf("%s'%s/unified/user-directory/organizations?integrated_account_id=%s' -H 'Authorization: Bearer %s'",
			curl, base, d.Truto["integrated_account_id"], d.Truto["token"])},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nGuildhall serves the realm %q for development.\n\n", r.Name)
	for _, row := range [][2]string{{"HTTP", d.HTTP}, {"HTTPS", d.HTTPS}, {"CA", d.CA}, {"credentials", file}} {
		if row[1] != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", row[0], row[1])
		}
	}
	pages := d.HTTPS
	if pages == "" {
		pages = d.HTTP
	}
	fmt.Fprintf(&b, "\nPeople sign in at %s/sign-in; mail and text messages are caught, to be read at %s%s.\n", pages, pages, inbox.Path)
	b.WriteString("\nClients that want HTTPS: set SSL_CERT_FILE (Go, curl) or NODE_EXTRA_CA_CERTS (Node) to the CA.\nA first request in each dialect:\n\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "  # %s\n  %s\n\n", row[0], row[1])
	}
	return b.String()
}
