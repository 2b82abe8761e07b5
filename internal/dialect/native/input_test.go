package native

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"guildhall/internal/id"
	"guildhall/internal/query"
)

// TestBadBodiesAreRefusedByEveryOperation sends each operation what it can never accept.
func TestBadBodiesAreRefusedByEveryOperation(t *testing.T) {
	w := newWorld(t)
	before := w.dump(t)
	for _, o := range guarded(w.api) {
		for what, body := range map[string]string{
			"no JSON": `{`, "an array": `[]`, "a text": `"x"`, "null": `null`, "a number": `7`, "an unknown field": `{"no_such_field":1}`,
			"a key twice": `{"name":"a","name":"b"}`, "two values": `{}{}`, "a NUL": `{"name":"\u0000"}`, "no text": "{\"name\":\"\xff\"}",
			"depth": strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "a huge number": `{"name":1e999}`,
			"the wrong types": `{"name":7,"email":[],"user":{},"key":true,"domain":null,"roles":7,"users":7,"primary":"x","password":7,"permissions":"*","state":[]}`,
			"size":            `{"name":"` + strings.Repeat("x", 2<<20) + `"}`,
		} {
			got := send(w.handler, o.method, prefix+w.fill(o.path), body, "Authorization", w.key, "Content-Type", "application/json")
			if got.Code < 400 || got.Code >= 500 || got.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s with %s: %d %.300s", o.name, what, got.Code, got.Body)
			}
		}
	}
	if after := w.dump(t); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// TestBadValuesOfEveryFieldAreRefused fills each field of each operation with values that no field can have.
