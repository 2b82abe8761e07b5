package id_test

import (
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"guildhall/internal/id"
)

// A spelling is one wire form of ids.
type spelling struct {
	name  string
	write func(id.Codec, id.ID) string
	read  func(id.Codec, string) (id.ID, bool)
	form  *regexp.Regexp
	check int // bits of the check
}

var spellings = []spelling{
	{"base62", id.Codec.Base62, id.Codec.ParseBase62, regexp.MustCompile(`^[0-9A-Za-z]{16}$`), 31},
	{"uuid", id.Codec.UUID, id.Codec.ParseUUID, regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`), 58},
	{"hex24", id.Codec.Hex24, id.Codec.ParseHex24, regexp.MustCompile(`^[0-9a-f]{24}$`), 32},
	{"decimal", id.Codec.Decimal, id.Codec.ParseDecimal, regexp.MustCompile(`^[1-9][0-9]{2,20}$`), 6},
}

func anyID() *rapid.Generator[id.ID] {
	return rapid.Custom(func(t *rapid.T) id.ID {
		return id.ID(rapid.Int64Range(1, math.MaxInt64).Draw(t, "id"))
	})
}

func anyKind() *rapid.Generator[id.Kind] {
	return rapid.Custom(func(t *rapid.T) id.Kind {
		return id.Kind(rapid.IntRange(int(id.Realm), int(id.Permission)).Draw(t, "kind"))
	})
}

func TestEverySpellingReadsBackWhatItWrote(t *testing.T) {
	for _, s := range spellings {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				c, i := id.For(anyID().Draw(t, "realm"), anyKind().Draw(t, "kind")), anyID().Draw(t, "i")
				text := s.write(c, i)
				if !s.form.MatchString(text) {
					t.Fatalf("%d is spelled %q", i, text)
				}
				if got, ok := s.read(c, text); !ok || got != i {
					t.Fatalf("%q reads as %d, %v; want %d", text, got, ok, i)
				}
			})
		})
	}
}

func TestTheSmallestAndLargestIDsHaveEverySpelling(t *testing.T) {
	c := id.For(7, id.Organization)
	for _, s := range spellings {
		for _, i := range []id.ID{1, 9, 10, math.MaxInt64 - 1, math.MaxInt64} {
			if got, ok := s.read(c, s.write(c, i)); !ok || got != i {
				t.Errorf("%s: %d is spelled %q and reads as %d, %v", s.name, i, s.write(c, i), got, ok)
			}
		}
	}
}

// One in 2^bits foreign ids passes a check, one in a hundred the decimal one.
// Among 20,000 that are tried here none may pass a check of 31 bits or more.
func TestAnIDOfAnotherRealmOrKindIsUnknown(t *testing.T) {
	const tries = 10_000
	for _, s := range spellings {
		passed := 0
		for n := range tries {
			i := id.ID(1_000_000_007*int64(n) + 1)
			text := s.write(id.For(id.ID(n+1), id.Organization), i)
			for _, foreign := range []id.Codec{id.For(id.ID(n+2), id.Organization), id.For(id.ID(n+1), id.User)} {
				if _, ok := s.read(foreign, text); ok {
					passed++
				}
			}
		}
		if most := 0; s.check >= 31 && passed > most {
			t.Errorf("%s: %d of %d foreign ids were taken for own ones", s.name, passed, 2*tries)
		}
		if s.check < 31 && passed > 2*tries*3/100 {
			t.Errorf("%s: %d of %d foreign ids were taken for own ones, far more than its two digits promise", s.name, passed, 2*tries)
		}
	}
}

func TestSpellingsOfDifferentRealmsAndKindsDiffer(t *testing.T) {
	for _, s := range spellings {
		if s.name == "decimal" { // shows the number; only its last two digits differ
			continue
		}
		seen := map[string]bool{}
		for realm := id.ID(1); realm <= 40; realm++ {
			for kind := id.Realm; kind <= id.Permission; kind++ {
				for i := id.ID(1); i <= 5; i++ {
					text := s.write(id.For(realm, kind), i)
					if seen[text] {
						t.Fatalf("%s: %q was issued twice", s.name, text)
					}
					seen[text] = true
				}
			}
		}
	}
}

// Each text has one reading at most and each number one spelling: upper case,
// blanks, signs and leading zeros are not other spellings of the same object.
func TestAnIDHasOneSpelling(t *testing.T) {
	c := id.For(7, id.User)
	for _, s := range spellings {
		text := s.write(c, 123456789012345678)
		for _, other := range []string{
			"", " " + text, text + " ", text + "\x00", "0" + text, "+" + text, "-" + text, text[1:], text[:len(text)-1],
			strings.Replace(text, text[:1], "é", 1), text + text,
		} {
			if _, ok := s.read(c, other); ok {
				t.Errorf("%s: %q was read", s.name, other)
			}
		}
		if upper := strings.ToUpper(text); upper != text {
			if _, ok := s.read(c, upper); ok {
				t.Errorf("%s: %q was read in upper case", s.name, upper)
			}
		}
	}
}

func TestAMistypedCharacterIsNoticed(t *testing.T) {
	c := id.For(7, id.User)
	for _, s := range spellings {
		if s.check < 31 {
			continue
		}
		text := s.write(c, 123456789012345678)
		for p := range text {
			for _, ch := range "0123456789abcdefABCXYZxyz" {
				typo := text[:p] + string(ch) + text[p+1:]
				if got, ok := s.read(c, typo); ok && typo != text {
					t.Errorf("%s: %q reads as %d", s.name, typo, got)
				}
			}
		}
	}
}

// bigBase62 is the spelling in arithmetic of any size, as a yardstick: the tag
// above the body, written to the base of 62.
func bigBase62(tag, body uint64) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n := new(big.Int).SetUint64(tag)
	n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(body))
	var out [16]byte
	rem := new(big.Int)
	for p := 15; p >= 0; p-- {
		n.DivMod(n, big.NewInt(62), rem)
		out[p] = digits[rem.Int64()]
	}
	return string(out[:])
}

func FuzzBase62AgreesWithBigIntegers(f *testing.F) {
	f.Add(int64(1), int64(1), byte(2))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), byte(27))
	f.Fuzz(func(t *testing.T, realm, i int64, kind byte) {
		c := id.For(id.ID(realm), id.Kind(kind))
		tag, body := id.Base62Parts(c, id.ID(i))
		if got, want := c.Base62(id.ID(i)), bigBase62(tag, body); got != want {
			t.Fatalf("%d is spelled %q, want %q", i, got, want)
		}
	})
}

// FuzzParse feeds text to every reader: none may panic, and what is read must be
// spelled exactly as it came.
func FuzzParse(f *testing.F) {
	c := id.For(7, id.Organization)
	for _, s := range spellings {
		f.Add(s.write(c, 1))
		f.Add(s.write(c, math.MaxInt64))
	}
	for _, text := range []string{
		"", "zzzzzzzzzzzzzzzz", "0000000000000000", "ffffffffffffffffffffffff", "00000000-0000-4000-8000-000000000000",
		"ffffffff-ffff-4fff-bfff-ffffffffffff", "999999999999999999999", "9223372036854775807", "100", "-----------------",
		"--------------------------------------", "\x00", "\xff\xfe", "００００００００００００００００",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range spellings {
			i, ok := s.read(c, text)
			if !ok {
				continue
			}
			if i <= 0 {
				t.Errorf("%s: %q reads as %d", s.name, text, i)
			}
			if again := s.write(c, i); again != text {
				t.Errorf("%s: %q reads as %d, which is spelled %q", s.name, text, i, again)
			}
		}
	})
}

func TestKindsHaveNamesOfTheirOwn(t *testing.T) {
	names := map[string]id.Kind{}
	for k := id.Realm; k <= id.Permission; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
		if other, had := names[k.String()]; had {
			t.Errorf("kinds %d and %d are both called %q", other, k, k)
		}
		names[k.String()] = k
	}
}

// What was issued must read for ever, so these spellings are written down.
func TestSpellingsNeverChange(t *testing.T) {
	c := id.For(29372036854775807, id.Organization)
	const i = id.ID(28993215488000001)
	want := map[string]string{
		"base62":  "3qjL0RXz9D14saLA",
		"uuid":    "1fe894fb-841e-44d7-ba87-703289910688",
		"hex24":   "89910688600454e9d5557e74",
		"decimal": "2899321548800000132",
	}
	for _, s := range spellings {
		if got := s.write(c, i); got != want[s.name] {
			t.Errorf("%s: %d is spelled %q, was %q", s.name, i, got, want[s.name])
		}
	}
}

func BenchmarkBase62(b *testing.B) {
	c := id.For(7, id.Organization)
	b.ReportAllocs()
	for n := range b.N {
		if c.Base62(id.ID(n+1)) == "" {
			b.Fatal("no spelling")
		}
	}
}

func BenchmarkParseBase62(b *testing.B) {
	c := id.For(7, id.Organization)
	text := c.Base62(123456789012345678)
	b.ReportAllocs()
	for range b.N {
		if _, ok := c.ParseBase62(text); !ok {
			b.Fatal("not read")
		}
	}
}
