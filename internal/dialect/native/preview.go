package native

import (
	"math"
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A preview as this wire shows it: what the deletion of an organization would do.
type preview struct {
	Organization string     `json:"organization"`
	Name         string     `json:"name" doc:"What confirm has to be, where a deletion gives it."`
	Users        string     `json:"users" enum:"erase,detach" doc:"What would become of the users that the organization owns."`
	Counts       []progress `json:"counts" doc:"What would be done, by kind and effect."`
	Rows         int        `json:"rows" doc:"All objects that something would be done to."`
	GuestsKept   int        `json:"guests_kept" doc:"Members whom the organization does not own: they are kept in any case."`
	Stranded     stranded   `json:"stranded" doc:"Of the users who are kept, those who are in no other organization. GET …/deletion/stranded lists them."`
	Credentials  []counted  `json:"credentials" doc:"What lets somebody in today and will not any more: keys, applications, sessions, invitations, by kind."`
	Domains      freed      `json:"domains" doc:"Verified domains, which others can prove as theirs once the grace is over."`
	Connections  freed      `json:"connections" doc:"Its connections to identity providers: nobody comes in through them any more, and others can set theirs up to the same providers."`
	Applications affected   `json:"applications_affected" doc:"Applications of other organizations, in projects that are granted to this one."`
	Grantees     affected   `json:"organizations_affected" doc:"Organizations that lose projects which this one granted to them."`
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
	AtLeast bool `json:"at_least" doc:"There may be more: only the first 100,000 members were looked at."`
}

// counted counts objects of one kind.
type counted struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// freed are domains, or connections, that the deletion frees.
type freed struct {
	Count int      `json:"count"`
	Names []string `json:"names" doc:"The first 100."`
}

func showFreed(n erasure.Named[string]) freed { return freed{n.Count, append([]string{}, n.First...)} }

// affected is what the deletion does to other organizations.
type affected struct {
	Count int       `json:"count"`
	Items []another `json:"items" doc:"The first 100."`
}

// another is something that belongs to another organization.
type another struct {
	Organization string `json:"organization"`
	Name         string `json:"name" doc:"Of the application, or of the organization."`
}

func showAffected(c edge.Call, a erasure.Named[erasure.Affected]) affected {
	shown := affected{Count: a.Count, Items: make([]another, len(a.First))}
	for i, x := range a.First {
		shown.Items[i] = another{Organization: spell(c.Actor.Realm, id.Organization, x.Organization), Name: x.Name}
	}
	return shown
}

// A strandedUser is somebody whom the deletion leaves without an organization.
type strandedUser struct {
	User   string  `json:"user"`
	Member string  `json:"member" doc:"The membership that ends."`
	Name   *string `json:"name" doc:"Null unless the key has member:read."`
	Email  *string `json:"email" doc:"Null unless the key has member:read."`
}

func (a *API) strandedOperation() operation {
	return operation{
		name: "organizations.preview_stranded", method: http.MethodGet, path: "/organizations/{organization}/deletion/stranded",
		permission: access.OrganizationDelete, parameters: []parameter{usersParameter},
		summary: "List who would be left without an organization",
		notes: "Users whom the deletion would keep and who are in no other organization. Pages look at a limited number of members: one can be short, " +
			"even empty, and have a next one.",
		handling: lists(listing{plain: true}, func(c edge.Call, q query.Query) (page query.Page[erasure.Stranded], err error) {
			users, err := usersAsked(c)
			if err != nil {
				return page, err
			}
			return a.Erasure.Stranded(c.Context(), c.Actor, organizationOf(c), users, q)
		}, showStranded),
	}
}

func showStranded(c edge.Call, s erasure.Stranded) strandedUser {
	realm := c.Actor.Realm
	shown := strandedUser{User: spell(realm, id.User, s.User), Member: spell(realm, id.Member, s.Member)}
	if c.Actor.Can(access.MemberRead, organizationOf(c)) {
		shown.Name, shown.Email = textOrNull(s.Name), textOrNull(s.Email)
	}
	return shown
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
		Rows: p.Rows, GuestsKept: p.Guests, Stranded: stranded{p.Stranded, p.AtLeast},
		Domains: showFreed(p.Domains), Connections: showFreed(p.Connections), Credentials: []counted{},
		Applications: showAffected(c, p.Applications), Grantees: showAffected(c, p.Grantees),
		Protected: p.Protected, Default: p.Default, Holds: obstacles(c, p.Holds),
		Counts: make([]progress, len(p.Counts)), Estimate: int(math.Ceil(p.Estimate.Seconds())), Fingerprint: p.Fingerprint,
	}
	for i, n := range p.Counts {
		shown.Counts[i] = progress{Kind: n.Kind.String(), Effect: effectWord(string(n.Effect)), Count: n.Rows}
	}
	for _, n := range p.Dying() {
		shown.Credentials = append(shown.Credentials, counted{n.Kind.String(), n.Rows})
	}
	return shown, nil
}
