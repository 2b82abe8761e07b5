package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// resolve follows a dotted path of field names, each in the proto's or in the
// JSON spelling, through singular messages.
func resolve(d protoreflect.MessageDescriptor, path string) (parents []protoreflect.FieldDescriptor, f protoreflect.FieldDescriptor, err error) {
	names := strings.Split(path, ".")
	for i, name := range names {
		f = d.Fields().ByName(protoreflect.Name(name))
		if f == nil {
			f = d.Fields().ByJSONName(name)
		}
		switch {
		case f == nil:
			return nil, nil, fmt.Errorf("%s has no field %q", d.FullName(), name)
		case i == len(names)-1:
			return parents, f, nil
		case f.Message() == nil || f.IsList() || f.IsMap():
			return nil, nil, fmt.Errorf("field %q of %s has no fields", name, d.FullName())
		}
		parents, d = append(parents, f), f.Message()
	}
	return parents, f, nil
}

// bindQuery fills a message from a query string. Unknown names are ignored, and
// so are names that the path sets.
func bindQuery(query string, r *route, in proto.Message) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	for name, given := range values {
		v := variable{name: name}
		if v.parents, v.field, err = resolve(in.ProtoReflect().Descriptor(), name); err != nil || r.sets(v) {
			continue
		}
		if err := v.fill(in.ProtoReflect(), given); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
	return nil
}

// sets reports whether the path fills the variable's field.
func (r *route) sets(v variable) bool {
	for _, p := range r.variables {
		if len(p.parents) == 0 && len(v.parents) == 0 && p.field == v.field {
			return true
		}
	}
	return false
}

func (v variable) fill(m protoreflect.Message, given []string) error {
	holder := v.in(m)
	if v.field.IsMap() {
		return fmt.Errorf("field %q cannot be given in a query", v.name)
	}
	if !v.field.IsList() {
		if len(given) > 1 {
			return fmt.Errorf("too many values for field %q: %s", v.field.Name(), strings.Join(given, ", "))
		}
		if one := v.field.ContainingOneof(); one != nil && holder.WhichOneof(one) != nil {
			return fmt.Errorf("field already set for oneof %q", one.FullName().Name())
		}
		if err := setScalar(holder, v.field, given[0]); err != nil {
			return fmt.Errorf("parsing field %q: %w", v.field.Name(), err)
		}
		return nil
	}
	list := holder.Mutable(v.field).List()
	for _, text := range given {
		value, err := scalar(v.field, text)
		if err != nil {
			return fmt.Errorf("parsing list %q: %w", v.field.Name(), err)
		}
		list.Append(value)
	}
	return nil
}

func setScalar(m protoreflect.Message, f protoreflect.FieldDescriptor, text string) error {
	if f.Message() != nil {
		value := m.NewField(f)
		if err := wellKnown(value.Message(), text); err != nil {
			return err
		}
		m.Set(f, value)
		return nil
	}
	value, err := scalar(f, text)
	if err == nil {
		m.Set(f, value)
	}
	return err
}

// scalar reads one value of a field from text.
func scalar(f protoreflect.FieldDescriptor, text string) (v protoreflect.Value, err error) {
	switch f.Kind() {
	case protoreflect.StringKind:
		if !utf8.ValidString(text) {
			return v, fmt.Errorf("%q is not valid UTF-8", text)
		}
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		return protoreflect.ValueOfBool(b), err
	case protoreflect.BytesKind:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			b, err = base64.URLEncoding.DecodeString(text)
		}
		return protoreflect.ValueOfBytes(b), err
	case protoreflect.EnumKind:
		return enumeration(f.Enum(), text)
	}
	return number(f.Kind(), text)
}

func number(kind protoreflect.Kind, text string) (v protoreflect.Value, err error) {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(n), err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(n), err
	case protoreflect.FloatKind:
		n, err := strconv.ParseFloat(text, 32)
		return protoreflect.ValueOfFloat32(float32(n)), err
	case protoreflect.DoubleKind:
		n, err := strconv.ParseFloat(text, 64)
		return protoreflect.ValueOfFloat64(n), err
	}
	return v, fmt.Errorf("a value of kind %s cannot be given as text", kind)
}

func enumeration(d protoreflect.EnumDescriptor, text string) (v protoreflect.Value, err error) {
	if named := d.Values().ByName(protoreflect.Name(text)); named != nil {
		return protoreflect.ValueOfEnum(named.Number()), nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return v, fmt.Errorf("%q is not a valid value", text)
	}
	if d.Values().ByNumber(protoreflect.EnumNumber(n)) == nil {
		return v, fmt.Errorf("%q is not a valid value", text)
	}
	return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), nil
}

// wellKnown fills a message whose JSON form is a string.
func wellKnown(m protoreflect.Message, text string) error {
	switch name := m.Descriptor().FullName(); name {
	case "google.protobuf.Timestamp", "google.protobuf.Duration":
	default:
		return fmt.Errorf("a value of type %s cannot be given as text", name)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(quoted, m.Interface()); err != nil {
		return errors.New(plain(err))
	}
	return nil
}
