package native

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

const (
	defaultGrace = 7 * 24 * time.Hour
	longestGrace = erasure.LongestGrace

	longestReason = 500 // characters
)

// A deletion as this wire shows it: the ending of an organization, a user, a membership or a realm.
type deletion struct {
	Stamp
	State        string      `json:"state" enum:"grace,held,queued,purging,purged,restored" doc:"What has ended is gone from the first moment; purged means that its last trace is removed, held that a legal hold keeps it from that."`
	Kind         string      `json:"kind" enum:"organization,user,member,realm" doc:"What ended."`
	Organization *string     `json:"organization" doc:"The organization that ended, that owned the user who did, or that somebody is no longer a member of."`
	User         *string     `json:"user" doc:"The user who ended, or whose membership did."`
	Member       *string     `json:"member" doc:"The membership that ended."`
	Realm        *string     `json:"realm" doc:"The realm that ended."`
	Users        string      `json:"users" enum:"erase,detach" doc:"What becomes of the users that the organization owned."`
	GraceUntil   *moment     `json:"grace_until" nullable:"true" doc:"Nothing is removed before this time."`
	RequestedBy  string      `json:"requested_by" doc:"The id of the key or user, or the name of another client."`
	Reason       *string     `json:"reason"`
	Fingerprint  *string     `json:"fingerprint" doc:"That of the preview which the deletion required."`
	Export       *keptExport `json:"export,omitempty" doc:"The archive that it had made first; missing where none was asked for."`
	Paused       bool        `json:"paused" doc:"An operator stopped the removal until it is resumed."`
	Progress     []progress  `json:"progress" doc:"What has been done so far, by kind and effect."`
	Remaining    *int        `json:"remaining" nullable:"true" doc:"How many objects are yet to be done; null where it is not counted, as in lists."`
	Rate         *float64    `json:"rate" nullable:"true" doc:"Objects a second since the removal began; null while it does not run."`
	Estimate     *int        `json:"estimate_seconds" nullable:"true" doc:"The time that the rest takes at this rate."`
	StartedAt    *moment     `json:"started_at" nullable:"true" doc:"When the removal began; from then on there is no undo."`
	PurgedAt     *moment     `json:"purged_at" nullable:"true"`
}

func (d deletion) location() string { return "/deletions/" + d.ID }

// A progress counts objects of one kind to which one thing was done.
type progress struct {
	Kind   string `json:"kind" doc:"Such as member or invitation."`
	Effect string `json:"effect" enum:"removed,unlinked,handed_over,redacted"`
	Count  int    `json:"count" minimum:"0"`
}

// A newDeletion asks for the end of an organization.
type newDeletion struct {
	Users  string `json:"users,omitempty" enum:"erase,detach" doc:"What becomes of the users that the organization owns: erase ends them with it, detach, which is the default unless the realm has another, hands them to the realm. Users who are only its members are always kept."`
	Grace  string `json:"grace,omitempty" maxLength:"32" doc:"How long nothing is removed yet, such as 168h, which is the default unless the realm has another, 90m or 0s; at most 8760h."`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for the record."`

	Export *firstExport `json:"export,omitempty" doc:"An export that must be complete first: nothing is deleted unless the organization is in this archive as it is now."`

	Confirm string `json:"confirm,omitempty" maxLength:"255" doc:"The name of the organization, typed by a person: nothing is deleted unless it is the very same."`
}

// A newPersonDeletion asks for the end of a user or of a membership.
type newPersonDeletion struct {
	Grace  string `json:"grace,omitempty" maxLength:"32" doc:"How long nothing is removed yet, such as 168h, which is the default unless the realm has another, 90m or 0s; at most 8760h."`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for the record."`
}

// A restoration undoes a deletion.
type restoration struct {
	Name       string `json:"name,omitempty" maxLength:"255" doc:"Another name for the organization."`
	Slug       string `json:"slug,omitempty" maxLength:"128" doc:"Another slug for the organization."`
	ExternalID string `json:"external_id,omitempty" maxLength:"255" doc:"Another external id: of the organization, the user or the membership."`
	Email      string `json:"email,omitempty" maxLength:"254" doc:"Another e-mail address for the user."`
	Username   string `json:"username,omitempty" maxLength:"254" doc:"Another user name for the user."`
	Keys       bool   `json:"keys,omitempty" doc:"Bring back keys and client secrets as well. Whoever was signed in has to sign in again in any case."`
}

var usersParameter = parameter{name: "users", about: "What becomes of the users that the organization owns; detach unless given or set in the realm.", values: []string{"erase", "detach"}}

// anyDelete are the permissions on what a deletion can be of besides organizations.
var anyDelete = []access.Permission{access.UserDelete, access.MemberDelete, access.RealmDelete}

