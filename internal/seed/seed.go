// Package seed fills a realm with organizations and people for demos and benchmarks.
package seed

import (
	"context"
	"fmt"

	"guildhall/internal/access"
	"guildhall/internal/directory"
	"guildhall/internal/id"
	"guildhall/internal/store"
)

// A Plan says how much to add.
type Plan struct {
	Organizations int
	Members       int // of each organization
	Shared        int // percentage of members without a home who join the next organization, too
}

// Made is what was added.
type Made struct {
	Organizations int
	Members       int
}

// batch is how many people one transaction writes. It bounds how long a server
// on the same database waits for its turn.
const batch = 500

// Fill adds what the plan asks for, through the services and in many small
// transactions: a server beside it goes on working and sees everything at once.
// Progress is told the number of members so far.
func Fill(ctx context.Context, db *store.DB, realm id.ID, p Plan, progress func(members int)) (made Made, err error) {
	by := access.System(realm)
	s := &directory.Service{Store: store.For[directory.Tx](db)}
	run, err := db.NewID(ctx)
	if err != nil {
		return made, err
	}
	w := store.Bulk{DB: db, Realm: realm}
	var first, previous id.ID
	for n := range p.Organizations {
		o, err := s.CreateOrganization(ctx, by, directory.Organization{
			Name: fmt.Sprintf("Seed %d-%d", run, n+1), Slug: fmt.Sprintf("seed-%d-%d", run, n+1),
		})
		if err != nil {
			return made, err
		}
		made.Organizations++
		if first == id.None {
			first = o.ID
		}
		for at := 0; at < p.Members; at += batch {
			people := people(o, previous, p, at, min(batch, p.Members-at))
			if err := w.AddPeople(ctx, people); err != nil {
				return made, err
			}
			made.Members += min(batch, p.Members-at)
			progress(made.Members)
		}
		previous = o.ID
	}
	return made, nil
}

// people makes the users of one batch. A shared one is a user of the realm and a
// member of the previous organization as well.
func people(o directory.Organization, previous id.ID, p Plan, from, n int) []store.BulkPerson {
	out := make([]store.BulkPerson, n)
	for i := range out {
		number := from + i
		u := directory.User{
			Home: o.ID, Kind: directory.Human, State: directory.UserActive, EmailVerified: true,
			Email: fmt.Sprintf("person%d@%s.example", number, o.Slug), GivenName: "Person", FamilyName: fmt.Sprint(number),
			Name: fmt.Sprintf("Person %d", number),
		}
		of := []id.ID{o.ID}
		if (number+1)*p.Shared/100 != number*p.Shared/100 { // spread evenly
			u.Home = id.None
			if previous != id.None {
				of = append(of, previous)
			}
		}
		u.Scope = u.Home
		out[i] = store.BulkPerson{User: u, Organizations: of}
	}
	return out
}
