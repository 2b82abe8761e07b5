package native

import (
	"net/http"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/edge"
	"guildhall/internal/id"
	"guildhall/internal/query"
	"guildhall/internal/webhook"
)

// A Webhook as this wire shows it, without its secrets.
type Webhook struct {
	Stamp
	Name         *string      `json:"name"`
	Organization *string      `json:"organization" doc:"It hears what happens in this organization, whose end is its end; null for the whole realm."`
	URL          string       `json:"url"`
	Types        []string     `json:"types" doc:"The types of event it hears, or beginnings of them such as organization.*; empty for all."`
	State        string       `json:"state" enum:"enabled,disabled"`
	Reason       *string      `json:"reason" doc:"Why it is disabled: failing (its endpoint took nothing for three days), gone (it answered 410) or request."`
	DisabledAt   *moment      `json:"disabled_at" nullable:"true"`
	Keys         []webhookKey `json:"secrets" doc:"What signs its messages, without the secrets themselves; two during a rotation."`
	FailingSince *moment      `json:"failing_since" nullable:"true" doc:"Since when every attempt has failed."`
	SucceededAt  *moment      `json:"succeeded_at" nullable:"true" doc:"When an attempt succeeded last."`
}

func (w Webhook) location() string { return "/webhooks/" + w.ID }

// A webhookKey is a secret, as far as it is shown.
type webhookKey struct {
	Hint      string  `json:"hint" doc:"Its last characters."`
	CreatedAt moment  `json:"created_at"`
	ExpiresAt *moment `json:"expires_at" nullable:"true" doc:"It signs until this time; null for the current one."`
}

// A createdWebhook is a webhook with its secret.
type createdWebhook struct {
	Webhook
	Secret         *string `json:"secret" doc:"Verifies its messages (Standard Webhooks). It is shown this once."`
	SecretWithheld bool    `json:"secret_withheld" doc:"This answer repeats an earlier one, which alone had the secret. Rotate it if that one is lost."`
}

func (w createdWebhook) withheld() any {
	w.Secret, w.SecretWithheld = nil, true
	return w
}

// A newWebhook is a webhook to be.
type newWebhook struct {
	Organization string   `json:"organization,omitempty" doc:"Confine it to this organization."`
	Name         string   `json:"name,omitempty" maxLength:"200"`
	URL          string   `json:"url" maxLength:"2048" doc:"Where its messages go: https, and no place that is not public unless the operator allowed it."`
	Types        []string `json:"types,omitempty" maxItems:"50" doc:"The types of event to hear, such as organization.deleted or member.*; all unless given."`
	Secret       string   `json:"secret,omitempty" maxLength:"128" doc:"A secret of your own: whsec_ and 24 to 64 bytes in base64. One is made unless given."`
}

// A webhookChange changes a webhook.
type webhookChange struct {
	Name  optional[string]   `json:"name,omitzero" maxLength:"200"`
	URL   optional[string]   `json:"url,omitzero" nullable:"false" maxLength:"2048"`
	Types optional[[]string] `json:"types,omitzero" maxItems:"50"`
	State optional[string]   `json:"state,omitzero" nullable:"false" enum:"enabled,disabled" doc:"What happened while it was disabled has to be replayed."`
}

// A newSecret asks for a new secret.
type newSecret struct {
	Secret  string `json:"secret,omitempty" maxLength:"128" doc:"A secret of your own; one is made unless given."`
	Overlap string `json:"overlap,omitempty" maxLength:"32" doc:"How long the old secret signs beside the new one, such as 24h, which is the default, or 0s; at most 720h."`
}

