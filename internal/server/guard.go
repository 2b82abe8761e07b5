package server

import (
	"context"
	"errors"
	"time"

	"guildhall/internal/edge"
	"guildhall/internal/guard"
	"guildhall/internal/guard/captcha"
	"guildhall/internal/outbound"
)

// A CaptchaConfig is the account at a captcha service, if there is one.
type CaptchaConfig struct {
	Service string // turnstile, hcaptcha or recaptcha; "" for none
	SiteKey string // for the page
	Secret  string
	URL     string // where the answers are verified; "" for the service's own address
}

// openGuard gives the guard its key, and the captcha service when there is one.
func (s *Server) openGuard(ctx context.Context) (err error) {
	if s.Guard.Key, err = s.Secret(ctx, guard.Secret); err != nil {
		return err
	}
	s.Guard.Locked = s.locked
	if s.Captcha.Service == "" {
		return nil
	}
	service, err := captcha.New(s.Captcha.Service, s.Captcha.Secret, s.Outbound().Client(outbound.Limits{Timeout: captcha.Patience}))
	if err != nil {
		return err
	}
	if s.Captcha.SiteKey == "" {
		return errors.New("the captcha service needs the site key that it gave: --captcha-site-key")
	}
	service.SiteKey = s.Captcha.SiteKey
	if s.Captcha.URL != "" {
		service.URL = s.Captcha.URL
	}
	s.Guard.Captcha = service
	return nil
}

// settleRates tells the other nodes what this one took from the limits of requests.
func (s *Server) settleRates(ctx context.Context) {
	if s.rates == nil || s.rates.Shared == nil {
		return
	}
	tick := time.NewTicker(edge.SettleEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if err := s.rates.Settle(ctx, now.Sub(last)); err != nil && ctx.Err() == nil {
			s.Log.Warn("tell other nodes of the limits of requests", "error", err)
		}
		last = now
	}
}
