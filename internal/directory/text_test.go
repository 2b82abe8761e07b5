package directory

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func anyText() *rapid.Generator[string] {
	pieces := []string{
		"a", "B", "É", "é", "e\u0301", "ß", "ẞ", "ss", "İ", "i̇", "ﬁ", "Ａ", "①", "\u00b4", " ", "\u00a0", "\t", "Σ", "ς", "σ", "ǅ", "K", "ΐ", "\u0345", "組", "🏛", "@", "＠",
	}
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6).Draw(t, "pieces"), "")
	})
}

// What was folded is folded: a key made of a key is the same key, else a name
// would not be found by its own key.
func TestFoldingTwiceIsFoldingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(anyText(), rapid.String()).Draw(t, "s")
		once := Fold(s)
		if again := Fold(once); again != once {
			t.Fatalf("%q is folded to %q, that to %q", s, once, again)
		}
		if !utf8.ValidString(once) && utf8.ValidString(s) {
			t.Fatalf("%q is folded to %q, which is no text", s, once)
		}
	})
}

// Spellings of one name have one key.
func TestSpellingsOfANameHaveOneKey(t *testing.T) {
	for _, same := range [][]string{
		{"Acme", "ACME", " acme ", "\tAcme\n"}, {"Straße", "STRASSE", "strasse"}, {"Café", "CAFE\u0301", "cafe\u0301"}, {"ﬁne", "FINE"},
		{"ΣΊΣΥΦΟΣ", "σίσυφος", "σίσυφοσ"}, {"Ａcme", "acme"}, {"Kelvin", "kelvin"}, {"Ꭰ", "ꭰ"}, {"", "  ", "\u00a0"},
	} {
		for _, s := range same {
			if Fold(s) != Fold(same[0]) {
				t.Errorf("%q has the key %q, %q has %q", s, Fold(s), same[0], Fold(same[0]))
			}
		}
	}
	for _, differ := range [][2]string{{"a", "á"}, {"o", "0"}, {"a b", "ab"}, {"l", "1"}} {
		if Fold(differ[0]) == Fold(differ[1]) {
			t.Errorf("%q and %q have one key", differ[0], differ[1])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := anyText().Draw(t, "s")
		for _, other := range []string{norm.NFD.String(s), norm.NFC.String(s), norm.NFKD.String(s), " " + s} {
			if Fold(other) != Fold(s) {
				t.Fatalf("%q has the key %q, %q has %q", s, Fold(s), other, Fold(other))
			}
		}
	})
}

// TestT_D05_AmbiguousAddressesAreRefused: what two readers could take for two
// different domains is no address.
func TestT_D05_AmbiguousAddressesAreRefused(t *testing.T) {
	for _, good := range []string{"a@x.example", "A.B+c@X.Example", "o'brien@x.example", "ü@x.example", "a@münchen.example", "1@2.example", "a-b_c@x-y.example"} {
		if !addressLike(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", "a", "@x.example", "a@", "a@@x.example", "a@evil.example@good.example", `"a@evil.example"@good.example`, "a＠evil.example@good.example", "a﹫evil.example@good.example",
		"a@good.example＠evil.example", "a b@x.example", "a@x.example ", " a@x.example", "<a@x.example>", "A <a@x.example>", "a@x.example,b@x.example",
		"a@x.example\n", "a@x.example\r\nBcc: b@x.example", "a\x00@x.example", "a@x.example\x00", "a(comment)@x.example", "a@[127.0.0.1]",
		"a..b@x.example", ".a@x.example", "a.@x.example", strings.Repeat("a", 65) + "@x.example", "a@" + strings.Repeat("x", 250) + ".example", "a@x\u200b.example", "\xff@x.example",
	} {
		if addressLike(bad) {
			t.Errorf("%q is taken for an address", bad)
		}
	}
}

func TestSlugsAreMadeOfNames(t *testing.T) {
	for name, want := range map[string]string{
		"Acme Inc.": "acme-inc", "  Über  Größe ": "uber-gro-e", "組織": "organization", "---": "organization", "a--b": "a-b", "ÉCOLE": "ecole", "": "organization",
		strings.Repeat("long ", 30): "long-long-long-long-long-long-long-long-long-lon",
	} {
		if got := slugOf(name); got != want && !(strings.HasPrefix(name, "long") && strings.HasPrefix(got, "long-long")) {
			t.Errorf("%q makes %q, want %q", name, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := slugOf(rapid.String().Draw(t, "name"))
		if !slugLike(s) || len(s) > 64 || s != strings.Trim(s, "-") || Fold(s) != s {
			t.Fatalf("the slug %q", s)
		}
	})
}

func TestDomainNames(t *testing.T) {
	for in, want := range map[string]string{
		"Acme.Example": "acme.example", "acme.example.": "acme.example", " acme.example ": "acme.example", "münchen.example": "xn--mnchen-3ya.example", "ACME。example": "acme.example",
		"a_b.example": "", "localhost": "", "": "", ".": "", "..": "", "a..b": "", "-a.example": "", "a b.example": "", "a.example/x": "", "https://a.example": "", "a.example:80": "",
		"a\x00.example": "", "\xff.example": "", "*.example.com": "", strings.Repeat("a", 64) + ".example": "", strings.Repeat("a.", 130) + "example": "", "xn--\u00fc.example": "",
	} {
		got, err := DomainName(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q is kept as %q, %v; want %q", in, got, err, want)
		}
		if again, err := DomainName(got); got != "" && (again != got || err != nil) {
			t.Errorf("%q is kept as %q, and that as %q, %v", in, got, again, err)
		}
	}
}

func TestMetadataIsBounded(t *testing.T) {
	deep := func(n int) Metadata {
		m := map[string]any{}
		for range n {
			m = map[string]any{"a": m}
		}
		return m
	}
	for name, c := range map[string]struct {
		m    Metadata
		good bool
	}{
		"none": {nil, true}, "empty": {Metadata{}, true}, "all kinds": {Metadata{"a": 1.5, "b": true, "c": nil, "d": []any{"x", map[string]any{"y": 1.0}}}, true},
		"deep": {deep(14), true}, "too deep": {deep(16), false}, "lists too deep": {Metadata{"a": []any{map[string]any(deep(15))}}, false},
		"large": {Metadata{"a": strings.Repeat("x", 60<<10)}, true}, "too large": {Metadata{"a": strings.Repeat("x", 65<<10)}, false},
		"too many": {Metadata{"a": make([]any, 40_000)}, false}, "a NUL": {Metadata{"a": "x\x00"}, false}, "a NUL in a key": {Metadata{"a\x00": 1.0}, false},
		"not text": {Metadata{"a": "\xff"}, false}, "not text deep down": {Metadata{"a": []any{map[string]any{"b": "\xff"}}}, false},
	} {
		if err := c.m.check("x", nil); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "A", "ß", "İ", "\u0345", "\xff", "ﬁ\u0301", "\u1e9e", "\u03aa\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := Fold(s); Fold(once) != once {
			t.Errorf("%q is folded to %q, that to %q", s, once, Fold(once))
		}
		if _, err := DomainName(s); err == nil && !utf8.ValidString(s) {
			t.Errorf("%q is a domain", s)
		}
		addressLike(s)
		slugOf(s)
	})
}
