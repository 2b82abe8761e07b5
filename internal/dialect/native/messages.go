package native

import (
	"net/http"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
)

// A Message is mail or a text message that a development server caught instead
// of sending it.
type Message struct {
	Channel string // "mail" or "text"
	To      string
	Subject string // of mail
	Text    string
	HTML    string // of mail; "" when it has none
	SentAt  time.Time
}

// A message as this wire shows it.
type message struct {
	Channel string  `json:"channel" enum:"mail,text"`
	To      string  `json:"to"`
	Subject *string `json:"subject"`
	Text    string  `json:"text"`
	HTML    *string `json:"html"`
	SentAt  moment  `json:"sent_at"`
}

func (a *API) messageOperations() []operation {
	return []operation{{
		name: "dev.messages", method: http.MethodGet, path: "/dev/messages", permission: access.RealmRead,
		summary:  "List the messages that were caught",
		notes:    "Mail and text messages of the realm, newest first, on one page. Only on a server for development.",
		handling: gives(a.messages),
	}}
}

func (a *API) messages(c edge.Call) (list[message], error) {
	// They hold links and codes of everybody in the realm.
	if err := c.Actor.Require(access.RealmRead); err != nil {
		return list[message]{}, err
	}
	caught := a.Messages(c.Actor.Realm)
	l := list[message]{Items: make([]message, len(caught))}
	for i, m := range caught {
		l.Items[len(caught)-1-i] = message{
			Channel: m.Channel, To: m.To, Subject: textOrNull(m.Subject), Text: m.Text, HTML: textOrNull(m.HTML), SentAt: moment(m.SentAt),
		}
	}
	return l, nil
}
