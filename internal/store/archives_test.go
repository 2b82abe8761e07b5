package store

import (
	"strings"
	"testing"

	"guildhall/internal/erasure"
)

// TestEveryKindIsInArchivesOrSaysWhyNot holds whoever adds a kind to a decision:
// a row in shelves, or a reason in notShelved.
func TestEveryKindIsInArchivesOrSaysWhyNot(t *testing.T) {
	owned := map[string]bool{"organizations": true}
	for _, e := range erasure.Graph {
		owned[e.Table] = true
	}
	shelved, files := map[string]bool{}, map[string]bool{}
	for _, s := range shelves {
		shelved[s.tableName()] = true
		if files[s.file()] {
			t.Errorf("two kinds are called %s", s.file())
		}
		files[s.file()] = true
	}
	for table := range owned {
		if reason := notShelved[table]; shelved[table] == (reason != "") {
			t.Errorf("%s: in archives %v, left out because %q; one of the two must be", table, shelved[table], reason)
		}
	}
	for table := range shelved {
		if !owned[table] {
			t.Errorf("%s is in archives and not in the ownership graph", table)
		}
	}
}

// format is the fields of the lines of each kind: changing it changes what archives
// are, and what of earlier ones is read. A field may be added; one that goes or gets
// another name needs a new archive.Schema.
var format = map[string]string{
	"organization":        "alias name name_claimed display_name slug external_id state protected branding profile settings public private",
	"realm_roles":         "key name",
	"guests":              "alias kind state username email email_verified name given_name family_name connection",
	"users":               "alias kind state username email email_verified phone phone_verified name given_name family_name external_id connection details public private",
	"factors":             "user_id kind name hash handle data confirmed change_required used_at",
	"roles":               "key name description permissions",
	"members":             "user_id state external_id details public private",
	"role_assignments":    "member_id user_id role_id source",
	"invitations":         "user_id email inviter roles client connection expires_at accepted_at public private",
	"domains":             "name verified is_primary discovery",
	"entries":             "user_id key value",
	"projects":            "alias name active options",
	"project_roles":       "project_id key display_name group_name",
	"project_grants":      "project_id granted_id roles active",
	"user_grants":         "user_id project_id grant_id roles active",
	"administrators":      "user_id scope object_id roles",
	"applications":        "project_id scheme name client_id secret_hash claims audiences grants disabled settings openid",
	"integrated_accounts": "tenant_key environment_id status method context",
	"connections":         "name display_name provider issuer client_id enabled settings",
	"message_templates":   "kind locale subject text html",
	"identities":          "user_id connection_id issuer subject email used_at",
	"keys":                "user_id scheme name hash hint claims grants expires_at",
}

func TestTheFormatOfArchivesChangesOnPurpose(t *testing.T) {
	for _, s := range shelves {
		if got := strings.Join(s.fields(), " "); got != format[s.file()] {
			t.Errorf("a line of %s has the fields\n%s\nby the format it has\n%s", s.file(), got, format[s.file()])
		}
	}
}
