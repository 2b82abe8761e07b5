package event

import (
	"slices"
	"strings"

	"guildhall/internal/id"
)

// A Type is one kind of fact, as it is told to those who are listening.
type Type struct {
	Name  string
	About string
	Data  []Field // what stands in Event.Data, if it is there
	Reach Reach
}

// A Field is one value in the data of an event.
type Field struct {
	Name  string
	Kind  id.Kind // the value is the id of such an object; 0 for plain text
	About string
}

// Reach says who hears of events of a type besides the log.
type Reach uint8

const (
	// Everybody listening in the realm, and in the organization it happened in.
	Everybody Reach = iota
	// RealmOnly is what an organization is not told of itself, such as that it is
	// held for a court.
	RealmOnly
	// Nobody but the one it is made for.
	Nobody
)

var (
	deletion   = Field{"deletion", id.Deletion, "The deletion, which tells how far it is and gives the receipt."}
	usersFate  = Field{"users", 0, "What becomes of the users at home in the organization: erase or detach."}
	graceEnd   = Field{"grace_until", 0, "Until when it can be undone, RFC 3339; missing without a grace."}
	person     = Field{"user", id.User, "The user."}
	factorKind = Field{"factor", 0, "Its kind: password, totp, recovery_code, passkey or machine_key."}
	dnsName    = Field{"domain", 0, "The name of the domain."}
)

