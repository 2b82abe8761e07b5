package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/dialect/native"
	"guildhall/internal/id"
	"guildhall/internal/oidc"
	"guildhall/internal/query"
)

type applicationCommand struct {
	List   applicationList   `cmd:"" default:"withargs" help:"List applications."`
	Create applicationCreate `cmd:"" help:"Register an application. Prints its client id and its secret, once."`
	Show   applicationShow   `cmd:"" help:"Print how an application is registered."`
	Update applicationUpdate `cmd:"" help:"Change an application; what is not named stays."`
	Rotate applicationRotate `cmd:"" name:"rotate-secret" help:"Give an application a new secret; the old one is dead at once."`
	Delete applicationDelete `cmd:"" help:"Delete an application; its secret and all its tokens are dead at once."`
}

// Help is the longer text of --help.
func (applicationCommand) Help() string {
	return `An application signs people in with OpenID Connect (docs/openid.md). It is named by its id or its client id:

  guildhall application create "Shop" --redirect-uri https://shop.example/callback
  guildhall application create "Page" --kind browser --redirect-uri https://page.example/ --web-origin https://page.example
  guildhall application create "Moved" --dialect auth0 --redirect-uri https://moved.example/callback
  guildhall application create "Reports" --kind machine --scopes reports:read
  guildhall application update CLIENT_ID --redirect-uri https://shop.example/callback --redirect-uri https://staging.shop.example/callback`
}

// openIDFlags are how an application takes part in sign-in.
type openIDFlags struct {
	RedirectURI   []string       `name:"redirect-uri" help:"Where people may be sent back to, letter by letter. May be given several times; all of them." placeholder:"URL"`
	LogoutURI     []string       `name:"logout-uri" help:"Where people may be sent after signing out. May be given several times; all of them." placeholder:"URL"`
	WebOrigin     []string       `help:"Origin whose scripts may read answers. May be given several times; all of them." placeholder:"URL"`
	Scopes        []string       `help:"What its own tokens may say it may do." placeholder:"SCOPE"`
	Audiences     []string       `help:"The APIs its tokens may be for." placeholder:"URL"`
	GrantTypes    []string       `help:"Grant types it may use; those usual for the kind unless given." placeholder:"GRANT"`
	AuthMethod    *string        `help:"How it proves itself: client_secret_basic, client_secret_post, private_key_jwt or none." placeholder:"METHOD"`
	JWKS          string         `name:"jwks" help:"File with its public keys, a JWK Set, for private_key_jwt." type:"existingfile" placeholder:"FILE"`
	Algorithm     *string        `help:"What tokens for it are signed with: RS256, ES256 or EdDSA." placeholder:"ALGORITHM"`
	AccessLife    *time.Duration `help:"Life of access tokens." placeholder:"DURATION"`
	IDLife        *time.Duration `name:"id-life" help:"Life of ID tokens." placeholder:"DURATION"`
	RefreshLife   *time.Duration `help:"Life of refresh tokens." placeholder:"DURATION"`
	DeviceLife    *time.Duration `help:"Life of the code that a device shows." placeholder:"DURATION"`
	LogoutNotice  *string        `help:"URL that is told when somebody signs out (back-channel logout)." placeholder:"URL"`
	ThirdParty    *bool          `negatable:"" help:"People are asked before it gets anything."`
	Opaque        *bool          `negatable:"" help:"Its access tokens say nothing by themselves and are dead at once when they end."`
	Dialect       *string        `help:"Whose ids and claims its tokens have: auth0, ssojet, stytch or zitadel; neutral ones unless given." placeholder:"DIALECT"`
	Organizations *string        `help:"Whether people sign in through an organization: deny or require; both unless given." placeholder:"WHETHER"`
}

func (f openIDFlags) apply(a *credential.Application) error {
	o := &a.OpenID
	for _, list := range []struct {
		given []string
		into  *[]string
	}{
		{f.RedirectURI, &o.RedirectURIs}, {f.LogoutURI, &o.LogoutURIs}, {f.WebOrigin, &o.Origins}, {f.Scopes, &a.Claims}, {f.Audiences, &a.Audiences}, {f.GrantTypes, &o.GrantTypes},
	} {
		if len(list.given) > 0 {
			*list.into = list.given
		}
	}
	given(f.AuthMethod, &o.AuthMethod)
	given(f.Algorithm, &o.Algorithm)
	given(f.Dialect, &o.Dialect)
	given(f.LogoutNotice, &o.LogoutNotice)
	given(f.ThirdParty, &o.ThirdParty)
	given(f.Opaque, &o.Opaque)
	lasting(f.AccessLife, &o.AccessLife)
	lasting(f.IDLife, &o.IDLife)
	lasting(f.RefreshLife, &o.RefreshLife)
	lasting(f.DeviceLife, &o.DeviceLife)
	if f.Organizations != nil {
		o.Organizations = credential.Usage(*f.Organizations)
	}
	if f.JWKS == "" {
		return nil
	}
	keys, err := os.ReadFile(f.JWKS)
	if err == nil {
		_, err = oidc.ParseKeys(keys)
	}
	if err != nil {
		return fmt.Errorf("--jwks: %w", err)
	}
	o.Keys = string(keys)
	return nil
}

// given puts what was given where the old value is.
func given[T any](value *T, into *T) {
	if value != nil {
		*into = *value
	}
}

