package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"guildhall/internal/dialect/native"
	"guildhall/internal/directory"
	"guildhall/internal/id"
)

// captured keeps the messages that a development server caught instead of
// sending them: the newest few hundred, in memory.
type captured struct {
	mu   sync.Mutex
	list []caught
}

type caught struct {
	realm   id.ID
	message native.Message
}

const maxCaptured = 500

// Send keeps a message; see directory.Outbox.
func (c *captured) Send(_ context.Context, realm id.ID, m directory.Message) error {
	c.add(realm, native.Message{Channel: "mail", To: m.To, Subject: m.Subject, Text: m.Text, SentAt: time.Now()})
	return nil
}

func (c *captured) add(realm id.ID, m native.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == maxCaptured {
		c.list = slices.Delete(c.list, 0, 1)
	}
	c.list = append(c.list, caught{realm, m})
}

// of gives the messages of a realm, oldest first.
func (c *captured) of(realm id.ID) []native.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []native.Message{}
	for _, m := range c.list {
		if m.realm == realm {
			out = append(out, m.message)
		}
	}
	return out
}