var reasonParameter = parameter{name: "reason", about: "Why, for the record; at most 500 characters."}

func showDeletion(c edge.Call, d erasure.Deletion) deletion {
	realm := c.Actor.Realm
	shown := deletion{
		Stamp: stamped(realm, id.Deletion, d.Stamp), State: string(d.State), Kind: d.Kind.String(),
		Organization: spellOrNull(realm, id.Organization, d.Organization), Users: string(d.Users),
		GraceUntil: momentOrNull(d.GraceUntil), RequestedBy: requester(realm, d.RequestedBy), Reason: textOrNull(d.Reason),
		Fingerprint: textOrNull(d.Fingerprint), Paused: d.Paused,
		Progress: progressOf(d.Done), StartedAt: momentOrNull(d.StartedAt), PurgedAt: momentOrNull(d.PurgedAt),
	}
	if d.Export.ID != id.None {
		shown.Export = &keptExport{SHA256: d.Export.SHA256, Size: d.Export.Size, Until: moment(d.Export.Until)}
	}
	switch d.Kind {
	case id.User:
		shown.User = spellOrNull(realm, id.User, d.Subject)
	case id.Member:
		shown.User, shown.Member = spellOrNull(realm, id.User, d.User), spellOrNull(realm, id.Member, d.Subject)
	case id.Realm:
		shown.Realm = spellOrNull(id.None, id.Realm, d.Subject)
	}
	return shown
}

// requester spells who asked the way this wire spells keys and users.
func requester(realm id.ID, subject string) string {
	word, number, _ := strings.Cut(subject, ":")
	kind, ok := map[string]id.Kind{"key": id.Key, "user": id.User}[word]
	i, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return subject
	}
	return spell(realm, kind, id.ID(i))
}

// progressOf reads counts that are kept by effect and kind, the kind last.
func progressOf(done map[string]int) []progress {
	all := make([]progress, 0, len(done))
	for _, what := range slices.Sorted(maps.Keys(done)) {
		cut := strings.LastIndexByte(what, ' ')
		if cut < 0 {
			continue
		}
		all = append(all, progress{Kind: what[cut+1:], Effect: effectWord(what[:cut]), Count: done[what]})
	}
	return all
}

// effectWord is an effect as one word.
func effectWord(s string) string { return strings.ReplaceAll(s, " ", "_") }

func (a *API) deletionOperations() []operation {
	return []operation{
		{
			name: "organizations.preview_deletion", method: http.MethodGet, path: "/organizations/{organization}/deletion/preview",
			permission: access.OrganizationDelete, parameters: []parameter{usersParameter},
			summary: "Preview the deletion of an organization",
			notes: "What it would do if it were asked for now. Nothing changes. The ETag of the answer, sent as If-Match with the deletion, " +
				"makes sure that nothing happened in between.",
			handling: gives(a.preview),
		},
		a.strandedOperation(),
		{
			name: "organizations.request_deletion", method: http.MethodPost, path: "/organizations/{organization}/deletion",
			permission: access.OrganizationDelete, status: http.StatusAccepted, versioned: true,
			summary: "Delete an organization",
			notes: "It ends at once, whatever its size: from the answer on it does not exist through any API, nobody signs in through it, " +
				"and its keys are dead. What it owned is removed after the grace; the deletion tells how far that has come.",
			handling: takes(a.requestDeletion),
		},
		{
			name: "organizations.delete", method: http.MethodDelete, path: "/organizations/{organization}",
			permission: access.OrganizationDelete, status: http.StatusAccepted, versioned: true,
			summary: "Delete an organization", notes: "The same as requesting its deletion.",
			parameters: []parameter{
				usersParameter,
				{name: "grace", about: "How long nothing is removed yet, such as 168h, which is the default unless the realm has another, or 0s."},
				reasonParameter,
			},
			handling: gives(a.deleteOrganization),
		},
		{
			name: "deletions.list", method: http.MethodGet, path: "/deletions", permission: access.OrganizationDelete, or: anyDelete,
			summary: "List deletions",
			handling: lists(listing{filters: []filter{
				among("state", "state", "Only those in this state.", "grace", "held", "queued", "purging", "purged", "restored"),
				referring("organization", "organization_id", "Only that of this organization, and those of users it owned and of memberships in it.", id.Organization),
				referring("bulk_deletion", "bulk_id", "Only those that are part of this bulk deletion.", id.BulkDeletion),
			}}, func(c edge.Call, q query.Query) (query.Page[erasure.Deletion], error) {
				return a.Erasure.Deletions(c.Context(), c.Actor, q)
			}, showDeletion),
		},
		{
			name: "deletions.get", method: http.MethodGet, path: "/deletions/{deletion}", permission: access.OrganizationDelete, or: anyDelete,
			summary: "Get a deletion", handling: gives(a.deletion),
		},
		{
			name: "deletions.restore", method: http.MethodPost, path: "/deletions/{deletion}/restore", permission: access.OrganizationDelete, or: anyDelete,
			summary: "Undo a deletion",
			notes: "What ended is what it was, with the same ids, as long as the removal has not begun. Where others have taken a name meanwhile, " +
				"nothing is restored, and the answer lists the conflicts: give new names for those.",
			handling: takes(a.restore),
		},
		{
			name: "deletions.pause", method: http.MethodPost, path: "/deletions/{deletion}/pause", permission: access.OrganizationDelete, or: anyDelete,
			summary: "Pause a deletion", notes: "Nothing more is removed until it is resumed. What ended stays ended.",
			handling: gives(func(c edge.Call) (deletion, error) { return a.steer(c, a.Erasure.Pause) }),
		},
		{
			name: "deletions.resume", method: http.MethodPost, path: "/deletions/{deletion}/resume", permission: access.OrganizationDelete, or: anyDelete,
			summary: "Resume a deletion", notes: "A grace that has not ended is kept.",
			handling: gives(func(c edge.Call) (deletion, error) { return a.steer(c, a.Erasure.Resume) }),
		},
		{
			name: "deletions.events", method: http.MethodGet, path: "/deletions/{deletion}/events", permission: access.OrganizationDelete, or: anyDelete,
			summary: "Watch a deletion",
			notes: "Server-sent events: one named deletion, with the deletion as its data, at first and after every change of its state or progress. " +
				"The stream ends once it is purged or restored.",
			handling: writes("text/event-stream", a.watch),
		},
		{
			name: "deletions.receipt", method: http.MethodGet, path: "/deletions/{deletion}/receipt", permission: access.OrganizationDelete, or: anyDelete,
			summary:  "Get the receipt of a deletion",
			notes:    "A JWS in its compact form (RFC 7515), signed with the realm's key. It exists once the deletion is purged.",
			handling: writes("application/jose", a.receipt),
		},
		{
			name: "receipts.list", method: http.MethodGet, path: "/receipts", permission: access.OrganizationDelete,
			summary: "List the ledger of receipts", notes: "All of the realm in their order, each with the hash of the one before it.",
			handling: lists(listing{plain: true}, func(c edge.Call, q query.Query) (query.Page[erasure.Receipt], error) {
				return a.Erasure.Ledger(c.Context(), c.Actor, q)
			}, showReceipt),
		},
	}
}

