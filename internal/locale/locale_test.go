package locale

import "testing"

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
