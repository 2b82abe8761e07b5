package rule

import (
	"fmt"
	"strings"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func compileField(d protoreflect.FieldDescriptor) *field {
	f := &field{desc: d, name: goName(string(d.Name()))}
	rules, _ := proto.GetExtension(d.Options(), validate.E_Rules).(*validate.FieldRules)
	if m := rules.GetMessage(); m != nil {
		f.required, f.skip = m.GetRequired(), m.GetSkip()
	}
	if d.IsMap() {
		return f
	}
	if d.IsList() {
		r := rules.GetRepeated()
		f.whole, f.unique, f.item = listTests(r), r.GetUnique(), valueTests(d, r.GetItems())
		return f
	}
	f.required = f.required || rules.GetTimestamp().GetRequired() || rules.GetDuration().GetRequired()
	f.whole = valueTests(d, rules)
	return f
}

// valueTests gives the tests of one value of a field. Kinds of rules that no
// ZITADEL message uses are a programmer's mistake here and stop the start;
// TestEveryRuleIsUnderstood visits every message.
func valueTests(d protoreflect.FieldDescriptor, rules *validate.FieldRules) []test {
	var tests []test
	if d.Kind() == protoreflect.StringKind {
		tests = append(tests, noNUL)
	}
	switch r := rules.GetType().(type) {
	case nil:
	case *validate.FieldRules_String_:
		tests = append(tests, stringTests(r.String_)...)
	case *validate.FieldRules_Bytes:
		tests = append(tests, bytesTests(r.Bytes)...)
	case *validate.FieldRules_Enum:
		tests = append(tests, enumTests(d.Enum(), r.Enum)...)
	case *validate.FieldRules_Bool:
		tests = append(tests, boolTests(r.Bool)...)
	case *validate.FieldRules_Int32:
		tests = append(tests, signedTests(r.Int32)...)
	case *validate.FieldRules_Uint32:
		tests = append(tests, unsignedTests(uint64(r.Uint32.GetGt()), r.Uint32.Gt != nil)...)
	case *validate.FieldRules_Uint64:
		tests = append(tests, unsignedTests(r.Uint64.GetGt(), r.Uint64.Gt != nil)...)
	case *validate.FieldRules_Duration:
		tests = append(tests, durationTests(r.Duration)...)
	case *validate.FieldRules_Timestamp, *validate.FieldRules_Repeated:
	default:
		panic(fmt.Sprintf("zitadel/rule: %s has rules of type %T", d.FullName(), r))
	}
	return tests
}

// goMessageName is the name that the Go generator gives a message: nested names
// are joined by underscores.
func goMessageName(d protoreflect.MessageDescriptor) string {
	name := goName(string(d.Name()))
	if parent, ok := d.Parent().(protoreflect.MessageDescriptor); ok {
		return goMessageName(parent) + "_" + name
	}
	return name
}

// goName is the Go generator's spelling of a proto name: an underscore before a
// lower-case letter goes and the letter becomes a capital.
func goName(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		lowerNext := i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z'
		switch {
		case c == '_' && i == 0:
			b.WriteByte('X')
		case c == '_' && lowerNext:
		case c >= 'a' && c <= 'z' && (i == 0 || s[i-1] == '_' || s[i-1] >= '0' && s[i-1] <= '9'):
			b.WriteByte(c - 'a' + 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
