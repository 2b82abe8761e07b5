package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"guildhall/internal/archive"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/store/storetest"
)

// written gives an archive whose hashes and counts are right, with any lines.
func written(t testing.TB, head archive.Head, kinds ...[]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := archive.NewWriter(&out)
	err := w.Head(head)
	for _, k := range kinds {
		err = errors.Join(err, w.Kind(k[0]))
		for _, line := range k[1:] {
			err = errors.Join(err, w.Line([]byte(line)))
		}
	}
	if _, closed := w.Close(); err != nil || closed != nil {
		t.Fatal(err, closed)
	}
	return out.Bytes()
}

var elsewhere = archive.Head{Realm: 77, Organization: 7, Credentials: true, CreatedAt: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}

const (
	orgLine  = `{"id":"7","name":"X","slug":"x","state":"active"}`
	userLine = `{"id":"8","kind":"human","state":"active","email":"a@x.example"}`
)

func TestEveryLineIsCheckedBeforeAnythingIsWritten(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	before := w.Count(t, "organizations", "1 = 1") + w.Count(t, "users", "1 = 1")
	user := []string{"users", userLine}
	for what, c := range map[string]struct {
		kinds [][]string
		kind  string
		line  int
		field string
	}{
		"an unknown field":          {[][]string{{"organization", orgLine}, {"users", `{"id":"8","kind":"human","state":"active","is_admin":true}`}}, "users", 1, "is_admin"},
		"a field twice":             {[][]string{{"organization", orgLine}, {"users", `{"id":"8","id":"9"}`}}, "users", 1, "id"},
		"the NUL character":         {[][]string{{"organization", orgLine}, {"users", `{"id":"8","kind":"human","state":"active","name":"a\u0000b"}`}}, "users", 1, ""},
		"a number for text":         {[][]string{{"organization", orgLine}, {"users", `{"id":"8","kind":"human","state":"active","name":5}`}}, "users", 1, "name"},
		"no object":                 {[][]string{{"organization", orgLine}, {"users", `[]`}}, "users", 1, ""},
		"two objects":               {[][]string{{"organization", orgLine}, {"users", userLine + userLine}}, "users", 1, ""},
		"no id":                     {[][]string{{"organization", orgLine}, {"users", `{"kind":"human","state":"active"}`}}, "users", 1, "id"},
		"an id twice":               {[][]string{{"organization", orgLine}, {"users", userLine, userLine}}, "users", 2, "id"},
		"ids that do not ascend":    {[][]string{{"organization", orgLine}, {"users", userLine, `{"id":"3","kind":"human","state":"active"}`}}, "users", 2, "id"},
		"an address twice":          {[][]string{{"organization", orgLine}, {"users", userLine, `{"id":"9","kind":"human","state":"active","email":"A@X.example"}`}}, "users", 2, "email"},
		"an unknown state":          {[][]string{{"organization", orgLine}, {"users", `{"id":"8","kind":"human","state":"god"}`}}, "users", 1, "state"},
		"an address that is none":   {[][]string{{"organization", orgLine}, {"users", `{"id":"8","kind":"human","state":"active","email":"a@b@c"}`}}, "users", 1, "email"},
		"a time in the future":      {[][]string{{"organization", orgLine}, {"users", `{"id":"8","kind":"human","state":"active","created_at":"2999-01-01T00:00:00Z"}`}}, "users", 1, "created_at"},
		"a member of nobody":        {[][]string{{"organization", orgLine}, {"members", `{"id":"9","user_id":"8","state":"active"}`}}, "members", 1, "user_id"},
		"another organization":      {[][]string{{"organization", `{"id":"6","name":"X","slug":"x","state":"active"}`}}, "organization", 1, "id"},
		"a slug that is none":       {[][]string{{"organization", `{"id":"7","name":"X","slug":"../x","state":"active"}`}}, "organization", 1, "slug"},
		"settings of another type":  {[][]string{{"organization", `{"id":"7","name":"X","slug":"x","state":"active","settings":{"email_domains":5}}`}}, "organization", 1, "settings"},
		"an administrator of all":   {[][]string{{"organization", orgLine}, user, {"administrators", `{"id":"9","user_id":"8","scope":"realm","roles":["OWNER"]}`}}, "administrators", 1, "scope"},
		"a costly hash":             {[][]string{{"organization", orgLine}, user, {"factors", `{"id":"9","user_id":"8","kind":"password","hash":"$argon2id$v=19$m=4194304,t=90,p=1$AAAA$AAAA","confirmed":true}`}}, "factors", 1, "hash"},
		"an id this realm may give": {[][]string{{"organization", strings.Replace(orgLine, `"name"`, `"alias":"other:`+id.For(w.Realm.ID, id.Organization).Decimal(w.Realm.ID+1)+`","name"`, 1)}}, "organization", 1, "alias"},
		"a role of others":          {[][]string{{"organization", orgLine}, user, {"members", `{"id":"9","user_id":"8","state":"active"}`}, {"role_assignments", `{"id":"10","member_id":"9","user_id":"8","role_id":"5","source":"direct"}`}}, "role_assignments", 1, "role_id"},
	} {
		r, err := load(w, written(t, elsewhere, c.kinds...), archive.ImportOptions{Credentials: true})
		if reason(err) != "archive_refused" || len(r.Refused) != 1 {
			t.Errorf("%s: %v, %+v", what, err, r)
			continue
		}
		if l := r.Refused[0]; l.Kind != c.kind || l.Line != c.line || l.Field != c.field {
			t.Errorf("%s is told as %+v", what, l)
		}
	}
	if after := w.Count(t, "organizations", "1 = 1") + w.Count(t, "users", "1 = 1"); after != before {
		t.Errorf("%d rows were written by what was refused", after-before)
	}
	imported(t, w, written(t, elsewhere, []string{"organization", orgLine}, user), archive.ImportOptions{})
}