// A delivery is one event on its way to one webhook.
type delivery struct {
	Stamp
	Webhook      string    `json:"webhook"`
	Organization *string   `json:"organization" doc:"The organization of the webhook."`
	Event        string    `json:"event" doc:"The id of the event, which is the webhook-id of the message."`
	Type         string    `json:"type"`
	State        string    `json:"state" enum:"waiting,delivered,failed" doc:"A failed one was given up and can be replayed."`
	Attempts     int       `json:"attempts" minimum:"0"`
	Code         *int      `json:"code" nullable:"true" doc:"The status of the last answer; null when there was none."`
	Error        *string   `json:"error" doc:"Why there was none."`
	NextAt       *moment   `json:"next_at" nullable:"true" doc:"When it is tried next."`
	EndedAt      *moment   `json:"ended_at" nullable:"true"`
	Log          []attempt `json:"log" doc:"The last attempts, the oldest first."`
}

// An attempt is one request that was made.
type attempt struct {
	At    moment  `json:"at"`
	Took  float64 `json:"took_seconds"`
	Code  *int    `json:"code" nullable:"true"`
	Error *string `json:"error"`
}

// A replayOrder says what to deliver again.
type replayOrder struct {
	Event  string  `json:"event,omitempty" doc:"This event."`
	Failed bool    `json:"failed,omitempty" doc:"Every delivery that was given up."`
	From   *moment `json:"from,omitempty" doc:"What happened from this time on."`
	Until  *moment `json:"until,omitempty" doc:"With from: what happened before this time; now unless given."`
}

// A replayed says what was lined up again.
type replayed struct {
	Count int  `json:"count" minimum:"0" doc:"How many events were lined up."`
	More  bool `json:"more" doc:"There are more than can be lined up at once. Go on behind what was delivered."`
}

// An eventType is a type of event that webhooks can be told of.
type eventType struct {
	Name      string       `json:"name"`
	About     string       `json:"about"`
	RealmOnly bool         `json:"realm_only" doc:"Webhooks of an organization do not hear it."`
	Details   []eventField `json:"details" doc:"What its details can hold."`
}

// An eventField is a detail of an event.
type eventField struct {
	Name  string  `json:"name"`
	About string  `json:"about"`
	Kind  *string `json:"kind" doc:"The kind of object whose id it is."`
}

// eventTypes is the list of them.
type eventTypes struct {
	Items []eventType `json:"items"`
}

func showWebhook(c edge.Call, w webhook.Webhook) Webhook {
	shown := Webhook{
		Stamp: stamped(c.Actor.Realm, id.Webhook, w.Stamp), Name: textOrNull(w.Name), Organization: spellOrNull(c.Actor.Realm, id.Organization, w.Organization),
		URL: w.URL, Types: append([]string{}, w.Types...), State: string(w.State), Reason: textOrNull(w.Reason), DisabledAt: momentOrNull(w.DisabledAt),
		Keys: []webhookKey{}, FailingSince: momentOrNull(w.FailingSince), SucceededAt: momentOrNull(w.SucceededAt),
	}
	for _, k := range w.Keys {
		shown.Keys = append(shown.Keys, webhookKey{Hint: k.Hint, CreatedAt: moment(k.CreatedAt), ExpiresAt: momentOrNull(k.ExpiresAt)})
	}
	return shown
}

func showDelivery(c edge.Call, d webhook.Delivery) delivery {
	realm := c.Actor.Realm
	shown := delivery{
		Stamp: stamped(realm, id.Delivery, d.Stamp), Webhook: spell(realm, id.Webhook, d.Webhook), Organization: spellOrNull(realm, id.Organization, d.Organization),
		Event: spell(realm, id.Event, d.Event), Type: d.Type, State: string(d.State), Attempts: int(d.Attempts), Code: codeOrNull(int(d.Code)),
		Error: textOrNull(d.Error), EndedAt: momentOrNull(d.EndedAt), Log: []attempt{},
	}
	if d.State == webhook.Waiting {
		shown.NextAt = momentOrNull(d.DueAt)
	}
	for _, t := range d.Tries {
		shown.Log = append(shown.Log, attempt{At: moment(t.At), Took: t.Took.Seconds(), Code: codeOrNull(t.Code), Error: textOrNull(t.Error)})
	}
	return shown
}

