package directory_test

import (
	"errors"
	"testing"

	"guildhall/internal/directory"
	"guildhall/internal/store/storetest"
)

// TestT_D09_ADomainInWhichAnybodyHasAnAddressIsNobodysToProve claims mail providers and
// what domains are registered below, at once and after the fact.
func TestT_D09_ADomainInWhichAnybodyHasAnAddressIsNobodysToProve(t *testing.T) {
	for engine, address := range map[string]func() string{"sqlite": func() string { return storetest.Folder(t) }, "postgres": func() string { return storetest.URL(t) }} {
		t.Run(engine, func(t *testing.T) {
			w := storetest.Open(t, address())
			o := w.Organization(t, directory.Organization{Name: "Greedy"})
			for _, name := range []string{"gmail.com", "GMail.com.", "outlook.com", "yahoo.co.uk", "proton.me", "co.uk", "com.br", "github.io", "acme.example"} {
				common := name != "acme.example"
				_, err := w.Directory.AddDomain(t.Context(), w.System, directory.Domain{Organization: o.ID, Name: name, Verified: true})
				if errors.Is(err, directory.ErrDomainCommon) != common {
					t.Errorf("%s: %v", name, err)
				}
				if !common {
					continue
				}
				d, err := w.Directory.AddDomain(t.Context(), w.System, directory.Domain{Organization: o.ID, Name: name})
				if errors.Is(err, directory.ErrDomainTaken) { // another spelling of one before
					continue
				}
				if err != nil {
					t.Fatalf("%s, not proven: %v", name, err)
				}
				_, err = w.Directory.UpdateDomain(t.Context(), w.System, o.ID, d.ID, func(d *directory.Domain) error { d.Verified = true; return nil })
				if !errors.Is(err, directory.ErrDomainCommon) {
					t.Errorf("%s, proven afterwards: %v", name, err)
				}
			}
		})
	}
}
