package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/locale"
	"guildhall/internal/query"
)

const purpose = "message"

// usualLife is how long a message may wait when nobody says.
const usualLife = 24 * time.Hour

// content is what is sealed of a message.
type content struct {
	To     string            `json:"to"`
	Name   string            `json:"name,omitempty"`
	Locale string            `json:"locale,omitempty"`
	Data   map[string]string `json:"data,omitempty"`
}

// Queue puts a message into the queue; a worker sends it soon. It is called after
// the commit of what the message is about: one that is lost can be asked for
// again, one about something that never happened cannot be taken back.
func (s *Service) Queue(ctx context.Context, m Message) error {
	if err := s.check(&m); err != nil {
		return err
	}
	plain, err := json.Marshal(content{m.To, m.Name, m.Locale, m.Data})
	if err != nil {
		return err
	}
	sealed, err := s.Vault.Seal(ctx, m.Realm, m.Organization, purpose, plain)
	if err != nil {
		return err
	}
	now := s.Now()
	e := Entry{
		Organization: m.Organization, User: m.User, Home: m.Home, Kind: m.Kind, Channel: m.Kind.Channel(),
		Recipient: s.recipient(m.Realm, m.To), Sealed: sealed, State: Queued, RunAt: now, Until: m.Until,
	}
	if e.Until.IsZero() {
		e.Until = now.Add(usualLife)
	}
	err = s.Store.Update(ctx, m.Realm, func(tx Tx) error {
		if err := s.allow(ctx, tx, e, now); err != nil {
			return err
		}
		fresh := e
		return tx.Messages().Insert(ctx, &fresh)
	})
	if err == nil && s.Wake != nil {
		s.Wake()
	}
	return err
}

// check refuses what would be sent to the wrong place or lead to one.
func (s *Service) check(m *Message) error {
	allowed, ok := fields[m.Kind]
	if !ok {
		return ErrKind
	}
	if !deliverable(m.Kind.Channel(), m.To) {
		return ErrRecipient
	}
	data := make(map[string]string, len(m.Data))
	for k, v := range m.Data {
		if v == "" {
			continue
		}
		if !slices.Contains(allowed, k) {
			return fault.Invalidf(k, "messages of this kind have no such part")
		}
		data[k] = v
		if k != "link" {
			data[k] = tame(v, 200)
		}
	}
	m.Data, m.Name = localized(*m, data), tame(m.Name, 100)
	if link := m.Data["link"]; link != "" && !s.leads(m, link) {
		return ErrLink
	}
	return nil
}

// localized adds to the data what is written in the language of the message.
func localized(m Message, data map[string]string) map[string]string {
	lang, allowed := locale.Match(m.Locale), fields[m.Kind]
	for name, at := range map[string]time.Time{"time": m.At, "expires": m.Until} {
		if !at.IsZero() && slices.Contains(allowed, name) {
			data[name] = locale.Time(lang, at)
		}
	}
	if said, ok := wordsOf()[lang].Factors[data["factor"]]; ok {
		data["factor"] = said
	}
	return data
}

// leads reports whether a link may stand in a message: web addresses only, and
// those of the realm's own origins unless the message says otherwise.
func (s *Service) leads(m *Message, link string) bool {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || len(link) > 4096 {
		return false
	}
	origin := u.Scheme + "://" + strings.ToLower(u.Host)
	return m.Elsewhere || slices.Contains(s.Origins(m.Realm), origin)
}

// deliverable reports whether to is one plain address or number, not a list and
// nothing that could add a header.
func deliverable(c Channel, to string) bool {
	if strings.IndexFunc(to, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) >= 0 || len(to) > 254 {
		return false
	}
	if c == Text {
		if len(to) < 4 || len(to) > 16 || to[0] != '+' {
			return false
		}
		return strings.IndexFunc(to[1:], func(r rune) bool { return r < '0' || r > '9' }) < 0
	}
	a, err := mail.ParseAddress(to)
	return err == nil && a.Address == to && a.Name == ""
}

// tame makes text of people fit to stand in a message of ours: one line, no
// longer than a name has to be, nothing that reorders what is read, and nothing
// that mail programs would turn into a link.
func tame(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		if unicode.In(r, unicode.Cf, unicode.Co) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	words := strings.Fields(s)
	for i, w := range words {
		low := strings.ToLower(w)
		if strings.Contains(low, "://") || strings.HasPrefix(low, "www.") {
			words[i] = "…"
		}
	}
	runes := []rune(strings.Join(words, " "))
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return string(runes)
}

