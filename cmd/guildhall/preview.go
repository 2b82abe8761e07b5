package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/id"
	"guildhall/internal/query"
)

func (w *place) printPreview(p *program, o directory.Organization, v erasure.Preview) error {
	fmt.Fprintf(p.Out, "%s (%s, %s)\nUsers at home in it: %s\n\n", o.Name, o.Slug, w.spell(id.Organization, o.ID),
		map[erasure.Users]string{erasure.Erase: "end with it (erase)", erasure.Detach: "are handed to the realm (detach)"}[v.Users])
	if err := printCounts(p, v.Counts); err != nil {
		return err
	}
	atLeast := ""
	if v.AtLeast {
		atLeast = " or more"
	}
	fmt.Fprintf(p.Out, `
Guests, who are kept:                  %d
Users left without any organization:   %d%s
Rows in all:                           %d
Time the purge takes, about:           %s
Fingerprint of this moment:            %s
`, v.Guests, v.Stranded, atLeast, v.Rows, max(v.Estimate.Round(time.Second), time.Second), v.Fingerprint)
	w.printEffects(p, v)
	return w.printObstacles(p, v)
}

func printCounts(p *program, counts []erasure.Count) error {
	var rows [][]string
	for _, c := range counts {
		rows = append(rows, []string{words(c.Kind), string(c.Effect), strconv.Itoa(c.Rows)})
	}
	return table(p, "KIND\tEFFECT\tROWS", rows)
}

// words spells a kind for people.
func words(k id.Kind) string { return strings.ReplaceAll(k.String(), "_", " ") }

// printEffects tells what others lose and gain.
func (w *place) printEffects(p *program, v erasure.Preview) {
	for _, c := range v.Dying() {
		fmt.Fprintf(p.Out, "Lets nobody in any more:               %d of kind %s\n", c.Rows, words(c.Kind))
	}
	if v.Domains.Count > 0 {
		fmt.Fprintf(p.Out, "Domains that others can prove as theirs once the grace is over: %s\n", first(v.Domains, func(s string) string { return s }))
	}
	if v.Connections.Count > 0 {
		fmt.Fprintf(p.Out, "Connections to identity providers that end: %s\n", first(v.Connections, func(s string) string { return s }))
	}
	name := func(a erasure.Affected) string {
		return fmt.Sprintf("%s (%s)", a.Name, w.spell(id.Organization, a.Organization))
	}
	if v.Applications.Count > 0 {
		fmt.Fprintf(p.Out, "Applications of others that its people used: %s\n", first(v.Applications, name))
	}
	if v.Grantees.Count > 0 {
		fmt.Fprintf(p.Out, "Organizations that lose projects of it: %s\n", first(v.Grantees, name))
	}
}

// first lists what is named, and how many there are besides.
func first[T any](n erasure.Named[T], show func(T) string) string {
	var names []string
	for _, x := range n.First {
		names = append(names, show(x))
	}
	s := strings.Join(names, ", ")
	if more := n.Count - len(n.First); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

func (w *place) printObstacles(p *program, v erasure.Preview) error {
	if v.Protected {
		fmt.Fprintln(p.Out, "\nIn the way: the organization is protected against deletion.")
	}
	if v.Default {
		fmt.Fprintln(p.Out, "\nIn the way: it is the default organization of the realm.")
	}
	for _, h := range v.Holds {
		fmt.Fprintf(p.Out, "\nIn the way: %s\n", w.describeHold(h))
	}
	return nil
}

// printStranded lists all users who would be in no organization any more.
func (w *place) printStranded(p *program, o directory.Organization, users erasure.Users) error {
	fmt.Fprintln(p.Out, "\nLeft without any organization:")
	var rows [][]string
	for q := (query.Query{Limit: query.MaxLimit}); ; {
		page, err := w.Erasure.Stranded(p.Context, w.by, o.ID, users, q)
		if err != nil {
			return err
		}
		for _, s := range page.Items {
			rows = append(rows, []string{w.spell(id.User, s.User), s.Name, s.Email})
		}
		if q.After = page.Next; q.After == nil {
			break
		}
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(p.Out, "nobody")
		return err
	}
	return table(p, "USER\tNAME\tE-MAIL", rows)
}
