package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
)

// An operation is something to be measured against the bare handler.
type operation struct {
	group, name string
	aim         map[string]float64 // by engine: how many times the CPU of the bare handler at most; none is no aim
	raw         string             // the statements that do the same without a server, or "" for none
	next        func(n int64) request
	unbared     bool // several requests, which no single answer stands for
}

// The aims: multiples of the CPU time of the bare handler.
var (
	aimGet    = map[string]float64{"SQLite": 6, "PostgreSQL": 9}
	aimCreate = map[string]float64{"SQLite": 20, "PostgreSQL": 20}
	aimList   = map[string]float64{"SQLite": 30, "PostgreSQL": 30}
	aimToken  = map[string]float64{"SQLite": 25, "PostgreSQL": 25}
)

// Requests of the dialects, with their credentials.

func jsonRequest(method, path, authorization string, body any) request {
	r := request{method: method, path: path, header: http.Header{"Authorization": {authorization}}}
	if body != nil {
		r.body, _ = json.Marshal(body) // maps of text and numbers
		r.header["Content-Type"] = []string{"application/json"}
	}
	return r
}

func (s *server) native(method, path string, body any) request {
	return jsonRequest(method, "/guildhall/v1"+path, "Bearer "+s.Native.Token, body)
}

func (s *server) auth0(method, path string, body any) request {
	return jsonRequest(method, "/api/v2"+path, "Bearer "+s.bearer, body)
}

func (s *server) stytch(method, path string, body any) request {
	basic := base64.StdEncoding.EncodeToString([]byte(s.Stytch.ProjectID + ":" + s.Stytch.Secret))
	return jsonRequest(method, "/v1/b2b/organizations"+path, "Basic "+basic, body)
}

func (s *server) zitadel(method, path string, body any) request {
	return jsonRequest(method, path, "Bearer "+s.Zitadel.PAT, body)
}

// grpc calls a method with an encoded message.
func (s *server) grpc(path string, message string) request {
	frame := append([]byte{0, 0, 0, 0, byte(len(message))}, message...) // length-prefixed; messages here are short
	return request{
		method: http.MethodPost, path: path, body: frame, http2: true,
		header: http.Header{"Authorization": {"Bearer " + s.Zitadel.PAT}, "Content-Type": {"application/grpc"}, "Te": {"trailers"}},
	}
}

func (s *server) ssojet(method, path string, body any) request {
	return jsonRequest(method, "/api/v1"+path+"client_id="+url.QueryEscape(s.SSOJet.ClientID), "Bearer "+s.SSOJet.Token, body)
}

func (s *server) truto(method, path string, body any) request {
	return jsonRequest(method, "/unified/user-directory"+path+"integrated_account_id="+s.Truto.IntegratedAccountID, "Bearer "+s.Truto.Token, body)
}

// always repeats one request.
func always(r request) func(int64) request { return func(int64) request { return r } }

// reads are the operations that change nothing. For each dialect an organization
// is made through it and asked for in its spelling.
func (s *server) reads() ([]operation, error) {
	own := map[string]struct {
		create request
		id     func(map[string]any) any
	}{
		"native":  {s.createNative(number.Add(1)), field("id")},
		"auth0":   {s.createAuth0(number.Add(1)), field("id")},
		"stytch":  {s.createStytch(number.Add(1)), field("organization", "organization_id")},
		"zitadel": {s.createZitadel(number.Add(1)), field("organizationId")},
		"ssojet":  {s.createSSOJet(number.Add(1)), field("id")},
		"truto":   {s.createTruto(number.Add(1)), field("id")},
	}
	id := map[string]string{}
	for dialect, o := range own {
		var made map[string]any
		if err := s.ask(o.create, &made); err != nil {
			return nil, err
		}
		id[dialect], _ = o.id(made).(string)
		if id[dialect] == "" {
			return nil, fmt.Errorf("%s: no id in %v", dialect, made)
		}
	}
	get := func(name string, r request) operation {
		return operation{group: "GET organization", name: name, aim: aimGet, next: always(r)}
	}
	list := func(name string, r request) operation {
		return operation{group: "list of 50", name: name, aim: aimList, next: always(r)}
	}
	const getZitadel = "/zitadel.admin.v1.AdminService/GetOrgByID"
	idMessage := "\x0a" + string(rune(len(id["zitadel"]))) + id["zitadel"] // field 1: the id
	const fifty = "\x0a\x02\x10\x32"                                       // field 1: a list query whose field 2, the limit, is 50
	return []operation{
		get("native", s.native("GET", "/organizations/"+id["native"], nil)),
		get("Auth0", s.auth0("GET", "/organizations/"+id["auth0"], nil)),
		get("Stytch", s.stytch("GET", "/"+id["stytch"], nil)),
		get("ZITADEL, REST", s.zitadel("GET", "/admin/v1/orgs/"+id["zitadel"], nil)),
		get("ZITADEL, gRPC", s.grpc(getZitadel, idMessage)),
		get("SSOJet", s.ssojet("GET", "/organization/"+id["ssojet"]+"?", nil)),
		get("Truto", s.truto("GET", "/organizations/"+id["truto"]+"?", nil)),
		list("native", s.native("GET", "/organizations?limit=50", nil)),
		list("Auth0", s.auth0("GET", "/organizations?per_page=50", nil)),
		list("Stytch", s.stytch("POST", "/search", map[string]any{"limit": 50})),
		list("ZITADEL, REST", s.zitadel("POST", "/v2/organizations/_search", map[string]any{"query": map[string]any{"limit": 50}})),
		list("ZITADEL, gRPC", s.grpc("/zitadel.org.v2.OrganizationService/ListOrganizations", fifty)),
		list("SSOJet", s.ssojet("GET", "/organizations?limit=50&", nil)),
		list("Truto", s.truto("GET", "/organizations?limit=50&", nil)),
	}, nil
}

