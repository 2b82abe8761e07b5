package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// internals are spellings of places that are not public.
var internals = []string{
	"127.0.0.1", "127.8.9.1", "[::1]", "[::]", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
	"169.254.169.254", "169.254.0.1", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]", "[fd12:3456::1]", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16",
	"[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::10.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::1]",
	"[2002:a00:1::]", "[::127.0.0.1]", "[::10.0.0.1]", "[2001:0:1::1]", "[2001:db8::1]", "[100::1]", "[ff02::1]", "[fec0::1]",
	"224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1", "203.0.113.9", "192.0.0.192",
	"2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0", "10.0.0.1.", "1.2.3.4.5",
	"localhost", "LOCALHOST", "localhost.", "a.localhost", "metadata.google.internal", "metadata.google.internal.", "metadata",
	"", ".", "a..b", "-a.example", "a b.example", "ex%61mple.com", "exämple.com", "１２７.0.0.1", "⑩.example", "a_b.example:0x50",
}

func TestT_N01_InternalAddressesAreRefusedWhenSavedAndWhenDialled(t *testing.T) {
	var g Guard
	for _, host := range internals {
		if _, err := g.CheckURL("https://" + host + "/hook"); !errors.Is(err, ErrRefused) {
			t.Errorf("saving https://%s: %v", host, err)
		}
		_, err := g.Client(Limits{}).Get("https://" + host + "/hook")
		if err == nil {
			t.Errorf("dialling https://%s succeeded", host)
		}
	}
	for _, raw := range []string{"8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1", "172.32.0.1", "100.128.0.1"} {
		if err := g.CheckAddress(netip.MustParseAddr(raw)); err != nil {
			t.Errorf("%s is public: %v", raw, err)
		}
	}
	for _, raw := range []string{"2606:4700::1111%eth0", "::ffff:8.8.8.8%1"} { // through an interface of the caller's choice
		if err := g.CheckAddress(netip.MustParseAddr(raw)); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	for _, good := range []string{"https://example.com", "https://example.com:8443/a?b=c", "https://8.8.8.8/", "https://[2606:4700::1111]/", "https://a-b.c_d.example./"} {
		if _, err := g.CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestT_N01_ErrorsTellNothingOfTheAnswer(t *testing.T) {
	secret := "the secret of the metadata service"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, secret)
	}))
	defer s.Close()
	p := &Poster{Guard: &Guard{Loopback: true}}
	status, err := p.Post(t.Context(), s.URL+"/?token="+secret[:3], nil, nil)
	if status != http.StatusTeapot || err != nil {
		t.Errorf("the answer: %d %v", status, err)
	}
	for _, to := range []string{"http://127.0.0.1:1/?token=hush", "http://10.0.0.1/?token=hush", "https://name.invalid/?token=hush"} {
		_, err := p.Post(t.Context(), to, nil, nil)
		if reason := p.Reason(err); reason == "" || strings.Contains(reason, "hush") || strings.Contains(reason, "1") {
			t.Errorf("%s fails with the reason %q", to, reason)
		}
	}
}

// names is a DNS server on loopback that answers as each test wants.
func names(t *testing.T, answer func(name string, kind dnsmessage.Type, nth int) []dnsmessage.Resource) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var mu sync.Mutex
	asked := map[string]int{}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			mu.Lock()
			key := q.Name.String() + q.Type.String()
			asked[key]++
			nth := asked[key]
			mu.Unlock()
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			m.Answers = answer(strings.TrimSuffix(q.Name.String(), "."), q.Type, nth)
			if packed, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	var d net.Dialer
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func address(name, ip string) dnsmessage.Resource {
	a := netip.MustParseAddr(ip)
	h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Class: dnsmessage.ClassINET}
	if a.Is4() {
		h.Type = dnsmessage.TypeA
		return dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}}
	}
	h.Type = dnsmessage.TypeAAAA
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}
}

func alias(name, of string) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Class: dnsmessage.ClassINET, Type: dnsmessage.TypeCNAME},
		Body:   &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(of + ".")},
	}
}

