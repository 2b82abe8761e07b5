// Package rule evaluates the validate.rules options that ZITADEL's messages
// carry, with the texts of the protoc-gen-validate generator.
//
// The published Go messages have the options but no generated Validate methods,
// so the rules are read from the descriptors, compiled once per message type and
// kept. Order is the generator's: plain fields, then oneofs, then proto3 optional
// fields; the first violation is reported.
package rule

import (
	"fmt"
	"sync"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Violation is the first rule that a message breaks.
type Violation struct {
	Message string // Go name of the message
	Field   string // Go name of the field, with the index of a list item
	Reason  string
	Cause   error // what is wrong inside an embedded message, or nil
}

// Error is the generator's text, which clients see.
func (v *Violation) Error() string {
	s := fmt.Sprintf("invalid %s.%s: %s", v.Message, v.Field, v.Reason)
	if v.Cause != nil {
		s += fmt.Sprintf(" | caused by: %v", v.Cause)
	}
	return s
}

// Check gives the first violation in m, or nil. A string with a NUL character is
// a violation everywhere: no engine stores one and no client means one.
func Check(m proto.Message) error {
	if v := checkMessage(m.ProtoReflect()); v != nil {
		return v
	}
	return nil
}

// A broken is a reason, and a cause where the reason has one.
type broken struct {
	reason string
	cause  error
}

// A test judges one value; ok is the zero broken.
type test func(protoreflect.Value) broken

// A field is what is asked of one field of a message.
type field struct {
	desc     protoreflect.FieldDescriptor
	name     string // Go name
	required bool   // a message field that must be set
	skip     bool   // do not look into an embedded message
	whole    []test // of the value, or of the whole list
	unique   bool
	item     []test // of each item of a list
}

// A oneof is the choice of one field among several.
type oneof struct {
	desc     protoreflect.OneofDescriptor
	name     string
	required bool
	fields   map[protoreflect.FieldNumber]*field
}

// A plan is all that is asked of one message type.
type plan struct {
	name    string
	fields  []*field
	oneofs  []*oneof
	options []*field
}

var plans sync.Map // protoreflect.MessageDescriptor -> *plan

func planFor(d protoreflect.MessageDescriptor) *plan {
	if p, ok := plans.Load(d); ok {
		return p.(*plan)
	}
	p, _ := plans.LoadOrStore(d, compile(d))
	return p.(*plan)
}

func compile(d protoreflect.MessageDescriptor) *plan {
	p := &plan{name: goMessageName(d)}
	for i := range d.Fields().Len() {
		switch f := d.Fields().Get(i); {
		case f.ContainingOneof() == nil:
			p.fields = append(p.fields, compileField(f))
		case f.HasOptionalKeyword():
			p.options = append(p.options, compileField(f))
		}
	}
	for i := range d.Oneofs().Len() {
		if o := d.Oneofs().Get(i); !o.IsSynthetic() {
			p.oneofs = append(p.oneofs, compileOneof(o))
		}
	}
	return p
}

func compileOneof(o protoreflect.OneofDescriptor) *oneof {
	required, _ := proto.GetExtension(o.Options(), validate.E_Required).(bool)
	c := &oneof{desc: o, name: goName(string(o.Name())), required: required, fields: map[protoreflect.FieldNumber]*field{}}
	for i := range o.Fields().Len() {
		f := o.Fields().Get(i)
		c.fields[f.Number()] = compileField(f)
	}
	return c
}

func checkMessage(m protoreflect.Message) *Violation {
	p := planFor(m.Descriptor())
	for _, f := range p.fields {
		if v := f.check(p.name, m); v != nil {
			return v
		}
	}
	for _, o := range p.oneofs {
		set := m.WhichOneof(o.desc)
		if set == nil {
			if o.required {
				return &Violation{Message: p.name, Field: o.name, Reason: "value is required"}
			}
			continue
		}
		if v := o.fields[set.Number()].check(p.name, m); v != nil {
			return v
		}
	}
	for _, f := range p.options {
		if m.Has(f.desc) {
			if v := f.check(p.name, m); v != nil {
				return v
			}
		}
	}
	return nil
}

func (f *field) check(message string, m protoreflect.Message) *Violation {
	fail := func(name string, b broken) *Violation {
		return &Violation{Message: message, Field: name, Reason: b.reason, Cause: b.cause}
	}
	if f.desc.IsMap() {
		return f.checkMap(message, m.Get(f.desc).Map())
	}
	if f.desc.IsList() {
		return f.checkList(m.Get(f.desc), fail)
	}
	if f.desc.Message() != nil && !m.Has(f.desc) {
		if f.required {
			return fail(f.name, broken{reason: "value is required"})
		}
		return nil
	}
	value := m.Get(f.desc)
	for _, t := range f.whole {
		if b := t(value); b.reason != "" {
			return fail(f.name, b)
		}
	}
	return f.inside(f.name, value, fail)
}

func (f *field) checkList(value protoreflect.Value, fail func(string, broken) *Violation) *Violation {
	for _, t := range f.whole {
		if b := t(value); b.reason != "" {
			return fail(f.name, b)
		}
	}
	seen := map[any]bool{}
	for i := range value.List().Len() {
		item, name := value.List().Get(i), fmt.Sprintf("%s[%d]", f.name, i)
		if f.unique {
			if seen[item.Interface()] {
				return fail(name, broken{reason: "repeated value must contain unique items"})
			}
			seen[item.Interface()] = true
		}
		for _, t := range f.item {
			if b := t(item); b.reason != "" {
				return fail(name, b)
			}
		}
		if v := f.inside(name, item, fail); v != nil {
			return v
		}
	}
	return nil
}

// checkMap looks for NUL characters only: no map of the served messages has rules.
func (f *field) checkMap(message string, values protoreflect.Map) (found *Violation) {
	values.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		b := noNUL(k.Value())
		if f.desc.MapValue().Kind() == protoreflect.StringKind && b.reason == "" {
			b = noNUL(v)
		}
		if b.reason != "" {
			found = &Violation{Message: message, Field: f.name, Reason: b.reason}
		}
		return found == nil
	})
	return found
}

func (f *field) inside(name string, value protoreflect.Value, fail func(string, broken) *Violation) *Violation {
	if f.desc.Message() == nil || f.skip {
		return nil
	}
	if v := checkMessage(value.Message()); v != nil {
		return fail(name, broken{reason: "embedded message failed validation", cause: v})
	}
	return nil
}