func (a *API) requestDeletion(c edge.Call, in newDeletion) (deletion, error) {
	opts := erasure.Options{Users: erasure.Users(in.Users), ChoseUsers: in.Users != "", Reason: in.Reason, Name: in.Confirm}
	var err error
	if opts.Grace, opts.ChoseGrace, err = bodyGrace(in.Grace); err != nil {
		return deletion{}, err
	}
	return a.afterExport(c, in.Export, opts)
}

func (a *API) deleteOrganization(c edge.Call) (deletion, error) {
	given := c.Query()
	opts := erasure.Options{Grace: defaultGrace, Reason: given.Get("reason")}
	var err error
	if opts.Users, err = usersAsked(c); err != nil {
		return deletion{}, err
	}
	_, opts.ChoseUsers = value(given, "users")
	if v, ok := value(given, "grace"); ok {
		if opts.Grace, opts.ChoseGrace = grace(v); !opts.ChoseGrace {
			return deletion{}, badParameter("grace", graceRule)
		}
	}
	if err := checkReason(opts.Reason); err != nil {
		return deletion{}, err
	}
	return a.endOrganization(c, opts)
}

// usersAsked reads the parameter that decides on the users.
func usersAsked(c edge.Call) (erasure.Users, error) {
	v, ok := value(c.Query(), "users")
	switch {
	case !ok:
		return erasure.Detach, nil
	case v != string(erasure.Erase) && v != string(erasure.Detach):
		return "", badParameter("users", "the parameter users must be erase or detach")
	}
	return erasure.Users(v), nil
}

const graceRule = "the grace must be a duration such as 168h, 90m or 0s, of at most 8760h"

// grace reads a duration of grace.
func grace(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0 && d <= longestGrace
}

// bodyGrace reads the grace in a body, and whether there was one.
func bodyGrace(s string) (d time.Duration, chosen bool, err error) {
	if s == "" {
		return defaultGrace, false, nil
	}
	d, ok := grace(s)
	if !ok {
		return d, true, errBody.On("grace").Saying(graceRule)
	}
	return d, true, nil
}

func checkReason(s string) error {
	if utf8.RuneCountInString(s) > longestReason {
		return badParameter("reason", "the reason must have at most %d characters", longestReason)
	}
	return nil
}

