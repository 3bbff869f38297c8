package firehosetest

import (
	"errors"
	"fmt"
	"io"
)

// read returns the request's body. If there is none to work on, ok is false and
// the answer says what to do.
func (x *exchange) read() (body *[]byte, a answer, ok bool) {
	if x.r.ContentLength > maxBodyBytes {
		return nil, (&apiError{code: codeTooLarge}).answer(), false
	}
	body, _ = x.s.bodies.Get().(*[]byte)
	if body == nil {
		body = new([]byte)
	}
	b := (*body)[:0]
	var err error
	for err == nil && len(b) <= maxBodyBytes {
		if len(b) == cap(b) {
			b = grow(b, x.r.ContentLength)
		}
		var n int
		n, err = x.r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
	}
	*body = b
	x.log.WireBytes = int64(len(b))
	switch {
	case errors.Is(err, io.EOF) && (x.r.ContentLength <= 0 || x.r.ContentLength == x.log.WireBytes):
		return body, answer{}, true
	case errors.Is(err, io.EOF): // only in Do: net/http's server looks itself
		a = answer{ending: left, err: fmt.Errorf("http: ContentLength=%d with Body length %d", x.r.ContentLength, len(b))}
	case err == nil:
		a = (&apiError{code: codeTooLarge}).answer()
	default:
		a = answer{ending: left, err: err} // the client broke off
	}
	x.s.release(body)
	return nil, a, false
}

// grow makes room for the announced size, or else for twice as much.
func grow(b []byte, announced int64) []byte {
	size := 2*cap(b) + 512
	if announced > 0 {
		size = max(size, int(announced)+1) // one more, for Read to see the end
	}
	return append(make([]byte, 0, size), b...)
}

// release gives a body back for the next request. Nothing decoded points into it.
func (s *Service) release(body *[]byte) { s.bodies.Put(body) }
