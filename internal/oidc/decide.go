package oidc

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// An Outcome is where a browser goes next: back to the application with a response, or
// to the pages with a handle.
type Outcome struct {
	Response *Response
	Handle   string
}

// A Response is what an application is told (RFC 6749 section 4.1.2, RFC 9207).
type Response struct {
	RedirectURI string
	Mode        string // "query", "fragment" or "form_post"
	Params      []Param
}

// requestURN stands before the name of a request that was sent ahead (RFC 9126 section 2.2).
const requestURN = "urn:ietf:params:oauth:request_uri:"

// Begin answers a request for authorization that a browser brings, with the cookie of
// its session. An error means that nothing in the request can be trusted to lead back:
// it is shown, and nobody is redirected.
func (s *Service) Begin(ctx context.Context, at Issuer, q url.Values, cookie string) (Outcome, error) {
	if len(q["client_id"]) != 1 || len(q["redirect_uri"]) > 1 {
		return Outcome{}, ErrUnknownClient
	}
	c, err := s.client(ctx, at, q.Get("client_id"))
	if errors.Is(err, ErrClient) {
		return Outcome{}, ErrUnknownClient
	}
	if err != nil {
		return Outcome{}, err
	}
	if uri := q.Get("request_uri"); strings.HasPrefix(uri, requestURN) {
		a, err := s.unpush(ctx, c, strings.TrimPrefix(uri, requestURN))
		if err != nil {
			return Outcome{}, err
		}
		return s.proceed(ctx, at, c, a, cookie)
	}
	if !credential.Returns(c.OpenID.RedirectURIs, q.Get("redirect_uri")) {
		return Outcome{}, ErrRedirect
	}
	a, err := s.asked(ctx, at, c, params{q})
	switch {
	case err == nil && c.OpenID.PushedOnly:
		err = ErrRequest.Saying("the client has to send its requests ahead")
	case err == nil && q.Get("request_uri") != "":
		err = ErrURI
	}
	if err != nil {
		return refusal(a.Request, err)
	}
	return s.proceed(ctx, at, c, a, cookie)
}

// asked makes an authorization of parameters whose redirect URI is good.
func (s *Service) asked(ctx context.Context, at Issuer, c Client, p params) (a Authorization, err error) {
	a = Authorization{Application: c.ID, Kind: Front, State: Pending}
	if name := p.repeated(); name != "" {
		a.Request = Request{Issuer: at.URL, RedirectURI: p.Get("redirect_uri")}
		return a, ErrRequest.Saying("a parameter is given more than once")
	}
	if a.Request, a.Organization, err = s.read(ctx, at, c, p); err != nil {
		return a, err
	}
	if !c.OpenID.Allows(credential.GrantCode) {
		return a, ErrUnauthorized
	}
	return a, nil
}

// refusal tells an application what is wrong. What is our own fault is not told as if
// it were the application's.
func refusal(r Request, err error) (Outcome, error) {
	f := fault.From(err)
	code := f.Reason
	switch f.Kind {
	case fault.Internal, fault.Unavailable:
		return Outcome{}, err
	}
	return Outcome{Response: respond(r, Param{"error", code}, Param{"error_description", f.Text})}, nil
}

func respond(r Request, what ...Param) *Response {
	mode := r.ResponseMode
	if !contains(responseModes, mode) {
		mode = "query"
	}
	if r.State != "" {
		what = append(what, Param{"state", r.State})
	}
	return &Response{RedirectURI: r.RedirectURI, Mode: mode, Params: append(what, Param{"iss", r.Issuer})}
}

// Resume goes on with a request after the pages did their part.
func (s *Service) Resume(ctx context.Context, at Issuer, handle, cookie string) (Outcome, error) {
	a, c, err := s.pending(ctx, at.Realm, handle)
	if err != nil {
		return Outcome{}, err
	}
	if a.Kind != Front || !at.at(a.Request.Issuer) {
		return Outcome{}, ErrAuthorization
	}
	out, err := s.proceed(ctx, at, c, a, cookie)
	if out.Handle != "" {
		out.Handle = handle
	}
	return out, err
}

