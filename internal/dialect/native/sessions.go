package native

import (
	"net/http"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
)

// A Session as this wire shows it, without its secret.
type Session struct {
	Stamp
	User         string     `json:"user"`
	Organization *string    `json:"organization" doc:"It is bound to this one; null for one with the whole realm."`
	Application  *string    `json:"application" doc:"That it was started for."`
	Factors      []meFactor `json:"factors" doc:"What the person proved, and when."`
	Device       *string    `json:"device" doc:"What the device says it is."`
	DeviceID     string     `json:"device_id" doc:"The same for all sessions that came of one sign-in, also in other organizations."`
	Address      *string    `json:"address" doc:"Where it was begun."`
	SeenAt       moment     `json:"seen_at" doc:"To the minute."`
	IdleUntil    moment     `json:"idle_until" doc:"It ends then unless it is used before."`
	ExpiresAt    moment     `json:"expires_at"`
}

func showSession(c edge.Call, s session.Session) Session {
	return Session{
		Stamp: stamped(c.Actor.Realm, id.Session, s.Stamp), User: spell(c.Actor.Realm, id.User, s.User),
		Organization: spellOrNull(c.Actor.Realm, id.Organization, s.Organization), Application: spellOrNull(c.Actor.Realm, id.Application, s.Application),
		Factors: showProofs(s.Factors), Device: textOrNull(s.Device), DeviceID: s.DeviceHash,
		Address: textOrNull(s.Address), SeenAt: moment(s.SeenAt), IdleUntil: moment(s.IdleUntil), ExpiresAt: moment(s.ExpiresAt),
	}
}

func showProofs(proofs []session.Factor) []meFactor {
	shown := make([]meFactor, len(proofs))
	for i, f := range proofs {
		shown[i] = meFactor{f.Method, moment(f.At)}
	}
	return shown
}

// A revocation names the sessions to end: those that meet everything that is given.
type revocation struct {
	User         string `json:"user,omitempty" maxLength:"64" doc:"Of this user."`
	Organization string `json:"organization,omitempty" maxLength:"64" doc:"In this organization."`
	DeviceID     string `json:"device_id,omitempty" maxLength:"64" doc:"On this device, as its sessions tell."`
	Except       string `json:"except,omitempty" maxLength:"64" doc:"This session stays."`
}

// A myRevocation is the same for one's own.
type myRevocation struct {
	Organization string `json:"organization,omitempty" maxLength:"64" doc:"Only those in this organization."`
	DeviceID     string `json:"device_id,omitempty" maxLength:"64" doc:"Only those on this device."`
	Current      bool   `json:"current,omitempty" doc:"The session that asks ends as well."`
}

// A revoked tells what a revocation ended.
type revoked struct {
	Ended int `json:"ended" minimum:"0" doc:"Living sessions that it ended."`
}

func (a *API) sessionOperations() []operation {
	return []operation{
		{
			name: "sessions.list", method: http.MethodGet, path: "/sessions", permission: access.SessionRead,
			summary: "List sessions", notes: "Those alive, in organizations that the key reaches and of the users at home there.",
			handling: lists(listing{filters: []filter{
				referring("user", "user_id", "Only those of this user.", id.User),
				referring("organization", "organization_id", "Only those bound to this organization.", id.Organization),
				referring("application", "application", "Only those that were started for this application.", id.Application),
				exactly("device_id", "device_hash", "Only those on this device."),
			}}, func(c edge.Call, q query.Query) (query.Page[session.Session], error) {
				return a.Sessions.Sessions(c.Context(), c.Actor, q)
			}, showSession),
		},
		{
			name: "sessions.revoke", method: http.MethodDelete, path: "/sessions/{session}", permission: access.SessionWrite,
			summary: "End a session", notes: "Tokens that do not outlive it end with it, and applications that asked for it are told.",
			handling: does(func(c edge.Call) error {
				return a.Sessions.Revoke(c.Context(), c.Actor, object(c, "session", id.Session))
			}),
		},
		{
			name: "sessions.revoke_all", method: http.MethodPost, path: "/sessions/revocation", permission: access.SessionWrite,
			summary:  "End all sessions of a user, in an organization or on a device",
			notes:    "Of a user or an organization as a whole it also ends every token that was signed in before now. A key of an organization ends what is in it, and of the users at home there everything.",
			handling: takes(a.revokeSessions),
		},
	}
}

func (a *API) revokeSessions(c edge.Call, in revocation) (revoked, error) {
	of := session.Of{DeviceHash: in.DeviceID}
	for _, named := range []struct {
		what string
		kind id.Kind
		into *id.ID
	}{{in.User, id.User, &of.User}, {in.Organization, id.Organization, &of.Organization}, {in.Except, id.Session, &of.Except}} {
		if named.what != "" {
			*named.into = parse(c.Actor.Realm, named.kind, named.what)
		}
	}
	if of.User == id.None && of.Organization == id.None && of.DeviceHash == "" {
		return revoked{}, refused(errBody, "the body must name a user, an organization or a device: %s", []fieldProblem{
			{In: "body", Field: "user", Reason: "required", Detail: "Name a user, an organization or a device."},
		})
	}
	n, err := a.Sessions.RevokeOf(c.Context(), c.Actor, of)
	return revoked{n}, err
}

// mySessionOperations are those of a person on the sessions of its own.
func (a *API) mySessionOperations() []operation {
	return []operation{
		{
			name: "me.sessions", method: http.MethodGet, path: "/me/sessions", public: true, summary: "List one's own sessions",
			notes: "Those alive, on one page, the one that was used last first.",
			handling: gives(plainly(mine(a, looks, func(c edge.Call, s session.Session, _ struct{}) (list[mySession], error) {
				own, err := a.Sessions.Own(c.Context(), c.Actor.Realm, s.User)
				shown := list[mySession]{Items: make([]mySession, len(own))}
				for i, of := range own {
					shown.Items[i] = mySession{showSession(c, of), of.ID == s.ID}
				}
				return shown, err
			}))),
		},
		{
			name: "me.revoke_session", method: http.MethodDelete, path: "/me/sessions/{session}", public: true, summary: "End one of one's own sessions",
			handling: does(quiet(a, changes, func(c edge.Call, _ session.Session) error {
				return a.Sessions.Revoke(c.Context(), c.Actor, object(c, "session", id.Session))
			})),
		},
		{
			name: "me.revoke_sessions", method: http.MethodPost, path: "/me/sessions/revocation", public: true, summary: "End one's own other sessions",
			handling: takes(mine(a, changes, func(c edge.Call, s session.Session, in myRevocation) (revoked, error) {
				of := session.Of{User: s.User, DeviceHash: in.DeviceID}
				if in.Organization != "" {
					of.Organization = parse(c.Actor.Realm, id.Organization, in.Organization)
				}
				if !in.Current {
					of.Except = s.ID
				}
				n, err := a.Sessions.RevokeOf(c.Context(), c.Actor, of)
				return revoked{n}, err
			})),
		},
	}
}

// A mySession is a session of the person who asks.
type mySession struct {
	Session
	Current bool `json:"current" doc:"It is the one that asks."`
}
