package server

import (
	"context"
	pages "html/template"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/guard"
	"guildhall/internal/notify"
	"guildhall/internal/query"
)

// unlockPath is where the link in the mail about a lock leads.
const unlockPath = "/unlock"

// tellTime is how long the news of a lock may take to be queued.
const tellTime = 30 * time.Second

// locked mails a link that lifts a lock to whoever has the account. It goes on
// after the request that led to the lock, whose answer must not tell by its time
// whether there is somebody to be told.
func (s *Server) locked(_ context.Context, l guard.Lock) {
	s.wait.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), tellTime)
		defer cancel()
		if err := s.tellLocked(ctx, l); err != nil {
			s.Log.Error("tell of a locked account", "error", err)
		}
	})
}

func (s *Server) tellLocked(ctx context.Context, l guard.Lock) error {
	origins := s.originsOf(l.Realm)
	key := directory.Fold(l.Account)
	if len(origins) == 0 || key == "" {
		return nil
	}
	page, err := s.Directory.Users(ctx, access.System(l.Realm), query.Query{
		Where: []query.Condition{query.Any(query.Is("email_key", key), query.Is("username_key", key))}, Limit: 5,
	})
	if err != nil {
		return err
	}
	for _, u := range page.Items {
		if u.Email == "" || !u.EmailVerified {
			continue // nobody knows whose mailbox that is
		}
		if err := s.Guard.Send(ctx, l.Realm, guard.Message{Channel: string(notify.Mail), To: u.Email, Address: netip.Addr{}}); err != nil {
			return err
		}
		err := s.Notify.Queue(ctx, notify.Message{
			Realm: l.Realm, User: u.ID, Home: u.Home, Kind: notify.AccountLocked, To: u.Email, Name: u.Name, Locale: u.Language,
			Data: map[string]string{
				"link": origins[0] + unlockPath + "?token=" + url.QueryEscape(l.Token), "minutes": strconv.Itoa(24 * 60),
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unlockPage asks before it does anything: programs look at links in mail.
var unlockPage = pages.Must(pages.New("unlock").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title></head>
<body><main><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Token}}<form method="post" action="` + unlockPath + `"><input type="hidden" name="token" value="{{.Token}}"><button type="submit">Unlock the account</button></form>{{end}}</main></body></html>
`))

type unlockView struct{ Title, Text, Token string }

const maxForm = 8 << 10

// unlock lifts the lock that a link is for.
func (s *Server) unlock(w http.ResponseWriter, r *http.Request) {
	realm, ok := s.Realms.At(r.Context(), r.Host)
	if !ok {
		http.NotFound(w, r)
		return
	}
	status, view := http.StatusOK, unlockView{Title: "Unlock your account", Text: "Somebody tried too often to sign in to it. Unlock it if you want to sign in now."}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		view.Token = r.URL.Query().Get("token")
		if len(view.Token) > 512 {
			view.Token = ""
		}
	case http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		switch err := s.Guard.Unlock(r.Context(), realm, r.PostFormValue("token")); {
		case err == nil:
			view = unlockView{Title: "Your account is unlocked", Text: "You can sign in now."}
		default:
			status = http.StatusBadRequest
			view = unlockView{Title: "This link is not valid any more", Text: "A lock ends by itself after an hour. Sign in again then, or ask an administrator."}
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_ = unlockPage.Execute(w, view) // the client is gone
}