// allow counts what was queued within the last hour.
func (s *Service) allow(ctx context.Context, tx Tx, e Entry, now time.Time) error {
	limits := s.Limits
	if limits == (Limits{}) {
		limits = DefaultLimits
	}
	since := query.Where("created_at", query.More, now.Add(-time.Hour))
	n, err := tx.Messages().Count(ctx, query.Is("recipient", e.Recipient), since)
	if err != nil {
		return err
	}
	if n >= limits.Recipient {
		return ErrTooMany
	}
	if e.Organization == id.None {
		return nil
	}
	n, err = tx.Messages().Count(ctx, query.Is("organization_id", e.Organization), since)
	if err == nil && n >= limits.Organization {
		err = ErrTooMany
	}
	return err
}

// recipient is a hash that tells addresses apart without telling them.
func (s *Service) recipient(realm id.ID, to string) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte(realm.String() + " " + strings.ToLower(to)))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// A Claim is a message that a worker holds the lease of.
type Claim struct {
	Realm id.ID
	Entry Entry
}

// A Line is the queue as a worker sees it, across realms.
type Line interface {
	// Claim leases due messages, the longest waiting first.
	Claim(ctx context.Context, limit int) ([]Claim, error)
	// Settle writes what became of a message whose lease is still held.
	Settle(ctx context.Context, c Claim) error
	// Sweep drops what was sent or given up before a time.
	Sweep(ctx context.Context, before time.Time) error
}

// A Worker sends what waits.
type Worker struct {
	Service *Service
	Line    Line
	Wake    <-chan struct{}
}

const (
	atOnce   = 8
	between  = 2 * time.Second
	kept     = 48 * time.Hour // rows of messages that are done, for counting and asking
	attempts = 10
)

// Run sends until ctx ends.
func (w *Worker) Run(ctx context.Context) {
	var swept time.Time
	for ctx.Err() == nil {
		n, err := w.Pass(ctx)
		if err != nil && ctx.Err() == nil {
			w.Service.Log.Error("send messages", "error", err)
		}
		if now := w.Service.Now(); now.Sub(swept) > time.Hour {
			if err := w.Line.Sweep(ctx, now.Add(-kept)); err != nil && ctx.Err() == nil {
				w.Service.Log.Error("sweep messages", "error", err)
			}
			swept = now
		}
		if n == atOnce && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-w.Wake:
		case <-time.After(between):
		}
	}
}

// Pass sends what is due now, at most a handful, and tells how many it took.
func (w *Worker) Pass(ctx context.Context) (int, error) {
	claims, err := w.Line.Claim(ctx, atOnce)
	if err != nil {
		return 0, err
	}
	done := make(chan error, len(claims))
	for _, c := range claims {
		go func() { done <- w.Line.Settle(context.WithoutCancel(ctx), w.Service.deliver(ctx, c)) }()
	}
	for range claims {
		err = errors.Join(err, <-done)
	}
	return len(claims), err
}

const attemptLife = 30 * time.Second

// deliver makes one attempt, and gives the claim as it is to be written.
func (s *Service) deliver(ctx context.Context, c Claim) Claim {
	ctx, cancel := context.WithTimeout(ctx, attemptLife)
	defer cancel()
	now := s.Now()
	e := &c.Entry
	if now.After(e.Until) {
		e.State, e.Sealed, e.Problem = Failed, nil, "it waited for too long"
		return c
	}
	err := s.send(ctx, c)
	if err == nil {
		e.State, e.SentAt, e.Sealed, e.Problem = Sent, now, nil, ""
		return c
	}
	e.Problem = plainly(err)
	var forGood Permanent
	if errors.As(err, &forGood) || e.Attempts >= attempts {
		e.State, e.Sealed = Failed, nil
	} else {
		e.RunAt = now.Add(pause(e.Attempts))
	}
	s.Log.Warn("a message could not be sent", "message", e.ID, "kind", e.Kind, "attempt", e.Attempts, "state", e.State, "error", e.Problem)
	return c
}

// plainly keeps of an error what fits into a row and a line of a log.
func plainly(err error) string {
	return tame(err.Error(), 300)
}

// pause grows from five seconds to an hour.
func pause(attempt int64) time.Duration {
	return min(5*time.Second<<min(2*max(attempt-1, 0), 20), time.Hour)
}

func (s *Service) send(ctx context.Context, c Claim) error {
	carrier := s.Carriers[c.Entry.Channel]
	if carrier == nil {
		return ErrNoChannel
	}
	plain, err := s.Vault.Open(ctx, c.Realm, c.Entry.Organization, purpose, c.Entry.Sealed)
	if err != nil {
		return err
	}
	var m content
	if err := json.Unmarshal(plain, &m); err != nil {
		return Permanent{err}
	}
	l, err := s.compose(ctx, c, m)
	if err != nil {
		return err
	}
	return carrier.Send(ctx, l)
}
