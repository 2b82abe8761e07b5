package carrier

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"guildhall/internal/notify"
	"guildhall/internal/outbound"
)

// A mailbox is a real SMTP server on this machine.
type mailbox struct {
	from, to, user string
	body           []byte
	secure         bool
	refuse         *smtp.SMTPError
	address        string
}

func (m *mailbox) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, m.secure = c.TLSConnectionState()
	return &visit{m, c}, nil
}

type visit struct {
	*mailbox
	conn *smtp.Conn
}

func (v *visit) Mail(from string, _ *smtp.MailOptions) error { v.from = from; return nil }
func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	v.to = to
	if v.refuse != nil {
		return v.refuse
	}
	return nil
}
func (v *visit) Data(r io.Reader) (err error) {
	_, v.secure = v.conn.TLSConnectionState()
	v.body, err = io.ReadAll(r)
	return err
}
func (v *visit) Reset()                   {}
func (v *visit) Logout() error            { return nil }
func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }
func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "pass:word" {
			return smtp.ErrAuthFailed
		}
		v.user = user
		return nil
	}), nil
}

// serve starts a mailbox: with TLS from the first byte, with STARTTLS, or without.
func serve(t *testing.T, how string) (*mailbox, *tls.Config) {
	t.Helper()
	web := httptest.NewUnstartedServer(nil) // has a certificate for 127.0.0.1
	web.StartTLS()
	t.Cleanup(web.Close)
	m := &mailbox{}
	s := smtp.NewServer(m)
	s.Domain, s.AllowInsecureAuth = "localhost", how == "none"
	if how != "none" {
		s.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	if how == "tls" {
		l = tls.NewListener(l, s.TLSConfig)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	return m, &tls.Config{RootCAs: roots}
}

func letter() notify.Letter {
	return notify.Letter{
		ID: "42", Channel: notify.Mail, From: "Acmé", To: "ada@example.com", Subject: "Grüße 👋", Text: "Hello,\n\n-- \nAcmé\n", HTML: "<p>Hällo</p>",
		At: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestMailGoesOutOverTLSSignedAndInTwoParts(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKCS8PrivateKey(private)
	key := filepath.Join(t.TempDir(), "dkim.pem")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	for how, scheme := range map[string]string{"tls": "smtps", "starttls": "smtp", "none": "smtp"} {
		t.Run(how, func(t *testing.T) {
			box, roots := serve(t, how)
			address := scheme + "://robot:pass%3Aword@" + box.address
			if how == "none" {
				address += "?tls=none"
			}
			m, err := NewMail(MailConfig{URL: address, From: "id@acme.example", TLS: roots, DKIM: DKIM{Selector: "s1", KeyFile: key}})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Send(t.Context(), letter()); err != nil {
				t.Fatal(err)
			}
			if box.from != "id@acme.example" || box.to != "ada@example.com" || box.user != "robot" || box.secure != (how != "none") {
				t.Errorf("%+v", box)
			}
			read(t, box.body, public)
		})
	}
}

// read looks at a mail as its reader's program would.
func read(t *testing.T, raw []byte, public ed25519.PublicKey) {
	t.Helper()
	got, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	word := new(mime.WordDecoder)
	subject, _ := word.DecodeHeader(got.Header.Get("Subject"))
	from, _ := mail.ParseAddress(got.Header.Get("From"))
	if subject != "Grüße 👋" || from == nil || from.Name != "Acmé" || from.Address != "id@acme.example" || got.Header.Get("Auto-Submitted") != "auto-generated" ||
		got.Header.Get("Message-ID") != "<42@acme.example>" {
		t.Errorf("%v", got.Header)
	}
	kind, parameters, _ := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if kind != "multipart/alternative" {
		t.Fatalf("it is %s", kind)
	}
	parts := multipart.NewReader(got.Body, parameters["boundary"])
	for _, want := range []string{"Hello,", "<p>Hällo</p>"} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(p)
		if !strings.Contains(string(b), want) {
			t.Errorf("a part says %q", b)
		}
	}
	verified(t, raw, got.Header.Get("DKIM-Signature"), public)
}

// verified checks a DKIM signature (RFC 6376 and 8463) over the signed headers:
// the hash of the data, and the signature over the hash.
func verified(t *testing.T, raw []byte, signature string, public ed25519.PublicKey) {
	t.Helper()
	tags := map[string]string{}
	for _, part := range strings.Split(signature, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		tags[k] = strings.Join(strings.Fields(v), "")
	}
	if tags["d"] != "acme.example" || tags["s"] != "s1" || tags["a"] != "ed25519-sha256" {
		t.Fatalf("signed as %v", tags)
	}
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	relaxed := tags["c"]
	if !strings.HasPrefix(relaxed, "relaxed") {
		t.Fatalf("canonicalization %q", relaxed)
	}
	lines := strings.Split(string(body), "\r\n")
	for i, l := range lines {
		if strings.HasSuffix(relaxed, "/relaxed") {
			lines[i] = squeezed(l)
		}
	}
	canonical := strings.TrimRight(strings.Join(lines, "\r\n"), "\r\n") + "\r\n"
	sum := sha256.Sum256([]byte(canonical))
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != tags["bh"] {
		t.Fatalf("the hash of the body is %s, signed was %s", got, tags["bh"])
	}
	unfolded := strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(string(head))
	fields := map[string][]string{}
	for _, line := range strings.Split(unfolded, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		fields[name] = append(fields[name], name+":"+strings.TrimSpace(squeezed(value)))
	}
	var b strings.Builder
	for _, name := range strings.Split(strings.ToLower(tags["h"]), ":") {
		if have := fields[name]; len(have) > 0 {
			b.WriteString(have[len(have)-1] + "\r\n")
			fields[name] = have[:len(have)-1]
		}
	}
	own := fields["dkim-signature"][0]
	at := strings.LastIndex(own, "b="+strings.Fields(tags["b"])[0][:10])
	b.WriteString(strings.TrimRight(own[:at+2], " "))
	sum = sha256.Sum256([]byte(b.String()))
	value, _ := base64.StdEncoding.DecodeString(tags["b"])
	if !ed25519.Verify(public, sum[:], value) {
		t.Errorf("the signature does not hold over\n%s", b.String())
	}
	for _, must := range []string{"from", "to", "subject", "date", "message-id"} {
		if !strings.Contains(strings.ToLower(tags["h"]), must) {
			t.Errorf("%s is not signed", must)
		}
	}
}

func squeezed(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		if r == ' ' || r == '\t' {
			blank = true
			continue
		}
		if blank {
			b.WriteByte(' ')
		}
		blank = false
		b.WriteRune(r)
	}
	return b.String()
}

func TestMailIsNotSentInTheClear(t *testing.T) {
	box, roots := serve(t, "none") // offers no STARTTLS, as somebody in between would have it
	m, err := NewMail(MailConfig{URL: "smtp://robot:pass%3Aword@" + box.address, From: "id@acme.example", TLS: roots})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), letter()); err == nil || box.user != "" || box.body != nil {
		t.Errorf("%v; the server saw %q", err, box.user)
	}
	box, _ = serve(t, "tls") // with a certificate nobody vouches for
	m, _ = NewMail(MailConfig{URL: "smtps://" + box.address, From: "id@acme.example"})
	if err := m.Send(t.Context(), letter()); err == nil || box.body != nil {
		t.Errorf("a foreign certificate was taken: %v", err)
	}
	for _, bad := range []MailConfig{
		{URL: "smtp://mail.example?tls=none", From: "a@b.example"}, {URL: "http://x", From: "a@b.example"}, {URL: "smtp://x", From: "nobody"}, {URL: "smtp://x?tls=maybe", From: "a@b.example"},
		{URL: "smtp://x", From: "a@b.example", DKIM: DKIM{KeyFile: "/nonexistent", Selector: "s"}}, {URL: "smtp://x", From: "a@b.example", DKIM: DKIM{KeyFile: "x"}},
	} {
		if _, err := NewMail(bad); err == nil {
			t.Errorf("taken: %+v", bad)
		}
	}
}

