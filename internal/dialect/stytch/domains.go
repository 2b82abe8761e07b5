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
		case directory.CommonDomain(name):
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

// disposableDomains give addresses to anybody for a moment.
var disposableDomains = []string{
	"mailinator.com", "guerrillamail.com", "guerrillamail.net", "sharklasers.com", "10minutemail.com", "temp-mail.org", "tempmail.com",
	"throwawaymail.com", "yopmail.com", "yopmail.fr", "trashmail.com", "trashmail.de", "getnada.com", "maildrop.cc", "dispostable.com",
	"mintemail.com", "mohmal.com", "fakeinbox.com", "mailnesia.com", "spamgourmet.com", "mytemp.email", "emailondeck.com", "tempr.email",
	"discard.email", "burnermail.io", "33mail.com", "mailcatch.com", "moakt.com", "inboxkitten.com", "tempinbox.com",
}
