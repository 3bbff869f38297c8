package putbatch

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// maxResponse is the maximum size of a response's body in bytes. The longest answer of the service has
// 500 entries of 250 bytes, or as many error messages. The SDK would read any other into memory as a whole,
// once for each request in flight.
const maxResponse = 1 << 20

// plainBody passes on requests whose body can do no more than Read and Close, and ends
// responses after maxResponse.
//
// The race it removes: smithy-go closes the body as soon as the answer's header
// is in. net/http's write loop may at that moment have written the last byte
// and not yet looked whether there is more. It looks with io.Copy, which prefers
// the body's WriteTo, and smithy-go's WriteTo of a closed body returns io.EOF as
// an error. net/http takes that for a broken body and closes the connection
// while the answer is being read: the put was accepted, the SDK reports an
// error, and the records go out twice. Read of a closed body returns io.EOF as
// the end that it is, and all is well.
//
// smithy-go's own wrapper stays below: it keeps net/http from reading a body after
// the call has returned. A put of a stream needs neither, as its body does not change
// while it is read (see callExchange): it is given to net/http unwrapped, which
// writes a body that lies in memory together with the header.
type plainBody struct{ next aws.HTTPClient }

// Do implements aws.HTTPClient.
func (c plainBody) Do(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r.Context())
	switch {
	case x != nil && x.body != nil:
		r.Body = io.NopCloser(bytes.NewReader(x.body))
	case r.Body != nil && r.Body != http.NoBody:
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	if x != nil {
		x.passed.Store(true)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), x.clientTrace()))
	}
	resp, err := c.next.Do(r)
	if resp != nil && resp.Body != nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxResponse)
	}
	return resp, err
}

// wireTrace watches one request up to the service. It is watched at
// the client's lowest layer, because the same context also serves the requests
// that fetch credentials.
type wireTrace struct {
	passed   atomic.Bool  // handed to the HTTP client
	dialed   atomic.Bool  // a connection was asked for, so the client reports its steps
	tries    atomic.Int32 // there was a connection to write to, so often
	reused   atomic.Bool  // which had served a request before
	wrote    atomic.Int32 // all was written to it, or no more will be, so often
	answered atomic.Bool  // a byte of an answer came
	conn     atomic.Pointer[net.TCPConn]
}

func (w *wireTrace) clientTrace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { w.dialed.Store(true) },
		GotConn: func(i httptrace.GotConnInfo) {
			w.tries.Add(1)
			w.reused.Store(i.Reused)
			w.conn.Store(tcpConn(i.Conn))
			w.setLinger(0)
		},
		WroteRequest: func(httptrace.WroteRequestInfo) { w.wrote.Add(1) },
		GotFirstResponseByte: func() {
			w.answered.Store(true)
			w.setLinger(-1)
		},
	}
}

// setLinger sets how a close of the connection ends it. Until the answer begins, a close is a reset (0): it
// is the end of a request that was given up, and of its body the kernel may hold a megabyte. It would send that with
// any other close, in the way of the next requests on a slow uplink, and the service would store it although
// nobody waits for the answer. Otherwise the kernel sends what it holds (-1).
func (w *wireTrace) setLinger(seconds int) {
	if conn := w.conn.Load(); conn != nil {
		_ = conn.SetLinger(seconds) // it may be closed
	}
}

// tcpConn returns the connection below TLS, nil if it is not TCP.
func tcpConn(c net.Conn) *net.TCPConn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	tcp, _ := c.(*net.TCPConn)
	return tcp
}

// wasSent reports whether the service may have seen the request. When in doubt, it
// may.
func (w *wireTrace) wasSent() bool {
	if w.dialed.Load() {
		return w.tries.Load() > 0
	}
	return w.passed.Load()
}

// wasWritten reports whether the body is no longer read, now that the call has returned
// or its answer is here: each connection that had it to write is done with it.
func (w *wireTrace) wasWritten() bool {
	if !w.passed.Load() {
		return true
	}
	return w.dialed.Load() && w.tries.Load() == w.wrote.Load()
}

// wasStale reports that a kept-alive connection died before anything was answered
// on it: the usual end of an idle connection, which says nothing about the
// service.
func (w *wireTrace) wasStale() bool { return w.reused.Load() && !w.answered.Load() }
