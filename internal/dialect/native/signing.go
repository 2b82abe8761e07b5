package native

import (
	"net/http"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/token"
)

// A signingKey as this wire shows it: the half that everybody may know is in the
// published keys, the other one nowhere.
type signingKey struct {
	KID       string  `json:"kid" doc:"Its name in the published keys and in what it signs."`
	Algorithm string  `json:"algorithm" enum:"RS256,ES256,EdDSA"`
	Use       string  `json:"use" enum:"token,receipt" doc:"What it signs. Keys for receipts of deletions stay published for ever."`
	State     string  `json:"state" enum:"next,active,retired" doc:"A next key is published and signs after a rotation; a retired one verifies what it has signed."`
	CreatedAt moment  `json:"created_at"`
	ActiveAt  *moment `json:"active_at" nullable:"true" doc:"When it began to sign."`
	RetiredAt *moment `json:"retired_at" nullable:"true"`
	EndsAt    *moment `json:"ends_at" nullable:"true" doc:"When it is published no more; null when it stays."`
}

// signingKeys are those of a realm.
type signingKeys struct {
	Keys []signingKey `json:"keys"`
}

// A rotation of signing keys to be.
type rotation struct {
	Algorithm string `json:"algorithm,omitempty" enum:"RS256,ES256,EdDSA" doc:"Only keys of this one; all of them unless given."`
	Fresh     bool   `json:"fresh,omitempty" doc:"Sign with keys that nobody knows yet instead of those that were published before. Clients that keep published keys refuse tokens until they look again."`
	Revoke    bool   `json:"revoke,omitempty" doc:"Sign with fresh keys, and let every token that the keys signed so far die at once: for keys that others may have seen."`
}

// A schedule of rotations.
type schedule struct {
	Days int `json:"key_life_days" minimum:"0" maximum:"3650" doc:"How many days a key signs before the next one does; 0 for ever."`
}

func (a *API) signingOperations() []operation {
	return []operation{
		{
			name: "signing_keys.list", method: http.MethodGet, path: "/signing-keys", permission: access.RealmRead,
			summary: "List signing keys", notes: "Newest first, without those that have ended. Everybody finds the public halves in the published keys.",
			handling: gives(a.signingKeys),
		},
		{
			name: "signing_keys.rotate", method: http.MethodPost, path: "/signing-keys/rotation", permission: access.RealmWrite,
			summary: "Rotate signing keys", notes: "The next keys sign, at once here and within seconds on every node. It answers with the keys that sign now.",
			handling: takes(a.rotateSigningKeys),
		},
		{
			name: "signing_keys.get_schedule", method: http.MethodGet, path: "/signing-keys/schedule", permission: access.RealmRead,
			summary: "Get how often signing keys rotate by themselves", handling: gives(a.keySchedule),
		},
		{
			name: "signing_keys.set_schedule", method: http.MethodPut, path: "/signing-keys/schedule", permission: access.RealmWrite,
			summary: "Set how often signing keys rotate by themselves", handling: takes(a.setKeySchedule),
		},
	}
}

func (a *API) showSigningKeys(keys []token.Key) signingKeys {
	shown := signingKeys{Keys: make([]signingKey, len(keys))}
	for i, k := range keys {
		shown.Keys[i] = signingKey{
			KID: k.KID, Algorithm: k.Algorithm, Use: string(k.Use), State: string(k.State(a.Now())), CreatedAt: moment(k.CreatedAt),
			ActiveAt: momentOrNull(k.ActiveAt), RetiredAt: momentOrNull(k.RetiredAt), EndsAt: momentOrNull(k.EndsAt),
		}
	}
	return shown
}

func (a *API) signingKeys(c edge.Call) (signingKeys, error) {
	keys, err := a.Tokens.Keys(c.Context(), c.Actor)
	return a.showSigningKeys(keys), err
}

func (a *API) rotateSigningKeys(c edge.Call, in rotation) (signingKeys, error) {
	keys, err := a.Tokens.Rotate(c.Context(), c.Actor, token.Rotation{Algorithm: in.Algorithm, Fresh: in.Fresh, Revoke: in.Revoke})
	return a.showSigningKeys(keys), err
}

const day = 24 * time.Hour

func (a *API) keySchedule(c edge.Call) (schedule, error) {
	life, err := a.Tokens.Life(c.Context(), c.Actor)
	return schedule{int(life / day)}, err
}

func (a *API) setKeySchedule(c edge.Call, in schedule) (schedule, error) {
	return in, a.Tokens.SetLife(c.Context(), c.Actor, time.Duration(in.Days)*day)
}
