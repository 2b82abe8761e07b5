package edge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// A Front sends each request to whoever answers its path.
type Front struct {
	mounts []mount
}

type mount struct {
	prefix string
	http.Handler
}

// Mount lets h answer a prefix; see Dialect.Prefixes. The longest prefix wins.
func (f *Front) Mount(prefix string, h http.Handler) {
	f.mounts = append(f.mounts, mount{prefix, h})
}

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := newRequestID()
	w.Header().Set("X-Request-Id", requestID)
	r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, requestID))
	collapse(r)
	var best *mount
	for i, m := range f.mounts {
		if m.covers(r.URL.Path) && (best == nil || len(m.prefix) > len(best.prefix)) {
			best = &f.mounts[i]
		}
	}
	if best == nil {
		http.NotFound(w, r)
		return
	}
	best.ServeHTTP(w, r)
}

// covers reports whether a path is a mount's. The root is itself and nothing below:
// what nobody serves is not found.
func (m mount) covers(path string) bool {
	if m.prefix == "/" {
		return path == "/"
	}
	rest, ok := strings.CutPrefix(path, m.prefix)
	return ok && (strings.HasSuffix(m.prefix, "/") || rest == "" || rest[0] == '/')
}

// collapse makes one slash of several at the start of the path, as sent by
// clients whose base URL ends in a slash. It never redirects: some clients drop
// the body or the method on the way. Empty segments further inside stay and are
// not found, since an empty id must never make the next word the id.
func collapse(r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "//") {
		return
	}
	r.URL.Path = "/" + strings.TrimLeft(r.URL.Path, "/")
	if r.URL.RawPath != "" {
		r.URL.RawPath = "/" + strings.TrimLeft(r.URL.RawPath, "/")
	}
}

type requestIDKey struct{}

// RequestID gives the id of the request that ctx belongs to.
func RequestID(ctx context.Context) string {
	s, _ := ctx.Value(requestIDKey{}).(string)
	return s
}

func newRequestID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// PeerAddr is the address of the other end of the connection.
func PeerAddr(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(host)
	return a.Unmap().WithZone("")
}

// ClientIP gives the one function that says where a request comes from: the
// peer, or, when the peer is a trusted proxy, the last address in
// X-Forwarded-For that is not one.
func ClientIP(trusted []netip.Prefix) func(*http.Request) netip.Addr {
	proxy := func(a netip.Addr) bool {
		for _, p := range trusted {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) netip.Addr {
		addr := PeerAddr(r)
		if !proxy(addr) {
			return addr
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				return addr
			}
			if addr = a.Unmap().WithZone(""); !proxy(addr) {
				return addr
			}
		}
		return addr
	}
}
