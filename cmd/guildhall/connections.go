package main

import (
	"fmt"
	"strings"

	"guildhall/internal/authn"
	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/sso"
)

type connectionCommand struct {
	List   connectionList   `cmd:"" default:"withargs" help:"List identity providers."`
	Create connectionCreate `cmd:"" help:"Let people sign in with an identity provider."`
	Show   connectionShow   `cmd:"" help:"Print how an identity provider is set up."`
	Update connectionUpdate `cmd:"" help:"Change how an identity provider is set up; what is not named stays."`
	Delete connectionDelete `cmd:"" help:"Remove an identity provider; every account that was linked through it is unlinked."`
}

// Help is the longer text of --help.
func (connectionCommand) Help() string {
	return `A connection puts a button on the sign-in page: for everybody in the realm, or for the people of the organization that owns it. Register the server with the provider first, with the address ` + authn.CallbackPath + ` of every origin, such as https://id.example.com` + authn.CallbackPath + `; it gives a client id and a secret.

  guildhall connection create google --provider google --client-id ID --client-secret SECRET
  guildhall connection create okta --organization acme --provider oidc --issuer https://acme.okta.com --client-id ID --client-secret SECRET --domain acme.example
  guildhall connection create github --provider oauth2 --issuer github --client-id ID --client-secret SECRET \
    --authorize-url https://github.com/login/oauth/authorize --token-url https://github.com/login/oauth/access_token \
    --user-info-url https://api.github.com/user --claim-subject id --claim-name name

docs/sign-in.md says whose word is taken for what.`
}

// providerFlags are how a connection speaks with its provider.
type providerFlags struct {
	DisplayName  *string  `help:"What is on the button; the name unless given." placeholder:"TEXT"`
	ClientID     *string  `name:"client-id" help:"The client id that the provider gave." placeholder:"ID"`
	ClientSecret *string  `help:"The secret that the provider gave; better in GUILDHALL_CLIENT_SECRET." placeholder:"SECRET"`
	Scope        []string `help:"Scopes to ask for beside openid; email and profile unless given. May be given several times; all of them." placeholder:"SCOPE"`
	Domain       []string `help:"Verified domain of the owner whose addresses are sent to the provider at once. May be given several times; all of them." placeholder:"DOMAIN"`
	SignUp       *bool    `negatable:"" help:"Whoever is unknown gets an account."`
	BasicSecret  *bool    `negatable:"" help:"The secret goes into a header instead of the form."`
	AuthorizeURL *string  `name:"authorize-url" help:"Where people sign in, of oauth2 alone." placeholder:"URL"`
	TokenURL     *string  `name:"token-url" help:"Where codes are exchanged, of oauth2 alone." placeholder:"URL"`
	UserInfoURL  *string  `name:"user-info-url" help:"Where it is told who signed in, of oauth2 alone." placeholder:"URL"`
	Subject      *string  `name:"claim-subject" help:"What the provider calls a user's id, of oauth2 alone; sub unless given." placeholder:"NAME"`
	Email        *string  `name:"claim-email" help:"What it calls the address; email unless given." placeholder:"NAME"`
	Verified     *string  `name:"claim-email-verified" help:"What says that the address is proven; email_verified unless given." placeholder:"NAME"`
	PersonName   *string  `name:"claim-name" help:"What it calls the name; name unless given." placeholder:"NAME"`
}

func (f providerFlags) apply(c *sso.Connection) {
	s := &c.Settings
	for _, text := range []struct{ given, into *string }{
		{f.DisplayName, &c.DisplayName}, {f.ClientID, &c.ClientID}, {f.AuthorizeURL, &s.AuthorizeURL}, {f.TokenURL, &s.TokenURL}, {f.UserInfoURL, &s.UserInfoURL},
		{f.Subject, &s.Claims.Subject}, {f.Email, &s.Claims.Email}, {f.Verified, &s.Claims.EmailVerified}, {f.PersonName, &s.Claims.Name},
	} {
		given(text.given, text.into)
	}
	given(f.SignUp, &s.SignUp)
	given(f.BasicSecret, &s.BasicSecret)
	listed(f.Scope, &s.Scopes)
	listed(f.Domain, &s.Domains)
}

type connectionCreate struct {
	placeFlags
	providerFlags
	Name         string `arg:"" help:"Letters, digits, dashes and underscores; NAME_oauth is the method in rules for signing in." placeholder:"NAME"`
	Provider     string `help:"What it speaks: google, oidc (OpenID Connect) or oauth2." enum:"google,oidc,oauth2" required:"" placeholder:"PROVIDER"`
	Issuer       string `help:"Issuer of its ID tokens, letter by letter; of oauth2 a name for it. Cannot be changed later." placeholder:"URL"`
	Organization string `help:"Its owner, by slug or id, whose people alone it is for; the realm unless given." placeholder:"ID|SLUG"`
}