func TestT_N02_TheAddressIsCheckedWhenItIsConnectedTo(t *testing.T) {
	var reached, forbidden atomic.Int64
	allowed := listen(t, "127.0.0.2:0", &reached)
	_, port, _ := net.SplitHostPort(allowed)
	listen(t, "127.0.0.1:"+port, &forbidden)

	resolver := names(t, func(name string, kind dnsmessage.Type, nth int) []dnsmessage.Resource {
		four, six := kind == dnsmessage.TypeA, kind == dnsmessage.TypeAAAA
		switch {
		case name == "rebinding.test" && four && nth == 1:
			return []dnsmessage.Resource{address(name, "127.0.0.2")}
		case name == "rebinding.test" && four:
			return []dnsmessage.Resource{address(name, "127.0.0.1")}
		case name == "two.test" && four:
			return []dnsmessage.Resource{address(name, "127.0.0.1"), address(name, "10.0.0.1")}
		case name == "either.test" && four:
			return []dnsmessage.Resource{address(name, "127.0.0.1"), address(name, "127.0.0.2")}
		case name == "alias.test":
			return []dnsmessage.Resource{alias(name, "inside.test"), address("inside.test", "127.0.0.1")}
		case name == "six.test" && six:
			return []dnsmessage.Resource{address(name, "::ffff:127.0.0.1")}
		case name == "sixer.test" && six:
			return []dnsmessage.Resource{address(name, "::1")}
		}
		return nil
	})
	g := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Resolver: resolver}
	dial := func(name string) error {
		if _, err := g.CheckURL("https://" + name + "/"); err != nil {
			t.Errorf("%s cannot be told by its spelling: %v", name, err)
		}
		conn, err := g.Dialer().DialContext(t.Context(), "tcp", net.JoinHostPort(name, port))
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := dial("rebinding.test"); err != nil {
		t.Errorf("the first answer is allowed: %v", err)
	}
	if err := dial("either.test"); err != nil {
		t.Errorf("one of two answers is allowed: %v", err)
	}
	for _, name := range []string{"rebinding.test", "two.test", "alias.test", "six.test", "sixer.test"} {
		if err := dial(name); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := forbidden.Load(); n != 0 {
		t.Errorf("%d connections reached what is forbidden", n)
	}
}

// listen counts connections.
func listen(t *testing.T, at string, count *atomic.Int64) string {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestT_N03_RedirectsAreNotFollowedOrCheckedLikeTheFirst(t *testing.T) {
	var inside atomic.Int64
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer secret.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var code, hops int
		var to string
		_, _ = fmt.Sscan(r.URL.Query().Get("code"), &code)
		_, _ = fmt.Sscan(r.URL.Query().Get("hops"), &hops)
		if to = r.URL.Query().Get("to"); hops > 0 {
			to = fmt.Sprintf("/?code=%d&hops=%d", code, hops-1)
		}
		if to == "" {
			return
		}
		http.Redirect(w, r, to, code)
	}))
	defer s.Close()
	follow := &Guard{Loopback: true}
	for _, code := range []int{301, 302, 303, 307, 308} {
		status, err := (&Poster{Guard: follow}).Post(t.Context(), fmt.Sprintf("%s/?code=%d&to=%s", s.URL, code, secret.URL), nil, []byte("x"))
		if status != code || err != nil || inside.Load() != 0 {
			t.Errorf("a webhook redirected by %d: %d %v, %d requests inside", code, status, err, inside.Load())
		}
	}
	client := follow.Client(Limits{Redirects: 3})
	get := func(query string) error {
		answer, err := client.Get(s.URL + "/?" + query)
		if err == nil {
			answer.Body.Close()
		}
		return err
	}
	if err := get("code=302&hops=3"); err != nil {
		t.Errorf("three hops: %v", err)
	}
	if err := get("code=302&hops=4"); !errors.Is(err, ErrRedirect) {
		t.Errorf("four hops: %v", err)
	}
	if err := get("code=302&hops=20"); !errors.Is(err, ErrRedirect) {
		t.Errorf("twenty hops: %v", err)
	}
	for _, to := range []string{"https://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/"} {
		if err := get("code=302&to=" + to); err == nil {
			t.Errorf("a redirect to %s was followed", to)
		}
	}
	for _, to := range []string{"http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/"} {
		if err := get("code=307&to=" + to); !errors.Is(err, ErrRefused) {
			t.Errorf("a redirect to %s: %v", to, err)
		}
	}
	// Behind TLS nothing goes on without it, and what was for the first place stays there.
	var told atomic.Value
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		told.Store(r.Header.Get("Authorization"))
	}))
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	behind := (&Guard{Loopback: true, TLS: &tls.Config{RootCAs: roots}}).Client(Limits{Redirects: 3})
	for to, want := range map[string]error{secret.URL: ErrRedirect, "/there": nil} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL+"/?to="+to, nil)
		r.Header.Set("Authorization", "Bearer x")
		answer, err := behind.Do(r)
		if err == nil {
			answer.Body.Close()
		}
		if !errors.Is(err, want) || inside.Load() != 0 {
			t.Errorf("from https to %s: %v", to, err)
		}
	}
	if told.Load() != "" {
		t.Errorf("the place that was redirected to was told %q", told.Load())
	}
}

