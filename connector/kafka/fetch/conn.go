package fetch

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// watchedConn is a connection to a broker that looks at fetch responses before the client
// does. A partition whose batch must not be decoded is answered with errBatchRefused, and
// batches for which there is no room are cut off, as a broker cuts off what exceeds the
// size of a fetch. Both happen in the client's own buffer; only a response that is too
// large to be read at all is copied, without those batches. The client knows neither: its
// other partitions are read on, and it never takes more memory than the budget allows.
type watchedConn struct {
	net.Conn
	budget *Budget
	broker string // address

	mu       sync.Mutex
	versions map[int32]int16 // of fetch requests without a response, by correlation id
	fetched  bool            // there was such a request
	deadline time.Time       // for reading, the client's; zero for none

	request requestHeader // belongs to the goroutine that writes

	// The following belong to the goroutine that reads.
	in      *bufio.Reader
	head    [8]byte   // size and correlation id of the response
	pending []byte    // comes before anything that is still to be read
	pass    int       // bytes of a response that are handed over as they are
	frame   *response // the body of this response comes next
	version int16     // of frame
	size    int       // of frame's body, its correlation id included
}

// maxOtherResponse is the largest response to a request that is not a fetch, in bytes:
// the client's own default for all.
const maxOtherResponse = 100 << 20

// wrapDialer returns a dialFunc that watches the connections of dial.
func (b *Budget) wrapDialer(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &watchedConn{Conn: conn, budget: b, broker: addr, versions: map[int32]int16{}, in: bufio.NewReader(conn)}, nil
	}
}

// Close implements net.Conn.
func (c *watchedConn) Close() error {
	c.mu.Lock()
	fetched := c.fetched
	c.mu.Unlock()
	if fetched {
		c.budget.closeBroker(c.broker)
	}
	return c.Conn.Close()
}

// Write implements net.Conn.
func (c *watchedConn) Write(p []byte) (int, error) {
	c.request.readRequests(p, func(key, version int16, correlation int32) {
		if key != kmsg.Fetch.Int16() {
			return
		}
		c.mu.Lock()
		c.versions[correlation], c.fetched = version, true
		c.mu.Unlock()
		c.budget.countRequest(c.broker)
	})
	return c.Conn.Write(p)
}

// isFetching reports whether a fetch response is awaited.
func (c *watchedConn) isFetching() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.versions) > 0
}

// matchRequest returns the version of the fetch request with this id.
func (c *watchedConn) matchRequest(correlation int32) (version int16, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	version, ok = c.versions[correlation]
	delete(c.versions, correlation)
	return version, ok
}

// Read implements net.Conn.
func (c *watchedConn) Read(p []byte) (int, error) {
	if len(c.pending) == 0 && c.pass == 0 && c.frame == nil && len(p) > 0 {
		if err := c.beginResponse(); err != nil {
			return 0, err
		}
	}
	switch {
	case len(c.pending) > 0:
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	case c.frame != nil:
		return c.readBody(p)
	default:
		n, err := c.in.Read(p[:min(len(p), c.pass)])
		c.pass -= n
		return n, err
	}
}

// beginResponse reads the size and the correlation id of a response.
func (c *watchedConn) beginResponse() error {
	head := c.head[:4]
	if _, err := io.ReadFull(c.in, head); err != nil {
		return err
	}
	size := int(int32(binary.BigEndian.Uint32(head)))
	c.pending, c.pass = head, max(size, 0)
	if size < 4 || !c.isFetching() {
		return otherResponse(head, size, c.budget.maxResponse())
	}
	if _, err := io.ReadFull(c.in, c.head[4:]); err != nil {
		return err
	}
	version, ok := c.matchRequest(int32(binary.BigEndian.Uint32(c.head[4:])))
	if !ok {
		c.pending, c.pass = c.head[:], size-4
		return otherResponse(head, size, c.budget.maxResponse())
	}
	c.pass = 0
	frame := c.budget.beginResponse(c.broker, int64(size))
	if frame == nil {
		return c.shortenResponse(version, size)
	}
	c.frame, c.version, c.size = frame, version, size
	return nil
}

