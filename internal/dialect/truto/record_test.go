package truto

import (
	"encoding/json"
	"testing"
)

func TestRecordsKeepTheirOrderAndEscapeLikeAnyJSON(t *testing.T) {
	r := record{
		{"z", "plain"}, {"a", "\"\\\n\u2028<é>\x7f"}, {"n", nil}, {"b", true}, {"i", 7}, {"list", []string{"x"}},
		{"nested", record{{"k\"", record{}}}}, {"records", []record{{{"x", "y"}}, {}}}, {"map", map[string]any{"h": "<"}},
	}
	got, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"z":"plain","a":"\"\\\n\u2028<é>` + "\x7f" + `","n":null,"b":true,"i":7,"list":["x"],"nested":{"k\"":{}},"records":[{"x":"y"},{}],"map":{"h":"<"}}`
	if string(got) != want || !json.Valid(got) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := (record{{"f", func() {}}}).MarshalJSON(); err == nil {
		t.Error("a function was encoded")
	}
	if reply := answer(record{{"f", func() {}}}); reply.Body == nil || reply.Raw != nil {
		t.Error("what cannot be encoded must be left to the edge, which logs it")
	}
}

func TestNormalizedObjectsAreFlat(t *testing.T) {
	r := record{{"id", "1"}, {"emails", []record{{{"email", "a"}}}}, {"languages", []string{"en", "de"}}, {"o", record{{"id", "2"}}}, {remoteData, record{{"x", record{}}}}}
	got, err := r.flat().MarshalJSON()
	if want := `{"id":"1","emails.0.email":"a","languages.0":"en","languages.1":"de","o.id":"2","remote_data":{"x":{}}}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
