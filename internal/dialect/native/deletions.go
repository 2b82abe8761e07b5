package native

import (
	"errors"
	"maps"
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
	longestGrace = 365 * 24 * time.Hour

	longestReason = 500 // characters
)

// A deletion as this wire shows it: the ending of an organization or a user.
type deletion struct {
	Stamp
	State        string     `json:"state" enum:"grace,queued,purging,purged,restored" doc:"What has ended is gone from the first moment; purged means that its last trace is removed."`
	Kind         string     `json:"kind" enum:"organization,user" doc:"What ended."`
	Organization *string    `json:"organization" doc:"The organization that ended, or that owned the user who did."`
	User         *string    `json:"user" doc:"The user who ended."`
	Users        string     `json:"users" enum:"erase,detach" doc:"What becomes of the users that the organization owned."`
	GraceUntil   *moment    `json:"grace_until" nullable:"true" doc:"Nothing is removed before this time."`
	RequestedBy  string     `json:"requested_by" doc:"The id of the key or user, or the name of another client."`
	Reason       *string    `json:"reason"`
	Progress     []progress `json:"progress" doc:"What has been done so far, by kind and effect."`
	PurgedAt     *moment    `json:"purged_at" nullable:"true"`
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
	Users  string `json:"users,omitempty" enum:"erase,detach" doc:"What becomes of the users that the organization owns: erase ends them with it, detach, which is the default, hands them to the realm. Users who are only its members are always kept."`
	Grace  string `json:"grace,omitempty" maxLength:"32" doc:"How long nothing is removed yet, such as 168h, which is the default, 90m or 0s; at most 8760h."`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for the record."`
}

var reasonParameter = parameter{name: "reason", about: "Why, for the record; at most 500 characters."}

func showDeletion(c edge.Call, d erasure.Deletion) deletion {
	realm := c.Actor.Realm
	shown := deletion{
		Stamp: stamped(realm, id.Deletion, d.Stamp), State: string(d.State), Kind: d.Kind.String(),
		Organization: spellOrNull(realm, id.Organization, d.Organization), Users: string(d.Users),
		GraceUntil: momentOrNull(d.GraceUntil), RequestedBy: requester(realm, d.RequestedBy), Reason: textOrNull(d.Reason),
		Progress: progressOf(d.Done), PurgedAt: momentOrNull(d.PurgedAt),
	}
	if d.Kind == id.User {
		shown.User = spellOrNull(realm, id.User, d.Subject)
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
		all = append(all, progress{Kind: what[cut+1:], Effect: strings.ReplaceAll(what[:cut], " ", "_"), Count: done[what]})
	}
	return all
}

func (a *API) deletionOperations() []operation {
	return []operation{
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
				{name: "users", about: "What becomes of the users that the organization owns; detach unless given.", values: []string{"erase", "detach"}},
				{name: "grace", about: "How long nothing is removed yet, such as 168h, which is the default, or 0s."},
				reasonParameter,
			},
			handling: gives(a.deleteOrganization),
		},
		{
			name: "deletions.list", method: http.MethodGet, path: "/deletions", permission: access.OrganizationDelete,
			summary: "List deletions",
			handling: lists(listing{filters: []filter{
				among("state", "state", "Only those in this state.", "grace", "queued", "purging", "purged", "restored"),
				referring("organization", "organization_id", "Only that of this organization, and those of users it owned.", id.Organization),
			}}, func(c edge.Call, q query.Query) (query.Page[erasure.Deletion], error) {
				return a.Erasure.Deletions(c.Context(), c.Actor, q)
			}, showDeletion),
		},
		{
			name: "deletions.get", method: http.MethodGet, path: "/deletions/{deletion}", permission: access.OrganizationDelete,
			summary: "Get a deletion", handling: gives(a.deletion),
		},
	}
}

func (a *API) requestDeletion(c edge.Call, in newDeletion) (deletion, error) {
	opts := erasure.Options{Users: erasure.Users(in.Users), Grace: defaultGrace, Reason: in.Reason}
	if in.Grace != "" {
		var ok bool
		if opts.Grace, ok = grace(in.Grace); !ok {
			return deletion{}, errBody.On("grace").Saying(graceRule)
		}
	}
	return a.endOrganization(c, opts)
}

func (a *API) deleteOrganization(c edge.Call) (deletion, error) {
	given := c.Query()
	opts := erasure.Options{Users: erasure.Users(given.Get("users")), Grace: defaultGrace, Reason: given.Get("reason")}
	if v, ok := value(given, "users"); ok && v != string(erasure.Erase) && v != string(erasure.Detach) {
		return deletion{}, badParameter("users", "the parameter users must be erase or detach")
	}
	if v, ok := value(given, "grace"); ok {
		if opts.Grace, ok = grace(v); !ok {
			return deletion{}, badParameter("grace", graceRule)
		}
	}
	if err := checkReason(opts.Reason); err != nil {
		return deletion{}, err
	}
	return a.endOrganization(c, opts)
}

const graceRule = "the grace must be a duration such as 168h, 90m or 0s, of at most 8760h"

// grace reads a duration of grace.
func grace(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0 && d <= longestGrace
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
	d, err := atVersion(c, opts, func(opts erasure.Options) (directory.Deletion, error) {
		return a.Directory.DeleteOrganization(c.Context(), c.Actor, i, opts)
	})
	return showDeletion(c, d.Deletion), err
}

// atVersion carries a deletion out under the If-Match of the request. Of several
// versions that it allows the one that fits is found by trying.
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
	return d, err
}

func (a *API) deleteUser(c edge.Call) (deletion, error) {
	i := userOf(c)
	reason := c.Query().Get("reason")
	if err := checkReason(reason); err != nil {
		return deletion{}, err
	}
	d, err := atVersion(c, erasure.Options{Users: erasure.Erase, Reason: reason}, func(opts erasure.Options) (directory.UserDeletion, error) {
		return a.Directory.DeleteUser(c.Context(), c.Actor, i, opts)
	})
	return showDeletion(c, d.Deletion), err
}

func (a *API) deletion(c edge.Call) (deletion, error) {
	i := object(c, "deletion", id.Deletion)
	d, err := a.Erasure.Deletion(c.Context(), c.Actor, i)
	return showDeletion(c, d), err
}