// readBody reads the rest of a fetch response and checks it, in the client's buffer if the
// client has one of that size, which it does.
func (c *watchedConn) readBody(p []byte) (int, error) {
	body, n := p, c.size
	if len(p) < n {
		body = make([]byte, n)
	}
	copy(body, c.head[4:])
	if _, err := io.ReadFull(&steadyReader{conn: c}, body[4:n]); err != nil {
		return 0, err
	}
	check := &responseCheck{budget: c.budget, response: c.frame, responseReader: responseReader{buf: body[:n], at: 4}}
	check.readResponse(c.version)
	c.frame = nil
	if len(p) < n {
		c.pending = body[copy(p, body):]
		n = len(p)
	}
	return n, nil
}

// shortenResponse reads a response for which there is no room without the batches that make it
// large, and has their partitions answered with an error.
func (c *watchedConn) shortenResponse(version int16, size int) error {
	rest := &io.LimitedReader{R: &steadyReader{conn: c}, N: int64(size - 4)}
	room := c.budget.bytes.Response
	cut := &responseCheck{
		budget: c.budget, response: c.budget.beginResponse(c.broker, room), room: room,
		responseReader: responseReader{buf: append(make([]byte, 0, 4<<10), c.head[:]...), at: 8, in: rest},
	}
	cut.readResponse(version)
	cut.nextBytes(int(rest.N))
	if cut.err != nil {
		return cut.err
	}
	c.pending = cut.buf
	binary.BigEndian.PutUint32(c.pending, uint32(len(c.pending)-4))
	return nil
}

// otherResponse checks the size of a response that is not to a fetch. The client's own bound has
// to leave room for fetches.
func otherResponse(head []byte, size, limit int) error {
	switch {
	case size <= maxOtherResponse || size > limit: // the client reports the latter itself
		return nil
	case head[0] == 21 && head[1] == 3:
		return fmt.Errorf("the size of a response, %d, is the beginning of a tls alert record", size)
	}
	return fmt.Errorf("a response of %d bytes, want at most %d", size, maxOtherResponse)
}

// steadyStep bytes of a response have to arrive within steadyTime. The client allows so
// much time for all of it, which is too little for 100 MB on a slow network.
const (
	steadyStep = 1 << 20
	steadyTime = 15 * time.Second
)

// steadyReader reads a fetch response, and puts off the client's deadline while it arrives.
type steadyReader struct {
	conn *watchedConn
	step int // bytes since the deadline was put off
}

func (r *steadyReader) Read(p []byte) (int, error) {
	n, err := r.conn.in.Read(p[:min(len(p), steadyStep)])
	if r.step += n; r.step >= steadyStep {
		r.step = 0
		r.conn.putOff()
	}
	return n, err
}

// SetReadDeadline implements net.Conn.
func (c *watchedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetReadDeadline(t)
}

// putOff allows for the next step of a response. A deadline that has passed stays: the
// client sets one when it wants nothing more.
func (c *watchedConn) putOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if next := time.Now().Add(steadyTime); !c.deadline.IsZero() && time.Now().Before(c.deadline) && c.deadline.Before(next) {
		c.deadline = next
		_ = c.Conn.SetReadDeadline(next) // one that can't be set ends the reading
	}
}

// requestHeader finds the headers in a stream of requests, in whatever pieces it comes.
type requestHeader struct {
	head []byte // as much of the current header as has come
	skip int    // bytes to the end of the request
}

// headerSize is the length of a request's size, key, version and correlation id.
const headerSize = 12

func (h *requestHeader) readRequests(p []byte, each func(key, version int16, correlation int32)) {
	for len(p) > 0 {
		if h.skip > 0 {
			n := min(h.skip, len(p))
			h.skip -= n
			p = p[n:]
			continue
		}
		want := 4
		if len(h.head) >= 4 {
			want = headerSize
		}
		n := min(want-len(h.head), len(p))
		h.head = append(h.head, p[:n]...)
		p = p[n:]
		if len(h.head) < 4 {
			return
		}
		size := int(binary.BigEndian.Uint32(h.head))
		switch {
		case size < headerSize-4: // no request: a token of a login without headers
			h.head, h.skip = h.head[:0], size-(len(h.head)-4)
		case len(h.head) == headerSize:
			each(int16(binary.BigEndian.Uint16(h.head[4:])), int16(binary.BigEndian.Uint16(h.head[6:])), int32(binary.BigEndian.Uint32(h.head[8:])))
			h.head, h.skip = h.head[:0], size-(headerSize-4)
		}
	}
}
