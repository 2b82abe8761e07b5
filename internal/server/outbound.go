package server

import (
	"time"

	"guildhall/internal/dialect/native"
	"guildhall/internal/outbound"
	"guildhall/internal/store"
	"guildhall/internal/webhook"
)

// Outbound is the one way out of the server that an operator configured. A server
// for development may call this machine as well.
func (c *Config) Outbound() *outbound.Guard {
	return &outbound.Guard{Allow: c.OutboundAllow, Loopback: c.Dev}
}

// deliverer sends what webhooks are to be told.
func (s *Server) deliverer() *webhook.Worker {
	return &webhook.Worker{
		Lines: &store.Lines{DB: s.DB}, Vault: s.Vault, Poster: s.poster(), Spell: native.Speller{},
		Log: s.Log, Now: time.Now, Observe: s.metrics.delivery,
	}
}

func (s *Server) poster() *outbound.Poster { return &outbound.Poster{Guard: s.out} }