func TestBadValuesOfEveryFieldAreRefused(t *testing.T) {
	w := newWorld(t)
	doc := document(t, w.api)
	for _, o := range guarded(w.api) {
		if o.in == nil {
			continue
		}
		op := operationAt(doc, o.method, w.fill(prefix+o.path))
		media := op["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)
		schema := schemas{doc}.resolve(media["schema"])
		for field, raw := range schema["properties"].(map[string]any) {
			if strings.HasSuffix(field, "metadata") {
				continue
			}
			for _, v := range []string{
				`{"\u0001":{}}`, `[[[]]]`, `-1`, `1.5`, `"` + strings.Repeat("ü", 3000) + `"`,
			} {
				got := send(w.handler, o.method, prefix+w.fill(o.path), `{`+compact(field)+`:`+v+`}`, "Authorization", w.key)
				if got.Code < 400 || got.Code >= 500 {
					t.Errorf("%s: %s as %.20s (%v): %d %.300s", o.name, field, v, schemas{doc}.resolve(raw)["type"], got.Code, got.Body)
				}
			}
		}
	}
}

// TestBadPathsAndQueriesAreRefused sends each operation what can be no id, and lists what can be no parameter.
func TestBadPathsAndQueriesAreRefused(t *testing.T) {
	w := newWorld(t)
	before := w.dump(t)
	for _, o := range guarded(w.api) {
		for _, bad := range []string{
			"%00", "%ff", "x", "org_", "org_" + strings.Repeat("z", 16), strings.Repeat("9", 2000), "%2e%2e", "..", "a%2Fb", "%E2%80%AE", "'%20OR%201=1--", "usr_é", "*", "0", "-1",
		} {
			path := o.path
			for name := range w.ids {
				path = strings.ReplaceAll(path, "{"+name+"}", bad)
			}
			if path == o.path {
				continue
			}
			got := send(w.handler, o.method, prefix+path, w.fill(bodies[o.name]), "Authorization", w.key)
			if got.Code != http.StatusNotFound && got.Code != http.StatusBadRequest && got.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s: %d %.300s", o.method+" "+path, got.Code, got.Body)
			}
		}
		for _, bad := range []string{
			"limit=-1", "limit=1e3", "limit=99999999999999999999", "limit=", "cursor=", "cursor=AAAA", "sort=", "sort=id%3Bdrop", "sort=--name", "total=maybe", "created_after=0",
			"created_before=9999999-01-01", "created_after=1969-12-31T23:59:59Z", "%00=1", "a=%ff", "state=x", "a=1;b=2", "limit=1&limit=2",
		} {
			got := send(w.handler, o.method, prefix+w.fill(o.path)+"?"+bad, w.fill(bodies[o.name]), "Authorization", w.key)
			if got.Code != http.StatusBadRequest {
				t.Errorf("%s?%s: %d %.300s", o.name, bad, got.Code, got.Body)
			}
		}
	}
	if after := w.dump(t); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

// TestFiltersTakeAnyText gives every filter of every list values that look like something else.
func TestFiltersTakeAnyText(t *testing.T) {
	w := newWorld(t)
	for _, o := range guarded(w.api) {
		if o.list == nil {
			continue
		}
		for _, f := range o.list.filters {
			for _, v := range []string{"'", `"`, "%", "_", "x' OR '1'='1", strings.Repeat("ß", 1000), "İ", "\u202e", "NULL", "0", "rol_1", "é"} {
				got := send(w.handler, "GET", prefix+w.fill(o.path)+"?total=true&"+f.name+"="+url.QueryEscape(v), "", "Authorization", w.key)
				if want := f.values == nil; (got.Code == http.StatusOK) != want || got.Code >= 500 {
					t.Errorf("%s: %s=%q: %d %.300s", o.name, f.name, v, got.Code, got.Body)
				} else if want && !strings.Contains(got.Body.String(), `"items":[]`) {
					t.Errorf("%s: %s=%q finds %s", o.name, f.name, v, got.Body)
				}
			}
		}
	}
}

// TestEveryOrderOfEveryListPagesThroughAll walks each list one by one, in each order.
func TestEveryOrderOfEveryListPagesThroughAll(t *testing.T) {
	w := newWorld(t)
	for _, extra := range []string{`{"name":"Zeta"}`, `{"name":"alpha"}`} {
		if got := send(w.handler, "POST", prefix+"/organizations", extra, "Authorization", w.key); got.Code != http.StatusCreated {
			t.Fatal(got.Body)
		}
	}
	for range 2 {
		if got := send(w.handler, "POST", prefix+w.fill("/webhooks/{webhook}/test"), "", "Authorization", w.key); got.Code != http.StatusAccepted {
			t.Fatal(got.Body)
		}
	}
	for _, o := range guarded(w.api) {
		if o.list == nil || o.list.plain {
			continue
		}
		for _, order := range o.list.orders() {
			one := w.pages(t, o, "limit=1&sort="+order)
			all := w.pages(t, o, "limit=200&sort="+order)
			if strings.Join(one, " ") != strings.Join(all, " ") || len(all) == 0 {
				t.Errorf("%s by %s: one by one %v, at once %v", o.name, order, one, all)
			}
		}
	}
}

// TestTheProgressOfADeletionIsTold deletes for good and waits for the end.
func TestTheProgressOfADeletionIsTold(t *testing.T) {
	w := newWorld(t)
	got := send(w.handler, "POST", prefix+w.fill("/organizations/{organization}/deletion"), `{"users":"erase","grace":"0s"}`, "Authorization", w.key)
	var d deletionSeen
	d.read(t, got.Body.Bytes())
	for deadline := time.Now().Add(time.Minute); d.State != "purged"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not purged: %+v", d)
		}
		d.read(t, send(w.handler, "GET", prefix+"/deletions/"+d.ID, "", "Authorization", w.key).Body.Bytes())
	}
	if d.PurgedAt == "" || d.Users != "erase" || d.GraceUntil != "" {
		t.Errorf("the deletion: %+v", d)
	}
	counts := map[string]int{}
	for _, p := range d.Progress {
		counts[p.Effect+" "+p.Kind] = p.Count
	}
	for what, want := range map[string]int{
		"removed organization": 1, "removed user": 1, "removed member": 1, "removed role": 1, "removed invitation": 1, "removed domain": 1, "removed key": 1,
	} {
		if counts[what] != want {
			t.Errorf("%s: %d, want %d; all: %v", what, counts[what], want, counts)
		}
	}
	if _, err := w.rig.Directory.UserBy(t.Context(), w.rig.System, query.Is("id", parse(w.rig.Realm.ID, id.User, w.ids["user"]))); err == nil {
		t.Error("the user is still there")
	}
}
