package login

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets/*.css assets/*.js assets/*.svg
var assetFiles embed.FS

// hashes gives the served name of each embedded file: its own, with a part of the
// hash of what is in it.
var hashes = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	entries, _ := assetFiles.ReadDir("assets")
	for _, e := range entries {
		b, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic("an embedded file cannot be read: " + err.Error())
		}
		sum := sha256.Sum256(b)
		ext := path.Ext(e.Name())
		all[e.Name()] = strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	}
	return all
})

// served is the reverse of hashes: only these names and no other spelling exist.
var served = sync.OnceValue(func() map[string][]byte {
	all := map[string][]byte{}
	for name, as := range hashes() {
		b, _ := assetFiles.ReadFile("assets/" + name)
		all[as] = b
	}
	return all
})

// assets serves style sheets and scripts. Their names change with their content,
// so browsers may keep them for ever.
func assets(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/assets/")
	body, ok := served()[name]
	if !ok {
		var css string
		if css, ok = theme(name); ok {
			body = []byte(css)
		}
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(body)
}