// pending finds a request by what the browser or the person has of it.
func (s *Service) pending(ctx context.Context, realm id.ID, handle string) (a Authorization, c Client, err error) {
	err = s.Store.View(ctx, realm, func(tx Tx) error {
		a, err = tx.Authorizations().Find(ctx, query.Is("handle_hash", s.handleHash(handle)))
		return err
	})
	if err != nil {
		return a, c, err
	}
	if !s.Now().Before(a.ExpiresAt) || a.Kind == Pushed || a.State == Approved || a.State == Redeemed {
		return a, c, ErrAuthorization
	}
	app, err := s.Applications.LiveApplicationByID(ctx, realm, a.Application)
	if err != nil || app.Disabled {
		return a, c, ErrAuthorization
	}
	return a, Client{app, realm}, nil
}

// proceed looks what is still missing, and gives a code when nothing is.
func (s *Service) proceed(ctx context.Context, at Issuer, c Client, a Authorization, cookie string) (Outcome, error) {
	if a.State == Denied {
		return s.close(ctx, c.Realm, a, first(a.Answer.DeniedFor, ErrDenied.Reason))
	}
	in, err := s.signedIn(ctx, at, cookie)
	if err != nil {
		return Outcome{}, err
	}
	need, err := s.need(ctx, c, &a, in)
	switch {
	case err != nil && fault.From(err).Kind == fault.Forbidden:
		return refusal(a.Request, err)
	case err != nil:
		return Outcome{}, err
	case need == nil:
		return s.approve(ctx, c, a, in)
	case contains(a.Request.Prompt, "none"):
		return refusal(a.Request, need)
	case a.HandleHash != "":
		return Outcome{Handle: "same"}, nil
	}
	return s.wait(ctx, c, a)
}

// signedIn gives the session of a cookie, or the zero Session.
func (s *Service) signedIn(ctx context.Context, at Issuer, cookie string) (session.Session, error) {
	if cookie == "" {
		return session.Session{}, nil
	}
	realm, in, err := s.Sessions.Check(ctx, cookie, at.Origin)
	if errors.Is(err, session.ErrSession) || err == nil && realm != at.Realm {
		return session.Session{}, nil
	}
	return in, err
}

// need says what a person has to do before the application gets a code, as the failure
// that an application is told which wants nobody to be asked. It may choose the
// organization where there is nothing to choose.
func (s *Service) need(ctx context.Context, c Client, a *Authorization, in session.Session) (*fault.Error, error) {
	if in.ID == id.None {
		return ErrLogin, nil
	}
	r, now := a.Request, s.Now()
	fresh := a.ID != id.None && !in.AuthTime().Before(a.CreatedAt) // proved for this very request
	switch {
	case (contains(r.Prompt, "login") || contains(r.Prompt, "create")) && !fresh:
		return ErrLogin, nil
	case contains(r.Prompt, "select_account") && !fresh && !a.Answer.SignedIn && !a.Answer.Chosen:
		return ErrSelection, nil
	case r.MaxAge != nil && !fresh && now.Sub(in.AuthTime()) > time.Duration(*r.MaxAge)*time.Second:
		return ErrLogin, nil
	}
	if r.SubjectHint != "" {
		if same, err := s.isSubject(ctx, c, in.User, r.SubjectHint); err != nil || !same {
			return ErrLogin, err
		}
	}
	if need, err := s.needOrganization(ctx, c, a, in); need != nil || err != nil {
		return need, err
	}
	if s.Enough != nil {
		var at directory.Seat
		if a.Organization != id.None {
			var err error
			if at, err = s.seat(ctx, c.Realm, a.Organization, in.User); err != nil {
				return nil, err
			}
		}
		switch ok, more, err := s.Enough(ctx, c.Realm, in, at); {
		case err != nil:
			return nil, err
		case !ok && more:
			return ErrInteraction, nil
		case !ok:
			return ErrLogin, nil
		}
	}
	return s.needConsent(ctx, c, a, in)
}

