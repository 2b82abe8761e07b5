package native

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"guildhall/internal/edge"
	"guildhall/internal/fault"
	"guildhall/internal/id"
)

// Replays keeps what POST requests with an idempotency key were answered, for a
// day at least. A claim is written before the request is carried out and outlives
// a crash, so that nothing is ever carried out twice.
type Replays interface {
	// Begin claims scope for one execution and keeps hash with it. When it is
	// claimed already, claimed is false, earlier is the hash that came with the
	// claim, and answer is what Finish left, nil while there is none.
	Begin(ctx context.Context, realm id.ID, scope, hash string) (claimed bool, earlier string, answer []byte, err error)
	// Finish keeps the answer under a claim.
	Finish(ctx context.Context, realm id.ID, scope string, answer []byte) error
	// Abandon gives a claim up: the next request with the key is carried out.
	Abandon(ctx context.Context, realm id.ID, scope string) error
}

const (
	keyHeader    = "Idempotency-Key"
	replayHeader = "Idempotency-Replayed"
	longestKey   = 255
)

// The faults of idempotency keys.
var (
	errIdempotencyKey    = fault.New(fault.Invalid, "invalid_idempotency_key", keyHeader, "an idempotency key has 1 to 255 visible ASCII characters and is given once")
	errIdempotencyUsed   = fault.New(fault.Invalid, "idempotency_key_reused", keyHeader, "the idempotency key was used for another request; use a new one")
	errIdempotencyActive = fault.New(fault.Conflict, "idempotency_key_in_use", keyHeader,
		"a request with this idempotency key has not been answered yet; if it stays so, the server was stopped while it worked: look whether it was carried out, and go on with a new key")
)

// An answerer performs an operation. Kept is the body as it may be stored.
type answerer func(edge.Call) (reply edge.Reply, kept any, err error)

// once performs a POST so that a repetition with the same key gets the same
// answer and changes nothing again. Only successes are kept: a failure has
// changed nothing, and trying again is what its receiver should do.
func (a *API) once(c edge.Call, answer answerer) (reply edge.Reply, err error) {
	key, err := idempotencyKey(c)
	if err != nil {
		return reply, err
	}
	if key == "" {
		reply, _, err = answer(c)
		return reply, err
	}
	secret, _ := edge.Bearer(c.Request)
	request := []string{secret, c.Request.Method, c.Request.URL.EscapedPath(), key}
	scope, hash := hex.EncodeToString(digest(request...)), hex.EncodeToString(digest(c.Request.URL.RawQuery, string(c.Body)))
	realm := c.Actor.Realm
	claimed, earlier, stored, err := a.Replays.Begin(c.Context(), realm, scope, hash)
	switch {
	case err != nil:
		return reply, err
	case !claimed && earlier != hash && earlier != "":
		return reply, errIdempotencyUsed
	case !claimed && stored == nil: // or given up at this very moment
		return reply, errIdempotencyActive
	case !claimed:
		return replay(stored, request)
	}
	// The claim must be settled also when the client has gone or the handler panics.
	settle := context.WithoutCancel(c.Context())
	finished := false
	defer func() {
		if !finished {
			err = errors.Join(err, a.Replays.Abandon(settle, realm, scope))
		}
	}()
	reply, kept, err := answer(c)
	if err != nil {
		return reply, err
	}
	sealed, err := keep(reply, kept, request)
	if err != nil {
		return reply, err
	}
	finished = true
	// The work is done and its answer is on the way. Were this to fail, the key
	// stays claimed, which is told to who repeats the request.
	_ = a.Replays.Finish(settle, realm, scope, sealed)
	return reply, nil
}

// idempotencyKey gives the key of a request, "" when it has none.
func idempotencyKey(c edge.Call) (string, error) {
	values := c.Request.Header.Values(keyHeader)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(values) > 1 || key == "" || len(key) > longestKey {
		return "", errIdempotencyKey
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return "", errIdempotencyKey
		}
	}
	return key, nil
}

// digest is a hash of a list of texts in which each keeps its place.
func digest(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return h.Sum(nil)
}

// An answerKept is what is stored of a reply.
type answerKept struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body,omitempty"`
}

// keep seals an answer with a key that only the repeated request can make: from
// its secret and its idempotency key, neither of which is stored. So a copy of
// the database does not hold what was answered, not even after the objects it
// was about have been erased.
func keep(reply edge.Reply, kept any, request []string) ([]byte, error) {
	answer := answerKept{Status: reply.Status, Header: reply.Header}
	if kept != nil {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(kept); err != nil {
			return nil, err
		}
		answer.Body = bytes.TrimSpace(buf.Bytes())
	}
	plain, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	seal, err := sealer(request)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, seal.NonceSize())
	rand.Read(nonce)
	return seal.Seal(nonce, nonce, plain, nil), nil
}

// replay opens what keep sealed.
func replay(sealed []byte, request []string) (edge.Reply, error) {
	seal, err := sealer(request)
	if err != nil {
		return edge.Reply{}, err
	}
	if len(sealed) < seal.NonceSize() {
		return edge.Reply{}, errors.New("a stored answer is cut off")
	}
	plain, err := seal.Open(nil, sealed[:seal.NonceSize()], sealed[seal.NonceSize():], nil)
	if err != nil {
		return edge.Reply{}, err
	}
	var answer answerKept
	if err := json.Unmarshal(plain, &answer); err != nil {
		return edge.Reply{}, err
	}
	reply := edge.Reply{Status: answer.Status, Header: answer.Header}
	if reply.Header == nil {
		reply.Header = http.Header{}
	}
	reply.Header.Set(replayHeader, "true")
	if answer.Body != nil {
		reply.Raw, reply.Type = answer.Body, "application/json; charset=utf-8"
	}
	return reply, nil
}

func sealer(request []string) (cipher.AEAD, error) {
	block, err := aes.NewCipher(digest(append([]string{"answer"}, request...)...))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
