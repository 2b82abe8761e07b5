// Package locale owns the languages in which people are spoken to, and the choice among them.
package locale

import (
	"golang.org/x/text/language"
)

// Default is spoken to people of whom nothing is known.
const Default = "en"

// All lists the languages, the default first.
func All() []string { return []string{"en", "de", "es", "fr", "ja"} }

var matcher = language.NewMatcher([]language.Tag{language.English, language.German, language.Spanish, language.French, language.Japanese})

// Known reports whether there are texts in the language.
func Known(tag string) bool {
	for _, l := range All() {
		if l == tag {
			return true
		}
	}
	return false
}

// Match finds the language for a person. Each wish is a tag (BCP 47) or a list
// of tags as in Accept-Language (RFC 9110 section 12.5.4); earlier wishes win.
func Match(wishes ...string) string {
	for _, w := range wishes {
		if len(w) > 256 { // nobody speaks that many
			continue
		}
		tags, _, err := language.ParseAcceptLanguage(w)
		if err != nil || len(tags) == 0 {
			continue
		}
		if _, i, sure := matcher.Match(tags...); sure > language.No {
			return All()[i]
		}
	}
	return Default
}

// rightToLeft are the scripts that are written from right to left.
var rightToLeft = map[string]bool{"Arab": true, "Hebr": true, "Syrc": true, "Thaa": true, "Nkoo": true, "Adlm": true}

// Direction is "rtl" for languages that are written from right to left, else "ltr".
func Direction(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return "ltr"
	}
	if script, _ := t.Script(); rightToLeft[script.String()] {
		return "rtl"
	}
	return "ltr"
}
