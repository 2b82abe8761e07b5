package breach_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"guildhall/internal/breach"
	"guildhall/internal/credential"
	"guildhall/internal/outbound"
)

func sum(s string) string {
	h := sha1.Sum([]byte(s))
	return strings.ToUpper(hex.EncodeToString(h[:]))
}

// list is a list of n passwords, as it is published.
func list(n int, end string) (text string, hashes []string) {
	for i := range n {
		hashes = append(hashes, sum(fmt.Sprint("password ", i)))
	}
	slices.Sort(hashes)
	var b strings.Builder
	for i, h := range hashes {
		fmt.Fprintf(&b, "%s:%d%s", h, i*i*i+1, end)
	}
	return b.String(), hashes
}

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "breached.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryLineOfAFileIsFoundAndNothingElse(t *testing.T) {
	for _, end := range []string{"\n", "\r\n"} {
		for _, n := range []int{1, 2, 3, 10, 5000} {
			text, hashes := list(n, end)
			for _, text := range []string{text, strings.TrimSuffix(text, end), strings.ToLower(text)} {
				f, err := breach.Open(file(t, text))
				if err != nil {
					t.Fatalf("%d lines: %v", n, err)
				}
				for _, h := range hashes {
					if found, err := f.Breached(t.Context(), h); !found || err != nil {
						t.Fatalf("%d lines: %s: %v, %v", n, h, found, err)
					}
				}
				for _, other := range []string{sum("another"), strings.Repeat("0", 40), strings.Repeat("F", 40)} {
					if found, err := f.Breached(t.Context(), other); found || err != nil {
						t.Fatalf("%d lines: %s: %v, %v", n, other, found, err)
					}
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestAFileThatIsNoOrderedListIsRefused(t *testing.T) {
	text, _ := list(5000, "\n")
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	backwards := slices.Clone(lines)
	slices.Reverse(backwards)
	swapped := slices.Clone(lines)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	for name, text := range map[string]string{
		"empty": "", "passwords": "password\n123456\n", "backwards": strings.Join(backwards, ""), "two swapped": strings.Join(swapped, ""),
		"longer lines": strings.Repeat("A", 1000), "NTLM": strings.ReplaceAll(text, ":", "0:"), "a column more": strings.ReplaceAll(text, "\n", ":x\n"),
	} {
		if f, err := breach.Open(file(t, text)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = f.Close()
		}
	}
	if _, err := breach.Open(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing file is accepted")
	}
}

// ranges serves a list by the first five digits of its hashes, with padding, as the
// public service does.
func ranges(t *testing.T, hashes []string, asked *[]string) *breach.Service {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		if r.Header.Get("Add-Padding") != "true" {
			t.Error("no padding was asked for")
		}
		prefix := strings.TrimPrefix(r.URL.Path, "/range/")
		for i, h := range hashes {
			if rest, ok := strings.CutPrefix(h, prefix); ok {
				fmt.Fprintf(w, "%s:%d\r\n", rest, i+1)
			}
		}
		for _, padding := range []string{"padded", "another"} {
			fmt.Fprintf(w, "%s:0\r\n", sum(padding)[5:])
		}
	}))
	t.Cleanup(s.Close)
	return &breach.Service{URL: s.URL + "/range/", Guard: &outbound.Guard{Loopback: true}}
}

func TestOnlyTheBeginningOfAHashIsTold(t *testing.T) {
	_, hashes := list(100, "\n")
	var asked []string
	s := ranges(t, hashes, &asked)
	for _, h := range hashes[:10] {
		if found, err := s.Breached(t.Context(), h); !found || err != nil {
			t.Errorf("%s: %v, %v", h, found, err)
		}
	}
	for _, other := range []string{sum("another"), sum("padded")} { // padding is no hit
		if found, err := s.Breached(t.Context(), other); found || err != nil {
			t.Errorf("%s: %v, %v", other, found, err)
		}
	}
	for _, path := range asked {
		if len(strings.TrimPrefix(path, "/range/")) != 5 {
			t.Errorf("asked for %s", path)
		}
	}
}

func TestAServiceThatDoesNotAnswerLetsPasswordsPass(t *testing.T) {
	var log bytes.Buffer
	answers := map[string]func(http.ResponseWriter){
		"an error":    func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"a page":      func(w http.ResponseWriter) { fmt.Fprint(w, "<html>please log in</html>") },
		"nothing":     func(http.ResponseWriter) {},
		"a redirect":  func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(http.StatusFound) },
		"without end": func(w http.ResponseWriter) { _, _ = io.Copy(w, io.LimitReader(zeros{}, 4<<20)) },
	}
	for name, answer := range answers {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		one := &breach.Service{URL: s.URL, Guard: &outbound.Guard{Loopback: true}}
		if found, err := one.Breached(t.Context(), sum("x")); found || err == nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		all := &breach.All{Lists: []breach.List{one}, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now}
		c := &credential.Service{Breaches: all}
		for range 3 {
			if err := c.CheckStrength(t.Context(), "a horse of another colour", credential.Strength{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.Close()
	}
	if n := strings.Count(log.String(), "does not answer"); n != len(answers) { // once a minute for each of them
		t.Errorf("%d lines for %d services:\n%s", n, len(answers), &log)
	}
	if strings.Contains(log.String(), sum("a horse of another colour")[:5]) {
		t.Errorf("the log tells of the password:\n%s", &log)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}

func TestABreachedPasswordIsRefused(t *testing.T) {
	const known = "a horse of another colour"
	var asked []string
	f, err := breach.Open(file(t, sum("something else")+":1\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &credential.Service{Breaches: &breach.All{Lists: []breach.List{f, ranges(t, []string{sum(known)}, &asked)}, Log: slog.New(slog.DiscardHandler), Now: time.Now}}
	if err := c.CheckStrength(context.Background(), known, credential.Strength{}); err == nil || !strings.Contains(err.Error(), "breach") {
		t.Errorf("known to the service: %v", err)
	}
	if err := c.CheckStrength(context.Background(), known+"!", credential.Strength{}); err != nil {
		t.Errorf("not known: %v", err)
	}
}

func FuzzFile(f *testing.F) {
	text, hashes := list(20, "\n")
	f.Add([]byte(text), hashes[3])
	f.Add([]byte("\n\n\n"), hashes[0])
	f.Add([]byte(strings.Repeat("0", 300)), "x")
	f.Fuzz(func(t *testing.T, text []byte, hash string) {
		l := breach.Over(bytes.NewReader(text), int64(len(text)))
		ordered := l.Check() == nil
		found, err := l.Breached(t.Context(), hash)
		if found && !bytes.Contains(bytes.ToUpper(text), []byte(strings.ToUpper(hash))) {
			t.Errorf("%q is found in %q", hash, text)
		}
		if ordered && found && err != nil {
			t.Errorf("found and failed: %v", err)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add([]byte(sum("x")[5:]+":3\r\n"+sum("y")[5:]+":0\r\n"), sum("x"))
	f.Fuzz(func(t *testing.T, answer []byte, hash string) {
		if found, err := breach.InRange(bytes.NewReader(answer), hash); found && (err != nil || !strings.Contains(strings.ToUpper(string(answer)), strings.ToUpper(hash))) {
			t.Errorf("%q is found in %q: %v", hash, answer, err)
		}
	})
}
