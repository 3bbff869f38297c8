package e2e_test

import (
	"encoding/binary"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tap listens in on a member's connection to a broker. Each request that the
// listener wants is shown to it before the first byte of it leaves, and the answer
// before the member can read the last byte of that. It changes nothing.
type tap struct {
	net.Conn
	listen func(kmsg.Request) (answered func(kmsg.Response))

	out, in frames // Write's and Read's alone

	mu    sync.Mutex
	asked map[int32]question // :: correlation id -> what was asked under it
}

type question struct {
	request  kmsg.Request
	answered func(kmsg.Response)
}

// newTap listens on conn for requests with one of the given keys.
func newTap(conn net.Conn, listen func(kmsg.Request) func(kmsg.Response), keys ...kmsg.Key) *tap {
	t := &tap{Conn: conn, listen: listen, asked: map[int32]question{}}
	want := map[int16]bool{}
	for _, k := range keys {
		want[k.Int16()] = true
	}
	// A request begins with its key, an answer with the correlation id of its request.
	t.out = frames{want: func(head []byte) bool { return want[int16(binary.BigEndian.Uint16(head))] }, take: t.request}
	t.in = frames{want: func(head []byte) bool { return t.awaited(int32(binary.BigEndian.Uint32(head))) }, take: t.response}
	return t
}

// Write implements net.Conn.
func (t *tap) Write(p []byte) (int, error) {
	t.out.add(p)
	return t.Conn.Write(p)
}

// Read implements net.Conn.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.in.add(p[:n])
	return n, err
}

func (t *tap) awaited(id int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.asked[id]
	return ok
}

// request takes one: key, version, correlation id, client id, and its body.
func (t *tap) request(frame []byte) {
	b := kbin.Reader{Src: frame}
	r := kmsg.RequestForKey(b.Int16())
	r.SetVersion(b.Int16())
	id := b.Int32()
	b.NullableString()
	if r.IsFlexible() {
		kmsg.SkipTags(&b)
	}
	if !b.Ok() || r.ReadFrom(b.Src) != nil {
		return
	}
	answered := t.listen(r)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked[id] = question{r, answered}
}

// response takes one: correlation id and body.
func (t *tap) response(frame []byte) {
	b := kbin.Reader{Src: frame}
	id := b.Int32()
	t.mu.Lock()
	q := t.asked[id]
	delete(t.asked, id)
	t.mu.Unlock()
	r := q.request.ResponseKind()
	if r.IsFlexible() {
		kmsg.SkipTags(&b)
	}
	if b.Ok() && r.ReadFrom(b.Src) == nil && q.answered != nil {
		q.answered(r)
	}
}

// frames cuts what passes on a connection into Kafka's frames, each a length of
// four bytes and so many bytes, and keeps those that are wanted. Of bytes that are
// none, such as TLS, it keeps none.
type frames struct {
	want func(head []byte) bool // head is the first four bytes
	take func(frame []byte)     // without the length; take may keep it

	buf  []byte // what has come of a frame, its length included
	keep bool   // the frame is wanted
	skip int    // bytes to come of one that isn't
}

// headBytes are the length of a frame and what want decides by.
const headBytes = 4 + 4

func (f *frames) add(p []byte) {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip -= n
			p = p[n:]
			continue
		}
		need := headBytes
		if f.keep {
			need = f.size()
		}
		n := min(need-len(f.buf), len(p))
		f.buf = append(f.buf, p[:n]...)
		p = p[n:]
		if len(f.buf) < need {
			return
		}
		if !f.keep {
			f.keep = f.want(f.buf[4:])
		}
		switch {
		case !f.keep:
			f.skip = f.size() - len(f.buf)
			f.buf = f.buf[:0]
		case len(f.buf) == f.size():
			f.take(f.buf[4:])
			f.buf, f.keep = nil, false
		}
	}
}

func (f *frames) size() int { return 4 + int(binary.BigEndian.Uint32(f.buf)) }
