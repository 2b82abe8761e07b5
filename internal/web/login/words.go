package login

import (
	"embed"
	"encoding/json"
	"strings"
	"sync"

	"guildhall/internal/locale"
)

//go:embed words/*.json
var wordFiles embed.FS

// catalogs are the texts of the pages by language and key, read once.
var catalogs = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, l := range locale.All() {
		b, err := wordFiles.ReadFile("words/" + l + ".json")
		texts := map[string]string{}
		if err == nil {
			err = json.Unmarshal(b, &texts)
		}
		if err != nil {
			panic("the texts of pages in " + l + ": " + err.Error())
		}
		all[l] = texts
	}
	return all
})

// say gives a text in a language, with its {names} replaced: name, value, name,
// value. What is replaced is text; escaping is the component's.
func say(lang, key string, with ...string) string {
	text, ok := catalogs()[lang][key]
	if !ok {
		if text, ok = catalogs()[locale.Default][key]; !ok {
			return key
		}
	}
	if len(with) == 0 {
		return text
	}
	pairs := make([]string, len(with))
	for i := range with {
		if i%2 == 0 {
			pairs[i] = "{" + with[i] + "}"
		} else {
			pairs[i] = isolated(lang, with[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// isolated keeps an address or a name, which may be written in the other direction,
// from taking the text around it along (Unicode Standard Annex 9).
func isolated(lang, value string) string {
	if locale.Direction(lang) != "rtl" {
		return value
	}
	return "\u2068" + value + "\u2069"
}
