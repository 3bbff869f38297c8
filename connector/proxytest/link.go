package proxytest

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection of a client and the one to the server that belongs to it.
type link struct {
	proxy  *Proxy
	client net.Conn
	ctx    context.Context
	cancel context.CancelFunc // ends the link
	lost   atomic.Bool        // data of this link was dropped
	reset  atomic.Bool        // the client's connection ends with a reset
}

// run passes data both ways until both have ended, or the link is ended.
func (l *link) run() {
	defer l.proxy.forget(l)
	defer l.cancel()
	defer l.closeClient()
	server, err := l.proxy.dial(l.ctx)
	if err != nil {
		return // as for a client whose server is down
	}
	defer server.Close()
	stop := context.AfterFunc(l.ctx, func() {
		l.closeClient()
		_ = server.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { l.pass(requests, l.client, server) })
	both.Go(func() { l.pass(answers, server, l.client) })
	both.Wait()
}

// closeClient closes the client's connection, with a reset if a fault asks for one.
func (l *link) closeClient() {
	if tcp, ok := l.client.(*net.TCPConn); ok && l.reset.Load() {
		_ = tcp.SetLinger(0)
	}
	_ = l.client.Close()
}

// chunk is data that was read at a time; nil data is the end.
type chunk struct {
	data []byte
	read time.Time
}

const (
	chunkBytes = 16 << 10
	maxChunks  = 64 // read and not written, for each direction: 1 MiB stands for the network's own buffers
)

// pass moves data one way, in order. The reader and the writer are two goroutines, so that
// latency delays data without slowing its flow.
func (l *link) pass(d direction, from, to net.Conn) {
	chunks := make(chan chunk, maxChunks)
	var reader sync.WaitGroup
	reader.Go(func() { l.read(from, chunks) })
	defer reader.Wait()
	w := writer{link: l, direction: d, to: to, cuts: map[*Fault]int64{}}
	for c := range chunks {
		if !w.pass(c) {
			l.cancel() // ends the reader, too
			return
		}
	}
}

// read fills chunks until the connection or the link ends.
func (l *link) read(from net.Conn, chunks chan<- chunk) {
	defer close(chunks)
	put := func(data []byte) {
		select {
		case chunks <- chunk{data, time.Now()}:
		case <-l.ctx.Done():
		}
	}
	for buf := make([]byte, chunkBytes); l.ctx.Err() == nil; {
		n, err := from.Read(buf)
		if n > 0 {
			put(slices.Clone(buf[:n]))
		}
		if err != nil {
			put(nil)
			return
		}
	}
}

// writer is the end of one direction. Its methods return false when the link is to end.
type writer struct {
	link      *link
	direction direction
	to        net.Conn
	free      time.Time        // when the line takes more, under a limit of its rate
	cuts      map[*Fault]int64 // bytes that each cut has let through
}

// pass does to a chunk what the faults say, and writes the rest of it.
func (w *writer) pass(c chunk) bool {
	var faults []*Fault
	for waited := false; !waited; { // once more when the faults change meanwhile
		var changed <-chan struct{}
		faults, changed = w.link.proxy.current(w.direction)
		waited = w.wait(time.Until(c.read.Add(delayOf(faults, c.data == nil))), changed)
		if w.link.ctx.Err() != nil {
			return false
		}
	}
	if c.data == nil {
		return w.closeWrite(faults)
	}
	ends := false
	for _, f := range faults {
		switch {
		case f.drop:
			w.link.lost.Store(true)
			return true
		case f.reset:
			w.link.reset.Store(true)
			return false
		case f.cut:
			left := f.limit - w.cuts[f]
			ends = ends || int64(len(c.data)) >= left
			c.data = c.data[:min(int64(len(c.data)), left)]
			w.cuts[f] += int64(len(c.data))
		}
	}
	return w.write(c.data) && !ends
}

// delayOf is for how long data, or its end, is delayed.
func delayOf(faults []*Fault, end bool) (d time.Duration) {
	for _, f := range faults {
		d += f.latency
		if f.jitter > 0 {
			d += time.Duration(rand.Int64N(int64(2*f.jitter))) - f.jitter
		}
		if end {
			d += f.slowClose
		}
	}
	return max(d, 0)
}

// write writes data as fast as the faults of the moment allow.
func (w *writer) write(data []byte) bool {
	for len(data) > 0 {
		faults, changed := w.link.proxy.current(w.direction)
		rate := int64(0)
		for _, f := range faults {
			if f.rate > 0 && (rate == 0 || f.rate < rate) {
				rate = f.rate
			}
		}
		n := int64(len(data))
		if rate > 0 {
			if waited := w.wait(time.Until(w.free), changed); w.link.ctx.Err() != nil {
				return false
			} else if !waited {
				continue
			}
			n = min(n, max(rate/bandwidthSteps, 1))
			w.free = latest(w.free, time.Now()).Add(time.Duration(n) * time.Second / time.Duration(rate))
		}
		if _, err := w.to.Write(data[:n]); err != nil {
			return false
		}
		data = data[n:]
	}
	return true
}

// bandwidthSteps is into how many pieces the data of a second is divided.
const bandwidthSteps = 20

// closeWrite passes the end of the data on. A connection that can't be closed in one
// direction alone ends.
func (w *writer) closeWrite(faults []*Fault) bool {
	for _, f := range faults {
		if f.dropEnd {
			w.link.lost.Store(true)
			return true
		}
	}
	half, ok := w.to.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// wait waits for d, and returns false if the link ends or the faults change meanwhile.
func (w *writer) wait(d time.Duration, changed <-chan struct{}) bool {
	if d <= 0 {
		return w.link.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-changed:
	case <-w.link.ctx.Done():
	}
	return false
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
