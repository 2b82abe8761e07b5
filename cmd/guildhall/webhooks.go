package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/id"
	"guildhall/internal/outbound"
	"guildhall/internal/query"
	"guildhall/internal/webhook"
)

type webhookCommand struct {
	List       webhookList       `cmd:"" default:"withargs" help:"List webhooks and how they fare."`
	Create     webhookCreate     `cmd:"" help:"Have events sent to a URL. Prints the secret that verifies them, once."`
	Enable     webhookEnable     `cmd:"" help:"Let a disabled webhook hear again."`
	Disable    webhookDisable    `cmd:"" help:"Send nothing to a webhook until it is enabled."`
	Delete     webhookDelete     `cmd:"" help:"Forget a webhook and what waits for it."`
	Rotate     webhookRotate     `cmd:"" help:"Give a webhook a new secret; the old one signs beside it for a while."`
	Test       webhookTest       `cmd:"" help:"Send a webhook an event of the type webhook.test."`
	Deliveries webhookDeliveries `cmd:"" help:"List what was sent to a webhook and what became of it, the newest first."`
	Replay     webhookReplay     `cmd:"" help:"Deliver events again: one, all that were given up, or those of a span of time."`
}

// webhookArg names a webhook.
type webhookArg struct {
	placeFlags
	Webhook string `arg:"" help:"Id of the webhook." placeholder:"WEBHOOK"`
}

// with opens the place and does something with the webhook.
func (a webhookArg) with(p *program, do func(*place, id.ID) error) error {
	w, err := a.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	i, err := w.mustID(id.Webhook, a.Webhook)
	if err != nil {
		return err
	}
	return do(w, i)
}

type webhookList struct{ ownedFlags }

func (c *webhookList) Run(p *program) error {
	return c.with(p, func(w *place, owned []query.Condition) error {
		return listing[webhook.Webhook]{w.Webhooks.Webhooks, "There are no webhooks.", "WEBHOOK\tORGANIZATION\tSTATE\tSUCCEEDED\tTYPES\tURL", func(h webhook.Webhook) []string {
			return []string{w.spell(id.Webhook, h.ID), w.spell(id.Organization, h.Organization), faring(h), moment(h.SucceededAt), or(strings.Join(h.Types, ","), "all"), h.URL}
		}}.print(p, w, owned...)
	})
}

func faring(h webhook.Webhook) string {
	switch {
	case h.State == webhook.Disabled:
		return "disabled (" + h.Reason + ")"
	case !h.FailingSince.IsZero():
		return "failing since " + moment(h.FailingSince)
	}
	return string(h.State)
}

type webhookCreate struct {
	placeFlags
	URL           string   `arg:"" help:"Where events are sent: https, and no place that is not public unless the server allows it (serve --outbound-allow)." placeholder:"URL"`
	Organization  string   `help:"Only what happens in this organization, by slug or id. The webhook ends with it." placeholder:"ID|SLUG"`
	Name          string   `help:"A name for people." placeholder:"NAME"`
	OutboundAllow []string `help:"Network that is not public and that the server was told it may call, such as 10.0.0.0/8." placeholder:"CIDR"`
	Types         []string `help:"Only these types of event, such as organization.deleted or member.*; docs/webhooks.md lists them." placeholder:"TYPE"`
}

func (c *webhookCreate) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	allowed, err := networks("--outbound-allow", c.OutboundAllow)
	if err != nil {
		return err
	}
	w.Webhooks.Check = (&outbound.Poster{Guard: &outbound.Guard{Allow: allowed}}).Check
	d := webhook.Draft{URL: c.URL, Name: c.Name, Types: c.Types}
	if c.Organization != "" {
		o, err := w.organization(p.Context, c.Organization)
		if err != nil {
			return err
		}
		d.Organization = o.ID
	}
	h, secret, err := w.Webhooks.Create(p.Context, w.by, d)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Created %s. Its secret, shown this once:\n%s\nTry it: guildhall webhook test %s\n", w.spell(id.Webhook, h.ID), secret, w.spell(id.Webhook, h.ID))
	return err
}

type webhookEnable struct{ webhookArg }

func (c *webhookEnable) Run(p *program) error { return c.switchTo(p, webhook.Enabled) }

type webhookDisable struct{ webhookArg }

