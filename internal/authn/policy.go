package authn

import (
	"context"
	"slices"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
	"guildhall/internal/sso"
)

// usual are the first factors of a realm that names none.
var usual = []Method{ByPassword, ByLink, ByEmail, ByPasskey}

// methodOf is how settings name a connection.
func methodOf(c sso.Connection) Method {
	switch {
	case c.Organization != id.None:
		return BySSO
	case c.Provider == sso.Google:
		return "google_oauth"
	}
	return Method(directory.Fold(c.Name) + "_oauth")
}

// allows reports whether a first factor is good in the realm, and in the
// organization if there is one. A realm's list is about what it offers itself; an
// organization's own identity provider is the organization's to allow.
func (f *flow) allows(m Method, o *directory.Organization) bool {
	switch {
	case slices.Contains(f.rules.Without, string(m)):
		return false
	case m == ByPasskey && f.Origin != "" && !credential.TakesPasskeys(f.Origin):
		return false
	case o != nil && o.Settings.Methods == directory.AllowSome && !slices.Contains(o.Settings.AllowedMethods, string(m)),
		o != nil && o.Settings.Methods == directory.AllowNone:
		return false
	case m == BySSO:
		return true
	case len(f.rules.Methods) > 0:
		return slices.Contains(f.rules.Methods, string(m))
	}
	return slices.Contains(usual, m) || m != BySMS && !slices.Contains([]Method{ByTOTP, ByRecovery}, m)
}

// firsts lists what an identifier can be proven with. It depends on the identifier
// and on policies, never on whether anybody has it.
func (f *flow) firsts(o *directory.Organization) (list []Method) {
	_, _, address := directory.Address(f.Identifier)
	for _, m := range []Method{ByPassword, ByLink, ByEmail, BySMS, ByPasskey} {
		switch {
		case !f.allows(m, o):
		case f.Invitation != id.None && m != ByLink && m != ByEmail && m != ByPasskey && m != ByPassword:
		case (m == ByLink || m == ByEmail) && !address, m == BySMS && !directory.Phone(f.Identifier):
		default:
			list = append(list, m)
		}
	}
	if f.Invitation != id.None && address && !slices.Contains(f.rules.Without, string(ByEmail)) && !slices.Contains(list, ByEmail) && !slices.Contains(list, ByLink) {
		list = append(list, ByEmail) // whoever is new has nothing else yet
	}
	return list
}

// connections lists the identity providers that may be gone to: of the realm, and
// of the organization that is known.
func (s *Service) connections(ctx context.Context, tx Tx, f *flow, o *directory.Organization) ([]Choice, error) {
	owners := []id.ID{id.None}
	for _, i := range []id.ID{f.Organization, f.Discovered} {
		if i != id.None {
			owners = append(owners, i)
		}
	}
	page, err := tx.Connections().List(ctx, query.Query{Where: []query.Condition{query.OneOf("organization_id", owners), query.Is("enabled", true)}, Limit: 100})
	var list []Choice
	for _, c := range page.Items {
		if f.allows(methodOf(c), o) {
			list = append(list, Choice{ID: c.ID, Name: string(c.Provider), Title: c.Title()})
		}
	}
	return list, err
}

// seconds says whether a second factor is needed after what was proven, with what
// it can be given, and what could be set up for it.
func (s *Service) seconds(ctx context.Context, tx Tx, f *flow, o *directory.Organization) (needed bool, have, could []Method, err error) {
	page, err := tx.Factors().List(ctx, query.Query{Where: []query.Condition{query.Is("user_id", f.User), query.Is("confirmed", true)}, Limit: query.MaxLimit})
	if err != nil {
		return false, nil, nil, err
	}
	u, err := tx.Directory().Users().Get(ctx, f.User)
	if err != nil {
		return false, nil, nil, err
	}
	has := map[Method]bool{BySMS: u.PhoneVerified && f.seconded(BySMS, o) && (f.restricted(o) || slices.Contains(f.rules.Methods, string(BySMS)))}
	for _, k := range page.Items {
		switch k.Kind {
		case credential.TOTP:
			has[ByTOTP] = true
		case credential.Passkey:
			has[ByPasskey] = credential.TakesPasskeys(f.Origin)
		case credential.RecoveryCode:
			has[ByRecovery] = len(k.Data.Codes) > 0
		}
	}
	needed = has[ByTOTP] || f.rules.MFARequired || o != nil && o.Settings.MFARequired
	if o != nil && !needed {
		m, err := tx.Directory().Members().Find(ctx, query.Is("organization_id", o.ID), query.Is("user_id", f.User))
		needed = err == nil && m.MFAEnrolled
	}
	for _, m := range []Method{ByTOTP, ByPasskey, BySMS, ByRecovery} {
		if has[m] && f.seconded(m, o) {
			have = append(have, m)
		}
	}
	if len(have) == 1 && have[0] == ByRecovery { // codes alone are what is left of a factor, not one
		have = nil
	}
	for _, m := range []Method{ByTOTP, ByPasskey} {
		if f.seconded(m, o) && (m != ByPasskey || credential.TakesPasskeys(f.Origin)) {
			could = append(could, m)
		}
	}
	return needed && !f.satisfied(o), have, could, nil
}

