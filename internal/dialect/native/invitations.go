package native

import (
	"net/http"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/notify"
	"guildhall/internal/query"
)

// An Invitation as this wire shows it.
type Invitation struct {
	Stamp
	Organization    string         `json:"organization"`
	Email           string         `json:"email"`
	Inviter         *string        `json:"inviter" doc:"Who invites, for people."`
	Roles           []string       `json:"roles" doc:"What the invited person will have."`
	ExpiresAt       moment         `json:"expires_at"`
	AcceptedAt      *moment        `json:"accepted_at" nullable:"true"`
	PublicMetadata  map[string]any `json:"public_metadata"`
	PrivateMetadata map[string]any `json:"private_metadata"`
}

func (v Invitation) location() string {
	return "/organizations/" + v.Organization + "/invitations/" + v.ID
}

// A createdInvitation is an invitation with what accepts it.
type createdInvitation struct {
	Invitation
	Ticket         *string `json:"ticket" doc:"What accepts the invitation. It is shown this once; only a hash of it is kept."`
	TicketWithheld bool    `json:"ticket_withheld" doc:"This answer repeats an earlier one, which alone had the ticket."`
}

func (v createdInvitation) withheld() any {
	v.Ticket, v.TicketWithheld = nil, true
	return v
}

func showInvitation(c edge.Call, v directory.Invitation) Invitation {
	realm := c.Actor.Realm
	return Invitation{
		Stamp: stamped(realm, id.Invitation, v.Stamp), Organization: spell(realm, id.Organization, v.Organization),
		Email: v.Email, Inviter: textOrNull(v.Inviter), Roles: spellAll(realm, id.Role, v.Roles),
		ExpiresAt: moment(v.ExpiresAt), AcceptedAt: momentOrNull(v.AcceptedAt),
		PublicMetadata: metadata(v.Public), PrivateMetadata: metadata(v.Private),
	}
}

// A newInvitation is an invitation to be.
type newInvitation struct {
	Email           string         `json:"email" minLength:"3" maxLength:"254"`
	Inviter         string         `json:"inviter,omitempty" maxLength:"200" doc:"Who invites, for people."`
	Roles           []string       `json:"roles,omitempty" maxItems:"100" doc:"Roles of the realm or of the organization."`
	ExpiresAt       *moment        `json:"expires_at,omitempty" doc:"Seven days from now unless given."`
	SendMail        bool           `json:"send_mail,omitempty" doc:"Mail a link to the server's own page, on which the invitation is accepted."`
	PublicMetadata  map[string]any `json:"public_metadata,omitempty"`
	PrivateMetadata map[string]any `json:"private_metadata,omitempty"`
}

// An invitedAddress is whom invitations were sent to.
type invitedAddress struct {
	Email string `json:"email" minLength:"3" maxLength:"254" doc:"Compared without regard to case."`
}

// revokedInvitations tells how many were revoked.
type revokedInvitations struct {
	Revoked int `json:"revoked" minimum:"0" doc:"Invitations that were not accepted yet."`
}

func (a *API) invitationOperations() []operation {
	const path = "/organizations/{organization}/invitations"
	return []operation{
		{
			name: "invitations.list", method: http.MethodGet, path: path, permission: access.InvitationRead,
			summary: "List the invitations of an organization",
			handling: lists(listing{filters: []filter{
				folded("email", "email_key", "Only those to this address, without regard to case."),
			}, sorts: []sorting{{"expires_at", "expires_at"}}}, a.invitations, showInvitation),
		},
		{
			name: "invitations.create", method: http.MethodPost, path: path, permission: access.InvitationWrite, status: http.StatusCreated,
			summary: "Invite somebody into an organization", notes: "Tickets of earlier invitations to the same address are dead from then on.", handling: takes(a.invite),
		},
		{
			name: "invitations.get", method: http.MethodGet, path: path + "/{invitation}", permission: access.InvitationRead,
			summary: "Get an invitation", handling: gives(a.invitation),
		},
		{
			name: "invitations.revoke", method: http.MethodDelete, path: path + "/{invitation}", permission: access.InvitationWrite,
			summary: "Revoke an invitation", notes: "Its ticket is dead at once.", handling: does(a.revokeInvitation),
		},
		{
			name: "invitations.revoke_all", method: http.MethodPost, path: path + "/revocation", permission: access.InvitationWrite,
			summary: "Revoke all invitations to an address", notes: "That were not accepted. Their tickets are dead at once.",
			handling: takes(func(c edge.Call, in invitedAddress) (revokedInvitations, error) {
				n, err := a.Directory.RevokeInvitationsTo(c.Context(), c.Actor, organizationOf(c), in.Email)
				return revokedInvitations{n}, err
			}),
		},
	}
}

func (a *API) invitations(c edge.Call, q query.Query) (query.Page[directory.Invitation], error) {
	i := organizationOf(c)
	return a.Directory.Invitations(c.Context(), c.Actor, i, q)
}

func (a *API) invite(c edge.Call, in newInvitation) (createdInvitation, error) {
	v := directory.Invitation{Email: in.Email, Inviter: in.Inviter, Public: in.PublicMetadata, Private: in.PrivateMetadata}
	v.Organization, v.Roles = organizationOf(c), parseAll(c.Actor.Realm, id.Role, in.Roles)
	var err error
	if v.ExpiresAt, err = a.future(in.ExpiresAt); err != nil {
		return createdInvitation{}, err
	}
	if in.SendMail {
		if a.Directory.Outbox == nil {
			return createdInvitation{}, notify.ErrNoChannel.On("send_mail")
		}
		r, err := a.Realms.Store.Realm(c.Context(), c.Actor.Realm)
		if err != nil {
			return createdInvitation{}, err
		}
		if v.Link = r.InvitationLink(); v.Link == nil {
			return createdInvitation{}, fault.Invalidf("send_mail", "the realm has no origin for a link to lead to")
		}
	}
	v, err = a.Directory.Invite(c.Context(), c.Actor, v)
	return createdInvitation{Invitation: showInvitation(c, v), Ticket: &v.Ticket}, err
}

// future reads an end of life, which must not have come already.
func (a *API) future(m *moment) (time.Time, error) {
	if m == nil {
		return time.Time{}, nil
	}
	t := time.Time(*m)
	if !t.After(a.Now()) {
		return t, errBody.On("expires_at").Saying("the time must lie in the future")
	}
	return t, nil
}

func invitationOf(c edge.Call) id.ID { return object(c, "invitation", id.Invitation) }

func (a *API) invitation(c edge.Call) (Invitation, error) {
	v, err := a.Directory.Invitation(c.Context(), c.Actor, organizationOf(c), invitationOf(c))
	return showInvitation(c, v), err
}

func (a *API) revokeInvitation(c edge.Call) error {
	return a.Directory.RevokeInvitation(c.Context(), c.Actor, organizationOf(c), invitationOf(c))
}