// field reads a value deep in an object.
func field(path ...string) func(map[string]any) any {
	return func(object map[string]any) any {
		for _, name := range path[:len(path)-1] {
			object, _ = object[name].(map[string]any)
		}
		return object[path[len(path)-1]]
	}
}

func (s *server) createNative(n int64) request {
	return s.native("POST", "/organizations", map[string]any{"name": fmt.Sprintf("Bench %d", n), "slug": fmt.Sprintf("bench-%d", n)})
}

func (s *server) createAuth0(n int64) request {
	return s.auth0("POST", "/organizations", map[string]any{"name": fmt.Sprintf("bench-%d", n), "display_name": fmt.Sprintf("Bench %d", n)})
}

func (s *server) createStytch(n int64) request {
	return s.stytch("POST", "", map[string]any{"organization_name": fmt.Sprintf("Bench %d", n), "organization_slug": fmt.Sprintf("bench-%d", n)})
}

func (s *server) createZitadel(n int64) request {
	return s.zitadel("POST", "/v2/organizations", map[string]any{"name": fmt.Sprintf("Bench %d", n)})
}

func (s *server) createSSOJet(n int64) request {
	return s.ssojet("POST", "/organization?", map[string]any{"Name": fmt.Sprintf("Bench %d", n)})
}

func (s *server) createTruto(n int64) request {
	return s.truto("POST", "/organizations?", map[string]any{"name": fmt.Sprintf("Bench %d", n)})
}

// writes are the operations that add something. People are users who become
// members of the homes, each of each once.
func (s *server) writes(people, homes []string) []operation {
	address := func(n int64) string { return fmt.Sprintf("bench%d@example.com", n) }
	var joins atomic.Int64
	return []operation{
		{group: "create organization", name: "native", aim: aimCreate, raw: "create organization", next: s.createNative},
		{group: "create organization", name: "Auth0", aim: aimCreate, next: s.createAuth0},
		{group: "create organization", name: "Stytch", aim: aimCreate, next: s.createStytch},
		{group: "create organization", name: "ZITADEL, REST", aim: aimCreate, next: s.createZitadel},
		{group: "create organization", name: "SSOJet", aim: aimCreate, next: s.createSSOJet},
		{group: "create organization", name: "Truto", aim: aimCreate, next: s.createTruto},
		{group: "create user", name: "native", aim: aimCreate, raw: "create user", next: func(n int64) request {
			return s.native("POST", "/users", map[string]any{"email": address(n), "given_name": "Ada", "family_name": "Bench"})
		}},
		{group: "create user", name: "Auth0", aim: aimCreate, next: func(n int64) request {
			return s.auth0("POST", "/users", map[string]any{"email": address(n), "connection": "email", "given_name": "Ada", "family_name": "Bench"})
		}},
		{group: "create user", name: "Truto", aim: aimCreate, next: func(n int64) request {
			return s.truto("POST", "/users?", map[string]any{"first_name": "Ada", "last_name": "Bench", "emails": []any{map[string]any{"email": address(n)}}})
		}},
		{group: "add member", name: "native", raw: "add member", next: func(int64) request {
			n := int(joins.Add(1) - 1)
			user, home := people[n%len(people)], homes[n/len(people)%len(homes)]
			return s.native("POST", "/organizations/"+home+"/members", map[string]any{"user": user})
		}},
	}
}

// tokens is the operation that signs.
func (s *server) tokens() operation {
	return operation{group: "client-credentials token", name: "Auth0, ES256", aim: aimToken, raw: "sign", next: always(s.tokenRequest())}
}
