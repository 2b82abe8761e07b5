package directory

import (
	"context"

	"guildhall/internal/notify"
)

// An Outbox takes messages to people. It is called after the commit of what the
// message is about; see notify.Service.Queue.
type Outbox interface {
	Queue(ctx context.Context, m notify.Message) error
}

// invitationMessage asks somebody to join an organization.
func invitationMessage(v Invitation, link string) notify.Message {
	return notify.Message{
		Organization: v.Organization, User: v.User, Home: v.Home, Kind: notify.Invitation, To: v.Email,
		Data: map[string]string{"link": link, "inviter": v.Inviter},
		// Where it leads was set up with the application, or is the server itself.
		Elsewhere: true, Until: v.ExpiresAt,
	}
}
