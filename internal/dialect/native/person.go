package native

import (
	"errors"
	"math"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// A personPreview as this wire shows it: what the deletion of a user, or of a
// membership, would do.
type personPreview struct {
	Kind         string     `json:"kind" enum:"user,member"`
	User         string     `json:"user"`
	Member       *string    `json:"member" doc:"The membership that would end."`
	Organization *string    `json:"organization" doc:"That of the membership, or the one that owns the user."`
	Counts       []progress `json:"counts" doc:"What would be done, by kind and effect."`
	Rows         int        `json:"rows" doc:"All objects that something would be done to."`
	Credentials  []counted  `json:"credentials" doc:"What lets the person in today and will not any more, by kind."`
	Stranded     bool       `json:"stranded" doc:"The user is kept, and would be in no organization any more."`
	Sole         soles      `json:"sole" doc:"What nobody else is to an organization: its only member, its only administrator, the only one with a role."`
	Holds        []obstacle `json:"holds" doc:"The legal holds for which the deletion would be refused."`
	Estimate     int        `json:"estimate_seconds" doc:"How long the removal would take, by what removals took lately."`
}

// soles are what organizations would have nobody for.
type soles struct {
	Count int    `json:"count"`
	Items []sole `json:"items" doc:"The first 100."`
}

// sole is what nobody else is to an organization.
type sole struct {
	Organization string  `json:"organization"`
	Name         string  `json:"name" doc:"Of the organization."`
	What         string  `json:"what" enum:"member,administrator,role"`
	Role         *string `json:"role" doc:"The key of the role."`
}

func showPersonPreview(c edge.Call, p erasure.PersonPreview) personPreview {
	realm := c.Actor.Realm
	shown := personPreview{
		Kind: p.Kind.String(), User: spell(realm, id.User, p.User), Organization: spellOrNull(realm, id.Organization, p.Organization),
		Counts: make([]progress, len(p.Counts)), Rows: p.Rows, Credentials: []counted{}, Stranded: p.Stranded,
		Sole: soles{Items: []sole{}}, Holds: obstacles(c, p.Holds), Estimate: int(math.Ceil(p.Estimate.Seconds())),
	}
	if p.Kind == id.Member {
		shown.Member = spellOrNull(realm, id.Member, p.Subject)
	}
	for i, n := range p.Counts {
		shown.Counts[i] = progress{Kind: n.Kind.String(), Effect: effectWord(string(n.Effect)), Count: n.Rows}
	}
	for _, n := range p.Dying() {
		shown.Credentials = append(shown.Credentials, counted{n.Kind.String(), n.Rows})
	}
	shown.Sole.Count = p.Sole.Count
	for _, s := range p.Sole.First {
		if !c.Actor.Can(access.OrganizationRead, s.Organization) { // counted, and named to who sees the organization
			continue
		}
		shown.Sole.Items = append(shown.Sole.Items, sole{spell(realm, id.Organization, s.Organization), s.Name, s.What, textOrNull(s.Role)})
	}
	return shown
}

func (a *API) previewUser(c edge.Call) (personPreview, error) {
	p, err := a.Erasure.PreviewUser(c.Context(), c.Actor, userOf(c))
	if err != nil {
		return personPreview{}, err
	}
	return showPersonPreview(c, p), nil
}

func (a *API) previewMember(c edge.Call) (personPreview, error) {
	organization, i, err := a.inMembership(c, id.Member)
	if err != nil {
		return personPreview{}, err
	}
	p, err := a.Erasure.PreviewMember(c.Context(), c.Actor, organization, i)
	switch {
	case errors.Is(err, erasure.ErrSubjectNotFound):
		return personPreview{}, directory.ErrOrganizationNotFound
	case err != nil:
		return personPreview{}, err
	}
	return showPersonPreview(c, p), nil
}