func (c *webhookDisable) Run(p *program) error { return c.switchTo(p, webhook.Disabled) }

func (a webhookArg) switchTo(p *program, state webhook.State) error {
	return a.with(p, func(w *place, i id.ID) error {
		_, err := w.Webhooks.Update(p.Context, w.by, i, func(h *webhook.Webhook) error {
			h.State = state
			return nil
		})
		if err != nil {
			return err
		}
		if state == webhook.Disabled {
			_, err = fmt.Fprintln(p.Out, "Disabled. What happens meanwhile can be replayed afterwards.")
			return err
		}
		_, err = fmt.Fprintln(p.Out, "Enabled. What happened meanwhile: guildhall webhook replay --from TIME")
		return err
	})
}

type webhookDelete struct{ webhookArg }

func (c *webhookDelete) Run(p *program) error {
	return c.with(p, func(w *place, i id.ID) error {
		if err := w.Webhooks.Delete(p.Context, w.by, i, func(webhook.Webhook) error { return nil }); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.Out, "Deleted.")
		return err
	})
}

type webhookRotate struct {
	webhookArg
	Overlap time.Duration `help:"How long the old secret signs beside the new one, at most 720h." default:"24h"`
}

func (c *webhookRotate) Run(p *program) error {
	return c.with(p, func(w *place, i id.ID) error {
		_, secret, err := w.Webhooks.Rotate(p.Context, w.by, i, "", c.Overlap)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.Out, "The new secret, shown this once; the old one signs beside it for %s:\n%s\n", c.Overlap, secret)
		return err
	})
}

type webhookTest struct{ webhookArg }

func (c *webhookTest) Run(p *program) error {
	return c.with(p, func(w *place, i id.ID) error {
		if _, err := w.Webhooks.Test(p.Context, w.by, i); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Out, "Lined up; a running server sends it. What became of it: guildhall webhook deliveries %s\n", c.Webhook)
		return err
	})
}

type webhookDeliveries struct {
	webhookArg
	State string `help:"Only those that are waiting, delivered or failed." enum:",waiting,delivered,failed" default:""`
	Limit int    `help:"At most so many." default:"50"`
}

func (c *webhookDeliveries) Run(p *program) error {
	return c.with(p, func(w *place, i id.ID) error {
		q := query.Query{Limit: min(max(c.Limit, 1), query.MaxLimit), By: "id", Desc: true}
		if c.State != "" {
			q.Where = []query.Condition{query.Is("state", c.State)}
		}
		page, err := w.Webhooks.Deliveries(p.Context, w.by, i, q)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, d := range page.Items {
			answer := d.Error
			if d.Code != 0 {
				answer = strconv.FormatInt(d.Code, 10)
			}
			rows = append(rows, []string{w.spell(id.Event, d.Event), d.Type, string(d.State), strconv.FormatInt(d.Attempts, 10), answer, moment(d.CreatedAt)})
		}
		if len(rows) == 0 {
			_, err := fmt.Fprintln(p.Out, "There are no deliveries.")
			return err
		}
		return table(p, "EVENT\tTYPE\tSTATE\tATTEMPTS\tANSWER\tLINED UP", rows)
	})
}

type webhookReplay struct {
	webhookArg
	Event  string `help:"This event." placeholder:"EVENT"`
	Failed bool   `help:"Every delivery that was given up."`
	From   string `help:"What happened from this time on, such as 2027-01-31T12:00:00Z or a day." placeholder:"TIME"`
	To     string `help:"With --from: what happened before this time; now unless given." placeholder:"TIME"`
}

func (c *webhookReplay) Run(p *program) error {
	return c.with(p, func(w *place, i id.ID) error {
		r := webhook.Replay{Failed: c.Failed}
		var err, ended error
		r.From, err = parseTime("--from", c.From)
		r.Until, ended = parseTime("--to", c.To)
		if err := errors.Join(err, ended); err != nil {
			return err
		}
		if c.Event != "" {
			if r.Event, err = w.mustID(id.Event, c.Event); err != nil {
				return err
			}
		}
		n, more, err := w.Webhooks.Replay(p.Context, w.by, i, r)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "%d events are lined up again; a running server sends them.\n", n)
		if more {
			_, err = fmt.Fprintln(p.Out, "There are more: go on with --from where these ended.")
		}
		return err
	})
}
