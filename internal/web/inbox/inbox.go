// Package inbox owns the page on which developers read the mail and text messages
// that a development server caught instead of sending them.
package inbox

import (
	_ "embed"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"guildhall/internal/id"
	"guildhall/internal/notify"
)

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.1020 generate

// Path is where the page is.
const Path = "/dev/messages"

//go:embed inbox.css
var style []byte

// Handler serves the page. It shows messages of every realm to whoever reaches the
// server, which in development is this machine alone.
func Handler(letters func(realm id.ID) []notify.Letter) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/inbox.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(style)
	})
	find := func(w http.ResponseWriter, r *http.Request) (notify.Letter, bool) {
		all := letters(id.None)
		at := slices.IndexFunc(all, func(l notify.Letter) bool { return l.ID == r.PathValue("id") })
		if at < 0 {
			http.NotFound(w, r)
			return notify.Letter{}, false
		}
		return all[at], true
	}
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		guard(w, "")
		all := letters(id.None)
		slices.Reverse(all)
		_ = list(all).Render(r.Context(), w)
	})
	mux.HandleFunc("GET "+Path+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		if l, ok := find(w, r); ok {
			guard(w, "")
			_ = read(l, links(l.Text)).Render(r.Context(), w)
		}
	})
	// The message itself is somebody else's page: it is shown in a frame that may do nothing.
	mux.HandleFunc("GET "+Path+"/{id}/html", func(w http.ResponseWriter, r *http.Request) {
		if l, ok := find(w, r); ok {
			guard(w, "default-src 'none'; style-src 'unsafe-inline'; img-src https:; frame-ancestors 'self'; sandbox")
			_, _ = w.Write([]byte(l.HTML))
		}
	})
	return mux
}

func guard(w http.ResponseWriter, policy string) {
	if policy == "" {
		policy = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

var address = regexp.MustCompile(`https?://[^\s<>"]+`)

// links are the addresses in a text, to be followed from the page.
func links(text string) []string { return address.FindAllString(text, 20) }

func size(n int) string { return strconv.Itoa(n) }
