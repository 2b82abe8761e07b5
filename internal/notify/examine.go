package notify

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// allowedElements are all that a message may be made of.
var allowedElements = func() map[string]bool {
	all := map[string]bool{}
	for _, e := range strings.Fields(`html head title meta body table thead tbody tfoot tr td th p div span a img br hr h1 h2 h3 h4 h5 h6
		strong b em i u s small sub sup ul ol li blockquote pre code center font header footer section article main figure figcaption caption dl dt dd`) {
		all[e] = true
	}
	return all
}()

// examine looks at the HTML that a template of one's own made, as a mail program
// would read it. It may hold text, pictures and links, and links may lead to the
// origins of the server, to the very link of the message and to mail addresses:
// with anything else a template could be used to lead people astray.
func examine(page string, origins []string) error {
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return nil // the end
		case html.TextToken:
			if err := examineText(z.Token().Data, origins); err != nil {
				return err
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if !allowedElements[t.Data] {
				return fmt.Errorf("the element <%s> cannot stand in a message", t.Data)
			}
			for _, a := range t.Attr {
				if err := examineAttribute(a, origins); err != nil {
					return err
				}
			}
		}
	}
}

// address finds what programs that show text make a link of.
var address = regexp.MustCompile(`(?i)\b(?:[a-z][a-z0-9+.-]*://|www\.)[^\s<>"]+`)

// examineText looks for addresses in plain text, which mail programs and telephones
// make links of. They lead where links in HTML may lead.
func examineText(text string, origins []string) error {
	for _, found := range address.FindAllString(text, -1) {
		if err := examineLink(strings.TrimRight(found, `.,;:!?)]}'`), origins); err != nil {
			return err
		}
	}
	return nil
}

func examineAttribute(a html.Attribute, origins []string) error {
	name, value := strings.ToLower(a.Key), strings.TrimSpace(a.Val)
	switch {
	case strings.HasPrefix(name, "on"), name == "srcset", name == "ping", name == "formaction", name == "action", name == "background", name == "http-equiv", name == "xlink:href":
		return fmt.Errorf("the attribute %s cannot stand in a message", name)
	case name == "style" && (strings.Contains(strings.ToLower(value), "url(") || strings.Contains(value, "\\")):
		return errors.New("styles cannot load anything")
	case name == "src":
		if value != "" && webAddress(value) == "" && !strings.HasPrefix(value, "cid:") {
			return errors.New("pictures come from https addresses")
		}
	case name == "href":
		return examineLink(value, origins)
	}
	return nil
}

func examineLink(value string, origins []string) error {
	if strings.HasPrefix(strings.ToLower(value), "mailto:") {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("links are whole addresses, or {{ link }}")
	}
	origin := u.Scheme + "://" + strings.ToLower(u.Host)
	for _, o := range origins {
		if o == value || o == origin {
			return nil
		}
	}
	return fmt.Errorf("the link to %s leads away from the server; {{ link }} is the one of the message", u.Host)
}

// webAddress gives an address of a picture, or "" when it is none to show.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(s) > 2048 {
		return ""
	}
	return u.String()
}

// usualColour is used where an organization has chosen none.
const usualColour = "#1d4ed8"

// colour gives a colour that can stand in a style, whatever was kept.
func colour(s string) string {
	if len(s) != 7 || s[0] != '#' {
		return usualColour
	}
	if _, err := strconv.ParseUint(s[1:], 16, 32); err != nil {
		return usualColour
	}
	return s
}

// onColour is black or white, whichever is easier to read on a colour.
func onColour(s string) string {
	n, _ := strconv.ParseUint(s[1:], 16, 32)
	if (299*(n>>16)+587*(n>>8&0xff)+114*(n&0xff))/1000 > 150 {
		return "#111827"
	}
	return "#ffffff"
}
