package store

import (
	"database/sql/driver"
	"fmt"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/project"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

// The fields of some objects that nobody asks for share one column.

// realmSettings is what is kept of a realm without being asked for.
type realmSettings struct {
	Deletions map[string]erasure.Default `json:"deletions,omitempty"`
	SignIn    realm.SignIn               `json:"sign_in,omitzero"`
}

type realmDocument struct{ r *realm.Realm }

func (d *realmDocument) Scan(v any) error {
	var s realmSettings
	err := doc(&s).Scan(v)
	d.r.Defaults, d.r.SignIn = s.Deletions, s.SignIn
	return err
}

func (d *realmDocument) Value() (driver.Value, error) {
	return doc(&realmSettings{Deletions: d.r.Defaults, SignIn: d.r.SignIn}).Value()
}

// A comparison is a plain condition as it is kept.
type comparison struct {
	Field string   `json:"field"`
	Op    query.Op `json:"op"`
	Text  string   `json:"text,omitempty"`
	At    int64    `json:"at,omitempty"`
}

type filterDocument struct{ where *[]query.Condition }

func (d *filterDocument) Scan(v any) error {
	var kept []comparison
	err := doc(&kept).Scan(v)
	*d.where = nil
	for _, c := range kept {
		condition := query.Where(c.Field, c.Op, c.Text)
		if c.At != 0 {
			condition.Value = time.UnixMicro(c.At).UTC()
		}
		*d.where = append(*d.where, condition)
	}
	return err
}

func (d *filterDocument) Value() (driver.Value, error) {
	var kept []comparison
	for _, c := range *d.where {
		k := comparison{Field: c.Field, Op: c.Op}
		switch v := c.Value.(type) {
		case string:
			k.Text = v
		case time.Time:
			k.At = micros(v)
		default:
			return nil, fmt.Errorf("a filter by a %T", v)
		}
		kept = append(kept, k)
	}
	return doc(&kept).Value()
}

// A number is an int that is kept as every other number.
type number struct{ n *int }

func (d *number) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a number is kept as %T", v)
	}
	*d.n = int(n)
	return nil
}

func (d *number) Value() (driver.Value, error) { return int64(*d.n), nil }

type userDocument struct{ u *directory.User }

func (d *userDocument) Scan(v any) error {
	var s userDetails
	if err := doc(&s).Scan(v); err != nil {
		return err
	}
	u := d.u
	u.Nickname, u.Picture, u.Language, u.Gender = s.Nickname, s.Picture, s.Language, s.Gender
	u.Description, u.OpaqueTokens, u.SignIns = s.Description, s.OpaqueTokens, s.SignIns
	if s.LastSignInAt != 0 {
		u.LastSignInAt = time.UnixMicro(s.LastSignInAt).UTC()
	}
	return nil
}

func (d *userDocument) Value() (driver.Value, error) {
	u := d.u
	return doc(&userDetails{
		Nickname: u.Nickname, Picture: u.Picture, Language: u.Language, Gender: u.Gender, Description: u.Description,
		OpaqueTokens: u.OpaqueTokens, LastSignInAt: micros(u.LastSignInAt), SignIns: u.SignIns,
	}).Value()
}

type memberDocument struct{ m *directory.Member }

func (d *memberDocument) Scan(v any) error {
	var s memberDetails
	if err := doc(&s).Scan(v); err != nil {
		return err
	}
	m := d.m
	m.Breakglass, m.MFAEnrolled, m.DefaultMFA, m.Retired = s.Breakglass, s.MFAEnrolled, s.DefaultMFA, s.Retired
	return nil
}

func (d *memberDocument) Value() (driver.Value, error) {
	m := d.m
	s := memberDetails{Breakglass: m.Breakglass, MFAEnrolled: m.MFAEnrolled, DefaultMFA: m.DefaultMFA, Retired: m.Retired}
	if len(s.Retired) == 0 && s.DefaultMFA == "" && !s.Breakglass && !s.MFAEnrolled {
		return "", nil
	}
	return doc(&s).Value()
}

type projectDocument struct{ p *project.Project }

func (d *projectDocument) Scan(v any) error {
	var s projectOptions
	if err := doc(&s).Scan(v); err != nil {
		return err
	}
	p := d.p
	p.RoleAssertion, p.RoleCheck, p.ProjectCheck = s.RoleAssertion, s.RoleCheck, s.ProjectCheck
	p.PrivateLabel, p.AdminsRequired = s.PrivateLabel, s.AdminsRequired
	return nil
}

func (d *projectDocument) Value() (driver.Value, error) {
	p := d.p
	return doc(&projectOptions{p.RoleAssertion, p.RoleCheck, p.ProjectCheck, p.PrivateLabel, p.AdminsRequired}).Value()
}

// kindOf reads and writes a kind of object.
type kindOf struct{ k *id.Kind }

func (k *kindOf) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a kind is kept as %T", v)
	}
	*k.k = id.Kind(n)
	return nil
}

func (k *kindOf) Value() (driver.Value, error) { return int64(*k.k), nil }
