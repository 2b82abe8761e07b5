package native

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
)

func TestTimesAreWrittenInUTCWithMilliseconds(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	for want, given := range map[string]time.Time{
		`"2026-05-06T07:08:09.123Z"`: at.In(zone),
		`"2026-01-01T00:00:00.000Z"`: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, _ := json.Marshal(moment(given)); string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTimesThatNoDatabaseKeepsAreRefused(t *testing.T) {
	for _, bad := range []string{`"1969-12-31T23:59:59Z"`, `"0000-01-01T00:00:00Z"`, `"9999-12-31T23:59:59-10:00"`, `7`, `""`, `"tomorrow"`} {
		var m moment
		if err := json.Unmarshal([]byte(bad), &m); err == nil {
			t.Errorf("%s is read as %v", bad, time.Time(m))
		}
	}
}

// TestMetadataIsChangedAsMergePatchesAre has the examples of RFC 7396, appendix A, that are about objects.
func TestMetadataIsChangedAsMergePatchesAre(t *testing.T) {
	for _, c := range []struct{ old, change, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":"foo"}`, `null`, `null`},
	} {
		var old, want map[string]any
		var change optional[map[string]any]
		if err := errors.Join(json.Unmarshal([]byte(c.old), &old), json.Unmarshal([]byte(c.want), &want), json.Unmarshal([]byte(c.change), &change)); err != nil {
			t.Fatal(err)
		}
		if got := merged(old, change); !reflect.DeepEqual(got, want) {
			t.Errorf("%s with %s: %v, want %v", c.old, c.change, got, want)
		}
	}
	if got := merged(directory.Metadata{"a": 1}, optional[map[string]any]{}); got["a"] != 1 {
		t.Errorf("without a change: %v", got)
	}
}

func TestConditionsOnVersions(t *testing.T) {
	for _, c := range []struct {
		given string
		met   []int64
	}{
		{"*", []int64{1, 2, 10}}, {`"1"`, []int64{1}}, {`"1","10"`, []int64{1, 10}}, {`W/"1"`, nil}, {`"01"`, nil}, {`"x"`, nil}, {` "2" , "x"`, []int64{2}},
	} {
		m, err := ifMatch(call("If-Match", c.given))
		if err != nil {
			t.Errorf("%s: %v", c.given, err)
		}
		for _, v := range []int64{1, 2, 10} {
			if err := m.allows(v); (err == nil) != slices.Contains(c.met, v) || err != nil && !errors.Is(err, directory.ErrStale) {
				t.Errorf("%s for version %d: %v", c.given, v, err)
			}
		}
	}
	for given, want := range map[string][]string{
		`"preview-abc"`: {"abc"}, `"1", "preview-a", "preview-b"`: {"a", "b"}, `W/"preview-abc"`: nil, `"preview-"`: nil, `"Preview-abc"`: nil,
	} {
		if m, err := ifMatch(call("If-Match", given)); err != nil || !slices.Equal(m.previews, want) || m.allows(2) == nil {
			t.Errorf("%s: %v, %v", given, m, err)
		}
	}
	for _, bad := range []string{"", "1", `"1`, `"1""2"`, ",", `"a"b"`} {
		if _, err := ifMatch(call("If-Match", bad)); !errors.Is(err, errIfMatch) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if m, err := ifMatch(call()); err != nil || m.allows(7) != nil {
		t.Errorf("without the header: %v", err)
	}
}

func TestIdsAreOfOneKindInOneRealm(t *testing.T) {
	const i id.ID = 4711 << 20
	for kind, word := range prefixes {
		s := spell(1, kind, i)
		if len(s) != len(word)+16 || parse(1, kind, s) != i {
			t.Errorf("%s is read as %d", s, parse(1, kind, s))
		}
		for other := range prefixes {
			if other != kind && parse(1, other, s) != nowhere {
				t.Errorf("%s is read as an id of kind %d", s, other)
			}
		}
		if kind != id.Realm && parse(2, kind, s) != nowhere {
			t.Errorf("%s is read in another realm", s)
		}
	}
}

func TestClaimsAreTheDomainsPermissions(t *testing.T) {
	if got := permissions([]string{"*"}); !slices.Equal(got, access.All()) {
		t.Errorf("*: %v", got)
	}
	if got := permissions([]string{"user:read", "future:thing", "user:read"}); !slices.Equal(got, []access.Permission{access.UserRead}) {
		t.Errorf("some: %v", got)
	}
	if got := permissions(nil); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

func TestRequestersAreSpelledAsIds(t *testing.T) {
	for subject, want := range map[string]string{
		"key:12345": spell(1, id.Key, 12345), "user:12345": spell(1, id.User, 12345), "client:12345": "client:12345", "system": "system", "key:x": "key:x", "": "",
	} {
		if got := requester(1, subject); got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
	}
}
