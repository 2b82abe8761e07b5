package native

import (
	"math"

	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// A preview as this wire shows it: what the deletion of an organization would do.
type preview struct {
	Organization string     `json:"organization"`
	Name         string     `json:"name" doc:"What confirm has to be, where a deletion gives it."`
	Users        string     `json:"users" enum:"erase,detach" doc:"What would become of the users that the organization owns."`
	Counts       []progress `json:"counts" doc:"What would be done, by kind and effect."`
	Rows         int        `json:"rows" doc:"All objects that something would be done to."`
	GuestsKept   int        `json:"guests_kept" doc:"Members whom the organization does not own: they are kept in any case."`
	Stranded     stranded   `json:"stranded" doc:"Of the users who are kept, those who are in no other organization."`
	Protected    bool       `json:"protected" doc:"The deletion would be refused, because the organization is protected."`
	Default      bool       `json:"default" doc:"The deletion would be refused, because it is the default organization of the realm."`
	Holds        []obstacle `json:"holds" doc:"The legal holds for which the deletion would be refused."`
	Estimate     int        `json:"estimate_seconds" doc:"How long the removal would take, by what removals took lately."`
	Fingerprint  string     `json:"fingerprint" doc:"Names the state that the organization is in; also in the ETag."`
}

func (p preview) etag() string { return `"` + previewTag + p.Fingerprint + `"` }

// stranded are users without another organization.
type stranded struct {
	Count   int  `json:"count"`
	AtLeast bool `json:"at_least" doc:"There may be more: counting stopped here."`
}

func (a *API) preview(c edge.Call) (preview, error) {
	users, err := usersAsked(c)
	if err != nil {
		return preview{}, err
	}
	p, err := a.Erasure.Preview(c.Context(), c.Actor, organizationOf(c), users)
	if err != nil {
		return preview{}, err
	}
	shown := preview{
		Organization: spell(c.Actor.Realm, id.Organization, p.Organization), Name: p.Name, Users: string(p.Users),
		Rows: p.Rows, GuestsKept: p.Guests, Stranded: stranded{p.Stranded, p.Stranded >= erasure.StrandedLimit},
		Protected: p.Protected, Default: p.Default, Holds: obstacles(c, p.Holds),
		Counts: make([]progress, len(p.Counts)), Estimate: int(math.Ceil(p.Estimate.Seconds())), Fingerprint: p.Fingerprint,
	}
	for i, n := range p.Counts {
		shown.Counts[i] = progress{Kind: n.Kind.String(), Effect: effectWord(string(n.Effect)), Count: n.Rows}
	}
	return shown, nil
}
