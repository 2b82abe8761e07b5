package main

import (
	"regexp"
	"strings"
	"testing"

	"guildhall/internal/directory"
)

func TestWebhooksAreManagedFromTheCommandLine(t *testing.T) {
	d := newDesk(t)
	d.Organization(t, directory.Organization{Name: "Acme", Slug: "acme"})
	if got := d.do(t, "webhook"); !strings.Contains(got, "There are no webhooks.") {
		t.Errorf("none yet: %s", got)
	}
	d.refused(t, []string{"webhook", "create", "https://10.0.0.1/"}, "url")
	d.refused(t, []string{"webhook", "create", "https://hooks.example/", "--types", "no.such"}, "no.such")
	made := d.do(t, "webhook", "create", "https://hooks.example/in", "--organization", "acme", "--types", "organization.*")
	hook := regexp.MustCompile(`Created (\S+)\. `).FindStringSubmatch(made)
	if hook == nil || !strings.Contains(made, "whsec_") {
		t.Fatalf("created: %s", made)
	}
	if got := d.do(t, "webhook", "list", "--organization", "acme"); !strings.Contains(got, hook[1]) || !strings.Contains(got, "enabled") {
		t.Errorf("listed: %s", got)
	}
	if got := d.do(t, "webhook", "rotate", hook[1], "--overlap", "1h"); !strings.Contains(got, "whsec_") || !strings.Contains(got, "1h") {
		t.Errorf("rotated: %s", got)
	}
	d.do(t, "webhook", "test", hook[1])
	if got := d.do(t, "webhook", "deliveries", hook[1]); !strings.Contains(got, "webhook.test") || !strings.Contains(got, "waiting") {
		t.Errorf("deliveries: %s", got)
	}
	d.do(t, "webhook", "disable", hook[1])
	if got := d.do(t, "webhook", "list"); !strings.Contains(got, "disabled (request)") {
		t.Errorf("disabled: %s", got)
	}
	d.do(t, "webhook", "enable", hook[1])
	if got := d.do(t, "webhook", "replay", hook[1], "--from", "2020-01-01"); !strings.Contains(got, "lined up again") {
		t.Errorf("replayed: %s", got)
	}
	d.refused(t, []string{"webhook", "replay", hook[1], "--from", "soon"}, "--from")
	d.do(t, "webhook", "delete", hook[1])
	d.refused(t, []string{"webhook", "test", hook[1]}, "webhook")
}
