package login

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A colour is red, green and blue.
type colour [3]uint8

func parseColour(s string) (c colour, ok bool) {
	s = strings.TrimPrefix(s, "#")
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 6 {
		return c, false
	}
	return colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}, true
}

func (c colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// luminance is relative luminance (WCAG 2.2, definitions).
func (c colour) luminance() float64 {
	var l [3]float64
	for i, v := range c {
		s := float64(v) / 255
		if s <= 0.04045 {
			l[i] = s / 12.92
		} else {
			l[i] = math.Pow((s+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
}

// contrast is the contrast ratio of two colours (WCAG 2.2, definitions): 1 to 21.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

// mixed is a colour on the way from a to b.
func mixed(a, b colour, part float64) (c colour) {
	for i := range c {
		c[i] = uint8(math.Round(float64(a[i])*(1-part) + float64(b[i])*part))
	}
	return c
}

var (
	black = colour{0, 0, 0}
	white = colour{255, 255, 255}
	ink   = colour{17, 24, 39}
)

// readable moves a colour towards black or white until it stands out against a
// surface by the ratio.
func readable(c, surface colour, ratio float64) colour {
	towards := black
	if surface.luminance() < 0.18 {
		towards = white
	}
	for part := 0.0; part < 1; part += 0.02 {
		if m := mixed(c, towards, part); contrast(m, surface) >= ratio {
			return m
		}
	}
	return towards
}

// over is the colour of text on c.
func over(c colour) colour {
	if contrast(white, c) >= contrast(ink, c) {
		return white
	}
	return ink
}

// usual are the colours of pages for which nobody chose any.
var usual = colour{37, 71, 208}

// surfaces that text stands on, in light and in dark surroundings.
var (
	lightCard = white
	lightPage = colour{245, 246, 248}
	darkCard  = colour{27, 31, 40}
	darkPage  = colour{15, 18, 24}
)

// These are the text with the least contrast, as the style sheet has it.
var (
	lightSoft = colour{82, 90, 104}
	darkSoft  = colour{179, 186, 199}
)

// faint is a background on which text can be read: the one that was chosen, or a
// hint of it on a calm one.
func faint(c, calm, text colour) colour {
	if contrast(text, c) >= ofText && (c.luminance() > text.luminance()) == (calm.luminance() > text.luminance()) {
		return c
	}
	for part := 0.92; part < 1; part += 0.02 {
		if m := mixed(c, calm, part); contrast(text, m) >= ofText {
			return m
		}
	}
	return calm
}

// The ratios that WCAG 2.2 AA asks for: of text (1.4.3), and of what else one has
// to see to use a page (1.4.11).
const (
	ofText     = 4.5
	ofControls = 3.0
)

// palette gives the style sheet of an organization's colours, corrected where
// they would be hard to read: the button keeps the chosen colour unless no text
// can be read on it.
func palette(primary, background colour, hasBackground bool) string {
	var b strings.Builder
	write := func(card, page, soft colour) {
		tint := mixed(page, primary, 0.10)
		if contrast(soft, tint) < ofText {
			tint = page
		}
		button := primary
		label := over(button)
		if contrast(label, button) < ofText { // a colour in the middle: neither black nor white is easy on it
			button = readable(button, label, ofText)
		}
		edge := readable(button, card, ofControls)
		link := readable(primary, card, ofText)
		if onPage := readable(link, page, ofText); contrast(onPage, card) >= ofText {
			link = onPage
		}
		fmt.Fprintf(&b, "--brand:%s;--on-brand:%s;--edge:%s;--link:%s;--focus:%s;--page:%s;--tint:%s", button, label, edge, link,
			readable(primary, card, ofText), page, tint)
	}
	page, dark := lightPage, darkPage
	if hasBackground { // what stands on the page itself must stay readable
		page, dark = faint(background, white, lightSoft), faint(background, darkPage, darkSoft)
	}
	b.WriteString(":root{")
	write(lightCard, page, lightSoft)
	b.WriteString("}@media (prefers-color-scheme:dark){:root{")
	write(darkCard, dark, darkSoft)
	b.WriteString("}}\n")
	return b.String()
}

// themeName is the name of the style sheet of a pair of colours: everything it
// depends on, so that it can be kept for ever and tells nothing of whose it is.
func themeName(primary, background string) string {
	name := "theme-" + usual.String()[1:]
	if c, ok := parseColour(primary); ok {
		name = "theme-" + c.String()[1:]
	}
	if c, ok := parseColour(background); ok {
		name += "-" + c.String()[1:]
	}
	return name + ".css"
}

// theme gives the style sheet of a name, if it is one.
func theme(name string) (string, bool) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(name, "theme-"), ".css"), "-")
	if !strings.HasPrefix(name, "theme-") || !strings.HasSuffix(name, ".css") || len(parts) > 2 {
		return "", false
	}
	primary, ok := parseColour(parts[0])
	var background colour
	if ok && len(parts) == 2 {
		background, ok = parseColour(parts[1])
	}
	if !ok || strings.ToLower(name) != name {
		return "", false
	}
	return palette(primary, background, len(parts) == 2), true
}
