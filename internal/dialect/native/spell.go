package native

import "guildhall/internal/id"

// Spell gives the form in which this API, and with it the command line, writes an id.
func Spell(realm id.ID, kind id.Kind, i id.ID) string { return spell(realm, kind, i) }

// Parse reads what Spell wrote; ok is false for what is no id of the kind in the realm.
func Parse(realm id.ID, kind id.Kind, s string) (i id.ID, ok bool) {
	i = parse(realm, kind, s)
	return i, i != nowhere
}
