package oidc

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/url"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// A SignOutRequest is what came to an end-session endpoint (OpenID Connect RP-Initiated
// Logout 1.0 section 2), with the cookie of the browser's session.
type SignOutRequest struct {
	Hint      string // id_token_hint
	ClientID  string
	Return    string // post_logout_redirect_uri
	State     string
	Cookie    string
	Confirmed bool // the person said so on our own page
}

// A SignedOut is how signing out went on: it is to be confirmed first, or done, and then
// leads somewhere or nowhere.
type SignedOut struct {
	Confirm bool
	Return  string // where to go next; "" stays at our own page
}

// SignOut ends the browser's session. Without proof that the application knows whose
// session it is, anybody could sign anybody out by a link, so that the person is asked.
// People are only sent on to an address that the application has registered, and only
// when it is known which application asks.
func (s *Service) SignOut(ctx context.Context, at Issuer, r SignOutRequest) (out SignedOut, err error) {
	c, subject, sid, err := s.leaving(ctx, at, r)
	if err != nil {
		return out, err
	}
	if r.Return != "" {
		if c.ID == id.None || !credential.Returns(c.OpenID.LogoutURIs, r.Return) {
			return out, ErrRedirect
		}
		out.Return = r.Return
		if r.State != "" {
			out.Return = withQuery(r.Return, "state", r.State)
		}
	}
	in, err := s.signedIn(ctx, at, r.Cookie)
	if err != nil || in.ID == id.None {
		return out, err // nobody is signed in any more, which is what was asked for
	}
	mine := sid == plainSession(at.Realm, in.ID)
	if !mine && subject != "" && sid == "" {
		if mine, err = s.isSubject(ctx, c, in.User, subject); err != nil {
			return out, err
		}
	}
	if !mine && !r.Confirmed {
		return SignedOut{Confirm: true, Return: out.Return}, nil
	}
	err = s.Store.Update(ctx, at.Realm, func(tx Tx) error { return s.Sessions.End(ctx, tx, in.ID) })
	if errors.Is(err, session.ErrNotFound) {
		err = nil
	}
	return out, err
}

// leaving finds the application that asks, and whose session it means.
func (s *Service) leaving(ctx context.Context, at Issuer, r SignOutRequest) (c Client, subject, sid string, err error) {
	clientID := r.ClientID
	if r.Hint != "" {
		v, err := s.Tokens.VerifyEver(ctx, r.Hint)
		if err != nil || v.Realm != at.Realm {
			return c, "", "", ErrRequest.Saying("id_token_hint is not a token of ours")
		}
		aud, _ := v.Claims["aud"].(string)
		if clientID != "" && clientID != aud {
			return c, "", "", ErrRequest.Saying("id_token_hint is not an ID token of this client")
		}
		clientID = aud
	}
	if clientID == "" {
		return c, "", "", nil
	}
	if c, err = s.client(ctx, at, clientID); err != nil {
		if errors.Is(err, ErrClient) {
			err = ErrUnknownClient
		}
		return c, "", "", err
	}
	if r.Hint != "" {
		subject, sid, err = s.hinted(ctx, c, r.Hint)
	}
	return c, subject, sid, err
}

func withQuery(address, name, value string) string {
	sep := "?"
	if u, err := url.Parse(address); err == nil && (u.RawQuery != "" || u.ForceQuery) {
		sep = "&"
	}
	return address + sep + url.QueryEscape(name) + "=" + url.QueryEscape(value)
}

// How often an application is told again that somebody signed out, and for how long.
var noticeWaits = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute}

const noticeLease = time.Minute

// Notify tells applications that people signed out (OpenID Connect Back-Channel Logout
// 1.0 section 2.5), those that are due in a realm, and reports how many there were.
func (s *Service) Notify(ctx context.Context, realm id.ID) (n int, err error) {
	if s.Poster == nil {
		return 0, nil
	}
	var due []session.SignOut
	now := s.Now()
	err = s.Store.Update(ctx, realm, func(tx Tx) error {
		page, err := tx.SignOuts().List(ctx, query.Query{Where: []query.Condition{query.Where("run_at", query.LessEq, now)}, By: "run_at", Limit: 20})
		due = page.Items
		for i := range due {
			if err != nil {
				return err
			}
			due[i].Attempt, due[i].RunAt = due[i].Attempt+1, now.Add(noticeLease)
			err = tx.SignOuts().Update(ctx, &due[i])
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, d := range due {
		if err := s.tell(ctx, realm, d); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// tell sends one notice and forgets it when it arrived, or was sent often enough.
func (s *Service) tell(ctx context.Context, realm id.ID, d session.SignOut) error {
	app, err := s.Applications.LiveApplicationByID(ctx, realm, d.Application)
	delivered := errors.Is(err, credential.ErrApplicationNotFound) || err == nil && (app.Disabled || app.OpenID.LogoutNotice == "")
	if err != nil && !delivered {
		return err
	}
	if !delivered {
		raw, err := s.logoutToken(ctx, Client{app, realm}, d)
		if err != nil {
			return err
		}
		status, err := s.Poster.Post(ctx, app.OpenID.LogoutNotice, map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			[]byte(url.Values{"logout_token": {raw}}.Encode()))
		delivered = err == nil && status >= 200 && status < 300
	}
	return s.Store.Update(ctx, realm, func(tx Tx) error {
		kept, err := tx.SignOuts().Lock(ctx, d.ID)
		if errors.Is(err, session.ErrSignOutNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if delivered || int(kept.Attempt) > len(noticeWaits) {
			return tx.SignOuts().Delete(ctx, d.ID)
		}
		kept.RunAt = s.Now().Add(noticeWaits[max(kept.Attempt, 1)-1])
		return tx.SignOuts().Update(ctx, &kept)
	})
}

// logoutToken says who signed out, and of which session. It never has a nonce, so that
// it is not taken for an ID token.
func (s *Service) logoutToken(ctx context.Context, c Client, d session.SignOut) (string, error) {
	u, err := s.Directory.User(ctx, system(c.Realm), d.User)
	if err != nil {
		return "", err
	}
	f := Facts{Realm: c.Realm, Client: c, User: u}
	if s.shape(c).Bound {
		f.Member, err = s.Directory.Member(ctx, system(c.Realm), d.Organization, query.Is("user_id", d.User))
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return "", err
		}
	}
	now := s.Now()
	var jti [16]byte
	rand.Read(jti[:]) // never fails (crypto/rand)
	claims := map[string]any{
		"iss": d.Issuer, "sub": s.subject(f), "aud": c.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": base64.RawURLEncoding.EncodeToString(jti[:]), "sid": plainSession(c.Realm, d.Session),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if claims["sub"] == "" { // who was a member is none any more; the session is named, which is enough
		delete(claims, "sub")
	}
	return s.Tokens.Sign(ctx, c.Realm, algorithm(c), logoutType, claims)
}
