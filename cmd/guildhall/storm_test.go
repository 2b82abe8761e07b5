package main

import (
	"database/sql"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"guildhall/internal/pgtest"
	"guildhall/internal/store/storetest"
)

// TestT_C11_P13_ADeletionOutlivesWhateverHappensToPostgreSQL disturbs a purge, and
// everybody else, in every way that a database server is lost. FAULT_MEMBERS and
// FAULT_TIMES say how large the organization is and how often it is done.
func TestT_C11_P13_ADeletionOutlivesWhateverHappensToPostgreSQL(t *testing.T) {
	members, times := sized(t, "FAULT_MEMBERS", 4000), sized(t, "FAULT_TIMES", 3)
	binary := builtBinary(t)
	for name, on := range map[string]func(c *crash) (disturb func()){
		"connections are ended":         terminations,
		"the server crashes":            crashes,
		"the network cuts and swallows": network,
		"transactions lose races":       races,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &crash{t: t, binary: binary, listen: freeAddress(t)}
			disturb := on(c)
			c.populate(members)
			c.inPeace()
			start := time.Now()
			c.disturbed(times, disturb)
			t.Logf("%d members, disturbed %d times in %s", members, times+1, time.Since(start).Round(time.Second))
		})
	}
}

// terminations end every connection of the program, at once and again and again.
func terminations(c *crash) func() {
	c.address = storetest.URL(c.t)
	return func() {
		raw := c.beside()
		defer raw.Close()
		for range 5 {
			_, err := raw.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
			c.must(err)
			time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
		}
	}
}

// crashes end the database server without giving it time for anything.
func crashes(c *crash) func() {
	own := pgtest.Own(c.t)
	c.address = own.URL
	return func() { own.Crash(c.t) }
}

// network puts the test between the program and the database server. It ends
// connections, or carries nothing for a while, after which they go on or are ended.
func network(c *crash) func() {
	c.address = storetest.URL(c.t)
	to, err := url.Parse(c.address)
	c.must(err)
	w := &wire{to: to.Host, open: map[net.Conn]bool{}}
	w.flows = sync.NewCond(&w.mu)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	c.t.Cleanup(func() { l.Close(); w.cut() })
	go w.carry(l)
	to.Host = l.Addr().String()
	c.through = to.String()
	return func() {
		for range 5 {
			w.cut()
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		}
		w.swallow(true)
		time.Sleep(time.Second + time.Duration(rand.IntN(1500))*time.Millisecond)
		if rand.IntN(2) == 0 {
			w.cut()
		}
		w.swallow(false)
	}
}

// A wire carries connections to an address.
type wire struct {
	to    string
	mu    sync.Mutex
	flows *sync.Cond
	holed bool
	open  map[net.Conn]bool
}

func (w *wire) carry(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.to)
		if err != nil {
			in.Close()
			continue
		}
		w.mu.Lock()
		w.open[in], w.open[out] = true, true
		w.mu.Unlock()
		go w.pass(in, out)
		go w.pass(out, in)
	}
}

func (w *wire) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 8<<10)
	for {
		n, err := from.Read(b)
		w.mu.Lock()
		for w.holed && w.open[from] {
			w.flows.Wait()
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// cut ends every connection, whatever is on it.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.open {
		conn.Close()
		delete(w.open, conn)
	}
	w.flows.Broadcast()
}

func (w *wire) swallow(holed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holed = holed
	w.flows.Broadcast()
}

// races make statements and commits fail as those of a serializable database do
// (PostgreSQL documentation, Serialization Failure Handling), and hold what a purge
// wants crosswise, so that PostgreSQL ends one of both. Rarely the database has no
// room, or somebody cancels a statement.
func races(c *crash) func() {
	c.address, c.absorbed = storetest.URL(c.t), true
	var begun bool
	c.settled = func() {
		raw := c.beside()
		defer raw.Close()
		var lost bool
		c.must(raw.QueryRow("SELECT is_called FROM lost").Scan(&lost))
		if !lost {
			c.t.Error("no race was lost")
		}
		_, err := raw.Exec("DROP FUNCTION lose() CASCADE")
		c.must(err)
	}
	return func() {
		raw := c.beside()
		defer raw.Close()
		if !begun {
			begun = true
			_, err := raw.Exec(unluckily)
			c.must(err)
			return
		}
		for range 3 {
			crosswise(c, raw)
		}
	}
}

const unluckily = `
CREATE SEQUENCE lost;
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF random() < 0.02 THEN
    PERFORM nextval('lost'); -- which no rollback takes back
    RAISE EXCEPTION 'a race was lost' USING ERRCODE = CASE WHEN random() < 0.6 THEN '40001' WHEN random() < 0.9 THEN '40P01' WHEN random() < 0.5 THEN '53100' ELSE '57014' END;
  END IF;
  RETURN NULL;
END $$;
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name <> 'goose_db_version' LOOP
    EXECUTE format('CREATE TRIGGER lose AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH STATEMENT EXECUTE FUNCTION lose()', name);
  END LOOP;
  FOREACH name IN ARRAY ARRAY['events', 'deletions', 'jobs'] LOOP
    EXECUTE format('CREATE CONSTRAINT TRIGGER lose_late AFTER INSERT OR UPDATE OR DELETE ON %I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose()', name);
  END LOOP;
  EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 50', current_database());
END $$`

// crosswise takes people first and the deletion afterwards, which is the other way
// round than the purge does. Whichever of both PostgreSQL ends is no matter.
func crosswise(c *crash, raw *sql.DB) {
	tx, err := raw.Begin()
	c.must(err)
	defer tx.Rollback()
	if _, err = tx.Exec("SELECT 1 FROM members WHERE organization_id = $1 ORDER BY id LIMIT 2000 FOR UPDATE", int64(c.hit.org)); err == nil {
		time.Sleep(100 * time.Millisecond)
		_, err = tx.Exec("SELECT 1 FROM deletions WHERE subject_id = $1 FOR UPDATE", int64(c.hit.org))
	}
	if err != nil && !strings.Contains(err.Error(), "40P01") {
		c.t.Error(err)
	}
}
