package server

import (
	"slices"
	"sync"

	"guildhall/internal/dialect/native"
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
