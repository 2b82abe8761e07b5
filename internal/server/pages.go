package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"guildhall/internal/authn"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/web/inbox"
	"guildhall/internal/web/login"
)

// mountPages lets people sign in on pages of this server.
func (s *Server) mountPages(mount func(prefixes []string, h http.Handler)) {
	pages := &login.Pages{
		Authn: s.SignIn, Sessions: s.Sessions, Provider: s.Provider, Credentials: s.Credentials, Directory: s.Directory,
		RealmAt: s.Realms.At, RealmName: s.realmName, Origins: func(realm id.ID) []string { return s.originsOf(realm) },
		Rules: s.signUpRules, ClientIP: edge.ClientIP(s.TrustedProxies), Now: time.Now, Log: s.Log,
		Guard: s.Guard, Connections: s.Connections, Captcha: login.Captcha{Service: s.Captcha.Service, SiteKey: s.Captcha.SiteKey},
	}
	mount(login.Prefixes(), pages.Handler())
	if s.Dev {
		mount([]string{inbox.Path}, inbox.Handler(s.messages.letters))
	}
}

// signUpRules tells what pages have to know of a realm's settings for signing in.
func (s *Server) signUpRules(ctx context.Context, realm id.ID) (signUp, password bool, err error) {
	rules, err := s.SignIn.Realms.SignIn(ctx, realm)
	signUp = rules.SignUp && !slices.Contains(rules.Without, string(authn.ByEmail)) // the address is to be proven
	return signUp, len(rules.Methods) == 0 || slices.Contains(rules.Methods, "password"), err
}