func (a *API) endOrganization(c edge.Call, opts erasure.Options) (deletion, error) {
	i := organizationOf(c)
	if opts.Users == "" {
		opts.Users = erasure.Detach
	}
	opts.Through = a.Name()
	d, err := atVersion(c, opts, func(opts erasure.Options) (directory.Deletion, error) {
		return a.Directory.DeleteOrganization(c.Context(), c.Actor, i, opts)
	})
	return showDeletion(c, d.Deletion), err
}

// atVersion carries a deletion out under the If-Match of the request. Of several
// versions and previews that it allows the one that fits is found by trying.
func atVersion[D any](c edge.Call, opts erasure.Options, end func(erasure.Options) (D, error)) (d D, err error) {
	asked, err := ifMatch(c)
	if err != nil {
		return d, err
	}
	if !asked.asked || asked.any {
		return end(opts)
	}
	err = directory.ErrStale
	for _, opts.Version = range asked.versions {
		if d, err = end(opts); !errors.Is(err, directory.ErrStale) {
			return d, err
		}
	}
	opts.Version = 0
	held := opts.Fingerprint // of the export that is required besides, or ""
	for _, opts.Fingerprint = range asked.previews {
		if held != "" && held != opts.Fingerprint {
			err = erasure.ErrChanged
			continue
		}
		if d, err = end(opts); !errors.Is(err, erasure.ErrChanged) {
			return d, err
		}
	}
	return d, err
}

func (a *API) deleteUser(c edge.Call) (deletion, error) {
	i := userOf(c)
	reason := c.Query().Get("reason")
	if err := checkReason(reason); err != nil {
		return deletion{}, err
	}
	return a.endUser(c, i, erasure.Options{Users: erasure.Erase, ChoseGrace: true, Reason: reason})
}

func (a *API) requestUserDeletion(c edge.Call, in newPersonDeletion) (deletion, error) {
	i := userOf(c)
	grace, chosen, err := bodyGrace(in.Grace)
	if err != nil {
		return deletion{}, err
	}
	return a.endUser(c, i, erasure.Options{Users: erasure.Erase, Grace: grace, ChoseGrace: chosen, Through: a.Name(), Reason: in.Reason})
}

func (a *API) requestMemberDeletion(c edge.Call, in newPersonDeletion) (deletion, error) {
	grace, chosen, err := bodyGrace(in.Grace)
	if err != nil {
		return deletion{}, err
	}
	organization, i, err := a.inMembership(c, id.Member)
	if err != nil {
		return deletion{}, err
	}
	d, err := atVersion(c, erasure.Options{Grace: grace, ChoseGrace: chosen, Through: a.Name(), Reason: in.Reason}, func(opts erasure.Options) (directory.MemberDeletion, error) {
		return a.Directory.DeleteMember(c.Context(), c.Actor, organization, i, opts)
	})
	return showDeletion(c, d.Deletion), err
}

func (a *API) endUser(c edge.Call, i id.ID, opts erasure.Options) (deletion, error) {
	d, err := atVersion(c, opts, func(opts erasure.Options) (directory.UserDeletion, error) {
		return a.Directory.DeleteUser(c.Context(), c.Actor, i, opts)
	})
	return showDeletion(c, d.Deletion), err
}

func (a *API) deletion(c edge.Call) (deletion, error) {
	i := object(c, "deletion", id.Deletion)
	d, err := a.Erasure.Deletion(c.Context(), c.Actor, i)
	if err != nil {
		return deletion{}, err
	}
	left, err := a.Erasure.Remaining(c.Context(), c.Actor, i)
	return a.measured(showDeletion(c, d), d, left), err
}

// measured adds what is left of a deletion, and how fast it goes.
func (a *API) measured(shown deletion, d erasure.Deletion, left int) deletion {
	shown.Remaining = &left
	done, took := rows(d), a.Now().Sub(d.StartedAt).Seconds()
	if d.State != erasure.Purging || d.Paused || d.StartedAt.IsZero() || took <= 0 || done == 0 {
		return shown
	}
	rate := float64(done) / took
	rest := int(math.Ceil(float64(left) / rate))
	shown.Rate, shown.Estimate = &rate, &rest
	return shown
}

func (a *API) restore(c edge.Call, in restoration) (deletion, error) {
	i := object(c, "deletion", id.Deletion)
	d, err := a.Erasure.Restore(c.Context(), c.Actor, i, erasure.Renames(in))
	return showDeletion(c, d), err
}

// steering is an operation of the engine that stops a purge or lets it go on.
type steering func(ctx context.Context, by access.Actor, i id.ID) (erasure.Deletion, error)

func (a *API) steer(c edge.Call, change steering) (deletion, error) {
	i := object(c, "deletion", id.Deletion)
	d, err := change(c.Context(), c.Actor, i)
	return showDeletion(c, d), err
}
