package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"guildhall/internal/fault"
)

var (
	errGone  = fault.New(fault.NotFound, "gone", "", "it is gone")
	errTaken = fault.New(fault.Conflict, "gone", "", "it is gone") // the same words about another fact
)

func TestACopyIsStillTheFactItWasMadeFrom(t *testing.T) {
	for name, err := range map[string]error{
		"with a field": errGone.On("x"), "with a detail": errGone.With(7), "in other words": errGone.Saying("%d", 7), "with a cause": errGone.Because(io.EOF),
		"all of it": errGone.On("x").With(7).Saying("y").Because(io.EOF), "wrapped": fmt.Errorf("while looking: %w", errGone.On("x")),
	} {
		if !errors.Is(err, errGone) || errors.Is(err, errTaken) || fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
		if !errors.Is(errGone.On("y"), fault.From(err)) {
			t.Errorf("%s: two copies are not the same fact", name)
		}
	}
	if errGone.Field != "" || errGone.Detail != nil || errGone.Text != "it is gone" || errors.Unwrap(errGone) != nil {
		t.Errorf("a copy changed the fact itself: %+v", errGone)
	}
	if err := errGone.On("x").With(7).Because(io.EOF); err.Field != "x" || err.Detail != 7 || !errors.Is(err, io.EOF) {
		t.Errorf("a copy forgot what it was told: %+v", err)
	}
}

func TestWhatIsNoFaultIsOurs(t *testing.T) {
	err := fault.From(io.ErrUnexpectedEOF)
	if err.Kind != fault.Internal || !errors.Is(err, fault.ErrInternal) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	if strings.Contains(err.Text, "EOF") {
		t.Errorf("the text for callers tells the cause: %q", err.Text)
	}
	if !strings.Contains(err.Error(), "EOF") {
		t.Errorf("the text for the log does not: %q", err)
	}
	if fault.From(nil) != nil {
		t.Error("no error became one")
	}
}

func TestKindsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range fault.Kinds() {
		if k.String() == "" || seen[k.String()] {
			t.Errorf("kind %d is called %q", k, k)
		}
		seen[k.String()] = true
	}
	if kinds := fault.Kinds(); kinds[len(kinds)-1] != fault.Unimplemented {
		t.Error("the last kind has no name, or a name no kind")
	}
}
