package id_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guildhall/internal/id"
)

// A registry hands out leases as the database does: the moment up to which a
// number is reserved is written down before the lease is given, and outlives its
// holder.
type registry struct {
	mu       sync.Mutex
	reserved map[int]time.Time
	holder   map[int]int
	down     bool
}

func newRegistry() *registry {
	return &registry{reserved: map[int]time.Time{}, holder: map[int]int{}}
}

const registryLife = time.Minute

var errDown = errors.New("the registry does not answer")

// A registrant is one process at the registry, with a clock of its own.
type registrant struct {
	r    *registry
	name int
	now  func() time.Time
}

func (p registrant) Acquire(context.Context) (id.Lease, error) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.down {
		return id.Lease{}, errDown
	}
	return p.take(), nil
}

func (p registrant) take() id.Lease {
	now := p.now()
	for node := 1; ; node++ {
		if until, known := p.r.reserved[node]; !known || !until.After(now) {
			p.r.reserved[node], p.r.holder[node] = now.Add(registryLife), p.name
			return id.Lease{Node: node, From: now, Until: now.Add(registryLife)}
		}
	}
}

func (p registrant) Renew(_ context.Context, held id.Lease) (id.Lease, error) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	if p.r.down {
		return held, errDown
	}
	if p.r.holder[held.Node] != p.name {
		return p.take(), nil
	}
	from := held.From
	if now := p.now(); now.After(from) {
		from = now
	}
	held.Until = from.Add(registryLife)
	p.r.reserved[held.Node] = held.Until
	return held, nil
}

// A clock is moved by the test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: id.Epoch.Add(300 * 24 * time.Hour)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newGenerator(t rapid.TB, r *registry, name int, c *clock) *id.Generator {
	t.Helper()
	g, err := id.NewGenerator(context.Background(), registrant{r, name, c.now}, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestIDsGrowAndTellWhenTheyWereIssued(t *testing.T) {
	c := newClock()
	g := newGenerator(t, newRegistry(), 1, c)
	last := id.None
	for n := range 20_000 {
		i, err := g.New()
		if err != nil {
			t.Fatal(err)
		}
		if i <= last {
			t.Fatalf("id %d came after %d", i, last)
		}
		last = i
		if n%100 == 0 {
			c.move(time.Millisecond)
			if i < id.At(i.Time()) || i.Time().After(c.now().Add(time.Second)) {
				t.Fatalf("id %d says it was issued at %v, which is %v", i, i.Time(), c.now())
			}
		}
	}
}

// TestT_A06_GeneratorsNeverIssueAnIDTwice lets processes issue ids, lose their
// clocks, crash, come back, and lose the registry, in any order.
func TestT_A06_GeneratorsNeverIssueAnIDTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, names := newRegistry(), 0
		clocks := []*clock{newClock(), newClock(), newClock()}
		generators := make([]*id.Generator, len(clocks))
		last := make([]id.ID, len(clocks))
		start := func(p int) {
			r.down = false
			names++
			generators[p], last[p] = newGenerator(t, r, names, clocks[p]), id.None
		}
		for p := range clocks {
			start(p)
		}
		seen := map[id.ID]bool{}
		issue := func(p, many int) {
			_ = generators[p].Ready(context.Background()) // may fail while the registry is down
			for range many {
				i, err := generators[p].New()
				if err != nil {
					if !errors.Is(err, id.ErrLease) {
						t.Fatal(err)
					}
					return
				}
				if i <= last[p] {
					t.Fatalf("process %d issued %d after %d", p, i, last[p])
				}
				if seen[i] {
					t.Fatalf("%d was issued twice", i)
				}
				last[p], seen[i] = i, true
			}
		}
		process := rapid.IntRange(0, len(clocks)-1)
		t.Repeat(map[string]func(*rapid.T){
			"few":   func(t *rapid.T) { issue(process.Draw(t, "process"), 3) },
			"many":  func(t *rapid.T) { issue(process.Draw(t, "process"), 4200) },
			"crash": func(t *rapid.T) { start(process.Draw(t, "process")) },
			"tick": func(t *rapid.T) {
				clocks[process.Draw(t, "process")].move(time.Duration(rapid.IntRange(0, 90).Draw(t, "s")) * time.Second)
			},
			"stepBack": func(t *rapid.T) {
				clocks[process.Draw(t, "process")].move(-time.Duration(rapid.IntRange(0, 200).Draw(t, "s")) * time.Second)
			},
			"outage": func(*rapid.T) { r.down = !r.down },
		})
	})
}

