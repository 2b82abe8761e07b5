package locale

import (
	"strconv"
	"strings"
	"time"
)

// months are the names of the months as they stand in a date.
var months = map[string]string{
	"en": "January February March April May June July August September October November December",
	"de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
	"es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
	"fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}

// dates are how a date is written: 2 stands for the day, M for the month, Y for the year.
var dates = map[string]string{"en": "2 M Y", "de": "2. M Y", "es": "2 de M de Y", "fr": "2 M Y", "ja": "Y年M月2日"}

// Day writes the date of a moment in UTC, as people write it in a language.
func Day(lang string, at time.Time) string {
	form, ok := dates[lang]
	if !ok {
		lang, form = Default, dates[Default]
	}
	year, month, day := at.UTC().Date()
	name := strconv.Itoa(int(month))
	if names, ok := months[lang]; ok {
		name = strings.Fields(names)[month-1]
	}
	return strings.NewReplacer("2", strconv.Itoa(day), "M", name, "Y", strconv.Itoa(year)).Replace(form)
}

// Time writes a moment in UTC, since where somebody is is not known.
func Time(lang string, at time.Time) string {
	between := ", "
	if lang == "ja" {
		between = " "
	}
	return Day(lang, at) + between + at.UTC().Format("15:04 UTC")
}