// needOrganization settles in which organization the person signs in.
func (s *Service) needOrganization(ctx context.Context, c Client, a *Authorization, in session.Session) (*fault.Error, error) {
	usage := c.OpenID.Organizations
	if s.shape(c).Bound {
		usage = credential.UsageRequire
	}
	switch {
	case a.Organization != id.None && in.Organization != id.None && in.Organization != a.Organization:
		return ErrLogin, nil
	case a.Organization != id.None:
		ours, err := s.memberships(ctx, c.Realm, in.User, a.Organization)
		switch {
		case err != nil || len(ours) > 0:
			return nil, err
		case a.Request.Invitation != "" && !a.Answer.SignedIn:
			return ErrLogin, nil
		}
		return nil, ErrDenied.Saying("the person is not a member of the organization")
	case usage == credential.UsageDeny:
		return nil, nil
	case in.Organization != id.None:
		a.Organization = in.Organization
		return nil, nil
	case usage != credential.UsageRequire:
		return nil, nil
	}
	ours, err := s.memberships(ctx, c.Realm, in.User, id.None)
	switch {
	case err != nil:
		return nil, err
	case len(ours) == 0:
		return nil, ErrDenied.Saying("the person is not a member of any organization")
	case len(ours) > 1:
		return ErrSelection, nil
	}
	a.Organization = ours[0].ID
	return nil, nil
}

// memberships lists the organizations through which somebody can sign in, or the one.
func (s *Service) memberships(ctx context.Context, realm, user, one id.ID) ([]directory.Organization, error) {
	where := []query.Condition{query.Is("state", string(directory.MemberActive))}
	if one != id.None {
		where = append(where, query.Is("organization_id", one))
	}
	page, err := s.Directory.UserOrganizations(ctx, system(realm), user, query.Query{Where: where, Limit: query.MaxLimit})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	var list []directory.Organization
	for _, m := range page.Items {
		if m.Organization.State == directory.Active {
			list = append(list, m.Organization)
		}
	}
	slices.SortFunc(list, func(a, b directory.Organization) int {
		return strings.Compare(directory.Fold(a.Title()), directory.Fold(b.Title()))
	})
	return list, nil
}

// needConsent asks people before an application that is not the operator's own gets
// anything, and whenever the application wants them to be asked.
func (s *Service) needConsent(ctx context.Context, c Client, a *Authorization, in session.Session) (*fault.Error, error) {
	covers := func(have []string) bool {
		return !slices.ContainsFunc(a.Request.Scopes, func(sc string) bool { return !contains(have, sc) })
	}
	switch {
	case a.User == in.User && a.Answer.Consented != nil && covers(a.Answer.Consented):
		return nil, nil
	case contains(a.Request.Prompt, "consent"):
		return ErrConsent, nil
	case !c.OpenID.ThirdParty:
		return nil, nil
	}
	var known Consent
	err := s.Store.View(ctx, c.Realm, func(tx Tx) (err error) {
		known, err = tx.Consents().Find(ctx, query.Is("user_id", in.User), query.Is("organization_id", a.Organization), query.Is("application", c.ID))
		return err
	})
	if err == nil { // what was allowed in an earlier membership is not allowed in this one
		joined, err := s.joined(ctx, c.Realm, a.Organization, in.User)
		if err != nil || known.UpdatedAt.Before(joined) {
			return ErrConsent, err
		}
	}
	if errors.Is(err, ErrNoConsent) || err == nil && !covers(known.Scopes) {
		return ErrConsent, nil
	}
	return nil, err
}

// joined is when somebody became a member of an organization; of none, never.
func (s *Service) joined(ctx context.Context, realm, organization, user id.ID) (at time.Time, err error) {
	if organization == id.None {
		return at, nil
	}
	m, err := s.Directory.Member(ctx, system(realm), organization, query.Is("user_id", user))
	return m.CreatedAt, err
}

