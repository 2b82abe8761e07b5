package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A bulkDeletion as this wire shows it: the deletion of many organizations.
type bulkDeletion struct {
	Stamp
	State       string         `json:"state" enum:"running,stopped,ended"`
	Users       string         `json:"users" enum:"erase,detach" doc:"What becomes of the users that the organizations own."`
	Grace       string         `json:"grace" doc:"How long each deletion can be undone."`
	RequestedBy string         `json:"requested_by" doc:"The id of the key or user, or the name of another client."`
	Reason      *string        `json:"reason"`
	Matched     int            `json:"matched" doc:"How many organizations met the filter when it was asked for."`
	Deleted     int            `json:"deleted" doc:"How many were deleted so far. GET /deletions?bulk_deletion= lists them."`
	Skipped     map[string]int `json:"skipped" doc:"How many were left alone, by reason: protected, held, default, or changed since the preview."`
	Left        []leftAlone    `json:"left_alone" doc:"The first 100 of those that were left alone."`
	EndedAt     *moment        `json:"ended_at" nullable:"true"`
}

func (b bulkDeletion) location() string { return "/bulk-deletions/" + b.ID }

// leftAlone is one organization that a bulk deletion did not delete.
type leftAlone struct {
	Organization string `json:"organization"`
	Reason       string `json:"reason" enum:"protected,held,default,changed"`
}

// A newBulkDeletion asks for the end of all organizations that the filter selects.
type newBulkDeletion struct {
	Fingerprint string `json:"fingerprint" minLength:"1" maxLength:"64" doc:"That of a preview with the same filter: what was not in it, or changed since, is left alone."`
	Users       string `json:"users,omitempty" enum:"erase,detach" doc:"What becomes of the users that the organizations own: detach, which is the default, hands them to the realm, erase ends them."`
	Grace       string `json:"grace,omitempty" maxLength:"32" doc:"How long each deletion can be undone, such as 168h, which is the default, 90m or 0s; at most 8760h."`
	Reason      string `json:"reason,omitempty" maxLength:"500" doc:"Why, for the record."`
}

// A selection is what a filter selects now.
type selection struct {
	Organizations int    `json:"organizations"`
	Members       int    `json:"members" doc:"Of all of them; somebody can be a member of several."`
	Protected     int    `json:"protected" doc:"How many of the organizations are protected: they will be left alone."`
	Held          int    `json:"held" doc:"How many are under a legal hold: they will be left alone."`
	Default       bool   `json:"default" doc:"The default organization of the realm is among them: it will be left alone."`
	Fingerprint   string `json:"fingerprint" doc:"Stands for what the filter selects at this moment."`
}

// organizationFilters is the language in which organizations are selected.
var organizationFilters = []filter{
	folded("name", "name_key", "Only those with this name, without regard to case."),
	beginning("name_prefix", "name_key", "Only those whose name begins so, without regard to case."),
	folded("slug", "slug_key", "Only the one with this slug, without regard to case."),
	exactly("external_id", "external_id", "Only the one with this external id."),
	among("state", "state", "Only those in this state.", "active", "suspended"),
}

// filterParameters are the parameters of a list that narrow it.
func filterParameters(filters []filter) (all []parameter) {
	for _, p := range (listing{filters: filters}).parameters() {
		switch p.name {
		case "limit", "cursor", "sort", "total":
		default:
			all = append(all, p)
		}
	}
	return all
}

// filtered reads the filter of a request.
func filtered(c edge.Call) ([]query.Condition, error) {
	var q query.Query
	err := listing{filters: organizationFilters}.narrow(c, &q)
	return q.Where, err
}

func (a *API) bulkOperations() []operation {
	const p = access.OrganizationDelete
	filter := filterParameters(organizationFilters)
	return []operation{
		{
			name: "bulk_deletions.preview", method: http.MethodGet, path: "/bulk-deletions/preview", permission: p, parameters: filter,
			summary: "Preview the deletion of all organizations that a filter selects", notes: "The filter is that of the list of organizations.",
			handling: gives(a.previewBulk),
		},
		{
			name: "bulk_deletions.request", method: http.MethodPost, path: "/bulk-deletions", permission: p, parameters: filter, status: http.StatusAccepted,
			summary: "Delete all organizations that a filter selects",
			notes: "Each with a deletion of its own, one after the other, in the background. It needs the fingerprint of a preview with the same filter; " +
				"what changed since, is protected or held is left alone, and told.",
			handling: takes(a.requestBulk),
		},
		{
			name: "bulk_deletions.list", method: http.MethodGet, path: "/bulk-deletions", permission: p, summary: "List bulk deletions",
			handling: lists(listing{plain: true}, func(c edge.Call, q query.Query) (query.Page[erasure.Bulk], error) {
				return a.Erasure.Bulks(c.Context(), c.Actor, q)
			}, showBulk),
		},
		{
			name: "bulk_deletions.get", method: http.MethodGet, path: "/bulk-deletions/{bulk}", permission: p, summary: "Get a bulk deletion",
			handling: gives(func(c edge.Call) (bulkDeletion, error) {
				b, err := a.Erasure.Bulk(c.Context(), c.Actor, object(c, "bulk", id.BulkDeletion))
				return showBulk(c, b), err
			}),
		},
		{
			name: "bulk_deletions.stop", method: http.MethodPost, path: "/bulk-deletions/{bulk}/stop", permission: p, summary: "Stop a bulk deletion",
			notes: "What it deleted stays deleted, and can be restored one by one within the grace. One that is over stays as it is.",
			handling: gives(func(c edge.Call) (bulkDeletion, error) {
				b, err := a.Erasure.StopBulk(c.Context(), c.Actor, object(c, "bulk", id.BulkDeletion))
				return showBulk(c, b), err
			}),
		},
	}
}

func (a *API) previewBulk(c edge.Call) (selection, error) {
	where, err := filtered(c)
	if err != nil {
		return selection{}, err
	}
	s, err := a.Erasure.PreviewBulk(c.Context(), c.Actor, where)
	return selection{s.Organizations, s.Members, s.Protected, s.Held, s.Default, s.Fingerprint}, err
}

func (a *API) requestBulk(c edge.Call, in newBulkDeletion) (bulkDeletion, error) {
	b := erasure.Bulk{Users: erasure.Users(in.Users), Reason: in.Reason}
	if b.Users == "" {
		b.Users = erasure.Detach
	}
	var err error
	if b.Grace, _, err = bodyGrace(in.Grace); err != nil {
		return bulkDeletion{}, err
	}
	if b.Where, err = filtered(c); err != nil {
		return bulkDeletion{}, err
	}
	b, err = a.Erasure.DeleteBulk(c.Context(), c.Actor, b, in.Fingerprint)
	return showBulk(c, b), err
}

func showBulk(c edge.Call, b erasure.Bulk) bulkDeletion {
	realm := c.Actor.Realm
	shown := bulkDeletion{
		Stamp: stamped(realm, id.BulkDeletion, b.Stamp), State: string(b.State), Users: string(b.Users), Grace: b.Grace.String(),
		RequestedBy: requester(realm, b.RequestedBy), Reason: textOrNull(b.Reason), Matched: b.Matched, Deleted: b.Deleted,
		Skipped: map[string]int{}, Left: make([]leftAlone, len(b.Skipped.First)), EndedAt: momentOrNull(b.EndedAt),
	}
	for reason, n := range b.Skipped.Counts {
		shown.Skipped[reason] = n
	}
	for i, s := range b.Skipped.First {
		shown.Left[i] = leftAlone{spell(realm, id.Organization, s.Organization), s.Reason}
	}
	return shown
}
