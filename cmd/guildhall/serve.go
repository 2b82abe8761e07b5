package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"guildhall/internal/server"
)

type serveCommand struct {
	databaseFlags
	logFlags
	Dev           bool           `help:"Serve for development: HTTPS with a development CA, a demo realm, captured mail, printed credentials. Loopback only."`
	Listen        string         `help:"Address for HTTP; empty for none." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	ListenTLS     string         `name:"listen-tls" help:"Address for HTTPS. With --dev 127.0.0.1:8443 unless set." placeholder:"HOST:PORT"`
	TLSCert       string         `name:"tls-cert" help:"Certificate chain for HTTPS, PEM." type:"path" placeholder:"FILE"`
	TLSKey        string         `name:"tls-key" help:"Private key for HTTPS, PEM." type:"path" placeholder:"FILE"`
	MetricsListen string         `help:"Address for Prometheus metrics; empty for none." placeholder:"HOST:PORT"`
	PublicURL     []string       `name:"public-url" help:"Origin that clients use, such as https://id.example.com. It alone decides issuers and links. Several may be given, the main one first." placeholder:"URL"`
	TrustedProxy  []string       `help:"Network whose X-Forwarded-For is believed, such as 10.0.0.0/8. May be given several times." placeholder:"CIDR"`
	OutboundAllow []string       `help:"Network that is not public and that the server may call all the same, such as 10.0.0.0/8. May be given several times; see docs/webhooks.md." placeholder:"CIDR"`
	Migrate       bool           `help:"Bring a PostgreSQL schema up to date before serving. The embedded database always is."`
	Fast          bool           `help:"Embedded database only: let a power failure lose the last moments, for more writes a second."`
	MasterKeyKeep time.Duration  `help:"How long a master key that was replaced is kept, so that backups from before can be restored with their secrets. Until then they also hold those of organizations that were purged." default:"720h"`
	RateLimit     int            `help:"Requests a second for one credential; 0 for no limit." default:"200"`
	ClassLimit    map[string]int `name:"rate-limit-class" help:"The same for a class of routes of one API, such as auth0/token=20. May be given several times." placeholder:"API/CLASS=N"`
	Captcha       string         `help:"Captcha service that suspicious clients are sent to instead of a puzzle of our own: turnstile, hcaptcha or recaptcha." enum:",turnstile,hcaptcha,recaptcha" default:"" placeholder:"SERVICE"`
	CaptchaSite   string         `name:"captcha-site-key" help:"The site key that the captcha service gave." placeholder:"KEY"`
	CaptchaSecret string         `help:"The secret that the captcha service gave; better in GUILDHALL_CAPTCHA_SECRET." placeholder:"SECRET"`
	CaptchaURL    string         `name:"captcha-url" help:"Where the captcha service verifies answers, if not at its public address." placeholder:"URL"`
	BreachFile    string         `name:"breached-passwords-file" help:"List of breached passwords that new ones are held against: lines HASH:COUNT with SHA-1, ordered by hash, as it is published. It is searched where it lies." type:"path" placeholder:"FILE"`
	BreachURL     string         `name:"breached-passwords-url" help:"Service that knows breached passwords, such as https://api.pwnedpasswords.com/range. It is told the first five digits of a hash. Off unless given." placeholder:"URL"`
	MaxBody       int64          `help:"Largest request body in bytes." default:"1048576"`
	messageFlags
}

func (c *serveCommand) Run(p *program) error {
	cfg, err := c.config(p)
	if err != nil {
		return err
	}
	collectRarely()
	s, err := server.Start(p.Context, cfg)
	if err != nil {
		return err
	}
	select {
	case <-p.Context.Done():
		cfg.Log.Info("stopping")
		return s.Close()
	case err := <-s.Failed():
		return errors.Join(err, s.Close())
	}
}

// collectRarely lets garbage grow to twice what is alive, unless GOGC says
// otherwise. What is alive is a few megabytes; collecting at every doubling of so
// little would take a tenth of the CPU of requests.
func collectRarely() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

func (c *serveCommand) config(p *program) (server.Config, error) {
	cfg := server.Config{
		Data: c.Data, Database: c.Database, Master: c.sources(), MasterKeep: c.MasterKeyKeep, Migrate: c.Migrate, Fast: c.Fast, Listen: c.Listen, ListenTLS: c.ListenTLS,
		TLSCert: c.TLSCert, TLSKey: c.TLSKey, MetricsListen: c.MetricsListen, PublicURLs: c.PublicURL, Dev: c.Dev,
		RateLimit: c.RateLimit, ClassLimits: c.ClassLimit, Captcha: server.CaptchaConfig{Service: c.Captcha, SiteKey: c.CaptchaSite, Secret: c.CaptchaSecret, URL: c.CaptchaURL}, MaxBody: c.MaxBody, BreachFile: c.BreachFile, BreachURL: c.BreachURL, Messages: c.messages(), Log: c.logger(p.Err), Version: version,
		Print: func(format string, args ...any) { fmt.Fprintf(p.Out, format, args...) },
	}
	if c.Dev {
		cfg.Migrate = true
		if cfg.ListenTLS == "" {
			cfg.ListenTLS = "127.0.0.1:8443"
		}
	}
	var err error
	if cfg.TrustedProxies, err = networks("--trusted-proxy", c.TrustedProxy); err != nil {
		return cfg, err
	}
	cfg.OutboundAllow, err = networks("--outbound-allow", c.OutboundAllow)
	return cfg, err
}

// networks reads a flag that can be given several times.
func networks(flag string, list []string) (all []netip.Prefix, err error) {
	for _, s := range list {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%s %q is not a network such as 10.0.0.0/8", flag, s)
		}
		all = append(all, prefix)
	}
	return all, nil
}
