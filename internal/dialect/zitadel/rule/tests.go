package rule

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// when gives a test that fails with a reason where bad holds.
func when(reason string, bad func(protoreflect.Value) bool) test {
	return func(v protoreflect.Value) broken {
		if bad(v) {
			return broken{reason: reason}
		}
		return broken{}
	}
}

func noNUL(v protoreflect.Value) broken {
	if strings.IndexByte(v.String(), 0) >= 0 {
		return broken{reason: "value must not contain a NUL character"}
	}
	return broken{}
}

// span says how long a value may be. A nil bound is open.
type span struct {
	least, most *uint64
	unit        string // "runes", "bytes"
	length      func(protoreflect.Value) uint64
}

func (s span) tests() []test {
	least, most := deref(s.least), deref(s.most)
	below := func(v protoreflect.Value) bool { return s.length(v) < least }
	above := func(v protoreflect.Value) bool { return s.length(v) > most }
	either := func(v protoreflect.Value) bool { return below(v) || above(v) }
	switch {
	case s.least != nil && s.most != nil && least == most:
		return []test{when(fmt.Sprintf("value length must be %d %s", least, s.unit), either)}
	case s.least != nil && s.most != nil:
		return []test{when(fmt.Sprintf("value length must be between %d and %d %s, inclusive", least, most, s.unit), either)}
	case s.least != nil:
		return []test{when(fmt.Sprintf("value length must be at least %d %s", least, s.unit), below)}
	case s.most != nil:
		return []test{when(fmt.Sprintf("value length must be at most %d %s", most, s.unit), above)}
	}
	return nil
}

func deref(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}

func runes(v protoreflect.Value) uint64      { return uint64(utf8.RuneCountInString(v.String())) }
func stringSize(v protoreflect.Value) uint64 { return uint64(len(v.String())) }
func bytesSize(v protoreflect.Value) uint64  { return uint64(len(v.Bytes())) }

func stringTests(r *validate.StringRules) []test {
	least, most := r.MinLen, r.MaxLen
	if r.Len != nil {
		least, most = r.Len, r.Len
	}
	tests := span{least, most, "runes", runes}.tests()
	tests = append(tests, span{r.MinBytes, r.MaxBytes, "bytes", stringSize}.tests()...)
	if p := r.GetPrefix(); p != "" {
		tests = append(tests, when(fmt.Sprintf("value does not have prefix %q", p),
			func(v protoreflect.Value) bool { return !strings.HasPrefix(v.String(), p) }))
	}
	if r.GetEmail() {
		tests = append(tests, caused("value must be a valid email address", email))
	}
	if r.GetUriRef() {
		tests = append(tests, caused("value must be a valid URI", func(s string) error { _, err := url.Parse(s); return err }))
	}
	if r.GetIgnoreEmpty() {
		return []test{func(v protoreflect.Value) broken { return firstUnlessEmpty(tests, v) }}
	}
	return tests
}

func firstUnlessEmpty(tests []test, v protoreflect.Value) broken {
	if v.String() == "" {
		return broken{}
	}
	for _, t := range tests {
		if b := t(v); b.reason != "" {
			return b
		}
	}
	return broken{}
}

func caused(reason string, check func(string) error) test {
	return func(v protoreflect.Value) broken {
		if err := check(v.String()); err != nil {
			return broken{reason, err}
		}
		return broken{}
	}
}

// email accepts a bare address only; the generator would let "A <a@b.c>" pass,
// which nobody can send a code to as it is stored.
func email(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil {
		return err
	}
	if a.Address != s {
		return errors.New("mail: not a bare address")
	}
	if len(s) > 254 {
		return errors.New("email addresses cannot exceed 254 characters")
	}
	local, host, _ := strings.Cut(s, "@")
	if len(local) > 64 {
		return errors.New("email address local phrase cannot exceed 64 characters")
	}
	return hostname(host)
}

func hostname(host string) error {
	if len(host) > 253 {
		return errors.New("hostname cannot exceed 253 characters")
	}
	for part := range strings.SplitSeq(strings.ToLower(strings.TrimSuffix(host, ".")), ".") {
		switch {
		case part == "" || len(part) > 63:
			return errors.New("hostname part must be non-empty and cannot exceed 63 characters")
		case part[0] == '-':
			return errors.New("hostname parts cannot begin with hyphens")
		case part[len(part)-1] == '-':
			return errors.New("hostname parts cannot end with hyphens")
		}
		for _, r := range part {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
				return fmt.Errorf("hostname parts can only contain alphanumeric characters or hyphens, got %q", string(r))
			}
		}
	}
	return nil
}

