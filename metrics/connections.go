package metrics

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// door is a listener that has at most maxConnections open. For one more it closes the connection that has not moved
// for longest: an idle one, or one whose client does not read. So a probe, which is new, always gets in.
type door struct {
	net.Listener

	mu   sync.Mutex
	open map[*visit]struct{}
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visit{Conn: conn, door: d}
	v.moves()
	d.mu.Lock()
	var stalest *visit
	if len(d.open) >= maxConnections {
		for o := range d.open {
			if stalest == nil || o.moved.Load() < stalest.moved.Load() {
				stalest = o
			}
		}
		delete(d.open, stalest)
	}
	d.open[v] = struct{}{}
	d.mu.Unlock()
	if stalest != nil {
		_ = stalest.Close()
	}
	return v, nil
}

// visit is a connection, and when it moved last, in Unix nanoseconds.
type visit struct {
	net.Conn
	door  *door
	moved atomic.Int64
}

func (v *visit) moves() { v.moved.Store(time.Now().UnixNano()) }

// Read implements net.Conn.
func (v *visit) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	v.moves()
	return n, err
}

// Write implements net.Conn.
func (v *visit) Write(p []byte) (int, error) {
	n, err := v.Conn.Write(p)
	v.moves()
	return n, err
}

// Close implements net.Conn.
func (v *visit) Close() error {
	v.door.mu.Lock()
	delete(v.door.open, v)
	v.door.mu.Unlock()
	return v.Conn.Close()
}
