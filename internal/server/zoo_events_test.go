package server

import (
	"time"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/session"
	"guildhall/internal/token"
)

// A cast is a section of the page: whose account it is, and what happens.
type cast struct {
	homed  bool
	events map[string]func(*zoo)
}

// happenings are the sections of the page with their columns.
var happenings = map[string]*cast{
	"The organization, of which Ada is a guest": {false, map[string]func(*zoo){
		"suspended":          (*zoo).suspend,
		"active again":       func(z *zoo) { z.suspend(); z.activate() },
		"deleted":            func(z *zoo) { z.delete(erasure.Erase, time.Hour) },
		"restored":           func(z *zoo) { z.restore(z.delete(erasure.Erase, time.Hour), false) },
		"restored with keys": func(z *zoo) { z.restore(z.delete(erasure.Erase, time.Hour), true) },
		"purged":             func(z *zoo) { z.delete(erasure.Erase, 0); z.purged(z.t, z.home.ID) },
	}},
	"The organization, which owns Ada's account": {true, map[string]func(*zoo){
		"suspended":                (*zoo).suspend,
		"active again":             func(z *zoo) { z.suspend(); z.activate() },
		"deleted, erasing users":   func(z *zoo) { z.delete(erasure.Erase, time.Hour) },
		"deleted, detaching users": func(z *zoo) { z.delete(erasure.Detach, time.Hour) },
		"restored after erasing":   func(z *zoo) { z.restore(z.delete(erasure.Erase, time.Hour), false) },
		"restored after detaching": func(z *zoo) { z.restore(z.delete(erasure.Detach, time.Hour), false) },
		"restored with keys":       func(z *zoo) { z.restore(z.delete(erasure.Erase, time.Hour), true) },
		"purged, users erased":     func(z *zoo) { z.delete(erasure.Erase, 0); z.purged(z.t, z.home.ID) },
		"purged, users detached":   func(z *zoo) { z.delete(erasure.Detach, 0); z.purged(z.t, z.home.ID) },
	}},
	"Ada herself": {false, map[string]func(*zoo){
		"removed from the organization": (*zoo).remove,
		"added again": func(z *zoo) {
			z.remove()
			_, err := z.Directory.AddMember(z.t.Context(), z.by, directory.Member{Organization: z.home.ID, User: z.ada.ID}, nil)
			check(z.t, err)
		},
		"removed, and can be restored": func(z *zoo) { z.removeFor(time.Hour) },
		"membership restored":          func(z *zoo) { z.restore(z.removeFor(time.Hour), false) },
		"switched off":                 func(z *zoo) { z.become(directory.UserInactive) },
		"locked":                       func(z *zoo) { z.become(directory.UserLocked) },
		"switched on again":            func(z *zoo) { z.become(directory.UserInactive); z.become(directory.UserActive) },
		"deleted":                      func(z *zoo) { z.deleteAda(time.Hour) },
		"restored":                     func(z *zoo) { z.restore(z.deleteAda(time.Hour), false) },
		"restored with keys":           func(z *zoo) { z.restore(z.deleteAda(time.Hour), true) },
		"purged": func(z *zoo) {
			z.deleteAda(0)
			z.purged(z.t, z.ada.ID)
		},
	}},
	"What is revoked": {false, map[string]func(*zoo){
		"the session":                     func(z *zoo) { check(z.t, z.Sessions.Revoke(z.t.Context(), z.by, z.main.ID)) },
		"all sessions of Ada":             func(z *zoo) { z.revokeOf(session.Of{User: z.ada.ID}) },
		"those in the organization":       func(z *zoo) { z.revokeOf(session.Of{User: z.ada.ID, Organization: z.home.ID}) },
		"what the application holds":      (*zoo).revokeGrants,
		"keys":                            (*zoo).revokeKeys,
		"the factors of Ada":              (*zoo).removeFactors,
		"the password, which is replaced": (*zoo).replacePassword,
	}},
	"Applications, and keys of the server": {false, map[string]func(*zoo){
		"applications switched off": func(z *zoo) { z.changeApplications(true) },
		"switched on again":         func(z *zoo) { z.changeApplications(true); z.changeApplications(false) },
		"deleted":                   (*zoo).deleteApplications,
		"secrets replaced":          (*zoo).replaceSecrets,
		"signing keys rotated":      func(z *zoo) { z.rotate(token.Rotation{Fresh: true}) },
		"signing keys revoked":      func(z *zoo) { z.rotate(token.Rotation{Revoke: true}) },
		"keyset rotated":            func(z *zoo) { check(z.t, z.Vault.Rotate(z.t.Context(), z.realm, z.home.ID)) },
		"master key rotated": func(z *zoo) {
			_, err := z.NewMaster(z.t.Context(), time.Now())
			check(z.t, err)
		},
	}},
}

func (z *zoo) suspend() {
	_, err := z.Directory.SuspendOrganization(z.t.Context(), z.by, z.home.ID)
	check(z.t, err)
}

func (z *zoo) activate() {
	_, err := z.Directory.ActivateOrganization(z.t.Context(), z.by, z.home.ID)
	check(z.t, err)
}

func (z *zoo) delete(users erasure.Users, grace time.Duration) id.ID {
	d, err := z.Directory.DeleteOrganization(z.t.Context(), z.by, z.home.ID, erasure.Options{Users: users, Grace: grace})
	check(z.t, err)
	return d.Deletion.ID
}

