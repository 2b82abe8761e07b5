package e2e

import (
	"context"
	"testing"

	authv1 "github.com/auth0/go-auth0/authentication"
	oauthv1 "github.com/auth0/go-auth0/authentication/oauth"
	managementv1 "github.com/auth0/go-auth0/management"
	authv2 "github.com/auth0/go-auth0/v2/authentication"
	oauthv2 "github.com/auth0/go-auth0/v2/authentication/oauth"
)

// TestGoAuth0AuthenticationClientsGetTokens uses the clients whose constructors fetch discovery and the key set.
func TestGoAuth0AuthenticationClientsGetTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, s *Server) {
		ctx := testContext(t)
		v1, err := authv1.New(ctx, s.Auth0.Domain, authv1.WithClientID(s.Auth0.ClientID), authv1.WithClientSecret(s.Auth0.ClientSecret))
		must(t, err)
		first, err := v1.OAuth.LoginWithClientCredentials(ctx, oauthv1.LoginWithClientCredentialsRequest{Audience: s.Auth0.Audience},
			oauthv1.IDTokenValidationOptions{})
		must(t, err)
		v2, err := authv2.New(ctx, s.Auth0.Domain, authv2.WithClientID(s.Auth0.ClientID), authv2.WithClientSecret(s.Auth0.ClientSecret))
		must(t, err)
		second, err := v2.OAuth.LoginWithClientCredentials(ctx, oauthv2.LoginWithClientCredentialsRequest{Audience: s.Auth0.Audience},
			oauthv2.IDTokenValidationOptions{})
		must(t, err)
		for _, token := range []string{first.AccessToken, second.AccessToken} {
			m, err := managementv1.New(s.Auth0.Domain, managementv1.WithStaticToken(token))
			must(t, err)
			_, err = m.Organization.List(context.WithoutCancel(ctx))
			must(t, err)
		}
	})
}
