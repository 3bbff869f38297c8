// Package proxytest puts a network that can be disturbed between a client and a
// server of a test: Toxiproxy, as a library, with names for what networks do.
//
//	p, err := proxytest.New(serverAddr)
//	defer p.Close()
//	... a client that is given p.Addr() ...
//	p.Add(proxytest.Latency(200*time.Millisecond, 50*time.Millisecond))
//	p.Heal()
//	p.Down() // nobody gets through; Up ends it
package proxytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"kafka-firehose/connector/porttest"
)

// Proxy is one way to one server. Its methods may be called from any goroutine.
type Proxy struct {
	proxy *toxiproxy.Proxy
	port  *porttest.Port // it stays ours while the proxy is down

	mu     sync.Mutex
	closed bool
}

// New listens on a loopback port of its own, and passes on to upstream, host:port.
func New(upstream string) (*Proxy, error) {
	quiet()
	port, err := porttest.Reserve()
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", upstream, err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, "to "+upstream, port.Addr(), upstream)
	if err := p.Start(); err != nil {
		port.Release()
		return nil, fmt.Errorf("proxy to %s: %w", upstream, err)
	}
	return &Proxy{proxy: p, port: port}, nil
}

// quiet turns off the logger that the toxics share, which no option reaches.
var quiet = sync.OnceFunc(func() { zerolog.SetGlobalLevel(zerolog.Disabled) })

// Addr is where clients connect, as host:port. It stays the same over Down and Up.
func (p *Proxy) Addr() string { return p.port.Addr() }

// Close ends the proxy and its connections, for good.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.proxy.Stop()
	p.port.Release()
}

// Down partitions the network: connections end, and new ones are refused.
func (p *Proxy) Down() { p.proxy.Stop() }

// Up undoes Down, but not Close.
func (p *Proxy) Up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	if err := p.proxy.Start(); err != nil {
		return fmt.Errorf("proxy on %s: %w", p.Addr(), err)
	}
	return nil
}

// Cut ends the connections there are; new ones are taken.
func (p *Proxy) Cut() error {
	p.Down()
	return p.Up()
}

// Toxic is one disturbance of what passes, in one direction or both.
type Toxic struct {
	kind       string
	directions []string
	attributes map[string]int64
}

// The directions of a Toxic.
const (
	requests = "upstream"
	answers  = "downstream"
)

// Latency delays answers by d, more or less by up to jitter.
func Latency(d, jitter time.Duration) Toxic {
	return Toxic{"latency", []string{answers}, map[string]int64{"latency": d.Milliseconds(), "jitter": jitter.Milliseconds()}}
}

// Bandwidth lets so many bytes a second through, in each direction; at least 1024.
func Bandwidth(bytesPerSecond int64) Toxic {
	return Toxic{"bandwidth", []string{requests, answers}, map[string]int64{"rate": bytesPerSecond / 1024}}
}

// Silence is a half-open connection: what is sent goes nowhere, and nobody says so.
// When it is healed the connection ends.
func Silence() Toxic { return Toxic{"timeout", []string{requests, answers}, nil} }

// LostAnswers delivers requests and drops the answers. The client hears of it when
// the server closes the connection, else never.
func LostAnswers() Toxic { return Toxic{"timeout", []string{answers}, nil} }

// Reset resets a connection as soon as something is sent over it.
func Reset() Toxic { return Toxic{"reset_peer", []string{requests}, nil} }

// CutRequests ends each connection after so many bytes of requests, and CutAnswers
// after so many of answers.
func CutRequests(bytes int64) Toxic {
	return Toxic{"limit_data", []string{requests}, map[string]int64{"bytes": bytes}}
}

// CutAnswers is described at CutRequests.
func CutAnswers(bytes int64) Toxic {
	return Toxic{"limit_data", []string{answers}, map[string]int64{"bytes": bytes}}
}

// SlowClose passes the end of a connection on only after d.
func SlowClose(d time.Duration) Toxic {
	return Toxic{"slow_close", []string{requests, answers}, map[string]int64{"delay": d.Milliseconds()}}
}

// Add disturbs the connections there are and those to come. Two toxics of one kind
// don't go together.
func (p *Proxy) Add(toxics ...Toxic) error {
	for _, t := range toxics {
		for _, direction := range t.directions {
			text, err := json.Marshal(map[string]any{"type": t.kind, "stream": direction, "attributes": t.attributes})
			if err != nil {
				return err
			}
			if _, err := p.proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
				return fmt.Errorf("proxy to %s: add %s: %w", p.proxy.Upstream, t.kind, err)
			}
		}
	}
	return nil
}

// Renew removes everything that Add has added and ends the connections there are. On
// connections that are busy and stuck, Heal can wait for ever: Toxiproxy interrupts a
// toxic only between two pieces of data.
func (p *Proxy) Renew() error {
	p.Down()
	p.Heal()
	return p.Up()
}

// Heal removes everything that Add has added.
func (p *Proxy) Heal() { p.proxy.Toxics.ResetToxics(context.Background()) }
