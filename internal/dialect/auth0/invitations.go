package auth0

import (
	"errors"
	"net/url"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// invitationJSON is an invitation on the wire. Its ticket, and the link that
// carries it, are shown on creation only: what is kept is a hash of it.
type invitationJSON struct {
	ID           string         `json:"id"`
	Organization string         `json:"organization_id"`
	Inviter      inviterJSON    `json:"inviter"`
	Invitee      inviteeJSON    `json:"invitee"`
	URL          string         `json:"invitation_url,omitempty"`
	CreatedAt    string         `json:"created_at"`
	ExpiresAt    string         `json:"expires_at"`
	ClientID     string         `json:"client_id"`
	ConnectionID string         `json:"connection_id,omitempty"`
	AppMetadata  map[string]any `json:"app_metadata,omitempty"`
	UserMetadata map[string]any `json:"user_metadata,omitempty"`
	Roles        []string       `json:"roles,omitempty"`
	Ticket       string         `json:"ticket_id,omitempty"`
}

type inviterJSON struct {
	Name string `json:"name"`
}

type inviteeJSON struct {
	Email string `json:"email"`
}

func invitationOut(realm id.ID, organization string, v directory.Invitation) invitationJSON {
	out := invitationJSON{
		ID: invitationID(realm, v.ID), Organization: organization,
		Inviter: inviterJSON{v.Inviter}, Invitee: inviteeJSON{v.Email},
		CreatedAt: stamp(v.CreatedAt), ExpiresAt: stamp(v.ExpiresAt), ClientID: v.Client, ConnectionID: v.Connection,
		AppMetadata: v.Private, UserMetadata: v.Public, Ticket: v.Ticket,
	}
	for _, r := range v.Roles {
		out.Roles = append(out.Roles, roleID(realm, r))
	}
	return out
}

var invitationList = style{key: "invitations", offset: true, sort: map[string]string{
	"created_at": "created_at", "expires_at": "expires_at",
}}

func (a *API) listInvitations(c edge.Call) (edge.Reply, error) {
	organization, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	want, err := selected(c.Query())
	if err != nil {
		return edge.Reply{}, err
	}
	l, err := invitationList.listing(c)
	if err != nil {
		return edge.Reply{}, err
	}
	page, err := a.Directory.Invitations(c.Context(), c.Actor, organization, l.Query)
	if err != nil {
		return edge.Reply{}, err
	}
	invitations := each(want, spelled(page, func(v directory.Invitation) invitationJSON { return invitationOut(c.Actor.Realm, c.Path("id"), v) }))
	if !l.totals {
		return edge.OK(invitations.items), nil
	}
	// The vendor's envelope of this list has no total, and counts its own rows.
	return edge.OK(map[string]any{l.key: invitations.items, "start": l.Skip, "limit": len(invitations.items)}), nil
}

func (a *API) getInvitation(c edge.Call) (edge.Reply, error) {
	want, err := selected(c.Query())
	if err != nil {
		return edge.Reply{}, err
	}
	organization, i, err := a.invitation(c)
	if err != nil {
		return edge.Reply{}, err
	}
	v, err := a.Directory.Invitation(c.Context(), c.Actor, organization, i)
	if err != nil {
		return edge.Reply{}, err
	}
	return edge.OK(want.of(invitationOut(c.Actor.Realm, c.Path("id"), v))), nil
}

// invitation reads organization and invitation of the path.
func (a *API) invitation(c edge.Call) (organization, i id.ID, err error) {
	if organization, err = a.organization(c); err != nil {
		return organization, i, err
	}
	raw := c.Path("invitation_id")
	if !invitationForm.MatchString(raw) {
		return organization, i, malformed("user-invitation-id", raw, "invitation_id", "The id of the user invitation")
	}
	i, _ = parseBase62(c.Actor.Realm, id.Invitation, invitationPrefix, raw)
	return organization, i, nil // none is the id of nothing: not found in its organization
}

func (a *API) deleteInvitation(c edge.Call) (edge.Reply, error) {
	organization, i, err := a.invitation(c)
	if err != nil {
		return edge.Reply{}, err
	}
	if err := a.Directory.RevokeInvitation(c.Context(), c.Actor, organization, i); err != nil {
		return edge.Reply{}, err
	}
	return edge.NoContent(), nil
}

// createInvitation answers 201, as production does and the schema does not say.
func (a *API) createInvitation(c edge.Call) (edge.Reply, error) {
	organization, err := a.organization(c)
	if err != nil {
		return edge.Reply{}, err
	}
	b, err := decode(c, invitationCreate)
	if err != nil {
		return edge.Reply{}, err
	}
	o, err := a.Directory.Organization(c.Context(), c.Actor, organization)
	if err != nil {
		return edge.Reply{}, err
	}
	login, err := a.loginRoute(c, b)
	if err != nil {
		return edge.Reply{}, err
	}
	v := directory.Invitation{
		Organization: organization, Email: b.object("invitee").text("email"), Inviter: b.object("inviter").text("name"),
		Client: b.text("client_id"), Public: metadataOf(b, "user_metadata"), Private: metadataOf(b, "app_metadata"),
	}
	if life, ok := b.integer("ttl_sec"); ok && life > 0 {
		v.ExpiresAt = a.Now().Add(time.Duration(life) * time.Second)
	}
	var missing []string
	if v.Roles, missing, err = a.roles(c, b.list("roles")); err != nil {
		return edge.Reply{}, err
	}
	if len(missing) > 0 {
		return edge.Reply{}, missingOnes("roles", missing)
	}
	link := func(ticket string) string {
		return login + url.Values{"invitation": {ticket}, "organization": {c.Path("id")}, "organization_name": {o.Slug}}.Encode()
	}
	if send, given := b["send_invitation_email"].(bool); send || !given {
		v.Link = link
	}
	if v, err = a.Directory.Invite(c.Context(), c.Actor, v); err != nil {
		return edge.Reply{}, ofAnother(err, b.list("roles"))
	}
	out := invitationOut(c.Actor.Realm, c.Path("id"), v)
	out.URL = link(v.Ticket)
	return edge.Created(out), nil
}

func metadataOf(b body, name string) directory.Metadata {
	m, _ := b[name].(map[string]any)
	return m
}

// loginRoute is where the client of an invitation begins a login, ready for
// parameters to be put behind it.
func (a *API) loginRoute(c edge.Call, b body) (string, error) {
	app, err := a.Credentials.Application(c.Context(), c.Actor, query.Is("client_id", b.text("client_id")))
	switch {
	case errors.Is(err, credential.ErrApplicationNotFound):
		return "", errBody.Saying("The specified client_id does not exist.")
	case err != nil:
		return "", err
	case app.Scheme != scheme:
		return "", errBody.Saying("The specified client_id does not exist.")
	case b.has("connection_id"):
		return "", errBody.Saying("The specified connection does not exist.")
	}
	login, _ := app.Settings["initiate_login_uri"].(string)
	if login == "" {
		login = a.origin(c.Request, c.Actor.Realm) + "/login"
	}
	u, err := url.Parse(login)
	if err != nil {
		return "", errBody.Saying("A default login route is required to generate the invitation url.")
	}
	if u.RawQuery != "" {
		return login + "&", nil
	}
	return login + "?", nil
}
