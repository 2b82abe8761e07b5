package erasure

import (
	"strconv"
	"strings"
	"time"

	"guildhall/internal/id"
)

// A Moment stands for everything that had happened in an organization, or in a
// realm. Every change leaves an event in the transaction that makes it, so what
// comes afterwards is behind the newest event, save for what was being written just
// then, or on a node whose clock is late: that has an older id and was not there yet.
// So the events of some time before the newest one are counted as well.
type Moment struct {
	Last   id.ID // the newest event
	Recent int   // events no older than Late before it, itself included
}

// Late is how long something may have been written before it is there, and how far
// clocks of nodes may be apart, for a change to be noticed.
const Late = time.Minute

// Window is how far back Recent counts, as a distance of ids.
var Window = id.At(id.Epoch.Add(Late))

func (m Moment) spell(c id.Codec) string {
	return c.Base62(m.Last) + "-" + strconv.FormatInt(int64(m.Recent), 36)
}

func parseMoment(c id.Codec, s string) (m Moment, ok bool) {
	last, recent, _ := strings.Cut(s, "-")
	if m.Last, ok = c.ParseBase62(last); !ok {
		return m, false
	}
	n, err := strconv.ParseInt(recent, 36, 32)
	m.Recent = int(n)
	return m, err == nil && n >= 0
}

// Fingerprint names the state of an organization.
func Fingerprint(organization id.ID, m Moment) string {
	return m.spell(id.For(organization, id.Event))
}

// ParseFingerprint gives the moment that a fingerprint of an organization speaks of.
func ParseFingerprint(organization id.ID, s string) (m Moment, ok bool) {
	return parseMoment(id.For(organization, id.Event), s)
}
