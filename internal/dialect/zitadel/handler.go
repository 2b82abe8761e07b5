package zitadel

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"guildhall/internal/dialect/zitadel/wire"
	"guildhall/internal/edge"
	"guildhall/internal/fault"
)

// Handler serves the dialect at its prefixes. The four transports find their
// methods themselves, so the dialect takes from edge what all dialects share,
// limits, log and metrics, and not its routes.
func (a *API) Handler(e *edge.Edge) http.Handler {
	a.edge = e
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		start := time.Now()
		a.table().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), startKey{}, start)))
	})
}

type startKey struct{}

// done writes one line for a call, without messages or credentials.
func (a *API) done(ctx context.Context, w *wire.Call, err error, st *status.Status) {
	if a.edge == nil {
		return
	}
	start, _ := ctx.Value(startKey{}).(time.Time)
	code := w.Method.Success
	if st.Code() != codes.OK {
		code = wire.HTTPStatus(st.Code())
	}
	if a.edge.Observe != nil {
		a.edge.Observe(a.Name(), w.Method.Name, code, time.Since(start))
	}
	subject := ""
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		subject = c.Actor.Subject
	}
	level := slog.LevelDebug
	ours := st.Code() == codes.Internal || st.Code() == codes.Unavailable
	if ours {
		level = slog.LevelError
	}
	if !a.edge.Log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", edge.RequestID(ctx)), slog.String("dialect", a.Name()), slog.String("operation", w.Method.Name),
		slog.String("transport", string(w.Transport)), slog.Int("status", code), slog.Duration("took", time.Since(start)),
		slog.String("actor", subject),
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", st.Code().String()))
	}
	if ours {
		attrs = append(attrs, slog.Any("cause", fault.From(err).Unwrap()))
	}
	a.edge.Log.LogAttrs(ctx, level, "request", attrs...)
}

func (a *API) client(r *http.Request) string {
	if a.edge.ClientIP != nil {
		return a.edge.ClientIP(r).String()
	}
	return edge.PeerAddr(r).String()
}
