package e2e_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// overheard is a broker's listener with the judge at the door: what a real process
// tells a broker can't be listened to at the process's end.
type overheard struct {
	net.Listener
	hear    func(kmsg.Request) (answered func(kmsg.Response))
	callers *callers
}

// callers are the connections that a listener has taken.
type callers struct {
	mu   sync.Mutex
	open []net.Conn
}

func (c *callers) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, conn)
}

// cut ends all of them.
func (c *callers) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		_ = conn.Close()
	}
	c.open = nil
}

// Accept implements net.Listener.
func (l overheard) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.callers.add(conn)
	return heardConn{newTap(conn, l.hear, heard...)}, nil
}

// heardConn is a tap at the other end: there requests are read, and answers written.
type heardConn struct{ *tap }

// Read implements net.Conn.
func (c heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.out.add(p[:n])
	return n, err
}

// Write implements net.Conn.
func (c heardConn) Write(p []byte) (int, error) {
	c.in.add(p)
	return c.Conn.Write(p)
}

// front listens in place of a broker that can't be overheard itself, and passes on to
// it.
func front(t *testing.T, broker string, hear func(kmsg.Request) func(kmsg.Response)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for door := (overheard{l, hear, &callers{}}); ; {
			conn, err := door.Accept()
			if err != nil {
				return
			}
			go passOn(conn, broker)
		}
	}()
	return l.Addr().String()
}

// passOn copies both ways until one end closes.
func passOn(conn net.Conn, broker string) {
	defer conn.Close()
	up, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	defer up.Close()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{up, conn}, {conn, up}} {
		both.Go(func() {
			// Hidden, so that io.Copy goes through Read and Write, and not past them.
			_, _ = io.Copy(struct{ io.Writer }{way[0]}, struct{ io.Reader }{way[1]})
			_ = conn.Close()
			_ = up.Close()
		})
	}
	both.Wait()
}
