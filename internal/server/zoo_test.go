package server

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"guildhall/internal/store/storetest"
	"guildhall/internal/vault/master"
)

// The zoo keeps one of every credential of one member, and of the organization. The
// page docs/credentials.md says of each what becomes of it with everything that can
// happen; the test does it, on one node, and really uses every credential on another.

const fatesPage = "../../docs/credentials.md"

// A fate is a column of the page: what happens, and which credentials live afterwards.
type fate struct {
	section, event string
	lives          map[string]bool
}

// fates reads the tables of the page.
func fates(t *testing.T) (all []*fate, names []string) {
	t.Helper()
	b, err := os.ReadFile(fatesPage)
	if err != nil {
		t.Fatal(err)
	}
	section, columns := "", []*fate(nil)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section, columns = title, nil
			continue
		}
		if !strings.HasPrefix(line, "|") || happenings[section] == nil || strings.HasPrefix(line, "|--") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			for _, event := range cells[1:] {
				columns = append(columns, &fate{section, event, map[string]bool{}})
			}
			all = append(all, columns...)
			continue
		}
		if len(cells) != len(columns)+1 {
			t.Fatalf("%s: %q has %d columns, not %d", fatesPage, cells[0], len(cells)-1, len(columns))
		}
		if !slices.Contains(names, cells[0]) {
			names = append(names, cells[0])
		}
		for i, word := range cells[1:] {
			if word != "lives" && word != "dead" {
				t.Fatalf("%s: %q, %q: %q is neither lives nor dead", fatesPage, cells[0], columns[i].event, word)
			}
			columns[i].lives[cells[0]] = word == "lives"
		}
	}
	return all, names
}

// TestT_C01_C02_C04_C05_C14_C15_C17_EveryCredentialLivesAndDiesAsThePageSays does
// everything that the page tells of to everything that it names.
func TestT_C01_C02_C04_C05_C14_C15_C17_EveryCredentialLivesAndDiesAsThePageSays(t *testing.T) {
	all, names := fates(t)
	told := 0
	for _, s := range happenings {
		told += len(s.events)
	}
	if len(all) != told {
		t.Errorf("the page tells of %d events, the test knows %d", len(all), told)
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			p := newPark(t, engine)
			t.Run("nothing happens", func(t *testing.T) {
				z := p.zoo(t, false)
				for _, n := range names {
					if z.find(n) == nil {
						t.Errorf("the page names %q, of which there is none", n)
					}
				}
				for _, one := range z.animals {
					if !slices.Contains(names, one.name) {
						t.Errorf("the page does not tell of %q", one.name)
					}
				}
				z.all(func(string) bool { return true })
			})
			for _, f := range all {
				t.Run(f.section+", "+f.event, func(t *testing.T) {
					s := happenings[f.section]
					happen, ok := s.events[f.event]
					if !ok {
						t.Fatal("nobody knows how to do it")
					}
					z := p.zoo(t, s.homed)
					z.warm()
					happen(z)
					z.all(func(name string) bool { return f.lives[name] })
				})
			}
		})
	}
}

// all uses every credential, on the node on which nothing happened first, and fails
// where one is not as expected.
func (z *zoo) all(lives func(name string) bool) {
	z.t.Helper()
	for _, one := range z.animals {
		for _, n := range z.nodes {
			want := lives(one.name)
			if got := one.use(n); got != want {
				z.t.Errorf("%s: %s lives: %v, want %v", n.name, one.name, got, want)
			}
			if one.once { // it was used up
				break
			}
		}
	}
}

// warm uses what can be used often on every node, so that they remember what they can.
func (z *zoo) warm() {
	z.t.Helper()
	for _, one := range z.animals {
		for _, n := range z.nodes {
			if !one.once && !one.use(n) {
				z.t.Errorf("%s: %s is dead before anything happens", n.name, one.name)
			}
		}
	}
}

// A node is one server of several on a database.
type node struct {
	name string
	s    *Server
	h    http.Handler
}

// newPark opens a server with a realm for many zoos; on PostgreSQL there are two nodes.
// The first node that credentials are used on is the one on which nothing happens.
func newPark(t *testing.T, engine string) *park {
	t.Helper()
	cfg := Config{Data: storetest.Folder(t)}
	if engine == "postgres" {
		cfg.Database, cfg.Migrate = storetest.URL(t), true
		cfg.Master = master.Sources{File: filepath.Join(t.TempDir(), "master.key"), Create: true} // both nodes read it
	}
	at := newSiteOn(t, cfg)
	p := &park{site: at, realm: at.home.ID, by: at.here.by, mail: &postbox{}}
	p.nodes = []node{{"the same node", at.Server, at.h}}
	if engine == "postgres" {
		other, err := Start(t.Context(), Config{Data: t.TempDir(), Database: cfg.Database, Master: cfg.Master, Listen: "127.0.0.1:0", Fast: true,
			PublicURLs: []string{zooOrigin}, Print: func(string, ...any) {}, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { other.Close() })
		p.nodes = []node{{"another node", other, other.handler()}, p.nodes[0]}
	}
	p.settle(t)
	return p
}
