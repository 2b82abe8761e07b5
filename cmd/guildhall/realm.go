package main

import (
	"slices"
	"strings"
	"time"

	"guildhall/internal/dialect/native"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/realm"
)

type realmCommand struct {
	List  realmList  `cmd:"" help:"List the realms."`
	Set   realmSet   `cmd:"" help:"Change a realm: its name, its origins, its protection, how people sign in, and what deletions are like by default."`
	Rules realmRules `cmd:"" help:"Print how people sign in to a realm."`

	Delete    realmDelete    `cmd:"" help:"Delete a realm with everything in it, or preview what that would do."`
	Restore   realmRestore   `cmd:"" help:"Undo the deletion of a realm whose purge has not begun."`
	Deletions realmDeletions `cmd:"" help:"List deletions of realms, the newest first."`
	Watch     realmWatch     `cmd:"" help:"Follow the deletion of a realm until its receipt is signed, and purge when no server does."`
	Pause     realmPause     `cmd:"" help:"Stop the purge of a realm, or keep it from beginning, until it is resumed."`
	Resume    realmResume    `cmd:"" help:"Let a paused purge go on."`
	Hold      realmHold      `cmd:"" help:"Place a legal hold on a whole realm: nothing of it is purged while it stands."`
	Release   realmRelease   `cmd:"" help:"Release a legal hold on a realm."`
}

type realmList struct{ databaseFlags }

func (c *realmList) Run(p *program) error {
	db, err := c.open(p.Context, false)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := c.services(db)
	if err != nil {
		return err
	}
	var rows [][]string
	for after := id.None; ; {
		realms, err := s.Realms.Store.Realms(p.Context, after, query.MaxLimit)
		if err != nil {
			return err
		}
		for _, r := range realms {
			rows, after = append(rows, describeRealm(r)), r.ID
		}
		if len(realms) < query.MaxLimit {
			break
		}
	}
	return table(p, "REALM\tNAME\tORIGINS\tDELETIONS", rows)
}

func describeRealm(r realm.Realm) []string {
	var defaults []string
	for api, d := range r.Defaults {
		if d.Users != "" {
			defaults = append(defaults, api+": "+string(d.Users))
		}
		if d.Grace != nil {
			defaults = append(defaults, api+": grace "+d.Grace.String())
		}
		if d.Members != nil {
			defaults = append(defaults, api+": grace of memberships "+d.Members.String())
		}
	}
	slices.Sort(defaults)
	return []string{native.Spell(id.None, id.Realm, r.ID), r.Name, orDash(r.Origins), orDash(defaults)}
}

func orDash(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}

type realmSet struct {
	databaseFlags
	realmFlag
	Name         string                   `help:"New name." placeholder:"TEXT"`
	Origin       []string                 `help:"Where the realm is reached, such as https://id.example.com; all of them, given again and again." placeholder:"URL"`
	Users        map[string]string        `help:"What becomes of the users of organizations that are deleted through an API: API=erase, API=detach, or API= for what the API itself does." placeholder:"API=FATE"`
	Grace        map[string]time.Duration `help:"How long deletions through an API can be undone, such as auth0=24h; at most 8760h." placeholder:"API=DURATION"`
	MembersGrace map[string]time.Duration `help:"How long memberships that end through an API can be restored, such as auth0=24h; at most 8760h." placeholder:"API=DURATION"`
	Protect      *bool                    `help:"Whether the realm can be deleted." negatable:""`
	realmRuleFlags
	Reset []string `help:"Take away what is set for deletions through an API." placeholder:"API"`
}

// Help is the longer text of --help.
func (realmSet) Help() string {
	return `Unless something is set here, deletions through a vendor's API leave no grace and treat users as that vendor does; those through the native
API can be undone for 168h and hand users to the realm. Whoever is taken out of an organization is out for good. Answers stay those of the vendor, whatever is set:

  guildhall realm set --grace auth0=24h --grace zitadel=72h --users stytch=detach --members-grace auth0=24h

The rules for signing in hold for everybody; organizations can only narrow them (guildhall organization rules). "guildhall realm rules" prints them:

  guildhall realm set --sign-up open --email-domains acme.example,example.com
  guildhall realm set --methods password,passkey --mfa required --password-length 12
  guildhall realm set --methods any --session-idle 8h --session-life 24h`
}

func (c *realmSet) Run(p *program) error {
	db, err := c.open(p.Context, false)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := c.services(db)
	if err != nil {
		return err
	}
	r, err := c.find(p.Context, s)
	if err != nil {
		return err
	}
	r, err = s.Realms.Update(p.Context, r.ID, func(r *realm.Realm) error {
		if c.Name != "" {
			r.Name = c.Name
		}
		if len(c.Origin) > 0 {
			r.Origins = c.Origin
		}
		c.realmRuleFlags.apply(&r.SignIn)
		if c.Protect != nil {
			r.Protected = *c.Protect
		}
		c.defaults(r)
		return nil
	})
	if err != nil {
		return err
	}
	return table(p, "REALM\tNAME\tORIGINS\tDELETIONS", [][]string{describeRealm(r)})
}

func (c *realmSet) defaults(r *realm.Realm) {
	change := func(api string, f func(*erasure.Default)) {
		if r.Defaults == nil {
			r.Defaults = map[string]erasure.Default{}
		}
		d := r.Defaults[api]
		f(&d)
		r.Defaults[api] = d
	}
	for _, api := range c.Reset {
		delete(r.Defaults, api)
	}
	for api, fate := range c.Users {
		change(api, func(d *erasure.Default) { d.Users = erasure.Users(fate) })
	}
	for api, grace := range c.Grace {
		change(api, func(d *erasure.Default) { d.Grace = &grace })
	}
	for api, grace := range c.MembersGrace {
		change(api, func(d *erasure.Default) { d.Members = &grace })
	}
}
