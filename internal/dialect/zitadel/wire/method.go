package wire

import (
	"context"
	"fmt"
	"strings"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authoption"
	options "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/protoc/v2"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A Method is one operation as its descriptor declares it.
type Method struct {
	Name       string  // the gRPC path: "/zitadel.admin.v1.AdminService/RemoveOrg"
	Permission string  // "" for none, "authenticated", or the permission's name
	CheckField string  // Go name of the request field that a permission on one resource must name
	OrgField   string  // name of the request field that holds the organization, where declared
	Success    int     // HTTP status of a success over REST
	Routes     []Route // REST routes; empty for methods reached by their gRPC path only
	Served     bool    // has an endpoint; the others answer Unimplemented

	input  protoreflect.MessageType
	invoke func(context.Context, proto.Message) (proto.Message, error)
}

// A Route is one REST route of a method.
type Route struct {
	Verb string
	Path string // template with the mount prefix, as "/admin/v1/orgs/{id}"
	Body bool   // the request is the body; without it the query string is read
}

func (m *Method) short() string { return m.Name[strings.LastIndexByte(m.Name, '/')+1:] }

// An Endpoint is the function behind a method.
type Endpoint struct {
	name   string
	input  protoreflect.MessageType
	output protoreflect.FullName
	invoke func(context.Context, proto.Message) (proto.Message, error)
}

// Unary makes the endpoint of the method with the given gRPC path. The message
// types are pointers, so the compiler shares one body among all instances; with
// struct types each of them would add code.
func Unary[Q, R proto.Message](path string, f func(context.Context, Q) (R, error)) Endpoint {
	var q Q
	var r R
	return Endpoint{
		name:   path,
		input:  q.ProtoReflect().Type(),
		output: r.ProtoReflect().Descriptor().FullName(),
		invoke: func(ctx context.Context, m proto.Message) (proto.Message, error) { return f(ctx, m.(Q)) },
	}
}

// mounts are the prefixes of services whose annotations are relative; the
// annotations of all others carry the whole path.
var mounts = map[protoreflect.FullName]string{
	"zitadel.admin.v1.AdminService":           "/admin/v1",
	"zitadel.management.v1.ManagementService": "/management/v1",
	"zitadel.auth.v1.AuthService":             "/auth/v1",
	"zitadel.system.v1.SystemService":         "/system/v1",
}

func describe(d protoreflect.MethodDescriptor) (*Method, error) {
	if d.IsStreamingClient() || d.IsStreamingServer() {
		return nil, fmt.Errorf("%s is not unary", d.FullName())
	}
	input, err := protoregistry.GlobalTypes.FindMessageByName(d.Input().FullName())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.FullName(), err)
	}
	m := &Method{
		Name:    fmt.Sprintf("/%s/%s", d.Parent().FullName(), d.Name()),
		Success: 200,
		input:   input,
	}
	if o, _ := proto.GetExtension(d.Options(), authoption.E_AuthOption).(*authoption.AuthOption); o != nil {
		m.Permission, m.CheckField = o.GetPermission(), o.GetCheckFieldName()
	}
	if o, _ := proto.GetExtension(d.Options(), options.E_Options).(*options.Options); o != nil {
		m.Permission, m.OrgField = o.GetAuthOption().GetPermission(), o.GetAuthOption().GetOrgField()
		if code := o.GetHttpResponse().GetSuccessCode(); code != 0 {
			m.Success = int(code)
		}
	}
	return m, m.annotate(d)
}

// annotate reads the routes from the google.api.http annotation.
func (m *Method) annotate(d protoreflect.MethodDescriptor) error {
	rule, _ := proto.GetExtension(d.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil
	}
	prefix := mounts[d.Parent().FullName()]
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		verb, path := verbOf(r)
		if verb == "" || r.GetBody() != "" && r.GetBody() != "*" || r.GetResponseBody() != "" {
			return fmt.Errorf("%s: an annotation of this form is not supported: %v", d.FullName(), r)
		}
		m.Routes = append(m.Routes, Route{Verb: verb, Path: prefix + path, Body: r.GetBody() == "*"})
	}
	return nil
}

func verbOf(r *annotations.HttpRule) (verb, path string) {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get
	case *annotations.HttpRule_Put:
		return "PUT", p.Put
	case *annotations.HttpRule_Post:
		return "POST", p.Post
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch
	}
	return "", ""
}
