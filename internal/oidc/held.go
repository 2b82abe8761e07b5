package oidc

import (
	"context"
	"slices"
	"strings"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/event"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A Held is an application that may act for somebody: it holds something of them, or
// was allowed something for good.
type Held struct {
	Application credential.Application
	Scopes      []string
	Since       time.Time
	UsedAt      time.Time // when it last got a token for the person; zero for never
}

// Held lists the applications that may act for a person, by their names.
func (s *Service) Held(ctx context.Context, realm, user id.ID) (list []Held, err error) {
	of := map[id.ID]*Held{}
	note := func(application id.ID, scopes []string, since, used time.Time) {
		h := of[application]
		if h == nil {
			h = &Held{Since: since}
			of[application] = h
		}
		for _, sc := range scopes {
			if !contains(h.Scopes, sc) {
				h.Scopes = append(h.Scopes, sc)
			}
		}
		if since.Before(h.Since) {
			h.Since = since
		}
		if used.After(h.UsedAt) {
			h.UsedAt = used
		}
	}
	err = s.Store.View(ctx, realm, func(tx Tx) error {
		clear(of)
		own := query.Query{Where: []query.Condition{query.Is("user_id", user)}, Limit: query.MaxLimit}
		allowed, err := tx.Consents().List(ctx, own)
		if err != nil {
			return err
		}
		for _, c := range allowed.Items {
			note(c.Application, c.Scopes, c.CreatedAt, time.Time{})
		}
		own.Where = append(own.Where, query.Where("expires_at", query.More, s.Now()))
		grants, err := tx.Grants().List(ctx, own)
		for _, g := range grants.Items {
			note(g.Application, g.Scopes, g.CreatedAt, g.RotatedAt)
		}
		return err
	})
	for i, h := range of {
		if err != nil {
			return nil, err
		}
		h.Application, err = s.Applications.LiveApplicationByID(ctx, realm, i)
		switch {
		case err == nil:
			list = append(list, *h)
		case fault.KindOf(err) == fault.NotFound, fault.KindOf(err) == fault.Unauthenticated: // it ended, and what it held is dead
			err = nil
		}
	}
	slices.SortFunc(list, func(a, b Held) int {
		return strings.Compare(a.Application.Name+a.Application.ClientID, b.Application.Name+b.Application.ClientID)
	})
	return list, err
}

// Withdraw takes back from an application, for the person whose it is, all that it
// holds of them and all that it was allowed, in every organization. Its refresh tokens
// and whatever was issued to it are dead from this moment on.
func (s *Service) Withdraw(ctx context.Context, realm, user, application id.ID) error {
	where := []query.Condition{query.Is("user_id", user), query.Is("application", application)}
	for first := true; ; first = false {
		grants, consents := 0, 0
		err := s.Store.Update(ctx, realm, func(tx Tx) (err error) {
			grants = 0
			if consents, err = tx.Consents().DeleteWhere(ctx, where...); err != nil {
				return err
			}
			held, err := tx.Grants().List(ctx, query.Query{Where: where, Limit: query.MaxLimit})
			for _, g := range held.Items {
				if err := s.Sessions.Drop(ctx, tx, g.ID, "user:"+user.String()); err != nil {
					return err
				}
				grants++
			}
			if err != nil || consents == 0 {
				return err
			}
			_, err = tx.Append(ctx, event.Event{
				Type: "consent.withdrawn", Actor: "user:" + user.String(), Kind: id.Application, Subject: application, Data: map[string]any{"user": user.String()},
			})
			return err
		})
		switch {
		case err != nil:
			return err
		case first && grants == 0 && consents == 0:
			return ErrNoConsent
		case grants < query.MaxLimit:
			return nil
		}
	}
}
