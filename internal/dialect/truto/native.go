package truto

import (
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
)

// The native forms are what raw answers and remote_data show. Private metadata is
// for the application itself: a view of one organization does not carry it.

func (c call) nativeOrganization(o directory.Organization) record {
	r := record{
		{"id", c.spell(id.Organization, o.ID, o.Alias)}, {"name", o.Name}, {"display_name", known(o.DisplayName)}, {"slug", o.Slug},
		{"external_id", known(o.ExternalID)}, {"state", string(o.State)}, {"protected", o.Protected},
		{"branding", o.Branding}, {"profile", o.Profile}, {"public_metadata", metadata(o.Public)},
	}
	if c.within == id.None {
		r = append(r, field{"private_metadata", metadata(o.Private)})
	}
	return append(r, field{"version", o.Version}, field{"created_at", stamp(o.CreatedAt)}, field{"updated_at", stamp(o.UpdatedAt)})
}

func (c call) nativeUser(u directory.User) record {
	home := u.Home
	if c.within != id.None && home != c.within {
		home = id.None // where else a guest belongs is not in sight
	}
	r := record{
		{"id", c.spell(id.User, u.ID, u.Alias)}, {"home", c.spellOrNull(id.Organization, home)}, {"kind", string(u.Kind)}, {"state", string(u.State)},
		{"username", known(u.Username)}, {"email", known(u.Email)}, {"email_verified", u.EmailVerified},
		{"phone", known(u.Phone)}, {"phone_verified", u.PhoneVerified},
		{"given_name", known(u.GivenName)}, {"family_name", known(u.FamilyName)}, {"name", known(u.Name)}, {"nickname", known(u.Nickname)},
		{"picture", known(u.Picture)}, {"language", known(u.Language)}, {"external_id", known(u.ExternalID)},
		{"description", known(u.Description)}, {"public_metadata", metadata(u.Public)},
	}
	if c.within == id.None {
		r = append(r, field{"private_metadata", metadata(u.Private)})
	}
	return append(r, field{"last_sign_in_at", stamp(u.LastSignInAt)},
		field{"version", u.Version}, field{"created_at", stamp(u.CreatedAt)}, field{"updated_at", stamp(u.UpdatedAt)})
}

func (c call) nativeRole(r directory.Role) record {
	permissions := make([]record, len(r.Permissions))
	for i, p := range r.Permissions {
		permissions[i] = record{{"resource", p.Resource}, {"actions", p.Actions}, {"description", known(p.Description)}}
	}
	return record{
		{"id", c.codec(id.Role).Decimal(r.ID)}, {"organization", c.spellOrNull(id.Organization, r.Organization)}, {"key", r.Key}, {"name", r.Name},
		{"description", known(r.Description)}, {"permissions", permissions},
		{"version", r.Version}, {"created_at", stamp(r.CreatedAt)}, {"updated_at", stamp(r.UpdatedAt)},
	}
}

// nativeDeletion is how far the deletion of an object has come.
func (c call) nativeDeletion(d erasure.Deletion) record {
	return record{
		{"id", deletionID(c, d)}, {"state", string(d.State)}, {"users", string(d.Users)}, {"requested_by", d.RequestedBy},
		{"reason", known(d.Reason)}, {"grace_until", stamp(d.GraceUntil)}, {"created_at", stamp(d.CreatedAt)},
	}
}

// deletionHeader carries the id under which the native API tells how far a
// deletion has come.
const deletionHeader = "Guildhall-Deletion-Id"

func deletionID(c call, d erasure.Deletion) string { return "del_" + c.codec(id.Deletion).Base62(d.ID) }

func metadata(m directory.Metadata) directory.Metadata {
	if m == nil {
		return directory.Metadata{}
	}
	return m
}