func (z *zoo) restore(deletion id.ID, keys bool) {
	_, err := z.Erasure.Restore(z.t.Context(), z.by, deletion, erasure.Renames{Keys: keys})
	check(z.t, err)
}

func (z *zoo) remove() {
	check(z.t, z.Directory.RemoveMember(z.t.Context(), z.by, z.home.ID, z.ada.ID, erasure.Options{}))
}

func (z *zoo) removeFor(grace time.Duration) id.ID {
	m, err := z.Directory.Member(z.t.Context(), z.by, z.home.ID, query.Is("user_id", z.ada.ID))
	check(z.t, err)
	d, err := z.Directory.DeleteMember(z.t.Context(), z.by, z.home.ID, m.ID, erasure.Options{Grace: grace})
	check(z.t, err)
	return d.Deletion.ID
}

func (z *zoo) become(state directory.UserState) {
	check(z.t, z.site.become(z.t, z.ada.ID, state))
}

func (z *zoo) deleteAda(grace time.Duration) id.ID {
	d, err := z.Directory.DeleteUser(z.t.Context(), z.by, z.ada.ID, erasure.Options{Grace: grace})
	check(z.t, err)
	return d.Deletion.ID
}

func (z *zoo) revokeOf(of session.Of) {
	_, err := z.Sessions.RevokeOf(z.t.Context(), z.by, of)
	check(z.t, err)
}

func (z *zoo) revokeGrants() {
	page, err := z.Sessions.Grants(z.t.Context(), z.by, query.Query{Where: []query.Condition{query.Is("user_id", z.ada.ID)}})
	check(z.t, err)
	for _, g := range page.Items {
		check(z.t, z.Sessions.RevokeGrant(z.t.Context(), z.by, g.ID))
	}
}

// revokeKeys revokes what bears a secret of its own: of Ada, and of the organization.
func (z *zoo) revokeKeys() {
	page, err := z.Credentials.Keys(z.t.Context(), z.by, query.Query{Where: []query.Condition{
		query.Any(query.Is("user_id", z.ada.ID), query.Is("organization_id", z.home.ID)),
	}})
	check(z.t, err)
	for _, k := range page.Items {
		check(z.t, z.Credentials.RevokeKey(z.t.Context(), z.by, k.ID))
	}
	z.factors(z.machineUser)
}

func (z *zoo) removeFactors() {
	z.factors(z.ada.ID)
	linked, err := z.Connections.Identities(z.t.Context(), z.by, z.ada.ID)
	check(z.t, err)
	for _, i := range linked {
		check(z.t, z.Connections.Unlink(z.t.Context(), z.by, z.ada.ID, i.ID))
	}
}

func (z *zoo) factors(user id.ID) {
	list, err := z.Credentials.Factors(z.t.Context(), z.by, user)
	check(z.t, err)
	for _, f := range list {
		check(z.t, z.Credentials.RemoveFactor(z.t.Context(), z.by, user, f.ID))
	}
}

// replacePassword is what an administrator does.
func (z *zoo) replacePassword() {
	native := z.root(z.t, "native", z.here)
	native.ok(z.t, "PUT", "/guildhall/v1/users/"+native.spell(id.User, z.ada.ID)+"/password", object("password", "nine red parrots sing"))
}

// applications are those that Ada signs in to, and those of the organization.
func (z *zoo) applications() (all []credential.Application) {
	var ids []id.ID
	for _, s := range z.shops {
		ids = append(ids, s.ID)
	}
	page, err := z.Credentials.Applications(z.t.Context(), z.by, query.Query{Where: []query.Condition{
		query.Any(query.Is("organization_id", z.home.ID), query.OneOf("id", ids)),
	}})
	check(z.t, err)
	return page.Items
}

func (z *zoo) changeApplications(disabled bool) {
	for _, a := range z.applications() {
		_, err := z.Credentials.UpdateApplication(z.t.Context(), z.by, a.ID, func(a *credential.Application) error { a.Disabled = disabled; return nil })
		check(z.t, err)
	}
}

func (z *zoo) deleteApplications() {
	for _, a := range z.applications() {
		check(z.t, z.Credentials.DeleteApplication(z.t.Context(), z.by, a.ID))
	}
}

// replaceSecrets is asked of the API, of those that have secrets.
func (z *zoo) replaceSecrets() {
	native := z.root(z.t, "native", z.here)
	for _, a := range z.applications() {
		if a.Scheme == "openid" && a.OpenID.AuthMethod != credential.AuthKey {
			made := native.ok(z.t, "POST", "/guildhall/v1/applications/app_"+id.For(z.realm, id.Application).Base62(a.ID)+"/secret", "")
			for _, s := range z.shops { // those that Ada signs in to know the new one
				if s.ID == a.ID {
					s.secret = made.text("client_secret")
				}
			}
		}
	}
}

// rotate makes new signing keys, on the node on which everything happens; the others
// learn of it within moments.
func (z *zoo) rotate(how token.Rotation) {
	_, err := z.Tokens.Rotate(z.t.Context(), access.System(z.realm), how)
	check(z.t, err)
	if how.Revoke && len(z.nodes) > 1 {
		time.Sleep(5500 * time.Millisecond)
	}
}