func codeOrNull(code int) *int {
	if code == 0 {
		return nil
	}
	return &code
}

func (a *API) webhookOperations() []operation {
	return []operation{
		{
			name: "webhooks.list", method: http.MethodGet, path: "/webhooks", permission: access.WebhookRead,
			summary: "List webhooks",
			handling: lists(listing{filters: []filter{
				referring("organization", "organization_id", "Only those of this organization.", id.Organization),
				among("state", "state", "Only those in this state.", "enabled", "disabled"),
			}}, func(c edge.Call, q query.Query) (query.Page[webhook.Webhook], error) {
				return a.Webhooks.Webhooks(c.Context(), c.Actor, q)
			}, showWebhook),
		},
		{
			name: "webhooks.create", method: http.MethodPost, path: "/webhooks", permission: access.WebhookWrite, status: http.StatusCreated,
			summary: "Create a webhook",
			notes: "It is told of what happens from this moment on. Its secret is in the answer and nowhere else. A realm has at most 100, " +
				"an organization at most 20.",
			handling: takes(a.createWebhook),
		},
		{
			name: "webhooks.get", method: http.MethodGet, path: "/webhooks/{webhook}", permission: access.WebhookRead,
			summary: "Get a webhook", handling: gives(a.webhook),
		},
		{
			name: "webhooks.update", method: http.MethodPatch, path: "/webhooks/{webhook}", permission: access.WebhookWrite, versioned: true,
			summary: "Change a webhook", notes: "What waits for it goes to the new URL.", handling: takes(a.updateWebhook),
		},
		{
			name: "webhooks.delete", method: http.MethodDelete, path: "/webhooks/{webhook}", permission: access.WebhookWrite, versioned: true,
			summary: "Delete a webhook", notes: "It is told of nothing any more, and what waited for it is forgotten.", handling: does(a.deleteWebhook),
		},
		{
			name: "webhooks.rotate_secret", method: http.MethodPost, path: "/webhooks/{webhook}/secret", permission: access.WebhookWrite,
			summary: "Give a webhook a new secret",
			notes:   "Messages carry the signatures of both until the overlap ends. The new secret is in the answer and nowhere else.", handling: takes(a.rotateWebhook),
		},
		{
			name: "webhooks.test", method: http.MethodPost, path: "/webhooks/{webhook}/test", permission: access.WebhookWrite, status: http.StatusAccepted,
			summary: "Try a webhook out", notes: "Sends an event of the type webhook.test to this webhook alone. Its delivery tells what became of it.",
			handling: gives(a.testWebhook),
		},
		{
			name: "webhooks.deliveries", method: http.MethodGet, path: "/webhooks/{webhook}/deliveries", permission: access.WebhookRead,
			summary: "List the deliveries to a webhook", notes: "Those that ended are forgotten after 30 days.",
			handling: lists(listing{filters: []filter{
				among("state", "state", "Only those in this state.", "waiting", "delivered", "failed"),
				exactly("type", "type", "Only those of events of this type."),
				referring("event", "event_id", "Only that of this event.", id.Event),
			}}, func(c edge.Call, q query.Query) (query.Page[webhook.Delivery], error) {
				return a.Webhooks.Deliveries(c.Context(), c.Actor, object(c, "webhook", id.Webhook), q)
			}, showDelivery),
		},
		{
			name: "webhooks.replay", method: http.MethodPost, path: "/webhooks/{webhook}/replay", permission: access.WebhookWrite, status: http.StatusAccepted,
			summary: "Deliver events again",
			notes: "One event, all that were given up, or what happened in a span of time, at most 10,000 at once. Messages have the webhook-id they had. " +
				"What was erased meanwhile is not in them.",
			handling: takes(a.replayWebhook),
		},
		{
			name: "event_types.list", method: http.MethodGet, path: "/event-types", permission: access.WebhookRead,
			summary: "List the types of events", handling: gives(listEventTypes),
		},
	}
}

