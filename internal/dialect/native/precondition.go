package native

import (
	"strconv"
	"strings"

	"guildhall/internal/directory"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

var errIfMatch = fault.New(fault.Invalid, "invalid_if_match", "If-Match", `If-Match must be * or entity tags such as "3"`)

const previewTag = "preview-"

// tag is the entity tag of a version of an object (RFC 9110 section 8.8.3).
func tag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// A match is the condition that a request puts on the version of its object.
type match struct {
	asked    bool
	any      bool
	versions []int64
	previews []string // fingerprints
}

// ifMatch reads the If-Match header of a request (RFC 9110 section 13.1.1). Tags
// that this server cannot have made match nothing; so do weak ones.
func ifMatch(c edge.Call) (match, error) {
	values := c.Request.Header.Values("If-Match")
	if len(values) == 0 {
		return match{}, nil
	}
	m := match{asked: true}
	list := strings.TrimSpace(strings.Join(values, ","))
	if list == "*" {
		m.any = true
		return m, nil
	}
	for _, t := range strings.Split(list, ",") {
		t, weak := strings.CutPrefix(strings.TrimSpace(t), "W/")
		if len(t) < 2 || t[0] != '"' || t[len(t)-1] != '"' || strings.Contains(t[1:len(t)-1], `"`) {
			return m, errIfMatch
		}
		if v, err := strconv.ParseInt(t[1:len(t)-1], 10, 64); err == nil && !weak && tag(v) == t {
			m.versions = append(m.versions, v)
		} else if print, ok := strings.CutPrefix(t[1:len(t)-1], previewTag); ok && print != "" && !weak {
			m.previews = append(m.previews, print)
		}
	}
	return m, nil
}

// allows fails as stale unless the condition holds for the version.
func (m match) allows(version int64) error {
	if !m.asked || m.any {
		return nil
	}
	for _, v := range m.versions {
		if v == version {
			return nil
		}
	}
	return directory.ErrStale
}
