package login

import (
	"net/http"
	"slices"
	"strings"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/fault"
	"guildhall/internal/id"
	"guildhall/internal/locale"
	"guildhall/internal/session"
)

// sessions lists where somebody is signed in: every device once, with what it was
// used for last, whichever organizations it is signed in to.
func (v *visit) sessions(all []session.Session, in session.Session) (list []Item) {
	listed := map[string]bool{}
	for _, s := range all { // the latest first
		if s.Origin == "" || listed[s.DeviceHash] { // of a program's own, not of a browser
			continue
		}
		listed[s.DeviceHash] = true
		i := Item{ID: id.For(v.realm, id.Session).Base62(s.ID), Icon: "device", Title: firstOf(s.Device, v.t("unknown_device")), About: v.t("last_seen", "address", s.Address, "time", locale.Time(v.Lang, s.SeenAt))}
		if s.DeviceHash == in.DeviceHash {
			i.Tag = v.t("this_device")
		} else {
			i.Acts = []Act{{Label: v.t("end"), Path: "/account/sessions/end", Danger: true}}
		}
		list = append(list, i)
	}
	return list
}

// connected lists the accounts elsewhere that somebody can sign in with.
func (v *visit) connected(in session.Session, view *AccountView) error {
	ctx := v.r.Context()
	linked, err := v.Connections.Identities(ctx, actor(v.realm, in), in.User)
	if err != nil {
		return err
	}
	for _, l := range linked {
		c, err := v.Connections.Connection(ctx, access.System(v.realm), l.Connection)
		if fault.KindOf(err) == fault.NotFound {
			continue // it ended a moment ago
		}
		if err != nil {
			return err
		}
		view.Connected = append(view.Connected, Item{
			ID: id.For(v.realm, id.Identity).Base62(l.ID), Icon: "globe", Title: firstOf(l.Email, c.Title()), About: joined(c.Title()+" ·", v.t("used_at", "time", locale.Time(v.Lang, l.UsedAt))),
			Acts: []Act{{Label: v.t("disconnect"), Path: "/account/connected/remove", Danger: true}},
		})
	}
	return nil
}

// disconnect takes an account elsewhere from the ways in.
func (v *visit) disconnect(in session.Session) error {
	i, ok := id.For(v.realm, id.Identity).ParseBase62(v.posted("id"))
	if !ok {
		return errNothing
	}
	if err := v.Connections.Unlink(v.r.Context(), actor(v.realm, in), in.User, i); err != nil {
		return err
	}
	if err := v.Authn.Unlinked(v.r.Context(), v.own(in)); err != nil {
		return err
	}
	return v.redirect("/account")
}

// applications lists what may act for somebody.
func (v *visit) applications(in session.Session, view *AccountView) error {
	held, err := v.Provider.Held(v.r.Context(), v.realm, in.User)
	for _, h := range held {
		about := []string{v.t("joined_at", "time", locale.Day(v.Lang, h.Since))}
		if !h.UsedAt.IsZero() {
			about[0] = v.t("used_at", "time", locale.Time(v.Lang, h.UsedAt))
		}
		view.Applications = append(view.Applications, Item{
			ID: id.For(v.realm, id.Application).Base62(h.Application.ID), Icon: "link", Title: firstOf(h.Application.Name, h.Application.ClientID),
			About: strings.Join(append(about, v.scopes(h.Scopes)...), " · "), Acts: []Act{{Label: v.t("revoke"), Path: "/account/applications/revoke", Danger: true}},
		})
	}
	return err
}

// withdraw takes from an application all that it may do for somebody.
func (v *visit) withdraw(in session.Session) error {
	i, ok := id.For(v.realm, id.Application).ParseBase62(v.posted("id"))
	if !ok {
		return errNothing
	}
	if err := v.Provider.Withdraw(v.r.Context(), v.realm, in.User, i); err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	return v.redirect("/account")
}

// endSession signs somebody out of a device.
func (v *visit) endSession(in session.Session) error {
	i, ok := id.For(v.realm, id.Session).ParseBase62(v.posted("id"))
	if !ok {
		return errNothing
	}
	own, err := v.Sessions.Own(v.r.Context(), v.realm, in.User)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(own, func(s session.Session) bool { return s.ID == i })
	if at < 0 { // it ended by itself, or is somebody else's
		return v.redirect("/account")
	}
	if _, err := v.Sessions.RevokeOf(v.r.Context(), actor(v.realm, in), session.Of{User: in.User, DeviceHash: own[at].DeviceHash}); err != nil {
		return err
	}
	return v.redirect("/account")
}

func (v *visit) endOthers(in session.Session) error {
	if _, err := v.Sessions.RevokeOf(v.r.Context(), actor(v.realm, in), session.Of{User: in.User, Except: in.ID}); err != nil {
		return err
	}
	return v.redirect("/account")
}

// nameable finds a factor of somebody's own that has a name.
func (v *visit) nameable(in session.Session, text string) (credential.Factor, error) {
	i, ok := id.For(v.realm, id.Credential).ParseBase62(text)
	if !ok {
		return credential.Factor{}, errNothing
	}
	own, err := v.Credentials.Factors(v.r.Context(), actor(v.realm, in), in.User)
	if err != nil {
		return credential.Factor{}, err
	}
	at := slices.IndexFunc(own, func(f credential.Factor) bool {
		return f.ID == i && (f.Kind == credential.Passkey || f.Kind == credential.TOTP)
	})
	if at < 0 {
		return credential.Factor{}, errNothing
	}
	return own[at], nil
}

func (v *visit) askName(in session.Session) error {
	f, err := v.nameable(in, v.query("id"))
	if err != nil {
		return err
	}
	v.Path = "/account"
	return v.show(http.StatusOK, Rename(RenameView{View: v.titled("rename_title"), ID: v.query("id"), Name: f.Name}))
}

func (v *visit) nameFactor(in session.Session) error {
	f, err := v.nameable(in, v.posted("id"))
	if err != nil {
		return err
	}
	_, err = v.Credentials.RenameFactor(v.r.Context(), actor(v.realm, in), in.User, f.ID, strings.TrimSpace(v.posted("name")))
	if fault.KindOf(err) == fault.Invalid && err != nil {
		view := v.titled("rename_title")
		view.Problem = v.t("problem_name")
		return v.show(statusOf(err), Rename(RenameView{View: view, ID: v.posted("id"), Name: f.Name}))
	}
	if err != nil {
		return err
	}
	return v.redirect("/account")
}
