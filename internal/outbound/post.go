package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// A Poster hands bodies over to URLs that somebody else chose.
type Poster struct {
	Guard   *Guard
	Timeout time.Duration // of one exchange; 0 means 15 seconds
}

const (
	postTime   = 15 * time.Second
	answerRead = 16 << 10 // so that the connection can be used again
)

// Check refuses a URL that Post would refuse; see Guard.CheckURL.
func (p *Poster) Check(url string) error {
	_, err := p.Guard.CheckURL(url)
	return err
}

// Post sends a body and gives the status of the answer. A redirect is an answer
// like any other and is not followed. What else the answer holds is read away and
// never kept: whoever chose the URL must not be shown what is behind it.
func (p *Poster) Post(ctx context.Context, url string, headers map[string]string, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, ErrRefused.Because(err)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	timeout := p.Timeout
	if timeout == 0 {
		timeout = postTime
	}
	answer, err := p.Guard.Client(Limits{Timeout: timeout}).Do(request)
	if errors.Is(err, ErrRedirect) && answer != nil {
		return answer.StatusCode, nil
	}
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, answerRead)
	return answer.StatusCode, nil
}

// Reason is Reason, for callers that know a Poster by an interface of their own.
func (p *Poster) Reason(err error) string { return Reason(err) }
