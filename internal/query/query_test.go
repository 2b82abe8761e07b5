package query_test

import (
	"testing"

	"guildhall/internal/query"
)

func TestConditionsSayWhatTheirNamesSay(t *testing.T) {
	if c := query.Any(); c.Any == nil || c.Names("") {
		t.Errorf("one of none: %+v", c)
	}
	if c := query.All(); c.All == nil || c.Names("") {
		t.Errorf("all of none: %+v", c)
	}
	if !query.Is("id", 1).Names("id") || query.Is("id", 1).Names("ID") {
		t.Error("equality does not name its field")
	}
	for _, c := range []query.Condition{query.Where("id", query.More, 1), query.Not(query.Is("id", 1)), query.OneOf("id", []int{1}), {Field: "id", Not: true}} {
		if c.Names("id") {
			t.Errorf("%+v passes for equality", c)
		}
	}
}
