package proxytest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network without sockets, so that a bubble has its own time: a listener, and
// a server that accepts from accepted.
type pipes struct {
	*Proxy
	t        *testing.T
	incoming chan net.Conn
	accepted chan net.Conn
}

type pipeListener struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return nil }

// virtual runs body in a bubble with a proxy between pipes. When the body is done the proxy
// is closed, which takes no time; the bubble fails if a goroutine is left.
func virtual(t *testing.T, body func(p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{t: t, incoming: make(chan net.Conn), accepted: make(chan net.Conn, 100)}
		p.Proxy = newProxy("server", func() (net.Listener, error) {
			return &pipeListener{incoming: p.incoming, closed: make(chan struct{})}, nil
		}, func(context.Context) (net.Conn, error) {
			proxy, server := net.Pipe()
			p.accepted <- server
			return proxy, nil
		})
		if err := p.Up(); err != nil {
			t.Fatal(err)
		}
		body(p)
		begin := time.Now()
		p.Close()
		if took := time.Since(begin); took > 0 {
			t.Errorf("Close took %v", took)
		}
	})
}

// connect returns both ends of a connection through the proxy.
func (p *pipes) connect() (client, server net.Conn) {
	client, proxy := net.Pipe()
	p.incoming <- proxy
	return client, <-p.accepted
}

// send writes without waiting for a reader.
func send(c net.Conn, data []byte) {
	go func() { _, _ = c.Write(data) }()
}

// receive reads until the end, or for the given time, and returns when the first and the last byte came.
func (p *pipes) receive(c net.Conn, within time.Duration) (data []byte, first, last time.Duration, err error) {
	begin := time.Now()
	_ = c.SetReadDeadline(begin.Add(within))
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			if data == nil {
				first = time.Since(begin)
			}
			data, last = append(data, buf[:n]...), time.Since(begin)
		}
		if err != nil {
			return data, first, last, err
		}
	}
}

// noise is data in which a byte that is missing or moved shows.
func noise(n int) []byte {
	rng, data := rand.New(rand.NewPCG(1, uint64(n))), make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

// TestFaultsOnData sends 100,000 bytes one way and the other under each fault, in virtual time: which of
// them arrive, when, and how the connection ends.
func TestFaultsOnData(t *testing.T) {
	t.Parallel()
	const size = 100_000
	type arrival struct {
		bytes       int // that arrive of size
		first, last time.Duration
		ends        bool // the receiver hears of an end
	}
	whole := arrival{bytes: size}
	atRate := arrival{bytes: size, last: 10*time.Second - 19600*time.Microsecond} // less the time of the last piece, 196 bytes
	for name, c := range map[string]struct {
		fault             Fault
		requests, answers arrival
	}{
		"none":             {Latency(0, 0), whole, whole},
		"latency":          {Latency(time.Second, 0), whole, arrival{size, time.Second, time.Second, false}}, // and not a second for each piece
		"bandwidth":        {Bandwidth(10_000), atRate, atRate},
		"silence":          {Silence(), arrival{}, arrival{}},
		"lost answers":     {LostAnswers(), whole, arrival{}},
		"reset":            {Reset(), arrival{ends: true}, arrival{ends: true}},
		"cut requests":     {CutRequests(40_000), arrival{bytes: 40_000, ends: true}, arrival{bytes: size, ends: true}},
		"cut all requests": {CutRequests(0), arrival{ends: true}, arrival{ends: true}},
		"cut answers":      {CutAnswers(40_000), whole, arrival{bytes: 40_000, ends: true}},
		"slow close":       {SlowClose(time.Second), whole, whole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(p *pipes) {
				p.Add(c.fault)
				client, server := p.connect()
				defer client.Close()
				defer server.Close()
				data := noise(size)
				for _, way := range []struct {
					name     string
					from, to net.Conn
					want     arrival
				}{{"requests", client, server, c.requests}, {"answers", server, client, c.answers}} {
					if name == "cut requests" && way.name == "answers" {
						continue // there is no connection any more
					}
					send(way.from, data)
					got, first, last, err := p.receive(way.to, time.Hour)
					if len(got) != way.want.bytes || !bytes.Equal(got, data[:len(got)]) {
						t.Errorf("%s: %d bytes arrived, want %d, in order", way.name, len(got), way.want.bytes)
					}
					if first != way.want.first || last != way.want.last {
						t.Errorf("%s: they came from %v to %v, want from %v to %v", way.name, first, last, way.want.first, way.want.last)
					}
					var deadline net.Error
					if ends := !errors.As(err, &deadline) || !deadline.Timeout(); ends != way.want.ends {
						t.Errorf("%s: the receiver got %v, want an end: %v", way.name, err, way.want.ends)
					}
				}
			})
		})
	}
}

// TestJitter: answers are late by no more and no less than the fault says, and in order.
func TestJitter(t *testing.T) {
	t.Parallel()
	virtual(t, func(p *pipes) {
		p.Add(Latency(time.Second, 500*time.Millisecond))
		client, server := p.connect()
		defer client.Close()
		different := map[time.Duration]bool{}
		for i := range byte(100) {
			send(server, []byte{i})
			begin, one := time.Now(), make([]byte, 1)
			if _, err := io.ReadFull(client, one); err != nil || one[0] != i {
				t.Fatalf("got %d and %v, want %d", one[0], err, i)
			}
			took := time.Since(begin)
			if took < 500*time.Millisecond || took > 1500*time.Millisecond {
				t.Errorf("an answer took %v", took)
			}
			different[took] = true
		}
		if len(different) < 50 {
			t.Errorf("%d different latencies of 100", len(different))
		}
	})
}

