package native

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"guildhall/internal/directory"
	"guildhall/internal/id"
)

// A moment is a time as this wire writes it: RFC 3339 in UTC with milliseconds.
type moment time.Time

// MarshalJSON writes the moment.
func (m moment) MarshalJSON() ([]byte, error) {
	return time.Time(m).UTC().AppendFormat(make([]byte, 0, 26), `"2006-01-02T15:04:05.000Z"`), nil
}

// UnmarshalJSON reads what RFC 3339 allows. Times that no database keeps are refused.
func (m *moment) UnmarshalJSON(b []byte) error {
	var t time.Time
	if err := json.Unmarshal(b, &t); err != nil {
		return errBody.Saying("a time must be written as 2026-01-31T12:00:00Z")
	}
	if y := t.UTC().Year(); !t.IsZero() && (y < 1970 || y > 9999) {
		return errBody.Saying("a time must lie between the years 1970 and 9999")
	}
	*m = moment(t)
	return nil
}

// Schema is that of a date and time.
func (m moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// momentOrNull leaves out a time that has not come.
func momentOrNull(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	m := moment(t)
	return &m
}

// textOrNull makes of the domain's empty text what this wire says for unset.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// object gives metadata as an object, never null.
func metadata(m directory.Metadata) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// A Stamp is what every object carries.
type Stamp struct {
	ID        string `json:"id"`
	Version   int64  `json:"version" minimum:"1" doc:"Counts changes; also the ETag."`
	CreatedAt moment `json:"created_at"`
	UpdatedAt moment `json:"updated_at"`
}

func (s Stamp) etag() string { return tag(s.Version) }

func stamped(realm id.ID, kind id.Kind, s directory.Stamp) Stamp {
	return Stamp{ID: spell(realm, kind, s.ID), Version: s.Version, CreatedAt: moment(s.CreatedAt), UpdatedAt: moment(s.UpdatedAt)}
}