// Types lists every type of event, in the order of the manual. What is written
// into the log has its row here.
var Types = []Type{
	{"organization.created", "An organization was created.", []Field{{"name", 0, "Its name."}, {"slug", 0, "Its slug."}}, Everybody},
	{"organization.updated", "Fields of an organization changed.", nil, Everybody},
	{"organization.suspended", "An organization was suspended: nobody signs in through it.", nil, Everybody},
	{"organization.activated", "The suspension of an organization ended.", nil, Everybody},
	{"organization.metadata.set", "Metadata of an organization was written.", nil, Everybody},
	{"organization.metadata.removed", "Metadata of an organization was removed.", nil, Everybody},
	{"organization.deletion.requested", "Somebody asked for the end of an organization.", []Field{deletion, usersFate, graceEnd}, Everybody},
	{"organization.deleted", "An organization ended: it does not exist any more. The last event that its own webhooks get.", []Field{deletion, usersFate}, Everybody},
	{"organization.restored", "The deletion of an organization was undone.", []Field{deletion}, Everybody},
	{"organization.purged", "The last row of a deleted organization is gone, and the receipt is signed.", []Field{deletion}, Everybody},
	{"organization.exported", "An organization was exported.", []Field{{"archive", 0, "The SHA-256 of the archive."}, {"credentials", 0, "Whether hashes of credentials are in it."}}, RealmOnly},
	{"organization.imported", "An archive was imported.", []Field{{"imported", 0, "How many objects came."}, {"linked", 0, "How many were there already."}, {"left_out", 0, "How many were refused."}}, Everybody},

	{"user.created", "A user was created.", []Field{{"kind", 0, "human or machine."}}, Everybody},
	{"user.updated", "Fields of a user, or the password, changed.", nil, Everybody},
	{"user.active", "A user was switched on.", nil, Everybody},
	{"user.inactive", "A user was switched off.", nil, Everybody},
	{"user.locked", "A user was locked.", nil, Everybody},
	{"user.initial", "A user has to finish signing up again.", nil, Everybody},
	{"user.metadata.set", "Metadata of a user was written.", nil, Everybody},
	{"user.metadata.removed", "Metadata of a user was removed.", nil, Everybody},
	{"user.deletion.requested", "Somebody asked for the end of a user.", []Field{deletion, graceEnd}, Everybody},
	{"user.deleted", "A user ended, or is only kept to be reactivated; the deletion is missing then.", []Field{deletion}, Everybody},
	{"user.restored", "The deletion of a user was undone.", []Field{deletion}, Everybody},
	{"user.purged", "The last row of a deleted user is gone, and the receipt is signed.", []Field{deletion}, Everybody},

	{"user.signed_in", "A user signed in.", nil, Everybody},
	{"user.email_verified", "A user proved to own the address.", nil, Everybody},
	{"user.password_changed", "A user chose another password.", nil, Everybody},
	{"identity.linked", "An account elsewhere was linked to a user.", nil, Everybody},
	{"identity.unlinked", "The link of a user to an account elsewhere was removed.", nil, Everybody},

	{"factor.added", "A user got another way to sign in.", []Field{factorKind}, Everybody},
	{"factor.renamed", "A way to sign in got another name.", []Field{factorKind}, Everybody},
	{"factor.removed", "A user lost a way to sign in.", []Field{factorKind}, Everybody},
	{"recovery_code.used", "A user signed in with a recovery code, which is used up.", []Field{factorKind}, Everybody},
	{"passkey.cloned", "A passkey counted backwards: there may be a copy of it. It was refused.", []Field{factorKind}, Everybody},

	{"session.started", "A session began.", nil, Everybody},
	{"session.factor_added", "Somebody in a session proved once more who they are.", nil, Everybody},
	{"session.revoked", "A session was ended before its time.", nil, Everybody},
	{"sessions.revoked", "Every session of a user was ended; the user is the subject.", nil, Everybody},
	{"grant.revoked", "What a user let an application do ended, with its tokens.", nil, Everybody},
	{"consent.withdrawn", "A user took back what an application was allowed for good; the application is the subject.", []Field{person}, Everybody},
	{"grant.reused", "A used refresh token came again, so the grant ended with its tokens.", nil, Everybody},

	{"member.added", "A user became a member of an organization.", []Field{person}, Everybody},
	{"member.updated", "Fields of a membership changed.", nil, Everybody},
	{"member.active", "A member became active.", nil, Everybody},
	{"member.invited", "A member is invited again.", nil, Everybody},
	{"member.pending", "A member is pending.", nil, Everybody},
	{"member.removed", "A membership ended for good; the user stays.", []Field{person, deletion}, Everybody},
	{"member.deletion.requested", "Somebody asked for the end of a membership.", []Field{deletion, graceEnd, person}, Everybody},
	{"member.deleted", "A membership ended and can be undone, or is only kept to be reactivated; the deletion is missing then.", []Field{deletion, person}, Everybody},
	{"member.restored", "The end of a membership was undone.", []Field{deletion, person}, Everybody},
	{"member.purged", "The last row of a membership that ended is gone.", []Field{deletion}, Everybody},

	{"role.created", "A role was created.", nil, Everybody},
	{"role.updated", "A role changed.", nil, Everybody},
	{"role.deleted", "A role was deleted.", nil, Everybody},
	{"role.assigned", "A user got a role.", []Field{person}, Everybody},
	{"role.unassigned", "A user lost a role.", []Field{person}, Everybody},

	{"invitation.created", "Somebody was invited.", nil, Everybody},
	{"invitation.accepted", "Somebody accepted an invitation.", nil, Everybody},
	{"invitation.revoked", "An invitation was revoked.", nil, Everybody},

	{"domain.added", "A domain was added to an organization.", []Field{dnsName}, Everybody},
	{"domain.updated", "Settings of a domain changed.", []Field{dnsName}, Everybody},
	{"domain.verified", "A domain was proved to belong to its organization.", []Field{dnsName}, Everybody},
	{"domain.removed", "A domain was removed.", []Field{dnsName}, Everybody},

	{"project.created", "A project was created.", nil, Everybody},
	{"project.updated", "A project changed.", nil, Everybody},
	{"project.activated", "A project was activated.", nil, Everybody},
	{"project.deactivated", "A project was deactivated.", nil, Everybody},
	{"project.deleted", "A project was deleted.", nil, Everybody},
	{"project.role.added", "A project got a role.", nil, Everybody},
	{"project.role.changed", "A role of a project changed.", nil, Everybody},
	{"project.role.removed", "A role of a project was removed.", nil, Everybody},
	{"project.grant.added", "A project was granted to another organization.", nil, Everybody},
	{"project.grant.changed", "A grant of a project changed.", nil, Everybody},
	{"project.grant.removed", "A grant of a project was removed.", nil, Everybody},
	{"user.grant.added", "A user got roles of a project.", nil, Everybody},
	{"user.grant.changed", "The roles of a project that a user has changed.", nil, Everybody},
	{"user.grant.removed", "A user lost the roles of a project.", nil, Everybody},

	{"realm.updated", "The name, the origins or the settings of a realm changed.", nil, RealmOnly},
	{"realm.deletion.requested", "Somebody asked for the end of another realm of the server. The realm that the server began with is told.", []Field{deletion, graceEnd}, RealmOnly},
	{"realm.deleted", "Another realm of the server ended: nobody is let into it any more.", []Field{deletion}, RealmOnly},
	{"realm.restored", "The deletion of another realm was undone.", []Field{deletion}, RealmOnly},
	{"realm.purged", "The last row of a deleted realm is gone, and the receipt is signed.", []Field{deletion}, RealmOnly},

	{"realm.administrator.added", "A user became administrator of the realm.", nil, RealmOnly},
	{"realm.administrator.changed", "The roles of an administrator of the realm changed.", nil, RealmOnly},
	{"realm.administrator.removed", "A user is no longer administrator of the realm.", nil, RealmOnly},
	{"organization.administrator.added", "A user became administrator of an organization.", nil, Everybody},
	{"organization.administrator.changed", "The roles of an administrator of an organization changed.", nil, Everybody},
	{"organization.administrator.removed", "A user is no longer administrator of an organization.", nil, Everybody},
	{"project.administrator.added", "A user became administrator of a project.", nil, Everybody},
	{"project.administrator.changed", "The roles of an administrator of a project changed.", nil, Everybody},
	{"project.administrator.removed", "A user is no longer administrator of a project.", nil, Everybody},
	{"project_grant.administrator.added", "A user became administrator of a project grant.", nil, Everybody},
	{"project_grant.administrator.changed", "The roles of an administrator of a project grant changed.", nil, Everybody},
	{"project_grant.administrator.removed", "A user is no longer administrator of a project grant.", nil, Everybody},

	{"application.created", "An application was registered.", nil, Everybody},
	{"application.updated", "An application changed.", nil, Everybody},
	{"application.secret_rotated", "An application got a new secret; the old one is dead.", nil, Everybody},
	{"application.deleted", "An application was deleted; its tokens are dead.", nil, Everybody},
	{"key.created", "A key or token for programs was made.", nil, Everybody},
	{"key.revoked", "A key or token for programs was revoked.", nil, Everybody},
	{"integrated_account.created", "An integrated account was created.", nil, Everybody},
	{"integrated_account.updated", "An integrated account changed.", nil, Everybody},
	{"integrated_account.deleted", "An integrated account was deleted.", nil, Everybody},

	{"connection.created", "An identity provider was connected.", nil, Everybody},
	{"connection.updated", "The connection to an identity provider changed.", nil, Everybody},
	{"connection.deleted", "The connection to an identity provider was deleted.", nil, Everybody},
	{"message_template.changed", "The text of a message was replaced.", []Field{{"kind", 0, "Which message."}, {"locale", 0, "Its language."}}, Everybody},
	{"message_template.removed", "A message has its built-in text again.", []Field{{"kind", 0, "Which message."}, {"locale", 0, "Its language."}}, Everybody},
	{"signing_key.rotated", "Another key signs tokens.", []Field{{"algorithm", 0, "Its algorithm."}, {"kid", 0, "Its name in the key set."}, {"revoked", 0, "Whether the old key, and all that it signed, is refused at once."}}, RealmOnly},

	{"hold.placed", "A legal hold was placed.", nil, RealmOnly},
	{"hold.released", "A legal hold was released.", nil, RealmOnly},
	{"bulk_deletion.requested", "Somebody asked for the end of many organizations.", nil, RealmOnly},
	{"bulk_deletion.stopped", "A bulk deletion was stopped; what had ended stays so.", nil, RealmOnly},
	{"bulk_deletion.ended", "A bulk deletion has come to every organization it meant.", nil, RealmOnly},
	{"deletion.paused", "An operator stopped a purge.", []Field{deletion}, RealmOnly},
	{"deletion.resumed", "A paused purge goes on.", []Field{deletion}, RealmOnly},
	{"deletion.hastened", "The grace of a deletion was ended early.", []Field{deletion}, RealmOnly},

	{"webhook.created", "A webhook was created.", nil, Everybody},
	{"webhook.updated", "A webhook changed.", nil, Everybody},
	{"webhook.secret.rotated", "A webhook got a new secret; both sign until the old one ends.", nil, Everybody},
	{"webhook.disabled", "A webhook was switched off.", []Field{{"reason", 0, "failing: its endpoint took nothing for three days. gone: its endpoint answered 410. request: somebody did it."}}, Everybody},
	{"webhook.deleted", "A webhook was deleted.", nil, Everybody},
	{"webhook.test", "Somebody tries a webhook out. Only that webhook gets it.", nil, Nobody},
}

// RealmOnly reports whether an organization is not told of it.
func (t Type) RealmOnly() bool { return t.Reach == RealmOnly }

// Named finds a type.
func Named(name string) (Type, bool) {
	i := slices.IndexFunc(Types, func(t Type) bool { return t.Name == name })
	if i < 0 {
		return Type{}, false
	}
	return Types[i], true
}

// Matches reports whether a pattern stands for a type: its name, the beginning of
// names up to a dot and a star, as in "organization.*", or "*".
func Matches(pattern, name string) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, start) && (start == "" || strings.HasSuffix(start, "."))
	}
	return pattern == name
}