func TestReferencesNeverLeadOutOfTheArchive(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	e := settle(t, w)
	file := written(t, elsewhere, []string{"organization", orgLine}, []string{"users", userLine},
		[]string{"entries", fmt.Sprintf(`{"id":"9","user_id":%q,"key":"k","value":"AAAA"}`, e.admin.ID)})
	if _, err := load(w, file, archive.ImportOptions{}); reason(err) != "archive_refused" {
		t.Errorf("an entry of somebody of the realm: %v", err)
	}
	file = written(t, elsewhere, []string{"organization", orgLine}, []string{"users", userLine},
		[]string{"project_roles", fmt.Sprintf(`{"id":"9","project_id":%q,"key":"k"}`, e.project.ID)},
		[]string{"project_grants", fmt.Sprintf(`{"id":"9","project_id":%q,"granted_id":"7"}`, e.project.ID)},
		[]string{"keys", `{"id":"9","hash":"` + strings.Repeat("ab", 32) + `","scheme":"native","claims":["*"],"grants":[{"On":0,"Permissions":["realm:write"]}]}`})
	r, err := load(w, file, archive.ImportOptions{Credentials: true})
	if err != nil || len(r.LeftOut) != 3 {
		t.Errorf("%v, left out %v", err, r.LeftOut)
	}
}

// packed gives a gzip-compressed tar of anything.
func packed(t testing.TB, files ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range files {
		content := []byte(h.PAXRecords["content"])
		h.PAXRecords = nil
		h.Size, h.Mode = int64(len(content)), 0o600
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, PAXRecords: map[string]string{"content": content}}
}

