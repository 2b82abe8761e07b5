package edge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/fault"
)

// streaming is a dialect with one route, which streams.
type streaming struct{ stream Stream }

func (streaming) Name() string                                     { return "streaming" }
func (streaming) Prefixes() []string                               { return []string{"/"} }
func (streaming) Authenticate(*http.Request) (access.Actor, error) { return access.Actor{}, nil }
func (streaming) Admit(access.Actor, *Route) error                 { return nil }
func (streaming) Failure(f *fault.Error, _ Call) Reply {
	return Reply{Status: 500, Raw: []byte(f.Reason)}
}
func (streaming) Limited(http.Header, Limit) {}
func (d streaming) Routes() []Route {
	return []Route{{Operation: "stream", Method: "GET", Pattern: "/stream", Public: true, Handle: func(Call) (Reply, error) {
		return Reply{Stream: d.stream, Type: "text/event-stream"}, nil
	}}}
}

// limit is how long whole requests may take on the server of these tests.
const limit = 100 * time.Millisecond

func streamOn(t *testing.T, version int, closing chan struct{}, stream Stream) *http.Response {
	t.Helper()
	e := &Edge{Log: slog.New(slog.DiscardHandler), Closing: closing}
	s := httptest.NewUnstartedServer(e.Handler(streaming{stream}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = limit, limit
	s.EnableHTTP2 = version == 2
	s.StartTLS()
	t.Cleanup(s.Close)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	q, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/stream", nil)
	a, err := s.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); a.Body.Close() })
	if a.ProtoMajor != version || a.Header.Get("Content-Type") != "text/event-stream" || a.Header.Get("Content-Length") != "" {
		t.Fatalf("HTTP/%d: %v", a.ProtoMajor, a.Header)
	}
	return a
}

func eachVersion(t *testing.T, run func(t *testing.T, version int)) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("http%d", version), func(t *testing.T) { run(t, version) })
	}
}

func TestStreamsOutliveTheLimitsOfRequestsAndArriveAtOnce(t *testing.T) {
	eachVersion(t, func(t *testing.T, version int) {
		goOn := make(chan struct{})
		a := streamOn(t, version, nil, func(ctx context.Context, w io.Writer) error {
			for n := range 3 {
				if _, err := fmt.Fprintf(w, "piece %d\n", n); err != nil {
					return err
				}
				select {
				case <-goOn: // the next piece comes when this one was read
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
		lines := bufio.NewScanner(a.Body)
		for n := range 3 {
			if !lines.Scan() || lines.Text() != fmt.Sprintf("piece %d", n) {
				t.Fatalf("got %q (%v), want piece %d", lines.Text(), lines.Err(), n)
			}
			time.Sleep(2 * limit)
			goOn <- struct{}{}
		}
		if lines.Scan() || lines.Err() != nil {
			t.Errorf("behind the end: %q, %v", lines.Text(), lines.Err())
		}
	})
}

func TestStreamsEndWithTheirClientAndTheServer(t *testing.T) {
	eachVersion(t, func(t *testing.T, version int) {
		for _, who := range []string{"client", "server"} {
			t.Run(who, func(t *testing.T) {
				ended, closing := make(chan error, 1), make(chan struct{})
				a := streamOn(t, version, closing, func(ctx context.Context, w io.Writer) error {
					_, _ = io.WriteString(w, "begun\n")
					<-ctx.Done()
					ended <- ctx.Err()
					return ctx.Err()
				})
				if line, err := bufio.NewReader(a.Body).ReadString('\n'); line != "begun\n" {
					t.Fatal(line, err)
				}
				if who == "server" {
					close(closing)
				} else {
					a.Body.Close()
				}
				select {
				case err := <-ended:
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				case <-time.After(time.Minute):
					t.Fatal("the stream goes on")
				}
			})
		}
	})
}

func TestAPanicInAStreamLeavesTheServerRunning(t *testing.T) {
	a := streamOn(t, 1, nil, func(context.Context, io.Writer) error { panic("on purpose") })
	if body, err := io.ReadAll(a.Body); err != nil || len(body) > 0 {
		t.Errorf("%q, %v", body, err)
	}
}

func TestHeadOfAStreamHasNoBody(t *testing.T) {
	e := &Edge{Log: slog.New(slog.DiscardHandler)}
	w := httptest.NewRecorder()
	e.Handler(streaming{func(context.Context, io.Writer) error { t.Error("it streams"); return nil }}).ServeHTTP(w, httptest.NewRequest("HEAD", "/stream", nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
