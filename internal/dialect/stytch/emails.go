package stytch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

// An address that a member gives up is retired: it stays with the member, and
// nobody else in the organization can have it until it is unlinked.

// emailID gives the id of an address of a member. It is made of both, so that an
// address keeps it when it is taken up again; it names nothing outside its member.
func emailID(member id.ID, address string) id.ID {
	key := binary.BigEndian.AppendUint64(nil, uint64(member))
	sum := sha256.Sum256(append(key, directory.Fold(address)...))
	return id.ID(binary.BigEndian.Uint64(sum[:8])&(math.MaxInt64-1) + 1)
}

// changeEmail gives a member another address, which nobody has proven yet. The
// old one is retired, or with unlink given free.
func changeEmail(m *directory.Member, u *directory.User, address string, unlink bool) error {
	if address == u.Email {
		return nil
	}
	if m.State != directory.MemberActive {
		return errEmailNotActive
	}
	if directory.Fold(address) != directory.Fold(u.Email) {
		u.EmailVerified = false
		m.Retired = without(m.Retired, address)
		if !unlink && u.Email != "" {
			m.Retired = append(m.Retired, directory.RetiredEmail{ID: emailID(m.ID, u.Email), Address: directory.Fold(u.Email)})
		}
	}
	u.Email = address
	return nil
}

func without(retired []directory.RetiredEmail, address string) []directory.RetiredEmail {
	return slices.DeleteFunc(slices.Clone(retired), func(r directory.RetiredEmail) bool {
		return directory.Fold(r.Address) == directory.Fold(address)
	})
}

// retiredAs gives conditions that every member meets who has retired an address;
// others may meet them as well. Without the first the whole organization would be
// looked at.
func retiredAs(address string) []query.Condition {
	written, err := json.Marshal(directory.Fold(address))
	if err != nil {
		return []query.Condition{query.Any()}
	}
	return []query.Condition{query.Where("noted", query.Ne, ""), query.Where("details", query.Contains, strings.Trim(string(written), `"`))}
}

// retired reports whether m has retired an address.
func retired(m directory.Member, address string) bool {
	return len(without(m.Retired, address)) < len(m.Retired)
}

// unlinkRetiredEmail gives a retired address free for other members.
func (a *API) unlinkRetiredEmail(c edge.Call) (edge.Reply, error) {
	b, err := read(c)
	if err != nil {
		return edge.Reply{}, err
	}
	i, hasID := b.text("email_id")
	address, hasAddress := b.text("email_address")
	switch {
	case b.err != nil:
		return edge.Reply{}, b.err
	case i == "" && address == "":
		return edge.Reply{}, errNoEmailIdentifier
	}
	organization, err := a.organizationID(c)
	if err != nil {
		return edge.Reply{}, err
	}
	member, err := a.memberID(c, organization)
	if err != nil {
		return edge.Reply{}, err
	}
	m, err := a.Directory.UpdateMember(c.Context(), c.Actor, organization, member, func(m *directory.Member, _ *directory.User) error {
		if m.State == directory.MemberDeleted {
			return directory.ErrMemberNotFound
		}
		at := slices.IndexFunc(m.Retired, func(r directory.RetiredEmail) bool {
			return (!hasID || i == "" || spell(c, id.Email, r.ID) == i) &&
				(!hasAddress || address == "" || directory.Fold(r.Address) == directory.Fold(address))
		})
		if at < 0 {
			return errEmailNotFound
		}
		m.Retired = slices.Delete(slices.Clone(m.Retired), at, at+1)
		return nil
	})
	if err != nil {
		return edge.Reply{}, err
	}
	return a.showMember(c, m)
}
