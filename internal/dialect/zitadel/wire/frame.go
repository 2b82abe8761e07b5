package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	frameHeader    = 5
	flagCompressed = 0x01
	flagTrailer    = 0x80 // gRPC-Web: the frame holds trailers
)

// readAll reads at most limit bytes. A longer body is ResourceExhausted, in the
// words of gRPC.
func readAll(r io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d)", tooLarge.Limit)
	case err != nil:
		return nil, status.Errorf(codes.InvalidArgument, "the request body could not be read: %v", err)
	case len(data) > limit:
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d)", limit)
	}
	return data, nil
}

// unframe gives the one message in the body of a unary gRPC or gRPC-Web
// request. The encoding is that of the grpc-encoding header.
func unframe(body []byte, encoding string, limit int) ([]byte, error) {
	if len(body) == 0 {
		return nil, status.Error(codes.Unimplemented, "unary request has zero messages")
	}
	if len(body) < frameHeader {
		return nil, status.Error(codes.InvalidArgument, "the message's frame is cut short")
	}
	flags, size := body[0], binary.BigEndian.Uint32(body[1:frameHeader])
	data := body[frameHeader:]
	switch {
	case flags&^flagCompressed != 0:
		return nil, status.Errorf(codes.InvalidArgument, "the message's frame has unknown flags %#x", flags)
	case uint64(size) > uint64(len(data)):
		return nil, status.Error(codes.InvalidArgument, "the message's frame is cut short")
	case uint64(size) < uint64(len(data)):
		return nil, status.Error(codes.Unimplemented, "unary request has multiple messages")
	case flags&flagCompressed == 0:
		return data, nil
	}
	return decompress(data, encoding, limit)
}

// frame puts a message behind its prefix.
func frame(flags byte, message []byte) []byte {
	out := make([]byte, frameHeader, frameHeader+len(message))
	out[0] = flags
	binary.BigEndian.PutUint32(out[1:], uint32(len(message)))
	return append(out, message...)
}

// decompress undoes an encoding. The limit holds for the result, so that a
// small body cannot grow without bound.
func decompress(data []byte, encoding string, limit int) ([]byte, error) {
	switch encoding {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "the message is not gzip: %v", err)
		}
		return readAll(z, limit)
	case "", "identity":
		return nil, status.Error(codes.InvalidArgument, "the message is compressed but no encoding is named")
	}
	return nil, unknownEncoding(encoding)
}

func unknownEncoding(encoding string) error {
	return status.Errorf(codes.Unimplemented, "unknown compression %q: supported encodings are gzip", encoding)
}

// decodeText undoes the base64 of grpc-web-text. Clients may send several padded
// pieces one after the other.
func decodeText(body []byte) ([]byte, error) {
	out := make([]byte, 0, base64.StdEncoding.DecodedLen(len(body)))
	for len(body) > 0 {
		end := len(body)
		if pad := bytes.IndexByte(body, '='); pad >= 0 {
			for end = pad; end < len(body) && body[end] == '='; end++ {
			}
		}
		piece := make([]byte, base64.StdEncoding.DecodedLen(end))
		n, err := base64.StdEncoding.Decode(piece, body[:end])
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "the body is not base64: %v", err)
		}
		out, body = append(out, piece[:n]...), body[end:]
	}
	return out, nil
}
