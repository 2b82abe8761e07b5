// Package login owns the hosted pages: what people see when they sign in, sign
// up, are invited, and look after their account.
//
// Pages are rendered on the server and work without a script, except where a
// passkey is asked for. They decide nothing: every step is one call of authn,
// session or oidc. No page loads or runs anything that this server did not send;
// see guarded for the policy that browsers are told.
package login

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.1020 generate
