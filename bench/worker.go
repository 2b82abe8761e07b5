package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// A task is what a worker is told to do, on one line.
type task struct {
	Do    string
	Count int           // how often
	Floor string        // for "prepare" and "delete": cascading or batched
	Data  string        // for "attach": the folder of the server's database
	Least time.Duration // repeat at least this long, whatever Count says
}

// A result is what a worker answers, on one line.
type result struct {
	Done      int
	Wall      time.Duration
	Latencies []time.Duration
	Error     string
}

// A worker does without the server what the server does: it is the other side of
// every comparison with raw statements. It runs in a process of its own.
type worker struct {
	*process
}

// startWorker starts a worker on a database with the schema of the server.
func (e engine) startWorker() (*worker, error) {
	address := e.database
	if address == "" { // opened as the server opens its own for writing
		pragmas := url.Values{"_pragma": {"busy_timeout(15000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(FULL)", "secure_delete(1)", "cache_size(-16384)"}}
		address = "file:" + filepath.Join(e.data(), "guildhall.db") + "?" + pragmas.Encode()
	}
	p, err := self("worker", e.name, address)
	if err != nil {
		return nil, err
	}
	return &worker{p}, nil
}

// do has a task done and measures it.
func (w *worker) do(e engine, t task) (s sample, err error) {
	line, err := json.Marshal(t)
	if err != nil {
		return s, err
	}
	before, database := w.cpu(), e.databaseCPU()
	if _, err := w.input.Write(append(line, '\n')); err != nil {
		return s, err
	}
	answer, err := w.line(10 * time.Minute)
	if err != nil {
		return s, err
	}
	s.cpu, s.database = w.cpu()-before, e.databaseCPU()-database
	var r result
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		return s, fmt.Errorf("%w: %s", err, answer)
	}
	if r.Error != "" {
		return s, fmt.Errorf("%s: %s", t.Do, r.Error)
	}
	s.requests, s.wall, s.latencies = r.Done, r.Wall, r.Latencies
	return s, nil
}

// runWorker does the tasks of its standard input.
func runWorker(engine, address string) error {
	ctx := context.Background()
	db, err := sql.Open(map[string]string{"SQLite": "sqlite", "PostgreSQL": "pgx"}[engine], address)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	r := &raw{ctx: ctx, conn: conn, sqlite: engine == "SQLite", prepared: map[string]*sql.Stmt{}, shapes: map[string]shape{}}
	if r.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	if r.long, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for in.Scan() {
		var t task
		if err := json.Unmarshal(in.Bytes(), &t); err != nil {
			return err
		}
		answer, err := r.perform(t)
		if err != nil {
			answer.Error = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return in.Err()
}

// perform repeats a task.
func (r *raw) perform(t task) (got result, err error) {
	once := map[string]func() error{
		"create organization": r.createOrganization, "create user": r.createUser, "add member": r.addMember, "sign": r.sign,
		"sign RS256": r.signLong, "hash": r.hash,
		"create realm": r.createRealm,
		"attach":       func() error { return r.attach(t.Data) },
		"prepare":      func() error { return r.prepare(t.Floor) },
		"delete":       func() (err error) { got.Done, err = r.remove(t); return err },
	}[t.Do]
	if once == nil {
		return got, errors.New("unknown task")
	}
	start := time.Now()
	for n := 0; n < t.Count || time.Since(start) < t.Least; n++ {
		began := time.Now()
		if err := once(); err != nil {
			return got, err
		}
		got.Latencies = append(got.Latencies, time.Since(began))
	}
	got.Wall = time.Since(start)
	if got.Done == 0 {
		got.Done = len(got.Latencies)
	}
	return got, nil
}

// sign makes one ES256 signature over as much as a token holds.
func (r *raw) sign() error {
	var claims [300]byte
	digest := sha256.Sum256(claims[:])
	_, err := ecdsa.SignASN1(rand.Reader, r.key, digest[:])
	return err
}

// signLong is sign with RS256.
func (r *raw) signLong() error {
	var claims [300]byte
	digest := sha256.Sum256(claims[:])
	_, err := rsa.SignPKCS1v15(rand.Reader, r.long, crypto.SHA256, digest[:])
	return err
}

// hash hashes a password as the product does: argon2id, 19 MiB, two passes, one lane.
func (r *raw) hash() error {
	argon2.IDKey([]byte(benchPassword), make([]byte, 16), 2, 19<<10, 1, 32)
	return nil
}
