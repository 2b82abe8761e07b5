package native

import "guildhall/internal/id"

// Spell gives the form in which this API, and with it the command line, writes an id.
func Spell(realm id.ID, kind id.Kind, i id.ID) string { return spell(realm, kind, i) }

// Parse reads what Spell wrote; ok is false for what is no id of the kind in the realm.
func Parse(realm id.ID, kind id.Kind, s string) (i id.ID, ok bool) {
	i = parse(realm, kind, s)
	return i, i != nowhere
}

// A Speller writes ids and subjects the way this API does, for messages that leave
// the server by other ways.
type Speller struct{}

// ID is Spell.
func (Speller) ID(realm id.ID, kind id.Kind, i id.ID) string { return spell(realm, kind, i) }

// Subject spells who did something: the id of a key or user, or the name of
// another client.
func (Speller) Subject(realm id.ID, subject string) string { return requester(realm, subject) }