// TestSlowCloseIsLate: the end of a connection is passed on after the time that the fault says.
func TestSlowCloseIsLate(t *testing.T) {
	t.Parallel()
	virtual(t, func(p *pipes) {
		p.Add(SlowClose(3 * time.Second))
		client, server := p.connect()
		begin := time.Now()
		_ = client.Close()
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(begin) != 3*time.Second {
			t.Errorf("the server got %v after %v, want the end after 3 s", err, time.Since(begin))
		}
	})
}

// TestSilenceHidesTheEnd: neither side of a half-open connection hears that the other one has
// closed it. Heal ends it. A connection that lost nothing survives.
func TestSilenceHidesTheEnd(t *testing.T) {
	t.Parallel()
	virtual(t, func(p *pipes) {
		client, server := p.connect()
		idle, idleServer := p.connect()
		defer idle.Close()
		p.Add(Silence())
		_ = client.Close()
		if _, _, _, err := p.receive(server, time.Hour); !isTimeout(err) {
			t.Errorf("the server got %v, want nothing", err)
		}
		p.Heal()
		_ = server.SetReadDeadline(time.Time{})
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after Heal the server got %v, want the end", err)
		}
		send(idle, []byte("still there"))
		if got, _, _, err := p.receive(idleServer, time.Second); string(got) != "still there" {
			t.Errorf("a connection that had lost nothing got %q and %v", got, err)
		}
	})
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// TestHealEndsWaiting: data that waits because of a fault is passed on at the moment of Heal.
func TestHealEndsWaiting(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]Fault{"latency": Latency(time.Hour, time.Minute), "bandwidth": Bandwidth(1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(p *pipes) {
				client, server := p.connect()
				defer client.Close()
				p.Add(fault)
				send(server, noise(50_000))
				time.AfterFunc(time.Minute, p.Heal)
				got, _, last, _ := p.receive(client, 2*time.Minute)
				if len(got) != 50_000 || last != time.Minute {
					t.Errorf("%d bytes arrived, the last after %v; want all of them after a minute", len(got), last)
				}
			})
		})
	}
}

// TestNothingWaits: whatever connections do, every method returns at once, and Close leaves no
// goroutine behind (the bubble fails for one).
func TestNothingWaits(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]Fault{
		"latency": Latency(time.Hour, 0), "bandwidth": Bandwidth(1), "silence": Silence(), "lost answers": LostAnswers(), "reset": Reset(),
		"cut requests": CutRequests(100_000), "cut answers": CutAnswers(100_000), "slow close": SlowClose(time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtual(t, func(p *pipes) {
				p.Add(fault)
				var ends []net.Conn
				for i := range 8 {
					client, server := p.connect()
					ends = append(ends, client, server)
					for _, end := range []net.Conn{client, server} {
						go func() { // more than all buffers together hold
							data := noise(64 << 10)
							for range 2 * maxChunks {
								if _, err := end.Write(data); err != nil {
									return
								}
							}
						}()
						if i%2 == 0 { // the others read nothing at all
							go func() { _, _ = io.Copy(io.Discard, end) }()
						}
					}
				}
				time.Sleep(time.Minute)
				begin := time.Now()
				var all sync.WaitGroup
				for range 4 {
					for _, call := range []func(){p.Heal, p.Cut, func() { p.Add(fault, Bandwidth(1)) }, p.Down, func() { _ = p.Up() }, p.Close} {
						all.Go(call)
					}
				}
				all.Wait()
				if took := time.Since(begin); took > 0 {
					t.Errorf("it took %v", took)
				}
				for _, end := range ends {
					if _, err := io.Copy(io.Discard, end); err != nil && !errors.Is(err, io.ErrClosedPipe) {
						t.Errorf("a connection ended with %v", err)
					}
					_ = end.Close()
				}
				if err := p.Up(); err != nil || p.listener != nil {
					t.Errorf("a proxy that is closed came up: %v", err)
				}
			})
		})
	}
}

// TestDownAndUp: a proxy that is down ends connections and accepts none; the port stays.
func TestDownAndUp(t *testing.T) {
	t.Parallel()
	virtual(t, func(p *pipes) {
		client, server := p.connect()
		p.Down()
		for _, end := range []net.Conn{client, server} {
			if _, err := end.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("down: a connection got %v, want the end", err)
			}
		}
		late, proxy := net.Pipe()
		select {
		case p.incoming <- proxy:
			t.Error("down: a connection was accepted")
		case <-time.After(time.Minute):
		}
		_ = late.Close()
		if err := errors.Join(p.Up(), p.Up()); err != nil {
			t.Fatal(err)
		}
		client, server = p.connect()
		send(client, []byte("x"))
		if got, _, _, _ := p.receive(server, time.Second); string(got) != "x" {
			t.Errorf("up: %q arrived", got)
		}
		_ = client.Close()
	})
}

// TestListenFails: a port that is taken is an error that names the way.
func TestListenFails(t *testing.T) {
	t.Parallel()
	p := newProxy("server:1", func() (net.Listener, error) { return nil, errors.New("address in use") }, nil)
	if err := p.Up(); err == nil || err.Error() != "proxy to server:1: address in use" {
		t.Errorf("error %v", err)
	}
	p.Close()
}
