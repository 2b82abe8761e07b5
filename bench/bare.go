package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// An answer is what a server said, to be repeated by the bare handler.
type answer struct {
	Status   int
	Type     string
	Body     []byte
	Trailers map[string]string
}

// setPath is where the bare handler is told its answer.
const setPath = "/-/answer"

// bareHandler answers every request with the same bytes and does nothing else.
type bareHandler struct{ answer atomic.Pointer[answer] }

func (b *bareHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut && r.URL.Path == setPath {
		a := new(answer)
		if err := json.NewDecoder(r.Body).Decode(a); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		b.answer.Store(a)
		return
	}
	if r.ContentLength != 0 {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	a := b.answer.Load()
	w.Header().Set("Content-Type", a.Type)
	for name := range a.Trailers {
		w.Header().Add("Trailer", name)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
	for name, value := range a.Trailers {
		w.Header().Set(name, value)
	}
}

// runBare serves the bare handler on a free port, with the protocols that the
// product serves, and prints its origin.
func runBare() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	fmt.Println("http://" + listener.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with its owner
		os.Exit(0)
	}()
	return (&http.Server{Handler: &bareHandler{}, Protocols: protocols, ReadHeaderTimeout: time.Minute}).Serve(listener)
}

// startBare starts the bare handler in a process of its own.
func startBare() (*target, error) {
	p, err := self("bare")
	if err != nil {
		return nil, err
	}
	origin, err := p.line(10 * time.Second)
	if err != nil {
		return nil, err
	}
	return newTarget(strings.TrimSpace(origin), p), nil
}

// repeat tells the bare handler what to answer.
func (t *target) repeat(a answer) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	got, err := t.send(request{method: http.MethodPut, path: setPath, body: body})
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("the bare handler answers %d", got.Status)
	}
	return err
}
