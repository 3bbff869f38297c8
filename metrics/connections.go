package metrics

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// trackingListener is a listener that has at most maxConnections open. For one more it closes the connection that has not moved
// for longest: an idle one, or one whose client does not read. So a probe, which is new, always gets in.
type trackingListener struct {
	net.Listener

	mu   sync.Mutex
	open map[*trackedConn]struct{}
}

// Accept implements net.Listener.
func (d *trackingListener) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &trackedConn{Conn: conn, door: d}
	v.noteMove()
	d.mu.Lock()
	var stalest *trackedConn
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

// trackedConn is a connection, and when it moved last, in Unix nanoseconds.
type trackedConn struct {
	net.Conn
	door  *trackingListener
	moved atomic.Int64
}

func (v *trackedConn) noteMove() { v.moved.Store(time.Now().UnixNano()) }

// Read implements net.Conn.
func (v *trackedConn) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	v.noteMove()
	return n, err
}

// Write implements net.Conn.
func (v *trackedConn) Write(p []byte) (int, error) {
	n, err := v.Conn.Write(p)
	v.noteMove()
	return n, err
}

// Close implements net.Conn.
func (v *trackedConn) Close() error {
	v.door.mu.Lock()
	delete(v.door.open, v)
	v.door.mu.Unlock()
	return v.Conn.Close()
}
