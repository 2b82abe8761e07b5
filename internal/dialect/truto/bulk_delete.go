package truto

import (
	"errors"

	"guildhall/internal/credential"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// The vendor's bounds of one bulk deletion.
const (
	bulkIDs     = 99
	bulkMatches = 1000
)

// bulkDeleteAccounts ends many accounts: those named, or those of one tenant, as
// a tenant that leaves wants it. It may be repeated until nothing matches.
func (a *API) bulkDeleteAccounts(c call) (edge.Reply, error) {
	var body struct {
		IDs      []string `json:"ids"`
		TenantID string   `json:"tenant_id"`
	}
	if err := c.Decode(&body); err != nil {
		return edge.Reply{}, err
	}
	if (len(body.IDs) > 0) == (body.TenantID != "") {
		return edge.Reply{}, fault.Invalidf("ids", "exactly one of ids and tenant_id is required")
	}
	if len(body.IDs) > bulkIDs {
		return edge.Reply{}, fault.Invalidf("ids", "at most %d ids can be given", bulkIDs)
	}
	which := query.Is("tenant_key", body.TenantID)
	if len(body.IDs) > 0 {
		ids := []id.ID{}
		for _, s := range body.IDs {
			if i, err := c.accountID(s); err == nil {
				ids = append(ids, i)
			}
		}
		which = query.OneOf("id", ids)
	}
	page, err := a.Credentials.IntegratedAccounts(c.ctx(), c.by, query.Query{Where: []query.Condition{which}, Limit: bulkMatches})
	if err != nil {
		return edge.Reply{}, err
	}
	deleted := 0
	for _, account := range page.Items {
		err := a.Credentials.DeleteIntegratedAccount(c.ctx(), c.by, account.ID)
		if errors.Is(err, credential.ErrIntegratedAccountNotFound) {
			continue // somebody else was faster
		}
		if err != nil {
			return edge.Reply{}, err
		}
		deleted++
	}
	return answer(record{{"matched_count", len(page.Items)}, {"deleted_count", deleted}}), nil
}
