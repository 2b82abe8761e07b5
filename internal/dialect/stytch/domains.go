package stytch

import (
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/fault"
)

const maxDomains = 500

// domainFaults are the failures of one list of domains.
type domainFaults struct{ invalid, common, twice, throwaway *fault.Error }

func allowedDomains(items []string) ([]string, error) {
	return domains(items, domainFaults{errDomain, errDomainCommon, errDomainTwice, errDomainThrowaway})
}

func claimedDomains(items []string) ([]string, error) {
	return domains(items, domainFaults{errClaimed, errClaimedCommon, errClaimedTwice, nil})
}

// domains gives domains in the form in which they are kept. Those where anybody
// can get an address say nothing about who belongs to an organization.
func domains(items []string, say domainFaults) ([]string, error) {
	if len(items) > maxDomains {
		return nil, errTooManyDomains
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		name, err := directory.DomainName(item)
		switch {
		case err != nil:
			return nil, say.invalid
		case commonDomain(name):
			return nil, say.common
		case say.throwaway != nil && slices.Contains(disposableDomains, name):
			return nil, say.throwaway
		case slices.Contains(out, name):
			return nil, say.twice
		}
		out = append(out, name)
	}
	return out, nil
}

// domainOf is the domain of an email address in the form in which domains are kept.
func domainOf(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	name, err := directory.DomainName(domain)
	if err != nil {
		return ""
	}
	return name
}

// commonBrands are mail providers that serve everybody under many endings
// (yahoo.com, yahoo.co.uk), commonDomains those that do so under one.
var (
	commonBrands  = []string{"gmail", "googlemail", "yahoo", "ymail", "hotmail", "outlook", "live", "msn", "aol", "icloud", "gmx", "yandex", "protonmail", "wanadoo", "rediffmail"}
	commonDomains = []string{
		"me.com", "mac.com", "mail.com", "mail.ru", "hey.com", "proton.me", "pm.me", "fastmail.com", "zoho.com", "comcast.net",
		"att.net", "earthlink.net", "sbcglobal.net", "verizon.net", "bellsouth.net", "cox.net", "charter.net", "rocketmail.com",
		"orange.fr", "free.fr", "laposte.net", "sfr.fr", "neuf.fr", "web.de", "t-online.de", "freenet.de", "libero.it", "virgilio.it",
		"uol.com.br", "bol.com.br", "terra.com.br", "ig.com.br", "qq.com", "163.com", "126.com", "sina.com", "naver.com", "daum.net",
		"hanmail.net", "bigpond.com", "btinternet.com", "ntlworld.com", "sky.com", "shaw.ca", "rogers.com", "telus.net", "seznam.cz",
	}
	disposableDomains = []string{
		"mailinator.com", "guerrillamail.com", "guerrillamail.net", "sharklasers.com", "10minutemail.com", "temp-mail.org", "tempmail.com",
		"throwawaymail.com", "yopmail.com", "yopmail.fr", "trashmail.com", "trashmail.de", "getnada.com", "maildrop.cc", "dispostable.com",
		"mintemail.com", "mohmal.com", "fakeinbox.com", "mailnesia.com", "spamgourmet.com", "mytemp.email", "emailondeck.com", "tempr.email",
		"discard.email", "burnermail.io", "33mail.com", "mailcatch.com", "moakt.com", "inboxkitten.com", "tempinbox.com",
	}
)

func commonDomain(name string) bool {
	if slices.Contains(commonDomains, name) {
		return true
	}
	brand, ending, _ := strings.Cut(name, ".")
	// One label is an ending, two are one when the first is a category of a country.
	category, _, nested := strings.Cut(ending, ".")
	return slices.Contains(commonBrands, brand) && (!nested || category == "co" || category == "com")
}
