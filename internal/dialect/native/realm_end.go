package native

import (
	"math"
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// A realmPreview as this wire shows it: what the deletion of a realm would do.
type realmPreview struct {
	Realm       string          `json:"realm"`
	Name        string          `json:"name" doc:"What confirm has to be."`
	Counts      []progress      `json:"counts" doc:"What would be removed, by kind. The kind record is what the server noted for itself."`
	Rows        int             `json:"rows" doc:"All objects that would be removed."`
	Credentials []counted       `json:"credentials" doc:"What lets somebody in today and will not any more: keys, applications, sessions, invitations, by kind."`
	Origins     []string        `json:"origins" doc:"Where the realm is reached today. Nobody else can have them before the removal."`
	Domains     freed           `json:"domains" doc:"Verified domains."`
	Home        bool            `json:"home" doc:"The deletion would be refused, because the server began with this realm."`
	Protected   bool            `json:"protected" doc:"The deletion would be refused, because the realm is protected."`
	Guarded     protectedInside `json:"protected_organizations" doc:"Organizations in it for which the deletion would be refused, because they are protected."`
	Holds       []obstacle      `json:"holds" doc:"The legal holds, on the realm and on anything in it, for which the deletion would be refused."`
	Estimate    int             `json:"estimate_seconds" doc:"How long the removal would take, by what removals took lately."`
	Fingerprint string          `json:"fingerprint" doc:"Names the state that the realm is in; also in the ETag."`
}

func (p realmPreview) etag() string { return `"` + previewTag + p.Fingerprint + `"` }

// protectedInside are organizations that may not be deleted.
type protectedInside struct {
	Count int      `json:"count"`
	Names []string `json:"names" doc:"The first 100."`
}

// A newRealmDeletion asks for the end of a realm.
type newRealmDeletion struct {
	Confirm string `json:"confirm" minLength:"1" maxLength:"200" doc:"The name of the realm, typed by a person: nothing is deleted unless it is the very same."`
	Grace   string `json:"grace,omitempty" maxLength:"32" doc:"How long nothing is removed yet, such as 168h, which is the default, 90m or 0s; at most 8760h."`
	Reason  string `json:"reason,omitempty" maxLength:"500" doc:"Why, for the record."`
}

func (a *API) realmEndOperations() []operation {
	return []operation{
		{
			name: "realms.preview_deletion", method: http.MethodGet, path: "/realms/{realm}/deletion/preview", permission: access.RealmDelete,
			summary: "Preview the deletion of a realm",
			notes: "What it would remove if it were asked for now. Nothing changes. Needs an operator's key of the realm that the server began with. " +
				"The ETag of the answer, sent as If-Match with the deletion, makes sure that nothing happened in between. Tables are counted, which takes seconds where there are many millions of rows.",
			handling: gives(a.previewRealm),
		},
		{
			name: "realms.request_deletion", method: http.MethodPost, path: "/realms/{realm}/deletion", permission: access.RealmDelete,
			status: http.StatusAccepted, versioned: true, summary: "Delete a realm",
			notes: "It ends at once with everything in it: from the answer on no origin, key, session or token of it works on any node. What it held is " +
				"removed after the grace. The deletion, its receipt and its events are in the realm that the server began with, whose operators' keys alone may do this; " +
				"that realm itself cannot be deleted.",
			handling: takes(a.requestRealmDeletion),
		},
	}
}

func (a *API) previewRealm(c edge.Call) (realmPreview, error) {
	p, err := a.Erasure.PreviewRealm(c.Context(), c.Actor, realmNamed(c))
	if err != nil {
		return realmPreview{}, err
	}
	shown := realmPreview{
		Realm: spell(id.None, id.Realm, p.Realm), Name: p.Name, Rows: p.Rows, Counts: make([]progress, len(p.Counts)), Credentials: []counted{},
		Origins: append([]string{}, p.Origins...), Domains: showFreed(p.Domains),
		Home: p.Home, Protected: p.Protected, Guarded: protectedInside{Count: p.Guarded.Count, Names: []string{}}, Holds: obstacles(c, p.Holds),
		Estimate: int(math.Ceil(p.Estimate.Seconds())), Fingerprint: p.Fingerprint,
	}
	for i, n := range p.Counts {
		shown.Counts[i] = progress{Kind: n.Kind.String(), Effect: effectWord(string(n.Effect)), Count: n.Rows}
	}
	for _, n := range p.Dying() {
		shown.Credentials = append(shown.Credentials, counted{n.Kind.String(), n.Rows})
	}
	for _, o := range p.Guarded.First {
		shown.Guarded.Names = append(shown.Guarded.Names, o.Name)
	}
	return shown, nil
}

func (a *API) requestRealmDeletion(c edge.Call, in newRealmDeletion) (deletion, error) {
	opts := erasure.Options{Name: in.Confirm, Reason: in.Reason}
	var err error
	if opts.Grace, opts.ChoseGrace, err = bodyGrace(in.Grace); err != nil {
		return deletion{}, err
	}
	d, err := atVersion(c, opts, func(opts erasure.Options) (erasure.Deletion, error) {
		return a.Erasure.DeleteRealm(c.Context(), c.Actor, realmNamed(c), opts)
	})
	return showDeletion(c, d), err
}

// realmNamed is the realm in the path.
func realmNamed(c edge.Call) id.ID {
	if c.Path("realm") == "current" {
		return c.Actor.Realm
	}
	return object(c, "realm", id.Realm)
}