// restricted reports whether second factors are named one by one.
func (f *flow) restricted(o *directory.Organization) bool {
	return len(f.rules.MFAMethods) > 0 || o != nil && o.Settings.MFAMethods == directory.AllowSome
}

// seconded reports whether a method is good as a second factor. Recovery codes
// stand in for whatever was lost.
func (f *flow) seconded(m Method, o *directory.Organization) bool {
	switch {
	case m == ByRecovery:
		return true
	case slices.Contains(f.rules.Without, string(m)):
		return false
	}
	if len(f.rules.MFAMethods) > 0 && !slices.Contains(f.rules.MFAMethods, string(m)) {
		return false
	}
	return o == nil || o.Settings.MFAMethods != directory.AllowSome || slices.Contains(o.Settings.AllowedMFAMethods, string(m))
}

// satisfied reports whether what was proven is two factors.
func (f *flow) satisfied(o *directory.Organization) bool {
	first := false
	for _, p := range f.Proofs {
		switch {
		case p.Strong && f.seconded(ByPasskey, o):
			return true
		case p.Method == BySSO && f.rules.SSOSuffices:
			return true
		case p.Method == ByTOTP || p.Method == ByRecovery || p.Method == BySMS && p.Second:
			if f.seconded(p.Method, o) && first {
				return true
			}
		default:
			first = true
		}
	}
	return false
}

// lives gives how long the session may last: what the realm says, narrowed by the
// organization.
func (f *flow) lives(o *directory.Organization) (idle, life time.Duration) {
	idle, life = f.rules.Idle(), f.rules.Life()
	if o != nil {
		idle, life = shorter(idle, time.Duration(o.Settings.SessionIdle)*time.Second), shorter(life, time.Duration(o.Settings.SessionLife)*time.Second)
	}
	return idle, life
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// byAccount is what a session calls every identity provider of the realm.
const byAccount Method = "oauth"

// words are what sessions call methods.
var words = map[Method]string{ByEmail: "email_code", BySMS: "sms_code"}

func factorsOf(proofs []Proof) (list []session.Factor) {
	for _, p := range proofs {
		word := string(p.Method)
		if w, ok := words[p.Method]; ok {
			word = w
		} else if p.Connection != id.None && p.Method != BySSO {
			word = string(byAccount)
		}
		list = append(list, session.Factor{Method: word, At: p.At, Connection: p.Connection})
	}
	return list
}

// proofsOf reads what a session remembers. A passkey has verified its user: no
// other is accepted.
func proofsOf(factors []session.Factor) (list []Proof) {
	for _, f := range factors {
		p := Proof{Method: Method(f.Method), At: f.At, Connection: f.Connection, Strong: f.Method == string(ByPasskey)}
		for m, w := range words {
			if w == f.Method {
				p.Method = m
			}
		}
		p.Second = p.Method == BySMS && len(list) > 0
		list = append(list, p)
	}
	return list
}

// Enough says whether what a session has proven is enough for an organization, or for
// the realm where it is none, as policies are at this moment. Where it is not, more
// reports whether proving something else besides is, or whether all has to be proven
// again. What has no id, such as what a grant remembers of its session, does not end here.
func (s *Service) Enough(ctx context.Context, in id.ID, of session.Session, at directory.Seat) (enough, more bool, err error) {
	rules, err := s.Realms.SignIn(ctx, in)
	if err != nil {
		return false, false, err
	}
	f := &flow{State: &State{Origin: of.Origin, Proofs: proofsOf(of.Factors)}, realm: in, rules: rules}
	f.User = of.User
	var o *directory.Organization
	needed := rules.MFARequired
	if at.Organization.ID != id.None {
		if at.Organization.State != directory.Active {
			return false, false, directory.ErrOrganizationNotFound
		}
		o, needed = &at.Organization, needed || at.Organization.Settings.MFARequired || at.Member.MFAEnrolled
	}
	err = s.Store.View(ctx, in, func(tx Tx) error {
		more = !s.over(f, of, o)
		enough = more && s.firstAllowed(ctx, tx, f, o) && (!needed || f.satisfied(o))
		return nil
	})
	return enough, more, err
}

// over reports whether a session has lasted for longer than it may. How long it may be
// left alone is its own matter: being asked for, it is in use.
func (s *Service) over(f *flow, of session.Session, o *directory.Organization) bool {
	if of.ID == id.None {
		return false
	}
	began := of.CreatedAt
	for i, proof := range of.Factors {
		if i == 0 || proof.At.Before(began) {
			began = proof.At
		}
	}
	_, life := f.lives(o)
	return life > 0 && !s.Now().Before(began.Add(life))
}