func TestRefusalsForGoodAreToldFromThoseOfTheMoment(t *testing.T) {
	for code, want := range map[int]bool{550: true, 451: false} {
		box, roots := serve(t, "starttls")
		box.refuse = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "no"}
		m, _ := NewMail(MailConfig{URL: "smtp://" + box.address, From: "id@acme.example", TLS: roots})
		err := m.Send(t.Context(), letter())
		var forGood notify.Permanent
		if err == nil || errors.As(err, &forGood) != want {
			t.Errorf("%d: %v", code, err)
		}
	}
	m, _ := NewMail(MailConfig{URL: "smtp://127.0.0.1:1", From: "id@acme.example"})
	var forGood notify.Permanent
	if err := m.Send(t.Context(), letter()); err == nil || errors.As(err, &forGood) {
		t.Errorf("a server that is away: %v", err)
	}
}

// TestT_M01_HeadersStayWhatTheyAre puts line breaks where headers come from.
func TestT_M01_HeadersStayWhatTheyAre(t *testing.T) {
	box, roots := serve(t, "starttls")
	m, _ := NewMail(MailConfig{URL: "smtp://" + box.address, From: "id@acme.example", TLS: roots})
	l := letter()
	l.From, l.Subject = "A\r\nBcc: all@x.example", "S\r\nBcc: all@x.example\r\n\r\nbody"
	if err := m.Send(t.Context(), l); err == nil {
		got, err := mail.ReadMessage(bytes.NewReader(box.body))
		if err != nil || got.Header.Get("Bcc") != "" {
			t.Errorf("%v, %v", err, got.Header)
		}
	}
	l = letter()
	l.To = "a@x.example\r\nRCPT TO:<b@x.example>"
	if err := m.Send(t.Context(), l); err == nil {
		t.Error("an address of two lines was taken")
	}
}

