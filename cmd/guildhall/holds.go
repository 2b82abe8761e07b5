package main

import (
	"context"
	"fmt"
	"time"

	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

type organizationHold struct {
	placeFlags
	Organization string `arg:"" help:"Slug or id; one that is deleted and not purged is known by its id." placeholder:"ID|SLUG"`
	Reason       string `help:"Why, such as the number of the case. Whoever is refused a deletion is shown it." required:"" placeholder:"TEXT"`
	Until        string `help:"When it ends by itself: a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z. Until released, unless given." placeholder:"TIME"`
}

func (c *organizationHold) Run(p *program) error {
	until, err := parseTime("--until", c.Until)
	if err != nil {
		return err
	}
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	o, err := w.gone(p.Context, c.Organization)
	if err != nil {
		return err
	}
	h, err := w.Erasure.PlaceHold(p.Context, w.by, erasure.Hold{Organization: o, Reason: c.Reason, Until: until})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "Placed. Nothing of the organization is deleted or purged until: guildhall organization release %s\n", w.spell(id.Hold, h.ID))
	return err
}

func parseTime(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q is neither a day such as 2027-01-31 nor a time such as 2027-01-31T12:00:00Z", flag, s)
}

type organizationRelease struct {
	placeFlags
	Hold string `arg:"" help:"Id of the hold." placeholder:"HOLD"`
}

func (c *organizationRelease) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	h, err := w.release(p.Context, c.Hold)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "Released %s.\n", w.spell(id.Hold, h.ID))
	left, err := w.standing(p.Context, query.Is("organization_id", h.Organization))
	if err == nil && len(left) > 0 {
		fmt.Fprintf(p.Out, "The organization is still held by %d others.\n", len(left))
	}
	return err
}

type organizationHolds struct {
	placeFlags
	Organization string `arg:"" optional:"" help:"Only those on this organization, by slug or id." placeholder:"ID|SLUG"`
}

func (c *organizationHolds) Run(p *program) error {
	w, err := c.enter(p.Context)
	if err != nil {
		return err
	}
	defer w.db.Close()
	var where []query.Condition
	if c.Organization != "" {
		o, err := w.gone(p.Context, c.Organization)
		if err != nil {
			return err
		}
		where = append(where, query.Is("organization_id", o))
	}
	return listing[erasure.Hold]{w.Erasure.Holds, "There are no holds.", "HOLD\tORGANIZATION\tUSER\tREALM\tSTATE\tPLACED\tUNTIL\tREASON", func(h erasure.Hold) []string {
		return []string{
			w.spell(id.Hold, h.ID), w.spell(id.Organization, h.Organization), w.spell(id.User, h.User), w.spell(id.Realm, h.Realm), standsSince(h), moment(h.CreatedAt), moment(h.Until), h.Reason,
		}
	}}.print(p, w, where...)
}

func standsSince(h erasure.Hold) string {
	switch {
	case !h.ReleasedAt.IsZero():
		return "released"
	case !h.Stands(time.Now()):
		return "run out"
	}
	return "stands"
}

// inForce lists the holds that stop a deletion.
func (w *place) inForce(ctx context.Context, d erasure.Deletion) ([]erasure.Hold, error) {
	if d.Kind == id.Realm {
		return w.standing(ctx, query.Is("held_realm", d.Subject))
	}
	return w.standing(ctx, query.Is("organization_id", d.Organization))
}

// standing lists the holds among some that are in force.
func (w *place) standing(ctx context.Context, among query.Condition) (all []erasure.Hold, err error) {
	page, err := w.Erasure.Holds(ctx, w.by, query.Query{Where: []query.Condition{among}, Limit: query.MaxLimit})
	for _, h := range page.Items {
		if h.Stands(time.Now()) {
			all = append(all, h)
		}
	}
	return all, err
}

func (w *place) describeHold(h erasure.Hold) string {
	s := fmt.Sprintf("the hold %s of %s, by %s", w.spell(id.Hold, h.ID), moment(h.CreatedAt), h.PlacedBy)
	if !h.Until.IsZero() {
		s += ", until " + moment(h.Until)
	}
	return s + ": " + h.Reason
}

// release ends a hold, on whatever it stands.
func (w *place) release(ctx context.Context, spelled string) (erasure.Hold, error) {
	i, err := w.mustID(id.Hold, spelled)
	if err != nil {
		return erasure.Hold{}, err
	}
	return w.Erasure.ReleaseHold(ctx, w.by, i)
}
