package firehosetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// response is the answer as a client sees it.
func (a answer) response(x *exchange) *http.Response {
	status := a.statusCode()
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header(),
		ContentLength: int64(len(a.body)),
		Close:         a.close,
		Request:       x.r,
		Body:          &responseBody{ctx: x.r.Context(), rest: a.sent(), cut: a.ending == cut, pause: a.slow / slowParts, part: a.part(), lost: x.lost},
	}
}

// statusCode is the HTTP status.
func (a answer) statusCode() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// slowParts is into how many parts a SlowBody is split.
const slowParts = 10

// sent is what leaves of the body.
func (a answer) sent() []byte {
	if a.ending == cut {
		return a.body[:max(a.keep, 0)]
	}
	return a.body
}

// part is how many bytes leave at a time.
func (a answer) part() int {
	if a.slow == 0 {
		return max(len(a.body), 1)
	}
	return max((len(a.body)+slowParts-1)/slowParts, 1)
}

// responseBody is the body that Do returns.
type responseBody struct {
	ctx   context.Context
	rest  []byte
	cut   bool
	pause time.Duration // before each part
	part  int
	avail int    // bytes of rest that have come
	lost  func() // the client gave up before the end
	err   error  // sticky
}

func (b *responseBody) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case len(b.rest) == 0 && b.cut:
		b.err = io.ErrUnexpectedEOF
		return 0, b.err
	case len(b.rest) == 0:
		b.err = io.EOF
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	}
	if b.avail == 0 {
		if !sleep(b.ctx, b.pause) {
			b.lost()
			b.err = context.Cause(b.ctx)
			return 0, b.err
		}
		b.avail = min(b.part, len(b.rest))
	}
	n := copy(p, b.rest[:b.avail])
	b.rest, b.avail = b.rest[n:], b.avail-n
	return n, nil
}

// Close ends the body. A client that did not read it all was not told.
func (b *responseBody) Close() error {
	if len(b.rest) > 0 && b.err == nil {
		b.lost()
	}
	if b.err == nil {
		b.err = errBodyClosed
	}
	return nil
}

var errBodyClosed = errors.New("http: read on closed response body")