func bytesTests(r *validate.BytesRules) []test {
	return span{r.MinLen, r.MaxLen, "bytes", bytesSize}.tests()
}

func enumTests(d protoreflect.EnumDescriptor, r *validate.EnumRules) []test {
	var tests []test
	if not := r.GetNotIn(); len(not) > 0 {
		tests = append(tests, when(fmt.Sprintf("value must not be in list %v", not),
			func(v protoreflect.Value) bool { return slices.Contains(not, int32(v.Enum())) }))
	}
	if r.GetDefinedOnly() {
		tests = append(tests, when("value must be one of the defined enum values",
			func(v protoreflect.Value) bool { return d.Values().ByNumber(v.Enum()) == nil }))
	}
	return tests
}

func boolTests(r *validate.BoolRules) []test {
	if r.Const == nil {
		return nil
	}
	return []test{when(fmt.Sprintf("value must equal %v", r.GetConst()),
		func(v protoreflect.Value) bool { return v.Bool() != r.GetConst() })}
}

func signedTests(r *validate.Int32Rules) []test {
	if r.Gte == nil || r.Lte == nil {
		return nil
	}
	return []test{when(fmt.Sprintf("value must be inside range [%d, %d]", r.GetGte(), r.GetLte()),
		func(v protoreflect.Value) bool { return v.Int() < int64(r.GetGte()) || v.Int() > int64(r.GetLte()) })}
}

func unsignedTests(above uint64, set bool) []test {
	if !set {
		return nil
	}
	return []test{when(fmt.Sprintf("value must be greater than %d", above),
		func(v protoreflect.Value) bool { return v.Uint() <= above })}
}

func durationTests(r *validate.DurationRules) []test {
	at := func(bad func(time.Duration) bool) func(protoreflect.Value) bool {
		return func(v protoreflect.Value) bool {
			d := v.Message()
			fields := d.Descriptor().Fields()
			return bad((&durationpb.Duration{
				Seconds: d.Get(fields.ByName("seconds")).Int(),
				Nanos:   int32(d.Get(fields.ByName("nanos")).Int()),
			}).AsDuration())
		}
	}
	equal, above, least, most := r.GetConst().AsDuration(), r.GetGt().AsDuration(), r.GetGte().AsDuration(), r.GetLte().AsDuration()
	switch {
	case r.Const != nil:
		return []test{when(fmt.Sprintf("value must equal %v", equal), at(func(d time.Duration) bool { return d != equal }))}
	case r.Gt != nil:
		return []test{when(fmt.Sprintf("value must be greater than %v", above), at(func(d time.Duration) bool { return d <= above }))}
	case r.Gte != nil && r.Lte != nil:
		return []test{when(fmt.Sprintf("value must be inside range [%v, %v]", least, most),
			at(func(d time.Duration) bool { return d < least || d > most }))}
	case r.Gte != nil:
		return []test{when(fmt.Sprintf("value must be greater than or equal to %v", least), at(func(d time.Duration) bool { return d < least }))}
	}
	return nil
}

func listTests(r *validate.RepeatedRules) []test {
	if r == nil {
		return nil
	}
	least, most := r.GetMinItems(), r.GetMaxItems()
	size := func(v protoreflect.Value) uint64 { return uint64(v.List().Len()) }
	below := func(v protoreflect.Value) bool { return size(v) < least }
	above := func(v protoreflect.Value) bool { return size(v) > most }
	either := func(v protoreflect.Value) bool { return below(v) || above(v) }
	switch {
	case r.MinItems != nil && r.MaxItems != nil && least == most:
		return []test{when(fmt.Sprintf("value must contain exactly %d item(s)", least), either)}
	case r.MinItems != nil && r.MaxItems != nil:
		return []test{when(fmt.Sprintf("value must contain between %d and %d items, inclusive", least, most), either)}
	case r.MinItems != nil:
		return []test{when(fmt.Sprintf("value must contain at least %d item(s)", least), below)}
	case r.MaxItems != nil:
		return []test{when(fmt.Sprintf("value must contain no more than %d item(s)", most), above)}
	}
	return nil
}
