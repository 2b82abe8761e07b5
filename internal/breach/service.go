package breach

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"guildhall/internal/outbound"
)

const (
	prefixLength = 5 // of a hash: all that anybody is told
	patience     = 3 * time.Second
	longestRange = 1 << 20
)

// A Service is asked for all hashes that begin alike (k-anonymity): it learns the
// first five digits of a hash, which hundreds of thousands of passwords share. Answers
// are padded, so that their length tells nothing to who watches the line.
type Service struct {
	URL   string // the first digits are put behind it
	Guard *outbound.Guard
}

// Breached asks the service. An error means that it did not answer.
func (s *Service) Breached(ctx context.Context, sha1 string) (bool, error) {
	if len(sha1) != hashLength || !hexadecimal(sha1) {
		return false, errLine
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.URL, "/")+"/"+sha1[:prefixLength], nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Add-Padding", "true")
	request.Header.Set("User-Agent", "guildhall")
	answer, err := s.Guard.Client(outbound.Limits{Timeout: patience, MaxBody: longestRange}).Do(request)
	if err != nil {
		return false, fmt.Errorf("ask for breached passwords: %s", outbound.Reason(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false, fmt.Errorf("ask for breached passwords: the answer has the status %d", answer.StatusCode)
	}
	return inRange(answer.Body, sha1[prefixLength:])
}

// inRange looks for the rest of a hash in an answer: lines SUFFIX:COUNT in any order.
// A count of zero is padding. An answer that is something else is an error, not a no.
func inRange(answer io.Reader, rest string) (found bool, err error) {
	lines := bufio.NewScanner(answer)
	lines.Buffer(make([]byte, 0, 256), 256)
	n := 0
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			continue
		}
		suffix, count, ok := strings.Cut(line, ":")
		if !ok || len(suffix) != hashLength-prefixLength || !hexadecimal(suffix) || !decimal(count) {
			return false, errors.New("ask for breached passwords: the answer is no list of hashes")
		}
		n++
		if strings.EqualFold(suffix, rest) && strings.Trim(count, "0") != "" {
			found = true
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("ask for breached passwords: %w", err)
	}
	if n == 0 {
		return false, errors.New("ask for breached passwords: the answer is empty")
	}
	return found, nil
}

// A List is anything that knows breached passwords.
type List interface {
	Breached(ctx context.Context, sha1 string) (bool, error)
}

// All asks several lists. Whoever does not answer is passed over, with a line in the
// log once a minute: a list that is away must not keep anybody from a new password.
type All struct {
	Lists []List
	Log   *slog.Logger
	Now   func() time.Time

	mu   sync.Mutex
	told time.Time
}

// Breached reports whether any list has the hash. It never fails.
func (a *All) Breached(ctx context.Context, sha1 string) (bool, error) {
	for _, l := range a.Lists {
		found, err := l.Breached(ctx, sha1)
		if err != nil {
			a.tell(err)
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}

func (a *All) tell(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.Now(); now.Sub(a.told) >= time.Minute {
		a.told = now
		a.Log.Warn("a list of breached passwords does not answer; passwords pass without it", "error", err)
	}
}
