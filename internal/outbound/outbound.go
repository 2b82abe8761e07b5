// Package outbound owns every connection that the server opens by itself: where
// it may lead, how long it may take, and how much may come back.
//
// Whoever can make the server send a request somewhere could otherwise reach what
// only the server reaches: the metadata service of a cloud, the database, a
// neighbour's administration. The address is therefore checked where it cannot
// change any more, between the lookup of the name and the connection, and at each
// attempt anew.
package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"guildhall/internal/fault"
)

// A Guard decides where the server may connect to. The zero Guard allows the
// public internet by HTTPS, and nothing else.
type Guard struct {
	// Allow lists networks that are not public and may be connected to all the
	// same, as the operator said. Single addresses that hand out credentials, such
	// as those of metadata services, are allowed only by a prefix of their own.
	Allow []netip.Prefix
	// Loopback allows this machine, also without TLS: for development.
	Loopback bool
	// Resolver looks names up; nil is the system's.
	Resolver *net.Resolver
	// TLS is used for HTTPS; nil is Go's own. Tests bring their roots with it.
	TLS *tls.Config

	once      sync.Once
	transport *http.Transport
}

// ErrRefused is a place that the server does not connect to.
var ErrRefused = fault.New(fault.Invalid, "outbound_refused", "", "the server does not connect to this address")

// ErrRedirect is an answer that sends the server elsewhere where it does not follow.
var ErrRedirect = errors.New("the answer is a redirect, which is not followed")

// ErrTooLarge is an answer that is longer than the server reads.
var ErrTooLarge = errors.New("the answer is too large")

const (
	longestURL    = 2048
	dialTimeout   = 5 * time.Second
	idleLife      = 30 * time.Second
	answerHeaders = 64 << 10
)

// plain is the key of a context whose connection has no TLS.
type plain struct{}

// Dialer opens guarded connections, for protocols other than HTTP.
func (g *Guard) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, KeepAlive: idleLife, Resolver: g.Resolver, ControlContext: g.control}
}

// control is called with the address that is about to be connected to.
func (g *Guard) control(ctx context.Context, network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return ErrRefused
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || to.Port() == 0 {
		return ErrRefused
	}
	if ctx.Value(plain{}) != nil && !to.Addr().Unmap().IsLoopback() {
		return ErrRefused // "localhost" that is not: no unprotected request leaves the machine
	}
	return g.CheckAddress(to.Addr())
}

// CheckURL refuses what cannot be the target of a request, as far as the text
// tells: what a name stands for is checked at every connection.
func (g *Guard) CheckURL(raw string) (*url.URL, error) {
	refuse := func(why string) (*url.URL, error) { return nil, ErrRefused.Saying("the URL is refused: %s", why) }
	if len(raw) > longestURL {
		return refuse("it is longer than 2048 bytes")
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }) {
		return refuse("it holds spaces, control characters or a backslash")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return refuse("it cannot be read")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("it must begin with https://")
	case u.User != nil:
		return refuse("it must not hold a user name or password")
	case u.Opaque != "" || u.Hostname() == "":
		return refuse("it names no host")
	case !portLike(u.Port()):
		return refuse("its port is none")
	case u.Fragment != "":
		return refuse("it must not hold a fragment")
	}
	if err := g.checkHost(u.Scheme, u.Hostname()); err != nil {
		return nil, err
	}
	return u, nil
}

func portLike(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// Limits bound one exchange.
type Limits struct {
	Timeout   time.Duration // of everything, the body included; 0 means 10 seconds
	MaxBody   int64         // bytes of an answer that are read; 0 means 1 MiB
	Redirects int           // how many are followed, each checked like the first; 0 follows none
}

// Client makes requests within limits. It uses no proxy, unpacks nothing, keeps no
// cookies, and its transport is shared with every other client of the guard.
func (g *Guard) Client(l Limits) *http.Client {
	if l.Timeout <= 0 {
		l.Timeout = 10 * time.Second
	}
	if l.MaxBody <= 0 {
		l.MaxBody = 1 << 20
	}
	return &http.Client{
		Timeout: l.Timeout, Transport: &bounded{g, l.MaxBody},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > l.Redirects || next.URL.Scheme != via[0].URL.Scheme {
				return ErrRedirect
			}
			next.Header.Del("Authorization") // was for the first host
			return nil
		},
	}
}

func (g *Guard) shared() *http.Transport {
	g.once.Do(func() {
		g.transport = &http.Transport{
			Proxy: nil, DialContext: g.Dialer().DialContext, TLSClientConfig: g.TLS, ForceAttemptHTTP2: true,
			DisableCompression: true, MaxIdleConns: 128, MaxIdleConnsPerHost: 4, MaxConnsPerHost: 32, IdleConnTimeout: idleLife,
			TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: answerHeaders,
		}
	})
	return g.transport
}

// Close lets idle connections go.
func (g *Guard) Close() { g.shared().CloseIdleConnections() }

// bounded checks every request, redirected ones among them, and bounds its answer.
type bounded struct {
	guard *Guard
	most  int64
}

// RoundTrip makes one request.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := b.guard.CheckURL(r.URL.String()); err != nil {
		return nil, err
	}
	if r.URL.Scheme == "http" {
		r = r.WithContext(context.WithValue(r.Context(), plain{}, true))
	}
	answer, err := b.guard.shared().RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &capped{answer.Body, b.most}
	return answer, nil
}

// A capped body fails where it becomes longer than it may.
type capped struct {
	io.ReadCloser
	left int64
}

// Read reads what is left, and one byte more to tell a long body from one that ends.
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n, ErrTooLarge
	}
	return n, err
}

// Reason says in a word or two why an exchange failed, without anything that came
// from outside: errors of HTTP quote URLs, and some quote answers.
func Reason(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrRefused):
		return "address refused"
	case errors.Is(err, ErrRedirect):
		return "redirect"
	case errors.Is(err, ErrTooLarge):
		return "answer too large"
	case errors.As(err, &dns):
		return "name not found"
	case errors.As(err, &certificate), errors.As(err, &record):
		return "certificate refused"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	}
	return "connection failed"
}