type applicationCreate struct {
	placeFlags
	openIDFlags
	Name         string `arg:"" help:"What people are shown." placeholder:"NAME"`
	Kind         string `help:"Where it runs: web, browser, native or machine. Those in a browser and on a device keep no secret." enum:"web,browser,native,machine" default:"web" placeholder:"KIND"`
	Organization string `help:"Its owner, by slug or id, whose end is its end; the realm unless given." placeholder:"ID|SLUG"`
}

func (c *applicationCreate) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	a := credential.Application{Scheme: native.ApplicationScheme, Name: c.Name, OpenID: credential.OpenID{Kind: credential.AppKind(c.Kind)}}
	if c.Organization != "" {
		o, err := w.organization(p.Context, c.Organization)
		if err != nil {
			return err
		}
		a.Organization = o.ID
	}
	if err := c.apply(&a); err != nil {
		return err
	}
	a, secret, err := w.Credentials.CreateApplication(p.Context, w.by, a, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "Registered %s.\nclient_id: %s\n", w.spell(id.Application, a.ID), a.ClientID)
	if secret != "" {
		_, err = fmt.Fprintf(p.Out, "client_secret (shown this once): %s\n", secret)
	}
	return err
}

// applicationArg names an application.
type applicationArg struct {
	placeFlags
	Application string `arg:"" help:"Id or client id of the application." placeholder:"APPLICATION"`
}

// with opens the place and does something with the application.
func (a applicationArg) with(p *program, do func(*place, credential.Application) error) error {
	w, err := a.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	named := query.Is("client_id", a.Application)
	if i, ok := native.Parse(w.realm.ID, id.Application, a.Application); ok {
		named = query.Is("id", i)
	}
	found, err := w.Credentials.Application(p.Context, w.by, named, query.Is("scheme", native.ApplicationScheme))
	if err != nil {
		return fmt.Errorf("%q: %w", a.Application, err)
	}
	return do(w, found)
}

type applicationList struct{ ownedFlags }

func (c *applicationList) Run(p *program) error {
	return c.with(p, func(w *place, owned []query.Condition) error {
		return listing[credential.Application]{
			w.Credentials.Applications, "There are no applications.", "APPLICATION\tCLIENT ID\tKIND\tORGANIZATION\tSTATE\tNAME", func(a credential.Application) []string {
				return []string{
					w.spell(id.Application, a.ID), a.ClientID, string(a.OpenID.Kind), w.spell(id.Organization, a.Organization), either(a.Disabled, "disabled", "enabled"), a.Name,
				}
			},
		}.print(p, w, append(owned, query.Is("scheme", native.ApplicationScheme))...)
	})
}

type applicationShow struct{ applicationArg }

func (c *applicationShow) Run(p *program) error {
	return c.with(p, func(w *place, a credential.Application) error { return w.showApplication(p, a) })
}

func (w *place) showApplication(p *program, a credential.Application) error {
	o := a.OpenID
	life := func(n int64, usual string) string { return or(span(n), usual) }
	return table(p, "SETTING\tVALUE", [][]string{
		{"id", w.spell(id.Application, a.ID)}, {"name", a.Name}, {"client-id", a.ClientID}, {"kind", string(o.Kind)}, {"organization", w.spell(id.Organization, a.Organization)},
		{"state", either(a.Disabled, "disabled", "enabled")}, {"auth-method", or(o.Method(), "secret, either way")}, {"grant-types", or(strings.Join(o.GrantTypes, ", "), "usual")},
		{"redirect-uri", orDash(o.RedirectURIs)}, {"logout-uri", orDash(o.LogoutURIs)}, {"web-origin", orDash(o.Origins)}, {"scopes", orDash(a.Claims)}, {"audiences", orDash(a.Audiences)},
		{"algorithm", or(o.Algorithm, "RS256")}, {"access-life", life(o.AccessLife, "1h0m0s")}, {"id-life", life(o.IDLife, "10h0m0s")}, {"refresh-life", life(o.RefreshLife, "720h0m0s")}, {"device-life", life(o.DeviceLife, "15m0s")},
		{"logout-notice", or(o.LogoutNotice, "-")}, {"third-party", strconv.FormatBool(o.ThirdParty)}, {"opaque", strconv.FormatBool(o.Opaque)},
		{"organizations", or(string(o.Organizations), "allowed")}, {"dialect", or(o.Dialect, "neutral")},
	})
}

type applicationUpdate struct {
	applicationArg
	openIDFlags
	Name  string `help:"New name." placeholder:"NAME"`
	State string `help:"Whether anybody signs in to it: enabled or disabled." enum:",enabled,disabled" default:"" placeholder:"STATE"`
}

func (c *applicationUpdate) Run(p *program) error {
	return c.with(p, func(w *place, a credential.Application) error {
		a, err := w.Credentials.UpdateApplication(p.Context, w.by, a.ID, func(a *credential.Application) error {
			if c.Name != "" {
				a.Name = c.Name
			}
			answered(c.State, "disabled", &a.Disabled)
			return c.apply(a)
		})
		if err != nil {
			return err
		}
		return w.showApplication(p, a)
	})
}

type applicationRotate struct{ applicationArg }

func (c *applicationRotate) Run(p *program) error {
	return c.with(p, func(w *place, a credential.Application) error {
		_, secret, err := w.Credentials.RotateSecret(p.Context, w.by, a.ID, "")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Out, "The new secret, shown this once; the old one is dead:\n%s\n", secret)
		return err
	})
}

type applicationDelete struct{ applicationArg }

func (c *applicationDelete) Run(p *program) error {
	return c.with(p, func(w *place, a credential.Application) error {
		if err := w.Credentials.DeleteApplication(p.Context, w.by, a.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Out, "Deleted %q.\n", a.Name)
		return err
	})
}
