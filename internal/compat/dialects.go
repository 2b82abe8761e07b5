package compat

import (
	"guildhall/internal/dialect/auth0"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/dialect/stytch"
	"guildhall/internal/dialect/truto"
	"guildhall/internal/dialect/zitadel"
	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/edge"
)

// Dialects lists the dialects that imitate a vendor, each with the routes it really mounts.
func Dialects() []Dialect {
	return []Dialect{
		{Folder: "auth0", Title: "Auth0", List: auth0.Operations, Routes: mounted(new(auth0.API).Routes())},
		{Folder: "stytch", Title: "Stytch B2B", List: stytch.Operations, Routes: mounted(new(stytch.API).Routes())},
		{Folder: "zitadel", Title: "ZITADEL", List: zitadel.Operations, Routes: annotated(zitadel.Routes()), Methods: zitadel.Methods()},
		{Folder: "ssojet", Title: "SSOJet", List: ssojet.Operations, Routes: mounted(new(ssojet.API).Routes())},
		{Folder: "truto", Title: "Truto", List: truto.Operations, Routes: mounted(new(truto.API).Routes())},
	}
}

// mounted gives the routes of a dialect's own table.
func mounted(table []edge.Route) []Route {
	routes := make([]Route, len(table))
	for i, r := range table {
		routes[i] = Route{Operation: r.Operation, Method: r.Method, Path: r.Pattern}
	}
	return routes
}

// annotated gives the routes that the annotations of served methods declare.
func annotated(table []wire.Route) []Route {
	routes := make([]Route, len(table))
	for i, r := range table {
		routes[i] = Route{Method: r.Verb, Path: r.Path}
	}
	return routes
}
