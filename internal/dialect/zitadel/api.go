// Package zitadel is the dialect of ZITADEL: its services over gRPC, gRPC-Web,
// Connect and REST, its ids, texts and permissions.
//
// Every method is one function from a request message to a reply message; the
// table of endpoints names them all, package wire carries them, and the
// descriptors of the published messages say which permission each one asks.
package zitadel

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	authorization "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authorization/v2"
	permission "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/internal_permission/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	org "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	orgbeta "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2beta"
	projectv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/system"
	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"guildhall/internal/archive"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/project"
	"guildhall/internal/realm"
)

// API serves the dialect.
type API struct {
	Directory   *directory.Service
	Projects    *project.Service
	Credentials *credential.Service
	Deletions   *erasure.Service
	Realms      *realm.Service
	Now         func() time.Time
	// Formerly leads ids from before an import to what came of them; may be nil.
	Formerly archive.Lookup

	edge   *edge.Edge
	server *wire.Server
	start  sync.Once
	names  names
	hosts  hosts
}

// Name is the word for the dialect in logs and metrics.
func (a *API) Name() string { return "zitadel" }

// services are those of which methods are served.
func services() []protoreflect.ServiceDescriptor {
	return []protoreflect.ServiceDescriptor{
		admin.File_zitadel_admin_proto.Services().Get(0),
		management.File_zitadel_management_proto.Services().Get(0),
		auth.File_zitadel_auth_proto.Services().Get(0),
		system.File_zitadel_system_proto.Services().Get(0),
		org.File_zitadel_org_v2_org_service_proto.Services().Get(0),
		orgbeta.File_zitadel_org_v2beta_org_service_proto.Services().Get(0),
		user.File_zitadel_user_v2_user_service_proto.Services().Get(0),
		projectv2.File_zitadel_project_v2_project_service_proto.Services().Get(0),
		authorization.File_zitadel_authorization_v2_authorization_service_proto.Services().Get(0),
		permission.File_zitadel_internal_permission_v2_internal_permission_service_proto.Services().Get(0),
	}
}

// Prefixes are the path prefixes that the dialect answers: the mounts of its REST
// routes, and all services of the vendor, so that methods of those that are not
// served answer Unimplemented.
func (a *API) Prefixes() []string {
	prefixes := []string{"/admin/v1", "/management/v1", "/auth/v1", "/system/v1", "/v2", "/v2beta"}
	for _, service := range []string{
		"admin.v1.AdminService", "management.v1.ManagementService", "auth.v1.AuthService", "system.v1.SystemService",
		"action.v2.ActionService", "application.v2.ApplicationService", "authorization.v2.AuthorizationService",
		"feature.v2.FeatureService", "idp.v2.IdentityProviderService", "instance.v2.InstanceService",
		"internal_permission.v2.InternalPermissionService", "oidc.v2.OIDCService", "org.v2.OrganizationService",
		"project.v2.ProjectService", "saml.v2.SAMLService", "session.v2.SessionService", "settings.v2.SettingsService",
		"user.v2.UserService", "webkey.v2.WebKeyService", "action.v2beta.ActionService", "analytics.v2beta.TelemetryService",
		"app.v2beta.AppService", "authorization.v2beta.AuthorizationService", "feature.v2beta.FeatureService",
		"instance.v2beta.InstanceService", "internal_permission.v2beta.InternalPermissionService", "oidc.v2beta.OIDCService",
		"org.v2beta.OrganizationService", "project.v2beta.ProjectService", "session.v2beta.SessionService",
		"settings.v2beta.SettingsService", "user.v2beta.UserService", "webkey.v2beta.WebKeyService",
	} {
		prefixes = append(prefixes, "/zitadel."+service)
	}
	return prefixes
}

// A call is one admitted call: the context of the request, who calls, and the
// organization the call is about unless its message says otherwise.
type call struct {
	context.Context
	caller
	wire  *wire.Call
	depth int // of the search that is being translated
}

type callKey struct{}

// method makes the endpoint of a method.
func method[Q, R proto.Message](path string, f func(*call, Q) (R, error)) wire.Endpoint {
	return wire.Unary(path, func(ctx context.Context, q Q) (R, error) {
		// What a query of the admission left running may still look at the
		// context of the admitted call, so that one is not changed.
		c := call{Context: ctx}
		if admitted, ok := ctx.Value(callKey{}).(*call); ok {
			c.caller, c.wire = admitted.caller, admitted.wire
		}
		return f(&c, q)
	})
}

// endpoints is the table of all served methods.
func (a *API) endpoints() []wire.Endpoint {
	var all []wire.Endpoint
	for _, of := range [][]wire.Endpoint{
		a.instanceMethods(), a.organizationMethods(), a.organizationV2Methods(), a.organizationBetaMethods(),
		a.domainMethods(), a.domainV2Methods(), a.metadataMethods(), a.userMethods(), a.userV2Methods(), a.tokenMethods(),
		a.projectMethods(), a.projectV2Methods(), a.grantMethods(), a.userGrantMethods(), a.authorizationMethods(),
		a.administratorMethods(), a.permissionMethods(), a.myMethods(),
	} {
		all = append(all, of...)
	}
	return all
}

// table gives the server of all methods. It is made at the first request: the
// descriptors take some milliseconds to read, which a start need not wait for.
func (a *API) table() *wire.Server {
	a.start.Do(func() {
		config := wire.Config{Admit: a.admit, Status: failure, Done: a.done}
		if a.edge != nil {
			config.Limit = int(a.edge.MaxBody)
		}
		server, err := wire.New(config, services(), a.endpoints()...)
		if err != nil {
			panic(fmt.Sprintf("zitadel: %v", err)) // a mistake in the table; every test of this package finds it
		}
		a.server = server
	})
	return a.server
}

// Methods lists the gRPC paths of the served methods.
func Methods() (paths []string) {
	for _, m := range new(API).table().Methods() {
		if m.Served {
			paths = append(paths, m.Name)
		}
	}
	return paths
}

// Routes lists the REST routes of the served methods.
func Routes() (routes []wire.Route) {
	for _, m := range new(API).table().Methods() {
		if m.Served {
			routes = append(routes, m.Routes...)
		}
	}
	return routes
}
