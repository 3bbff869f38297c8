package firehose

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// plainBody passes on requests whose body can do no more than Read and Close.
//
// The race it removes: smithy-go closes the body as soon as the answer's header
// is in. net/http's write loop may at that moment have written the last byte
// and not yet looked whether there is more. It looks with io.Copy, which prefers
// the body's WriteTo, and smithy-go's WriteTo of a closed body returns io.EOF as
// an error. net/http takes that for a broken body and closes the connection
// while the answer is being read: the put was accepted, the SDK reports an
// error, and the records go out twice. Read of a closed body returns io.EOF as
// the end that it is, and all is well. Our own bodies have no WriteTo; those that the
// SDK writes do.
//
// smithy-go's own wrapper stays below: it keeps net/http from reading a body after
// the call has returned.
type plainBody struct{ next aws.HTTPClient }

// Do implements aws.HTTPClient.
func (c plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	if x := exchangeOf(r.Context()); x != nil {
		x.passed.Store(true)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), x.trace()))
	}
	return c.next.Do(r)
}

// wire is what is known of one request's way to the service. It is watched at
// the client's lowest layer, because the same context also serves the requests
// that fetch credentials.
type wire struct {
	passed    atomic.Bool // handed to the HTTP client
	dialed    atomic.Bool // a connection was asked for, so the client reports its steps
	connected atomic.Bool // there was a connection to write to
	reused    atomic.Bool // which had served a request before
	answered  atomic.Bool // a byte of an answer came
}

func (w *wire) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:              func(string) { w.dialed.Store(true) },
		GotConn:              func(i httptrace.GotConnInfo) { w.connected.Store(true); w.reused.Store(i.Reused) },
		GotFirstResponseByte: func() { w.answered.Store(true) },
	}
}

// sent reports whether the service may have seen the request. When in doubt, it
// may.
func (w *wire) sent() bool {
	if w.dialed.Load() {
		return w.connected.Load()
	}
	return w.passed.Load()
}

// stale reports that a kept-alive connection died before anything was answered
// on it: the usual end of an idle connection, which says nothing about the
// service.
func (w *wire) stale() bool { return w.reused.Load() && !w.answered.Load() }
