package server

import (
	"context"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/dialect/native"
)

// bootstrapLife is how long the first token can be exchanged.
const bootstrapLife = 24 * time.Hour

// bootstrap prints the one-time token of an empty installation. It does nothing
// but be exchanged for the first key; there are no default credentials.
func (s *Server) bootstrap(ctx context.Context) error {
	_, secret, err := s.Credentials.CreateKey(ctx, access.System(s.home.ID), credential.Key{
		Scheme: native.BootstrapScheme, Name: "bootstrap", ExpiresAt: time.Now().Add(bootstrapLife),
	}, native.BootstrapPrefix)
	if err != nil {
		return err
	}
	s.Print(`
This database is new. Its one-time bootstrap token, good for 24 hours:

  %s

Exchange it for a key of your own, which is shown once:

  curl -s -X POST %s/guildhall/v1/bootstrap -H 'Authorization: Bearer %s'

`, secret, s.home.Origins[0], secret)
	return nil
}
