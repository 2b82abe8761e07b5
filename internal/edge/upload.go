package edge

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// Upload gives the body of a route that takes it piece by piece. The limits on the
// time of a whole request do not hold for it: each piece has its own.
func (c Call) Upload() (io.Reader, error) {
	if e := c.Header("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, ErrEncoding
	}
	c.TakeTime()
	return &upload{c.Request.Body, c.control}, nil
}

// TakeTime lifts the limits on the time of the whole request, for work that takes
// as long as it takes. Only what reads and writes in bounded pieces may ask for it.
func (c Call) TakeTime() {
	if c.control != nil {
		_ = c.control.SetReadDeadline(time.Time{})
		_ = c.control.SetWriteDeadline(time.Time{})
	}
}

// upload is a body of which every piece has to come soon.
type upload struct {
	body    io.Reader
	control *http.ResponseController
}

func (u *upload) Read(b []byte) (int, error) {
	if u.control == nil {
		return u.body.Read(b)
	}
	_ = u.control.SetReadDeadline(time.Now().Add(patience))
	// The end of the limit would be taken for the client's going away.
	defer func() { _ = u.control.SetReadDeadline(time.Time{}) }()
	return u.body.Read(b)
}