func (c *connectionCreate) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	v := sso.Connection{Name: c.Name, Provider: sso.Provider(c.Provider), Issuer: c.Issuer, Enabled: true}
	if c.Organization != "" {
		o, err := w.organization(p.Context, c.Organization)
		if err != nil {
			return err
		}
		v.Organization = o.ID
	}
	c.apply(&v)
	secret := ""
	given(c.ClientSecret, &secret)
	if v, err = w.Connections.Create(p.Context, w.by, v, secret); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "Connected %s. Redirect addresses to register there:\n", w.spell(id.Connection, v.ID))
	origins := w.realm.Origins
	if len(origins) == 0 {
		origins = []string{"<every --public-url of the server>"}
	}
	for _, o := range origins {
		fmt.Fprintf(p.Out, "  %s%s\n", o, authn.CallbackPath)
	}
	return nil
}

// connectionArg names a connection.
type connectionArg struct {
	placeFlags
	Connection string `arg:"" help:"Name or id of the connection." placeholder:"CONNECTION"`
}

// with opens the place and does something with the connection. Names are an owner's
// own, so several may have the same.
func (a connectionArg) with(p *program, do func(*place, sso.Connection) error) error {
	w, err := a.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	named := query.Is("name_key", directory.Fold(a.Connection))
	if i, ok := native.Parse(w.realm.ID, id.Connection, a.Connection); ok {
		named = query.Is("id", i)
	}
	page, err := w.Connections.Connections(p.Context, w.by, query.Query{Where: []query.Condition{named}, Limit: 2})
	switch {
	case err != nil:
		return err
	case len(page.Items) == 0:
		return fmt.Errorf("%q: %w", a.Connection, sso.ErrConnectionNotFound)
	case len(page.Items) > 1:
		return fmt.Errorf("several owners have a connection %q; name it by its id, which \"guildhall connection list\" shows", a.Connection)
	}
	return do(w, page.Items[0])
}

type connectionList struct{ ownedFlags }

func (c *connectionList) Run(p *program) error {
	return c.with(p, func(w *place, owned []query.Condition) error {
		return listing[sso.Connection]{
			w.Connections.Connections, "There are no connections to identity providers.", "CONNECTION\tNAME\tPROVIDER\tORGANIZATION\tSTATE\tISSUER", func(v sso.Connection) []string {
				return []string{
					w.spell(id.Connection, v.ID), v.Name, string(v.Provider), w.spell(id.Organization, v.Organization), either(v.Enabled, "enabled", "disabled"), v.Issuer,
				}
			},
		}.print(p, w, owned...)
	})
}

type connectionShow struct{ connectionArg }

func (c *connectionShow) Run(p *program) error {
	return c.with(p, func(w *place, v sso.Connection) error { return w.showConnection(p, v) })
}

func (w *place) showConnection(p *program, v sso.Connection) error {
	s := v.Settings
	rows := [][]string{
		{"id", w.spell(id.Connection, v.ID)}, {"name", v.Name}, {"display-name", or(v.DisplayName, "-")}, {"provider", string(v.Provider)}, {"issuer", v.Issuer},
		{"organization", w.spell(id.Organization, v.Organization)}, {"state", either(v.Enabled, "enabled", "disabled")}, {"client-id", v.ClientID},
		{"scope", or(strings.Join(s.Scopes, ", "), "email, profile")}, {"domain", orDash(s.Domains)}, {"sign-up", either(s.SignUp, "open", "closed")},
		{"secret goes into", either(s.BasicSecret, "a header", "the form")},
	}
	if v.Provider == sso.OAuth {
		rows = append(rows, []string{"authorize-url", s.AuthorizeURL}, []string{"token-url", s.TokenURL}, []string{"user-info-url", s.UserInfoURL},
			[]string{"claim-subject", or(s.Claims.Subject, "sub")}, []string{"claim-email", or(s.Claims.Email, "email")},
			[]string{"claim-email-verified", or(s.Claims.EmailVerified, "email_verified")}, []string{"claim-name", or(s.Claims.Name, "name")})
	}
	return table(p, "SETTING\tVALUE", rows)
}

type connectionUpdate struct {
	connectionArg
	providerFlags
	State string `help:"Whether anybody signs in with it: enabled or disabled." enum:",enabled,disabled" default:"" placeholder:"STATE"`
}

func (c *connectionUpdate) Run(p *program) error {
	return c.with(p, func(w *place, v sso.Connection) error {
		v, err := w.Connections.Update(p.Context, w.by, v.ID, sso.Change{Secret: c.ClientSecret, Apply: func(v *sso.Connection) error {
			answered(c.State, "enabled", &v.Enabled)
			c.apply(v)
			return nil
		}})
		if err != nil {
			return err
		}
		return w.showConnection(p, v)
	})
}

type connectionDelete struct{ connectionArg }

func (c *connectionDelete) Run(p *program) error {
	return c.with(p, func(w *place, v sso.Connection) error {
		if err := w.Connections.Delete(p.Context, w.by, v.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Out, "Deleted %q.\n", v.Name)
		return err
	})
}
