package native

import (
	"net/http"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// A hold as this wire shows it.
type hold struct {
	Stamp
	State        string  `json:"state" enum:"standing,released,expired" doc:"Only a standing hold forbids anything."`
	Organization *string `json:"organization" doc:"The organization that is held, or that owns the held user."`
	User         *string `json:"user" doc:"The user who is held; null when it is the organization."`
	Realm        *string `json:"realm" doc:"The realm that is held as a whole."`
	Reason       *string `json:"reason" doc:"Why; null once what was held is erased."`
	PlacedBy     string  `json:"placed_by" doc:"The id of the key or user, or the name of another client."`
	Until        *moment `json:"until" nullable:"true" doc:"It ends by itself at this time; null when it has to be released."`
	ReleasedAt   *moment `json:"released_at" nullable:"true"`
	ReleasedBy   *string `json:"released_by"`
}

func (h hold) location() string { return "/holds/" + h.ID }

// A newHold is a hold to be.
type newHold struct {
	Organization string  `json:"organization,omitempty" doc:"The organization to hold, or the one that owns the user to hold."`
	User         string  `json:"user,omitempty" doc:"The user to hold; left out, it is the organization."`
	Realm        string  `json:"realm,omitempty" doc:"The realm to hold as a whole, instead; needs an operator's key of the realm that the server began with."`
	Reason       string  `json:"reason" minLength:"1" maxLength:"1000" doc:"Why; it is shown to who may read holds."`
	Until        *moment `json:"until,omitempty" doc:"When the hold ends by itself; never unless given."`
}

// An obstacle is a hold as told to who runs into it.
type obstacle struct {
	ID     string  `json:"id"`
	Reason *string `json:"reason" doc:"Why; null unless the key has hold:read."`
	Until  *moment `json:"until" nullable:"true" doc:"When it ends by itself."`
}

// obstacles shows holds, and their reasons only to who may read holds: they may
// name people or proceedings.
func obstacles(c edge.Call, holds []erasure.Hold) []obstacle {
	shown := make([]obstacle, len(holds))
	for i, h := range holds {
		shown[i] = obstacle{ID: spell(c.Actor.Realm, id.Hold, h.ID), Until: momentOrNull(h.Until)}
		var on []id.ID
		if h.Organization != id.None {
			on = append(on, h.Organization)
		}
		if c.Actor.Can(access.HoldRead, on...) {
			shown[i].Reason = textOrNull(h.Reason)
		}
	}
	return shown
}

func (a *API) showHold(c edge.Call, h erasure.Hold) hold {
	realm := c.Actor.Realm
	shown := hold{
		Stamp: stamped(realm, id.Hold, h.Stamp), State: "standing",
		Organization: spellOrNull(realm, id.Organization, h.Organization), User: spellOrNull(realm, id.User, h.User),
		Realm:  spellOrNull(id.None, id.Realm, h.Realm),
		Reason: textOrNull(h.Reason), PlacedBy: requester(realm, h.PlacedBy), Until: momentOrNull(h.Until),
		ReleasedAt: momentOrNull(h.ReleasedAt), ReleasedBy: textOrNull(requester(realm, h.ReleasedBy)),
	}
	switch {
	case !h.ReleasedAt.IsZero():
		shown.State = "released"
	case !h.Stands(a.Now()):
		shown.State = "expired"
	}
	return shown
}

func (a *API) holdOperations() []operation {
	return []operation{
		{
			name: "holds.list", method: http.MethodGet, path: "/holds", permission: access.HoldRead,
			summary: "List legal holds", notes: "Those that have ended among them.",
			handling: lists(listing{filters: []filter{
				referring("organization", "organization_id", "Only those on this organization and on users that it owns.", id.Organization),
				referring("user", "user_id", "Only those on this user.", id.User),
			}}, func(c edge.Call, q query.Query) (query.Page[erasure.Hold], error) {
				return a.Erasure.Holds(c.Context(), c.Actor, q)
			}, a.showHold),
		},
		{
			name: "holds.place", method: http.MethodPost, path: "/holds", permission: access.HoldWrite, status: http.StatusCreated,
			summary: "Place a legal hold on an organization, a user or a realm",
			notes: "While it stands, no API deletes what is held or anything that owns it, and a deletion that was asked for before removes nothing more. " +
				"Several can stand at once.",
			handling: takes(a.placeHold),
		},
		{
			name: "holds.get", method: http.MethodGet, path: "/holds/{hold}", permission: access.HoldRead,
			summary: "Get a legal hold", handling: gives(a.hold),
		},
		{
			name: "holds.release", method: http.MethodPost, path: "/holds/{hold}/release", permission: access.HoldWrite,
			summary: "Release a legal hold", notes: "One that was released before stays as it is.", handling: gives(a.releaseHold),
		},
	}
}

func (a *API) placeHold(c edge.Call, in newHold) (hold, error) {
	switch {
	case in.Realm != "" && (in.Organization != "" || in.User != ""):
		return hold{}, errBody.On("realm").Saying("a realm is held as a whole: name nothing besides")
	case in.Organization == "" && in.User == "" && in.Realm == "":
		return hold{}, errBody.On("organization").Saying("name the organization, the user or the realm to hold")
	}
	h := erasure.Hold{Reason: in.Reason}
	var err error
	if in.Realm != "" {
		h.Realm = parse(id.None, id.Realm, in.Realm)
	} else if h.Organization, err = owner(c, access.HoldWrite, in.Organization); err != nil {
		return hold{}, err
	}
	if in.User != "" {
		h.User = parse(c.Actor.Realm, id.User, in.User)
	}
	if in.Until != nil {
		h.Until = time.Time(*in.Until)
	}
	h, err = a.Erasure.PlaceHold(c.Context(), c.Actor, h)
	return a.showHold(c, h), err
}

func (a *API) hold(c edge.Call) (hold, error) {
	q := query.Query{Where: []query.Condition{query.Is("id", object(c, "hold", id.Hold))}, Limit: 1}
	page, err := a.Erasure.Holds(c.Context(), c.Actor, q)
	if err == nil && len(page.Items) == 0 {
		err = erasure.ErrHoldNotFound
	}
	if err != nil {
		return hold{}, err
	}
	return a.showHold(c, page.Items[0]), nil
}

func (a *API) releaseHold(c edge.Call) (hold, error) {
	h, err := a.Erasure.ReleaseHold(c.Context(), c.Actor, object(c, "hold", id.Hold))
	return a.showHold(c, h), err
}