func texts(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *outbound.Poster) {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s, &outbound.Poster{Guard: &outbound.Guard{Loopback: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
}

func TestTextMessagesGoToTwilioAsItsDocumentationSays(t *testing.T) {
	var form url.Values
	var user, password, path string
	status := 201
	s, p := texts(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		path = r.URL.Path
		_ = r.ParseForm()
		form = r.PostForm
		w.WriteHeader(status)
	})
	at := strings.TrimPrefix(s.URL, "http://")
	c, err := NewText("twilio://AC1:tok@"+at+"?from=+15550100&plain=loopback", "", []string{"+49", "+1"}, p)
	if err != nil {
		t.Fatal(err)
	}
	l := notify.Letter{ID: "1", To: "+491234", Text: "123 is your code"}
	if err := c.Send(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	if path != "/2010-04-01/Accounts/AC1/Messages.json" || user != "AC1" || password != "tok" || form.Get("To") != l.To || form.Get("From") != "+15550100" || form.Get("Body") != l.Text {
		t.Errorf("%s %s:%s %v", path, user, password, form)
	}
	form = nil
	l.To = "+88213"
	var forGood notify.Permanent
	if err := c.Send(context.Background(), l); !errors.As(err, &forGood) || form != nil {
		t.Errorf("a country that is not allowed: %v", err)
	}
	l.To = "+1555"
	for code, want := range map[int]bool{400: true, 401: true, 429: false, 500: false} {
		status = code
		if err := c.Send(context.Background(), l); err == nil || errors.As(err, &forGood) != want {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, bad := range []string{"twilio://api.twilio.com", "twilio://a:b@api.twilio.com", "ftp://x", "", "https://x.example"} {
		if _, err := NewText(bad, "", nil, p); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
}

func TestPostedTextMessagesAreSigned(t *testing.T) {
	var body []byte
	var h http.Header
	s, p := texts(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		h = r.Header
	})
	secret := "0123456789abcdef"
	c, err := NewText(s.URL+"/sms", secret, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(context.Background(), notify.Letter{ID: "7", To: "+491234", Text: "hi"}); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("7." + h.Get("webhook-timestamp") + "." + string(body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("webhook-signature") != want || h.Get("webhook-id") != "7" {
		t.Errorf("%v", h)
	}
	var got map[string]string
	if err := json.Unmarshal(body, &got); err != nil || got["to"] != "+491234" || got["text"] != "hi" {
		t.Errorf("%s", body)
	}
}
