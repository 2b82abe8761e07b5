package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	crypt "filippo.io/age"

	"guildhall/internal/archive"
	"guildhall/internal/id"
	"guildhall/internal/store"
)

// exported gives the archive of the world's organization.
func (w *world) exported(t *testing.T, query string) (file []byte, sum string) {
	t.Helper()
	got := send(w.handler, "GET", prefix+w.fill("/organizations/{organization}/export"+query), "", "Authorization", w.key)
	if got.Code != http.StatusOK {
		t.Fatalf("export: %d %s", got.Code, got.Body)
	}
	hash := sha256.Sum256(got.Body.Bytes())
	return got.Body.Bytes(), hex.EncodeToString(hash[:])
}

func TestAnOrganizationTravelsAndItsOldIDLeadsToIt(t *testing.T) {
	from, to := newWorld(t), newWorld(t)
	file, _ := from.exported(t, "")
	for range 2 { // the second time nothing happens
		got := send(to.handler, "POST", prefix+"/imports?slug=acme-2", string(file), "Authorization", to.key, "Content-Type", "application/gzip")
		var r importReport
		if err := json.Unmarshal(got.Body.Bytes(), &r); err != nil || got.Code != http.StatusOK || r.Organization == nil {
			t.Fatalf("import: %d %s", got.Code, got.Body)
		}
		old := send(to.handler, "GET", prefix+from.fill("/organizations/{organization}"), "", "Authorization", to.key)
		if old.Code != http.StatusOK || !strings.Contains(old.Body.String(), *r.Organization) {
			t.Errorf("the old id answers %d %s", old.Code, old.Body)
		}
		person := send(to.handler, "GET", prefix+from.fill("/users/{user}"), "", "Authorization", to.key)
		if person.Code != http.StatusOK || !strings.Contains(person.Body.String(), "ada@example.com") {
			t.Errorf("the old id of the user answers %d %s", person.Code, person.Body)
		}
	}
}

func TestADeletionCanAskForACompleteExport(t *testing.T) {
	w := newWorld(t)
	ask := func(sum string) (int, string) {
		got := send(w.handler, "POST", prefix+w.fill("/organizations/{organization}/deletion"), `{"export":{"sha256":"`+sum+`"}}`, "Authorization", w.key)
		return got.Code, got.Body.String()
	}
	if code, body := ask(strings.Repeat("0", 64)); code/100 != 4 || !strings.Contains(body, "export_missing") {
		t.Errorf("without an export: %d %s", code, body)
	}
	_, old := w.exported(t, "")
	send(w.handler, "PATCH", prefix+w.fill("/organizations/{organization}"), `{"name":"Changed"}`, "Authorization", w.key, "Content-Type", "application/json")
	if code, body := ask(old); code/100 != 4 || !strings.Contains(body, "preview_stale") {
		t.Errorf("after a change: %d %s", code, body)
	}
	_, fresh := w.exported(t, "")
	if code, body := ask(fresh); code != http.StatusAccepted {
		t.Errorf("with an export: %d %s", code, body)
	}
}

