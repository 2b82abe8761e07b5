package server

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"guildhall/internal/store/storetest"
)

// TestT_N05_NobodyUnknownMakesTheServerCallAnybody sends a URL in everything that a caller without a credential can fill in,
// to a server that may call this machine, and listens there.
func TestT_N05_NobodyUnknownMakesTheServerCallAnybody(t *testing.T) {
	var called atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			called.Add(1)
			c.Close()
		}
	}()
	at := newSiteOn(t, Config{Data: storetest.Folder(t), OutboundAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	trap := "http://" + l.Addr().String() + "/trap"
	names := []string{
		"url", "uri", "redirect_uri", "redirect_url", "request_uri", "jwks_uri", "metadata_url", "issuer", "iss", "next", "return_to", "target", "continue",
		"callback", "logo_uri", "client_id", "post_logout_redirect_uri", "webhook", "webhook_url", "audience", "organization", "login_hint", "connection",
	}
	form := url.Values{}
	for _, name := range names {
		form.Set(name, trap)
	}
	body := `{"` + strings.Join(names, `":"`+trap+`","`) + `":"` + trap + `"}`
	for _, tb := range tables() {
		for _, r := range tb.routes {
			path, _ := tb.filled(t, at.here, r.Pattern, true)
			for _, kind := range []string{"application/json", "application/x-www-form-urlencoded"} {
				sent := body
				if kind != "application/json" {
					sent = form.Encode()
				}
				q := httptest.NewRequest(r.Method, path+"?"+form.Encode(), strings.NewReader(sent))
				q.Header.Set("Content-Type", kind)
				for _, name := range []string{"Referer", "Origin", "X-Forwarded-Host", "X-Original-Url", "Forwarded", "X-Callback-Url", "Link"} {
					q.Header.Set(name, trap)
				}
				at.h.ServeHTTP(httptest.NewRecorder(), q)
			}
		}
	}
	time.Sleep(200 * time.Millisecond)
	if n := called.Load(); n != 0 {
		t.Errorf("the server made %d connections", n)
	}
	// The trap works: the server does call it when somebody who may says so.
	root := at.root(t, "native", at.here)
	hook := root.ok(t, http.MethodPost, "/guildhall/v1/webhooks", `{"url":"`+trap+`"}`)
	root.ok(t, http.MethodPost, "/guildhall/v1/webhooks/"+hook.text("id")+"/test", "")
	for end := time.Now().Add(time.Minute); called.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the trap is never called")
		}
	}
}