func TestT_A06_ConcurrentCallersGetDifferentIDs(t *testing.T) {
	g, err := id.NewGenerator(t.Context(), registrant{newRegistry(), 1, time.Now}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	const callers, each = 8, 5000
	lists := make([][]id.ID, callers)
	var wait sync.WaitGroup
	for n := range callers {
		wait.Go(func() {
			for range each {
				if err := g.Ready(context.Background()); err != nil {
					t.Error(err)
					return
				}
				i, err := g.New()
				if err != nil {
					t.Error(err)
					return
				}
				lists[n] = append(lists[n], i)
			}
		})
	}
	wait.Wait()
	seen := map[id.ID]bool{}
	for _, list := range lists {
		for _, i := range list {
			if seen[i] {
				t.Fatalf("%d was issued twice", i)
			}
			seen[i] = true
		}
	}
	if len(seen) != callers*each {
		t.Errorf("%d ids, want %d", len(seen), callers*each)
	}
}

func TestAClockSteppedBackCountsOn(t *testing.T) {
	c := newClock()
	g := newGenerator(t, newRegistry(), 1, c)
	before, err := g.New()
	if err != nil {
		t.Fatal(err)
	}
	c.move(-24 * time.Hour)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := g.New()
	if err != nil || after <= before {
		t.Errorf("after the step %d, %v; before it %d", after, err, before)
	}
}

func TestALeaseThatRanOutIssuesNothing(t *testing.T) {
	c := newClock()
	r := newRegistry()
	g := newGenerator(t, r, 1, c)
	c.move(registryLife)
	if i, err := g.New(); !errors.Is(err, id.ErrLease) {
		t.Fatalf("New gave %d, %v after the lease ran out", i, err)
	}
	r.down = true
	if err := g.Ready(t.Context()); !errors.Is(err, errDown) {
		t.Fatalf("Ready without a registry: %v", err)
	}
	r.down = false
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.New(); err != nil {
		t.Errorf("after the lease was renewed: %v", err)
	}
}

// A blocking leaser renews only when it is let.
type blocking struct {
	registrant
	asked, let chan struct{}
}

func (b blocking) Renew(ctx context.Context, held id.Lease) (id.Lease, error) {
	b.asked <- struct{}{}
	<-b.let
	return b.registrant.Renew(ctx, held)
}

// A renewal writes to the database. On an engine with one writer it waits for the
// transaction that is under way, and that transaction may need an id to end.
func TestARenewalNeverKeepsOthersFromIssuing(t *testing.T) {
	c := newClock()
	b := blocking{registrant{newRegistry(), 1, c.now}, make(chan struct{}), make(chan struct{})}
	g, err := id.NewGenerator(t.Context(), b, c.now)
	if err != nil {
		t.Fatal(err)
	}
	c.move(registryLife - 10*time.Second)
	renewed := make(chan error, 1)
	go func() { renewed <- g.Ready(context.Background()) }()
	<-b.asked
	issued := make(chan error, 1)
	go func() {
		_, err := g.New()
		issued <- err
	}()
	select {
	case err := <-issued:
		if err != nil {
			t.Errorf("New during a renewal: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("New waits for the renewal")
	}
	impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := g.Ready(impatient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second caller with a deadline: %v", err)
	}
	b.let <- struct{}{}
	if err := <-renewed; err != nil {
		t.Error(err)
	}
}

func TestAtIsABoundOfIDs(t *testing.T) {
	c := newClock()
	g := newGenerator(t, newRegistry(), 1, c)
	lower := id.At(c.now())
	i, err := g.New()
	if err != nil {
		t.Fatal(err)
	}
	if upper := id.At(c.now().Add(time.Millisecond)); i < lower || i >= upper {
		t.Errorf("%d is not between %d and %d", i, lower, upper)
	}
	if id.At(id.Epoch.Add(-time.Hour)) != 0 {
		t.Error("a time before the epoch has a bound other than 0")
	}
}

func BenchmarkNew(b *testing.B) {
	g, err := id.NewGenerator(b.Context(), registrant{newRegistry(), 1, time.Now}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		if err := g.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := g.New(); err != nil {
			b.Fatal(err)
		}
	}
}