func TestT_P04_NamesInAnArchiveNeverBecomePaths(t *testing.T) {
	head, err := json.Marshal(archive.Head{Format: archive.Format, Schema: 1, Realm: 1, Organization: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../../etc/passwd", "/etc/passwd", "users-000001.ndjson/../x", `C:\x`, "users-1.ndjson", "users-000002.ndjson", "USERS-000001.ndjson", "guildhall.json"} {
		refused(t, name, packed(t, file("guildhall.json", string(head)), file(name, "{}\n")))
	}
	for what, link := range map[string]tar.Header{
		"a symbolic link": {Typeflag: tar.TypeSymlink, Name: "users-000001.ndjson", Linkname: "/etc/passwd"},
		"a hard link":     {Typeflag: tar.TypeLink, Name: "users-000001.ndjson", Linkname: "/etc/passwd"},
		"a device":        {Typeflag: tar.TypeChar, Name: "users-000001.ndjson"},
		"a folder":        {Typeflag: tar.TypeDir, Name: "users-000001.ndjson"},
	} {
		refused(t, what, packed(t, file("guildhall.json", string(head)), link))
	}
}

func refused(t *testing.T, what string, data []byte) {
	t.Helper()
	_, err := archive.Read(bytes.NewReader(data), archive.Limits{}, &lines{})
	if fault.From(err) == nil || fault.From(err).Kind != fault.Invalid {
		t.Errorf("%s: %v", what, err)
	}
}

func TestADamagedArchiveIsRefusedWhole(t *testing.T) {
	w := storetest.Open(t, storetest.Folder(t))
	good := written(t, elsewhere, []string{"organization", orgLine}, []string{"users", userLine})
	for n := 0; n < len(good); n += 7 {
		if _, err := load(w, good[:n], archive.ImportOptions{}); err == nil {
			t.Fatalf("the first %d of %d bytes were imported", n, len(good))
		}
	}
	if _, err := load(w, append(bytes.Clone(good), 0), archive.ImportOptions{}); reason(err) != "invalid_archive" {
		t.Errorf("with a byte behind it: %v", err)
	}
	if _, err := load(w, append(bytes.Clone(good), good...), archive.ImportOptions{}); reason(err) != "invalid_archive" {
		t.Errorf("twice: %v", err)
	}
	// Whole, and its hash says otherwise.
	var text lines
	m, err := archive.Read(bytes.NewReader(good), archive.Limits{}, &text)
	if err != nil {
		t.Fatal(err)
	}
	head, _ := json.Marshal(m.Head)
	manifest, _ := json.Marshal(m)
	forged := packed(t, file("guildhall.json", string(head)), file("organization-000001.ndjson", orgLine+"\n"),
		file("users-000001.ndjson", strings.Replace(userLine, "a@x", "b@x", 1)+"\n"), file("manifest.json", string(manifest)))
	if _, err := load(w, forged, archive.ImportOptions{}); reason(err) != "invalid_archive" {
		t.Errorf("with another line than the manifest says: %v", err)
	}
	if n := w.Count(t, "organizations", "slug = 'x'"); n != 0 {
		t.Errorf("%d organizations were made of damaged archives", n)
	}
	later := elsewhere
	later.Schema = archive.Schema + 1
	laterHead, _ := json.Marshal(archive.Head{Format: archive.Format, Schema: archive.Schema + 1, Realm: 1, Organization: 7})
	if _, err := load(w, packed(t, file("guildhall.json", string(laterHead))), archive.ImportOptions{}); reason(err) != "archive_too_new" {
		t.Errorf("of a later version: %v", err)
	}
}

func TestT_P05_AnArchiveThatUnpacksToTooMuchIsRefused(t *testing.T) {
	head, _ := json.Marshal(archive.Head{Format: archive.Format, Schema: 1, Realm: 1, Organization: 7})
	bomb := packed(t, file("guildhall.json", string(head)), file("users-000001.ndjson", strings.Repeat(" ", 64<<20)))
	if len(bomb) > 1<<20 {
		t.Fatalf("the bomb weighs %d bytes", len(bomb))
	}
	refused(t, "one large file", bomb)
	refused(t, "one long line", packed(t, file("guildhall.json", string(head)), file("users-000001.ndjson", strings.Repeat(" ", 2<<20+1)+"\n")))
	var many []tar.Header
	many = append(many, file("guildhall.json", string(head)))
	for i := range 8 {
		many = append(many, file(fmt.Sprintf("users-%06d.ndjson", i+1), strings.Repeat("\n", 1<<20)))
	}
	_, err := archive.Read(bytes.NewReader(packed(t, many...)), archive.Limits{Bytes: 4 << 20}, &lines{})
	if !errors.Is(err, archive.ErrSize) {
		t.Errorf("many files: %v", err)
	}
	_, err = archive.Read(bytes.NewReader(packed(t, many...)), archive.Limits{File: 1 << 10}, &lines{})
	if !errors.Is(err, archive.ErrSize) {
		t.Errorf("a large archive: %v", err)
	}
}

func TestHashesOfPasswordsAreKnownAndBounded(t *testing.T) {
	for hash, ok := range map[string]bool{
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA": true,
		"$2b$12$" + strings.Repeat("a", 53):                 true,
		"$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaA":               true,
		"$pbkdf2-sha256$i=600000$c2FsdA$aGFzaA":             true,
		"$argon2id$v=19$m=19456,t=2,p=1,m=1$c2FsdA$aGFzaA":  false,
		"$argon2id$v=19$m=1048577,t=2,p=1$c2FsdA$aGFzaA":    false,
		"$argon2id$v=19$m=-1,t=2,p=1$c2FsdA$aGFzaA":         false,
		"$argon2id$v=19$m=19456,t=1000,p=1$c2FsdA$aGFzaA":   false,
		"$2b$31$" + strings.Repeat("a", 53):                 false,
		"$scrypt$ln=40,r=8,p=1$c2FsdA$aGFzaA":               false,
		"$pbkdf2-sha256$i=2000000000$c2FsdA$aGFzaA":         false,
		"$1$salt$hash": false, "5f4dcc3b5aa765d61d8327deb882cf99": false, "plain": false, "": false, "$": false,
	} {
		if err := archive.CheckHash(hash); (err == nil) != ok {
			t.Errorf("%q: %v", hash, err)
		}
	}
}

// FuzzRead gives the reader anything: it must neither panic nor let through what
// its manifest does not fit.
func FuzzRead(f *testing.F) {
	f.Add(written(f, elsewhere, []string{"organization", orgLine}, []string{"users", userLine}))
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		var seen lines
		m, err := archive.Read(bytes.NewReader(data), archive.Limits{Bytes: 1 << 22}, &seen)
		if err == nil && bytes.Count(seen.text, []byte("\n")) < m.Lines() {
			t.Errorf("the manifest counts %d lines, %d came", m.Lines(), bytes.Count(seen.text, []byte("\n")))
		}
		if err != nil && fault.From(err).Kind == fault.Internal {
			t.Errorf("%v", err)
		}
	})
}
