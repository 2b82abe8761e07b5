package directory

import (
	"context"
	"fmt"
	"strings"

	"guildhall/internal/id"
)

// A Message is mail to a person.
type Message struct {
	To      string
	Subject string
	Text    string
}

// An Outbox sends messages. Sending comes after the commit of what the message is
// about: a message that is lost can be asked for again, one about something that
// never happened cannot be taken back.
type Outbox interface {
	Send(ctx context.Context, realm id.ID, m Message) error
}

// invitationMessage asks somebody to join an organization.
func invitationMessage(o Organization, v Invitation, link string) Message {
	inviter := v.Inviter
	if inviter == "" {
		inviter = o.Title()
	}
	return Message{
		To:      v.Email,
		Subject: fmt.Sprintf("Join %s", strings.Join(strings.Fields(o.Title()), " ")), // a header has one line
		Text: fmt.Sprintf("%s invites you to join %s.\n\nOpen this link to accept:\n\n%s\n\nThe invitation can be accepted until %s. If you did not expect it, do nothing.\n",
			inviter, o.Title(), link, v.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST")),
	}
}
