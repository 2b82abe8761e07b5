package directory

import (
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"guildhall/internal/fault"
)

// ErrDomainCommon is a domain that proves nothing about who has an address in it.
var ErrDomainCommon = fault.New(fault.Invalid, "domain_common", "domain", "anybody can have an address, or a domain, below this one")

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
)

// CommonDomain reports whether anybody can have an address or a domain below a domain:
// it belongs to a mail provider, or domains are registered below it (the Public Suffix
// List, publicsuffix.org). The name is as DomainName gives it.
func CommonDomain(name string) bool {
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name && strings.Contains(name, ".") {
		return true
	}
	if slices.Contains(commonDomains, name) {
		return true
	}
	brand, ending, _ := strings.Cut(name, ".")
	// One label is an ending, two are one when the first is a category of a country.
	category, _, nested := strings.Cut(ending, ".")
	return slices.Contains(commonBrands, brand) && (!nested || category == "co" || category == "com")
}