func TestT_N04_DocumentsAreBoundedAndFailuresRest(t *testing.T) {
	var asked atomic.Int64
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 64<<20))
	_ = z.Close()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch r.URL.Path {
		case "/endless":
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		case "/slow":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		case "/once":
			<-release
			_, _ = io.WriteString(w, "{}")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	now := time.Now()
	f := &Fetcher{Guard: &Guard{Loopback: true}, Now: func() time.Time { return now }}
	if _, err := f.Get(t.Context(), s.URL+"/endless"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an endless document: %v", err)
	}
	start := time.Now()
	if _, err := f.Get(t.Context(), s.URL+"/slow"); err == nil || time.Since(start) > time.Minute {
		t.Errorf("a slow document: %v after %v", err, time.Since(start))
	}
	if body, err := f.Get(t.Context(), s.URL+"/bomb"); err != nil || len(body) != bomb.Len() {
		t.Errorf("a bomb was unpacked: %d bytes, %v", len(body), err)
	}
	before := asked.Load()
	for range 5 {
		if _, err := f.Get(t.Context(), s.URL+"/missing"); err == nil {
			t.Error("a missing document was found")
		}
	}
	if n := asked.Load() - before; n != 1 {
		t.Errorf("a failing place was asked %d times", n)
	}
	now = now.Add(time.Minute)
	_, _ = f.Get(t.Context(), s.URL+"/missing")
	if n := asked.Load() - before; n != 2 {
		t.Errorf("after its rest a failing place was asked %d times", n)
	}
	before = asked.Load()
	var wait sync.WaitGroup
	for range 20 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if body, err := f.Get(t.Context(), s.URL+"/once"); string(body) != "{}" || err != nil {
				t.Errorf("a document for many: %q %v", body, err)
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	close(release)
	wait.Wait()
	if n := asked.Load() - before; n != 1 {
		t.Errorf("one document for many was asked for %d times", n)
	}
	for i := range 3 * fetchesKept {
		_, _ = f.Get(t.Context(), fmt.Sprintf("https://10.0.0.1/%d", i))
	}
	if len(f.known) > fetchesKept {
		t.Errorf("%d documents are kept", len(f.known))
	}
}

func TestT_N06_OnlyHTTPSAndNoProxy(t *testing.T) {
	var proxied atomic.Int64
	proxy := listen(t, "127.0.0.1:0", &proxied)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://"+proxy)
	}
	g := &Guard{Loopback: true}
	for _, raw := range []string{
		"file:///etc/passwd", "gopher://example.com/", "unix:///run/docker.sock", "ftp://example.com/", "http+unix://%2Frun%2Fx/", "http://example.com/",
		"http://8.8.8.8/", "//example.com/", "example.com", "javascript:alert(1)", "data:,x", "https:example.com", "https:///x", "HTTPS://user@example.com/",
		"https://user:password@example.com/", "https://example.com/#part", "https://example.com/a b", "https://example.com\\@127.0.0.1/", "https://exa\nmple.com/",
		"https://example.com:99999999/", "http://localhost.example.com/", "https://" + strings.Repeat("a", 3000) + ".example/", "",
	} {
		if _, err := g.CheckURL(raw); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", raw, err)
		}
		if request, err := http.NewRequest(http.MethodGet, "https://placeholder.example/", nil); err == nil {
			if request.URL, err = url.Parse(raw); err == nil {
				if _, err := g.Client(Limits{}).Do(request); err == nil {
					t.Errorf("a request to %q succeeded", raw)
				}
			}
		}
	}
	for _, raw := range []string{"http://localhost:1/", "http://127.0.0.1:8080/x", "http://[::1]/", "HTTPS://EXAMPLE.com/"} {
		if _, err := g.CheckURL(raw); err != nil {
			t.Errorf("%q in development: %v", raw, err)
		}
	}
	// A name that lies about being local is not spoken to without TLS.
	lying := &Guard{Loopback: true, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Resolver: names(t, func(name string, _ dnsmessage.Type, _ int) []dnsmessage.Resource {
		return []dnsmessage.Resource{address(name, "10.0.0.1")}
	})}
	if _, err := lying.Client(Limits{}).Get("http://a.localhost/"); !errors.Is(err, ErrRefused) {
		t.Errorf("a local name that is not local: %v", err)
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	g = &Guard{Loopback: true, TLS: &tls.Config{RootCAs: roots}}
	answer, err := g.Client(Limits{}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if proxied.Load() != 0 || g.shared().Proxy != nil { // the environment is read once in a process, so nobody may ask for it
		t.Error("the proxy of the environment was used")
	}
}

func TestNetworksAreAllowedByName(t *testing.T) {
	g := &Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("169.254.169.254/32")}}
	for a, allowed := range map[string]bool{
		"10.1.1.1": true, "::ffff:10.1.1.1": true, "192.168.0.1": true, "fc00::1": false,
		"169.254.169.254": true, "169.254.169.253": false, "100.100.100.200": false, "168.63.129.16": false,
	} {
		if err := g.CheckAddress(netip.MustParseAddr(a)); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed: %v", a, err, allowed)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, host := range internals {
		f.Add("https://" + host + "/")
	}
	f.Add("https://example.com/")
	var g Guard
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.CheckURL(raw)
		if err != nil {
			return
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && g.CheckAddress(a) != nil || u.Scheme != "https" || u.User != nil {
			t.Errorf("%q is accepted", raw)
		}
	})
}
