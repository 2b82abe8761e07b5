package openid

import (
	"strings"
	"testing"
	"time"

	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/query"
)

// TestT_C17_ARestoreBringsNoTokenBack deletes and restores an organization, with its
// client secrets, and a membership: tokens from before stay dead, new ones are good.
func TestT_C17_ARestoreBringsNoTokenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		o := w.organization(t, "Renewed")
		app := w.app(t, credential.Application{Organization: o.ID, Name: "robot", OpenID: credential.OpenID{
			Kind: credential.AppMachine, Algorithm: "ES256",
		}})
		issue := func() any {
			t.Helper()
			return w.post(t, "/oidc/token", app, "grant_type", credential.GrantClient).json(t)["access_token"]
		}
		before := issue()
		if !w.active(t, app, before) {
			t.Fatal("the token of a client is not good")
		}
		d, err := w.Directory.DeleteOrganization(t.Context(), w.System, o.ID, erasure.Options{Users: erasure.Erase, Grace: time.Hour})
		good(t, err)
		_, err = w.Erasure.Restore(t.Context(), w.System, d.Deletion.ID, erasure.Renames{Keys: true})
		good(t, err)
		if w.active(t, app, before) {
			t.Error("the token of a client from before its organization was restored is good again")
		}
		if !w.active(t, app, issue()) {
			t.Error("a token from after the restore is not good")
		}
	})
}

func TestT_C17_ARestoredMembershipSignsNobodyIn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for _, again := range []string{"restored", "joined anew"} {
			t.Run(strings.ReplaceAll(again, " ", "_"), func(t *testing.T) {
				w.a, w.ada = w.organization(t, "Seat "+again), w.user(t, strings.ReplaceAll(again, " ", ".")+"@example.com")
				_, err := w.Directory.AddMember(t.Context(), w.System, directory.Member{Organization: w.a.ID, User: w.ada.ID}, nil)
				good(t, err)
				b := w.signIn(t, w.ada)
				things := w.zoo(t, b)
				m, err := w.Directory.Member(t.Context(), w.System, w.a.ID, query.Is("user_id", w.ada.ID))
				good(t, err)
				d, err := w.Directory.DeleteMember(t.Context(), w.System, w.a.ID, m.Member.ID, erasure.Options{Grace: time.Hour})
				good(t, err)
				dead := func(when string) {
					t.Helper()
					for what, works := range things {
						if what != "a new sign-in" && works() {
							t.Errorf("%s: %s works still", when, what)
						}
					}
				}
				dead("deleted")
				if again == "restored" {
					_, err = w.Erasure.Restore(t.Context(), w.System, d.Deletion.ID, erasure.Renames{})
				} else {
					_, err = w.Directory.AddMember(t.Context(), w.System, directory.Member{Organization: w.a.ID, User: w.ada.ID}, nil)
				}
				good(t, err)
				dead(again)
				for what, works := range w.zoo(t, w.signIn(t, w.ada)) {
					if !works() {
						t.Errorf("%s, %s does not work anew", again, what)
					}
				}
			})
		}
	})
}