func (a *API) createWebhook(c edge.Call, in newWebhook) (createdWebhook, error) {
	n := webhook.Draft{Name: in.Name, URL: in.URL, Types: in.Types, Secret: in.Secret}
	var err error
	if n.Organization, err = owner(c, access.WebhookWrite, in.Organization); err != nil {
		return createdWebhook{}, err
	}
	w, secret, err := a.Webhooks.Create(c.Context(), c.Actor, n)
	return createdWebhook{Webhook: showWebhook(c, w), Secret: &secret}, err
}

func (a *API) webhook(c edge.Call) (Webhook, error) {
	w, err := a.Webhooks.Webhook(c.Context(), c.Actor, object(c, "webhook", id.Webhook))
	return showWebhook(c, w), err
}

func (a *API) updateWebhook(c edge.Call, in webhookChange) (Webhook, error) {
	i := object(c, "webhook", id.Webhook)
	asked, err := ifMatch(c)
	if err != nil {
		return Webhook{}, err
	}
	w, err := a.Webhooks.Update(c.Context(), c.Actor, i, func(w *webhook.Webhook) error {
		in.Name.into(&w.Name)
		in.URL.into(&w.URL)
		in.Types.into(&w.Types)
		if in.State.set {
			w.State = webhook.State(in.State.value)
		}
		return asked.allows(w.Version)
	})
	return showWebhook(c, w), err
}

func (a *API) deleteWebhook(c edge.Call) error {
	i := object(c, "webhook", id.Webhook)
	asked, err := ifMatch(c)
	if err != nil {
		return err
	}
	return a.Webhooks.Delete(c.Context(), c.Actor, i, func(w webhook.Webhook) error { return asked.allows(w.Version) })
}

func (a *API) rotateWebhook(c edge.Call, in newSecret) (createdWebhook, error) {
	overlap := webhook.Overlap
	if in.Overlap != "" {
		var err error
		if overlap, err = time.ParseDuration(in.Overlap); err != nil {
			return createdWebhook{}, errBody.On("overlap").Saying("the overlap must be a duration such as 24h or 0s, of at most 720h")
		}
	}
	w, secret, err := a.Webhooks.Rotate(c.Context(), c.Actor, object(c, "webhook", id.Webhook), in.Secret, overlap)
	return createdWebhook{Webhook: showWebhook(c, w), Secret: &secret}, err
}

func (a *API) testWebhook(c edge.Call) (delivery, error) {
	d, err := a.Webhooks.Test(c.Context(), c.Actor, object(c, "webhook", id.Webhook))
	return showDelivery(c, d), err
}

func (a *API) replayWebhook(c edge.Call, in replayOrder) (replayed, error) {
	r := webhook.Replay{Failed: in.Failed}
	if in.Event != "" {
		r.Event = parse(c.Actor.Realm, id.Event, in.Event)
	}
	if in.From != nil {
		r.From = time.Time(*in.From)
	}
	if in.Until != nil {
		r.Until = time.Time(*in.Until)
	}
	n, more, err := a.Webhooks.Replay(c.Context(), c.Actor, object(c, "webhook", id.Webhook), r)
	return replayed{Count: n, More: more}, err
}

func listEventTypes(edge.Call) (eventTypes, error) {
	list := eventTypes{Items: make([]eventType, 0, len(webhook.Types()))}
	for _, t := range webhook.Types() {
		shown := eventType{Name: t.Name, About: t.About, RealmOnly: t.RealmOnly(), Details: []eventField{}}
		for _, f := range t.Data {
			shown.Details = append(shown.Details, eventField{Name: f.Name, About: f.About, Kind: textOrNull(f.Kind.String())})
		}
		list.Items = append(list.Items, shown)
	}
	return list, nil
}
