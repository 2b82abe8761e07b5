package edge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"
)

// A Stream writes the body of an answer piece by piece. Each Write goes out at
// once. It has to return when ctx ends, which it does as soon as the client has
// gone or the server closes; what it returns is for the log.
type Stream func(ctx context.Context, w io.Writer) error

// patience is how long a client may take to accept one piece of a stream.
const patience = 15 * time.Second

// stream sends the head of a reply, and then what its Stream writes. The limits
// on the time of a whole request do not hold for it: each piece has its own.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, reply Reply, status int) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if h.Closing != nil {
		go func() {
			select {
			case <-h.Closing:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	control := http.NewResponseController(w)
	// The end of this limit would be taken for the client's going away.
	_ = control.SetReadDeadline(time.Time{})
	pieces := &pieces{w: w, control: control}
	pieces.within(patience)
	defer pieces.within(patience) // the end of the body has to go out as well
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	_ = control.Flush()
	pieces.within(0)
	defer func() {
		if p := recover(); p != nil {
			h.Log.ErrorContext(ctx, "stream", "request_id", RequestID(ctx), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	if err := reply.Stream(ctx, pieces); err != nil && ctx.Err() == nil {
		h.Log.DebugContext(ctx, "stream", "request_id", RequestID(ctx), "error", err)
	}
}

// pieces is the writer of a stream.
type pieces struct {
	w       io.Writer
	control *http.ResponseController
}

// within bounds the next write, or no write when d is 0. Over HTTP/2 a bound that
// runs out between two writes would end the stream. Writers without a connection
// do not heed it.
func (p *pieces) within(d time.Duration) {
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = p.control.SetWriteDeadline(until)
}

func (p *pieces) Write(b []byte) (int, error) {
	p.within(patience)
	defer p.within(0)
	n, err := p.w.Write(b)
	if err != nil {
		return n, err
	}
	return n, p.control.Flush()
}
