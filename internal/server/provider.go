package server

import (
	"context"
	"time"

	"guildhall/internal/dialect/auth0"
	"guildhall/internal/dialect/ssojet"
	"guildhall/internal/dialect/stytch"
	zitadel "guildhall/internal/dialect/zitadel/claims"
	"guildhall/internal/oidc"
	"guildhall/internal/outbound"
	"guildhall/internal/store"
)

// openProvider fills in the OpenID provider.
func (s *Server) openProvider(ctx context.Context) (err error) {
	if s.Sessions.Key, err = s.Secret(ctx, "refresh tokens"); err != nil {
		return err
	}
	key, err := s.Secret(ctx, "user codes")
	s.Provider = &oidc.Service{
		Store: store.For[oidc.Tx](s.DB), Sessions: s.Sessions, Directory: s.Directory, Applications: store.Finder{DB: s.DB}, Seats: store.Finder{DB: s.DB}, Tokens: s.Tokens,
		Documents: &outbound.Fetcher{Guard: s.out, Now: time.Now, Life: keysLife}, Poster: &outbound.Poster{Guard: s.out, Timeout: noticeTime}, Now: time.Now, Key: key, Enough: s.SignIn.Enough, Machines: s.Credentials,
		Shapes: s.shapes(),
	}
	return err
}

// shapes are what tokens look like to the applications of each dialect that has
// applications.
func (s Services) shapes() map[string]oidc.Shape {
	return map[string]oidc.Shape{
		"auth0": auth0.Shape(), "ssojet": ssojet.Shape(s.Directory), "stytch": stytch.Shape(s.Directory, s.Sessions),
		"zitadel": zitadel.Shape(s.Directory, s.Projects, s.Realms),
	}
}

const (
	noticeEvery = time.Second
	keysLife    = time.Minute     // of what an application publishes
	noticeTime  = 5 * time.Second // for an application to answer
)

// tellSignOuts tells applications that people signed out.
func (s *Server) tellSignOuts(ctx context.Context) {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		realms, err := s.DB.SignOutsDue(ctx)
		for _, i := range realms {
			if _, told := s.Provider.Notify(ctx, i); told != nil {
				err = told
			}
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("tell applications of sign-outs", "error", err)
		}
	}
}