// approve makes the code. From here on the request cannot be resumed.
func (s *Service) approve(ctx context.Context, c Client, a Authorization, in session.Session) (Outcome, error) {
	code := credential.NewSecret("")
	err := s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		u, err := tx.Present(ctx, a.Organization, in.User)
		if err != nil {
			return err
		}
		b := a
		b.User, b.Home, b.Session, b.State = in.User, u.Home, in.ID, Approved
		b.HandleHash, b.CodeHash, b.ExpiresAt = "", credential.Hash(code), s.Now().Add(codeLife)
		if b.ID == id.None {
			return tx.Authorizations().Insert(ctx, &b)
		}
		return tx.Authorizations().Update(ctx, &b) // stale when another tab was first
	})
	if errors.Is(err, directory.ErrStale) {
		return Outcome{}, ErrAuthorization
	}
	if errors.Is(err, session.ErrSession) {
		return refusal(a.Request, ErrDenied)
	}
	return Outcome{Response: respond(a.Request, Param{"code", code})}, err
}

// wait keeps the request until the pages did their part.
func (s *Service) wait(ctx context.Context, c Client, a Authorization) (Outcome, error) {
	handle := credential.NewSecret("")
	err := s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		b := a
		b.HandleHash, b.ExpiresAt = s.handleHash(handle), s.Now().Add(pendingLife)
		if b.ID == id.None {
			b.CreatedAt = s.Now()
			return tx.Authorizations().Insert(ctx, &b)
		}
		return tx.Authorizations().Update(ctx, &b)
	})
	return Outcome{Handle: handle}, err
}

// close tells the application of a person's no, once.
func (s *Service) close(ctx context.Context, realm id.ID, a Authorization, code string) (Outcome, error) {
	err := s.Store.Update(ctx, realm, func(tx Tx) error { return tx.Authorizations().Delete(ctx, a.ID) })
	return Outcome{Response: respond(a.Request, Param{"error", code}, Param{"error_description", ErrDenied.Text})}, err
}

// Push keeps a request that an application sends ahead, and gives the name to ask for
// it with (RFC 9126).
func (s *Service) Push(ctx context.Context, at Issuer, p Proof, q url.Values) (uri string, life time.Duration, err error) {
	c, err := s.Authenticate(ctx, at, p)
	if err != nil {
		return "", 0, err
	}
	switch {
	case q.Get("request_uri") != "":
		return "", 0, ErrRequest.Saying("request_uri cannot be sent ahead")
	case q.Get("client_id") != "" && q.Get("client_id") != c.ClientID:
		return "", 0, ErrRequest.Saying("client_id is another client's")
	case !credential.Returns(c.OpenID.RedirectURIs, q.Get("redirect_uri")):
		return "", 0, ErrRequest.Saying("the address to return to is not registered for the client")
	}
	a, err := s.asked(ctx, at, c, params{q})
	if err != nil {
		return "", 0, err
	}
	name := credential.NewSecret("")
	a.Kind, a.HandleHash, a.ExpiresAt = Pushed, s.handleHash(name), s.Now().Add(pushedLife)
	err = s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		b := a
		return tx.Authorizations().Insert(ctx, &b)
	})
	return requestURN + name, pushedLife, err
}

// unpush takes a request that was sent ahead, once.
func (s *Service) unpush(ctx context.Context, c Client, name string) (a Authorization, err error) {
	err = s.Store.Update(ctx, c.Realm, func(tx Tx) error {
		if a, err = tx.Authorizations().Find(ctx, query.Is("handle_hash", s.handleHash(name))); err != nil {
			return err
		}
		if a, err = tx.Authorizations().Lock(ctx, a.ID); err != nil {
			return err
		}
		if a.Kind != Pushed || a.Application != c.ID || !s.Now().Before(a.ExpiresAt) || a.HandleHash != s.handleHash(name) {
			return ErrURIUsed
		}
		a.Kind, a.HandleHash = Front, ""
		return tx.Authorizations().Update(ctx, &a)
	})
	if errors.Is(err, ErrAuthorization) {
		err = ErrURIUsed
	}
	return a, err
}
