package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strings"
	"time"

	guildhall "guildhall/internal/server"
)

// runProfiled serves as "guildhall serve --dev" does, in a process that also
// hands out profiles, whose origin it prints first. The product has no such door.
func runProfiled(data, database string) error {
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/cpu", pprof.Profile)
	mux.Handle("/allocs", pprof.Handler("allocs"))
	mux.Handle("/heap", pprof.Handler("heap"))
	fmt.Println("http://" + door.Addr().String())
	go func() { _ = (&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}).Serve(door) }()

	s, err := guildhall.Start(context.Background(), guildhall.Config{
		Data: data, Database: database, Migrate: true, Dev: true, Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0",
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Version: "profiled", Print: func(string, ...any) {},
	})
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with its owner
	return s.Close()
}

// profile writes profiles of something that goes on for longer than that takes:
// of the CPU, and of what is allocated.
func (b *bench) profile(s *server, what string, load func() error) error {
	name := strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(s.engine.name + "-" + what))
	failed := make(chan error, 1)
	go func() { failed <- s.saveProfile("/cpu?seconds=5", filepath.Join(b.profiles, name+".cpu")) }()
	if err := load(); err != nil {
		return err
	}
	if err := <-failed; err != nil {
		return err
	}
	return s.saveProfile("/allocs", filepath.Join(b.profiles, name+".allocs"))
}

func (b *bench) profileOperation(s *server, o operation) error {
	return b.profile(s, o.group+" "+o.name, func() error {
		_, err := s.load(6*time.Second, o.next)
		return err
	})
}

// profilePurge makes an organization large enough to be purged for a while.
func (b *bench) profilePurge(s *server) error {
	large, err := s.seed(b.binary, 1, b.sizes[len(b.sizes)-1])
	if err != nil {
		return err
	}
	if err := s.analyze(); err != nil {
		return err
	}
	return b.profile(s, "purge", func() error {
		_, err := b.end(s, large[0], &sizeReport{}, false)
		return err
	})
}

func (s *server) saveProfile(path, file string) error {
	response, err := http.Get(s.door + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, response.Body); err != nil {
		return err
	}
	return out.Close()
}
