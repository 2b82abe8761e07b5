// Package carrier owns how messages leave the server: mail by SMTP, text
// messages by the interfaces of those who send them.
package carrier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"guildhall/internal/notify"
)

// A Mail sends mail through one SMTP server (RFC 5321), over TLS unless the
// operator said otherwise, signed by DKIM (RFC 6376) when there is a key.
type Mail struct {
	server   *url.URL
	from     mail.Address
	signer   *gomail.DKIMSigner
	roots    *tls.Config
	insecure bool
}

// A MailConfig is what an operator says.
type MailConfig struct {
	// URL names the server: smtps://user:password@host:465 for TLS from the first
	// byte, smtp://host:587 for STARTTLS, which is then required (RFC 8314).
	// smtp://127.0.0.1:25?tls=none is for a relay on the same machine alone.
	URL  string
	From string // the address that mail comes from, also as "Name <address>"
	DKIM DKIM
	TLS  *tls.Config // roots to trust; nil are the system's
}

// DKIM says how mail is signed.
type DKIM struct {
	Domain   string // "" takes that of the sender
	Selector string
	KeyFile  string // PEM, RSA or Ed25519; "" signs nothing
}

// NewMail reads the configuration.
func NewMail(c MailConfig) (*Mail, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" {
		return nil, errors.New("the mail server is written as smtps://user:password@host:465 or smtp://host:587")
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("the sender of mail %q is no address such as \"Acme <id@acme.example>\"", c.From)
	}
	m := &Mail{server: u, from: *from, roots: c.TLS}
	switch u.Query().Get("tls") {
	case "":
	case "none":
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, errors.New("mail without TLS goes to a server on this machine only")
		}
		m.insecure = true
	default:
		return nil, errors.New("tls of the mail server can be none, or be left out")
	}
	return m, m.readKey(c.DKIM)
}

func (m *Mail) readKey(d DKIM) error {
	if d.KeyFile == "" {
		return nil
	}
	if d.Selector == "" {
		return errors.New("a DKIM key needs the selector under which its public half is published")
	}
	pem, err := os.ReadFile(d.KeyFile)
	if err != nil {
		return fmt.Errorf("the DKIM key: %w", err)
	}
	key, err := gomail.PrivKeyFromPEM(pem)
	if err != nil {
		return fmt.Errorf("the DKIM key: %w", err)
	}
	if d.Domain == "" {
		_, d.Domain, _ = strings.Cut(m.from.Address, "@")
	}
	m.signer = gomail.NewDKIMSigner(d.Domain, d.Selector, key)
	return nil
}

const exchange = 25 * time.Second

// Send hands one letter over; see notify.Carrier.
func (m *Mail) Send(ctx context.Context, l notify.Letter) error {
	message, err := m.message(l)
	if err != nil {
		return notify.Permanent{Err: err}
	}
	client, err := m.client()
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, message)
	var failed *gomail.SendError
	if errors.As(err, &failed) && !failed.IsTemp() && failed.ErrorCode() >= 500 {
		return notify.Permanent{Err: err}
	}
	return err
}

func (m *Mail) message(l notify.Letter) (*gomail.Msg, error) {
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	name := l.From
	if m.from.Name != "" {
		name = m.from.Name
	}
	if err := out.FromFormat(name, m.from.Address); err != nil {
		return nil, err
	}
	if err := out.To(l.To); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	out.Subject(l.Subject)
	out.SetMessageIDWithValue(l.ID + "@" + domain)
	out.SetDateWithValue(l.At)
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence answers it
	out.SetBodyString(gomail.TypeTextPlain, l.Text)
	if l.HTML != "" {
		out.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	}
	return out, nil
}

func (m *Mail) client() (*gomail.Client, error) {
	host := m.server.Hostname()
	options := []gomail.Option{gomail.WithTimeout(exchange), gomail.WithoutNoop()}
	port := 587
	switch {
	case m.server.Scheme == "smtps":
		port = 465
		options = append(options, gomail.WithSSL())
	case m.insecure:
		port = 25
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if p, err := strconv.Atoi(m.server.Port()); err == nil {
		port = p
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.roots != nil {
		config = m.roots.Clone()
	}
	config.ServerName = host
	options = append(options, gomail.WithPort(port), gomail.WithTLSConfig(config))
	if user := m.server.User; user != nil {
		password, _ := user.Password()
		kind := gomail.SMTPAuthAutoDiscover
		if m.insecure { // then only the server itself could listen
			kind = gomail.SMTPAuthPlainNoEnc
		}
		options = append(options, gomail.WithSMTPAuth(kind), gomail.WithUsername(user.Username()), gomail.WithPassword(password))
	}
	if m.signer != nil {
		options = append(options, gomail.WithAlwaysDKIMSign(m.signer))
	}
	return gomail.NewClient(host, options...)
}
