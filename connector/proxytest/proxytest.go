// Package proxytest puts a network that can be disturbed between a client and a
// server of a test.
//
//	p, err := proxytest.New(serverAddr)
//	defer p.Close()
//	... a client that is given p.Addr() ...
//	p.Add(proxytest.Latency(200*time.Millisecond, 50*time.Millisecond))
//	p.Heal()
//	p.Down() // connections end and none is accepted; Up ends it
//
// No method waits for a peer: a connection that is stuck, silent or slow ends at once
// when the proxy is closed, healed or taken down.
package proxytest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"kafka-firehose/connector/porttest"
)

// Proxy is one way to one server. Its methods may be called from any goroutine.
type Proxy struct {
	upstream string
	port     *porttest.Port // reserved while the proxy is down, too
	listen   func() (net.Listener, error)
	dial     func(ctx context.Context) (net.Conn, error)
	running  sync.WaitGroup // the acceptor and all links

	mu       sync.Mutex
	closed   bool
	listener net.Listener // nil while the proxy is down
	links    map[*link]struct{}
	faults   []*Fault
	changed  chan struct{} // closed when faults change
}

// New listens on a loopback port of its own, and passes connections on to upstream, host:port.
func New(upstream string) (*Proxy, error) {
	port, err := porttest.Reserve()
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", upstream, err)
	}
	var lc net.ListenConfig
	p := newProxy(upstream,
		func() (net.Listener, error) { return lc.Listen(context.Background(), "tcp", port.Addr()) },
		func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", upstream)
		})
	p.port = port
	if err := p.Up(); err != nil {
		port.Release()
		return nil, err
	}
	return p, nil
}

// dialTimeout bounds the connection to the server, which is on the same machine.
const dialTimeout = 5 * time.Second

func newProxy(upstream string, listen func() (net.Listener, error), dial func(context.Context) (net.Conn, error)) *Proxy {
	return &Proxy{upstream: upstream, listen: listen, dial: dial, links: map[*link]struct{}{}, changed: make(chan struct{})}
}

// Addr is where clients connect, as host:port. It stays the same over Down and Up.
func (p *Proxy) Addr() string { return p.port.Addr() }

// Close ends the proxy and its connections, for good. It returns when all goroutines of the
// proxy have ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	p.Down()
	p.running.Wait()
	if first && p.port != nil {
		p.port.Release()
	}
}

// Down partitions the network: connections end, and new ones are refused.
func (p *Proxy) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.cut()
}

// Up undoes Down, but not Close.
func (p *Proxy) Up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.listener != nil {
		return nil
	}
	l, err := p.listen()
	if err != nil {
		return fmt.Errorf("proxy to %s: %w", p.upstream, err)
	}
	p.listener = l
	p.running.Go(func() { p.accept(l) })
	return nil
}

// Cut ends all connections; new ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

// cut ends all connections. p.mu is held.
func (p *Proxy) cut() {
	for l := range p.links {
		l.cancel()
	}
}

// Add disturbs all connections, also later ones, until Heal.
func (p *Proxy) Add(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.faults)
	for _, f := range faults {
		all = append(all, &f)
	}
	p.change(all)
}

// Heal removes all faults. Connections that have lost data end.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change(nil)
	for l := range p.links {
		if l.lost.Load() {
			l.cancel()
		}
	}
}

// change replaces the faults and wakes the pipes that wait because of one. p.mu is held.
func (p *Proxy) change(faults []*Fault) {
	p.faults = faults
	close(p.changed)
	p.changed = make(chan struct{})
}

// current returns the faults of one direction, and a channel that is closed when they change.
func (p *Proxy) current(d direction) (faults []*Fault, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if f.directions&d != 0 {
			faults = append(faults, f)
		}
	}
	return faults, p.changed
}

// accept serves one listener until it is closed.
func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		l := &link{proxy: p, client: client, ctx: ctx, cancel: cancel}
		p.mu.Lock()
		current := p.listener == listener // else Down came between
		if current {
			p.links[l] = struct{}{}
			p.running.Go(l.run)
		}
		p.mu.Unlock()
		if !current {
			_ = client.Close()
		}
	}
}

// forget removes a link that has ended.
func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}