func TestAnImportIsRefusedByLine(t *testing.T) {
	w := newWorld(t)
	var file bytes.Buffer
	out := archive.NewWriter(&file)
	if err := out.Head(archive.Head{Realm: 1 << 40, Organization: 7}); err != nil {
		t.Fatal(err)
	}
	for kind, line := range map[string]string{"organization": `{"id":"7","name":"X","slug":"acme","state":"active"}`} {
		if err := out.Kind(kind); err != nil {
			t.Fatal(err)
		}
		if err := out.Line([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := out.Close(); err != nil {
		t.Fatal(err)
	}
	got := send(w.handler, "POST", prefix+"/imports", file.String(), "Authorization", w.key)
	var p problem
	if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || got.Code != 400 || p.Reason != "archive_refused" || len(p.Refused) != 1 || p.Refused[0].Line != 1 {
		t.Errorf("a taken slug: %d %s", got.Code, got.Body)
	}
	for what, body := range map[string]string{"nothing": "", "text": "hello", "encrypted": "age-encryption.org/v1\n-> X25519 x\n"} {
		if got := send(w.handler, "POST", prefix+"/imports", body, "Authorization", w.key); got.Code != 400 {
			t.Errorf("%s: %d %s", what, got.Code, got.Body)
		}
	}
}

func TestExportsAndImportsNeedTheirPermissions(t *testing.T) {
	w := newWorld(t)
	org := parse(w.rig.Realm.ID, id.Organization, w.ids["organization"])
	export := prefix + w.fill("/organizations/{organization}/export")
	for _, c := range []struct {
		within id.ID
		words  []string
		method string
		target string
		want   int
	}{
		{id.None, []string{"organization:read", "organization:delete"}, "GET", export, 403},
		{id.None, []string{"organization:export"}, "GET", export + "?credentials=true", 403},
		{org, []string{"organization:export"}, "GET", export, 200},
		{org, []string{"organization:export", "credential:transfer"}, "GET", export + "?credentials=true", 200},
		{id.None, []string{"organization:create"}, "POST", prefix + "/imports", 403},
		{org, []string{"*"}, "POST", prefix + "/imports", 403},
		{id.None, []string{"organization:import"}, "POST", prefix + "/imports?credentials=true", 403},
	} {
		key := bearer(t, w.rig, w.rig.Realm, c.within, c.words...)
		if got := send(w.handler, c.method, c.target, "", "Authorization", key); got.Code != c.want {
			t.Errorf("%v %s %s: %d, want %d", c.words, c.method, c.target, got.Code, c.want)
		}
	}
}

// A busy organization changes each time an archive of it was just made.
type busy struct {
	store.Archives
	times  int
	change func()
}

func (b *busy) Export(ctx context.Context, realm, organization id.ID, credentials bool, w *archive.Writer) error {
	err := b.Archives.Export(ctx, realm, organization, credentials, w)
	if b.times--; b.times >= 0 {
		b.change()
	}
	return err
}

func TestADeletionMakesItsOwnExport(t *testing.T) {
	w := newWorld(t)
	key, err := crypt.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b := &busy{Archives: store.Archives{DB: w.rig.DB}, change: func() {
		send(w.handler, "PATCH", prefix+w.fill("/organizations/{organization}"), `{"name":"Later"}`, "Authorization", w.key, "Content-Type", "application/json")
	}}
	w.api.Archives.Store = b
	ask := func(headers ...string) (int, string) {
		got := send(w.handler, "POST", prefix+w.fill("/organizations/{organization}/deletion"), `{"export":{"recipients":["`+key.Recipient().String()+`"]}}`,
			append([]string{"Authorization", w.key}, headers...)...)
		return got.Code, got.Body.String()
	}
	for _, c := range []struct {
		times   int // archives that are made
		headers []string
	}{{exportedAgain, nil}, {0, []string{"If-Match", `"preview-0000-1"`}}} { // what is refused at once is not exported
		b.times = exportedAgain
		if code, body := ask(c.headers...); code != http.StatusPreconditionFailed || !strings.Contains(body, "preview_stale") || b.times != exportedAgain-c.times {
			t.Errorf("with a change each time: %d %s", code, body)
		}
	}
	if got := send(w.handler, "GET", prefix+w.fill("/organizations/{organization}"), "", "Authorization", w.key); got.Code != http.StatusOK {
		t.Fatalf("it was deleted: %d", got.Code)
	}
	b.times = 1
	code, body := ask()
	var d struct {
		ID     string
		Export struct {
			SHA256 string
			Size   int64
			Until  time.Time
		}
	}
	if err := json.Unmarshal([]byte(body), &d); err != nil || code != http.StatusAccepted || d.Export.Size == 0 {
		t.Fatalf("with one change: %d %s", code, body)
	}
	got := send(w.handler, "GET", prefix+"/deletions/"+d.ID+"/export", "", "Authorization", w.key)
	if sum := sha256.Sum256(got.Body.Bytes()); got.Code != http.StatusOK || hex.EncodeToString(sum[:]) != d.Export.SHA256 {
		t.Fatalf("the archive: %d, %d bytes", got.Code, got.Body.Len())
	}
	plain, err := crypt.Decrypt(bytes.NewReader(got.Body.Bytes()), key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	to := newWorld(t)
	if in := send(to.handler, "POST", prefix+"/imports?dry_run=true&slug=acme-2", string(file), "Authorization", to.key, "Content-Type", "application/gzip"); in.Code != http.StatusOK {
		t.Errorf("import: %d %s", in.Code, in.Body)
	}
	weak := bearer(t, w.rig, w.rig.Realm, id.None, "organization:delete")
	if got := send(w.handler, "GET", prefix+"/deletions/"+d.ID+"/export", "", "Authorization", weak); got.Code != http.StatusForbidden {
		t.Errorf("without the right to export: %d", got.Code)
	}
}
