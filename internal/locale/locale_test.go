package locale

import (
	"testing"
	"time"
)

func TestTheNearestLanguageIsChosen(t *testing.T) {
	for wish, want := range map[string]string{
		"de-AT": "de", "fr-CH, fr;q=0.9, en;q=0.8": "fr", "ja": "ja", "xx": "en", "": "en", "es-MX,en": "es", "\xff": "en", "zh": "en",
		"nl, de;q=0.5": "de",
	} {
		if got := Match(wish); got != want {
			t.Errorf("%q gets %s, want %s", wish, got, want)
		}
	}
	if got := Match("", "fr", "de"); got != "fr" {
		t.Errorf("the first wish is not heeded: %s", got)
	}
}

func TestDirectionFollowsTheScript(t *testing.T) {
	for tag, want := range map[string]string{"en": "ltr", "ar": "rtl", "he": "rtl", "ja": "ltr", "fa-IR": "rtl", "?": "ltr"} {
		if got := Direction(tag); got != want {
			t.Errorf("%s is written %s", tag, got)
		}
	}
}

func TestMomentsAreWrittenAsPeopleDo(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 5, 0, 0, time.UTC)
	for lang, want := range map[string]string{
		"en": "2 March 2026, 08:05 UTC", "de": "2. März 2026, 08:05 UTC", "es": "2 de marzo de 2026, 08:05 UTC", "fr": "2 mars 2026, 08:05 UTC", "ja": "2026年3月2日 08:05 UTC", "xx": "2 March 2026, 08:05 UTC",
	} {
		if got := Time(lang, at); got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
}
