// Package server puts the parts together: it opens the database, fills in every
// service and dialect, listens, and stops in order.
package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"guildhall/internal/edge"
	"guildhall/internal/realm"
	"guildhall/internal/vault"
	"guildhall/internal/vault/master"
)

// Config is what an operator chooses.
type Config struct {
	Data           string         // folder of the embedded database and of development files
	Database       string         // postgres:// address; "" means the embedded database
	Master         master.Sources // of the master key; a file in Data unless the database is PostgreSQL
	MasterKeep     time.Duration  // how long replaced master keys are kept for restores; 0 means 30 days
	Migrate        bool
	Fast           bool
	Listen         string
	ListenTLS      string
	TLSCert        string
	TLSKey         string
	MetricsListen  string
	PublicURLs     []string // origins of the first realm, spelled as its issuers, the public one first
	TrustedProxies []netip.Prefix
	OutboundAllow  []netip.Prefix // networks that are not public and may be connected to
	Dev            bool
	RateLimit      int            // requests a second for one credential; 0 means none
	ClassLimits    map[string]int // the same for classes of routes, such as "auth0/token"
	Captcha        CaptchaConfig
	BreachFile     string // list of breached passwords, ordered by hash; "" for none
	BreachURL      string // service that knows breached passwords; "" for none
	MaxBody        int64
	Messages       Messages
	Log            *slog.Logger
	Version        string
	Print          func(format string, args ...any) // messages for the person at the terminal
}

// check refuses what cannot work and says what to do instead.
func (c *Config) check() error {
	if c.Dev {
		for name, addr := range map[string]string{"--listen": c.Listen, "--listen-tls": c.ListenTLS, "--metrics-listen": c.MetricsListen} {
			if addr != "" && !loopback(addr) {
				return fmt.Errorf("--dev has printed credentials and must not leave this machine: give %s a loopback address such as 127.0.0.1:8080, not %q", name, addr)
			}
		}
	}
	if c.ListenTLS != "" && !c.Dev && (c.TLSCert == "" || c.TLSKey == "") {
		return errors.New("--listen-tls needs --tls-cert and --tls-key (PEM files)")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	for i, u := range c.PublicURLs {
		issuer, err := realm.Issuer(u)
		if err != nil {
			return fmt.Errorf("--public-url %q is not an origin such as https://id.example.com (no path)", u)
		}
		c.PublicURLs[i] = issuer
	}
	if c.Listen == "" && c.ListenTLS == "" {
		return errors.New("nothing to listen on: give --listen or --listen-tls")
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// address is what the store is opened with.
func (c *Config) address() string {
	if c.Database != "" {
		return c.Database
	}
	return c.Data
}

// MasterFile is where the master key is kept beside an embedded database.
func MasterFile(data string) string { return filepath.Join(data, "master.key") }

// ownMaster reports that the master key is a file that the server looks after.
func (c *Config) ownMaster() bool { return c.Master == master.Sources{} }

// masterKey opens the master key. Nodes that share a database need the same one,
// so only what stays on one machine may make its own.
func (c *Config) masterKey() (vault.Master, error) {
	from := c.Master
	switch own := c.ownMaster(); {
	case own && c.Database != "" && !c.Dev:
		return nil, errors.New("secrets on PostgreSQL need a master key that all nodes share: " +
			"give --master-key-file, --master-key-command, or GUILDHALL_MASTER_KEY (openssl rand -base64 32)")
	case own:
		from = master.Sources{File: MasterFile(c.Data), Create: true}
	}
	return master.Open(from)
}

// limiter gives the rate limits, or nil when there are none.
func (c *Config) limiter() *edge.Limiter {
	if c.RateLimit <= 0 {
		return nil
	}
	rate := edge.Rate{Count: c.RateLimit, Per: time.Second}
	rates := map[string]edge.Rate{}
	for _, name := range []string{"auth0", "stytch", "zitadel", "ssojet", "truto", "native"} {
		rates[name] = rate
	}
	for name, count := range c.ClassLimits {
		rates[name] = edge.Rate{Count: count, Per: time.Second}
	}
	return &edge.Limiter{Rates: rates, Now: time.Now}
}
