package credential

import "testing"

func TestAClientIDIsNoFlagOfACommand(t *testing.T) {
	for range 2000 {
		if name := newClientID(); name[0] == '-' || len(name) != 32 {
			t.Fatal(name)
		}
	}
}
