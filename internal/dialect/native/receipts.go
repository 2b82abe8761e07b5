package native

import (
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// A receipt as this wire shows it: one link of the ledger.
type receipt struct {
	Number   int64   `json:"number" minimum:"1" doc:"Its place in the ledger, from 1 without gaps."`
	Deletion string  `json:"deletion"`
	Previous *string `json:"previous" doc:"The hash of the receipt before it; null for the first."`
	Hash     string  `json:"hash" doc:"SHA-256 of the JWS, in hex."`
	JWS      string  `json:"jws" doc:"The signed statement, in compact form (RFC 7515)."`
}

func showReceipt(c edge.Call, r erasure.Receipt) receipt {
	return receipt{
		Number: r.Number, Deletion: spell(c.Actor.Realm, id.Deletion, r.Deletion), Previous: textOrNull(r.Previous), Hash: r.Hash, JWS: r.JWS,
	}
}

func (a *API) receipt(c edge.Call) (string, error) {
	r, err := a.Erasure.Receipt(c.Context(), c.Actor, object(c, "deletion", id.Deletion))
	return r.JWS, err
}
