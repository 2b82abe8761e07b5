package webhook

import (
	"math/rand/v2"
	"time"
)

// How deliveries are tried again.
const (
	// Patience is how long a delivery is tried before it is given up.
	Patience = 72 * time.Hour

	firstPause   = 5 * time.Second
	longestPause = 6 * time.Hour
	triesKept    = 20
)

// pause is how long to wait after a number of failures: three times as long after
// each, and a fifth more or less, so that what failed together does not come back
// together.
func pause(failures int64) time.Duration {
	d := firstPause
	for ; failures > 1 && d < longestPause; failures-- {
		d *= 3
	}
	d = min(d, longestPause)
	return d - d/5 + rand.N(2*d/5)
}

// An Outcome is how an attempt ended.
type Outcome struct {
	At    time.Time
	Took  time.Duration
	Code  int    // of the answer; 0 when there was none
	Error string // what failed, in a few words of our own; "" when there was an answer
}

// Good reports that the endpoint took the message.
func (o Outcome) Good() bool { return o.Code >= 200 && o.Code < 300 }

// Settle writes an outcome into a delivery and its webhook. Failures counts those
// of the webhook in a row, this one not among them. It gives how long the whole
// line rests: an endpoint that is down is asked once in a while, not once for
// everything that waits for it.
func Settle(d *Delivery, w *Webhook, o Outcome, failures int64) (rest time.Duration) {
	d.Attempts++
	d.Code, d.Error = int64(o.Code), o.Error
	d.Tries = append(d.Tries, Try(o))
	d.Tries = d.Tries[max(0, len(d.Tries)-triesKept):]
	if o.Good() {
		d.State, d.EndedAt = Delivered, o.At
		w.SucceededAt, w.FailingSince = o.At, time.Time{}
		return 0
	}
	if w.FailingSince.IsZero() {
		w.FailingSince = o.At
	}
	since := d.CreatedAt
	if w.ResumedAt.After(since) { // it was held back
		since = w.ResumedAt
	}
	last := since.Add(Patience)
	switch {
	case o.Code == 410:
		d.State, d.EndedAt = Failed, o.At
		w.disable(Gone, o.At)
	case !o.At.Before(last):
		d.State, d.EndedAt = Failed, o.At
		if w.SucceededAt.Before(since) { // not this one message alone
			w.disable(Failing, o.At)
		}
	default:
		if d.DueAt = o.At.Add(pause(d.Attempts)); d.DueAt.After(last) {
			d.DueAt = last
		}
	}
	return min(pause(failures+1), max(d.DueAt.Sub(o.At), firstPause))
}

func (w *Webhook) disable(reason string, at time.Time) {
	w.State, w.Reason, w.DisabledAt = Disabled, reason, at
}

// Renounce reports when the last event of an organization is tried again after a
// number of failures; ok is false when it is given up.
func Renounce(o Outcome, created time.Time, attempts int64) (due time.Time, ok bool) {
	last := created.Add(Patience)
	if o.Good() || o.Code == 410 || !o.At.Before(last) {
		return due, false
	}
	if due = o.At.Add(pause(attempts)); due.After(last) {
		due = last
	}
	return due, true
}

// wordTries is how often that is tried which waited when its organization ended: for
// about ten minutes, each message before the next, so that the last event is the last.
const wordTries = 6

// Repeat reports when such a message is tried again after a number of attempts, this
// one among them; over says that the endpoint wants nothing more.
func Repeat(o Outcome, attempts int64) (due time.Time, again, over bool) {
	switch {
	case o.Code == 410:
		return due, false, true
	case o.Good(), attempts >= wordTries:
		return due, false, false
	}
	return o.At.Add(pause(attempts)), true, false
}
