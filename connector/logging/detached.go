package logging

import (
	"io"
	"sync"
	"time"
)

// DetachedWriter passes lines on to another writer from a goroutine of its own, so that a caller
// never waits: not for a full pipe whose reader sleeps, nor for a disk that
// hangs. Lines for which there is no room are dropped and counted. Errors of next's
// writes are ignored, because there is no place to report them.
type DetachedWriter struct {
	next io.Writer
	most int // bytes that may wait

	mu      sync.Mutex
	lost    func(lines int)
	changed sync.Cond // something was queued, or all is written
	queue   [][]byte
	waiting int  // bytes in queue
	dropped int  // lines since lost was last called
	writing bool // next has a line
	closed  bool
}

// DetachWriter returns a writer to next that holds at most that many bytes. Close ends it.
func DetachWriter(next io.Writer, most int) *DetachedWriter {
	d := &DetachedWriter{next: next, most: most}
	d.changed.L = &d.mu
	go d.passLines()
	return d
}

// OnLost has lost called with the number of lines that were dropped, as soon as others get
// through again. It may log.
func (d *DetachedWriter) OnLost(lost func(lines int)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = lost
}

// Write queues p, which is a line. It always succeeds.
func (d *DetachedWriter) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting+len(p) > d.most {
		d.dropped++
		return len(p), nil
	}
	d.queue = append(d.queue, append([]byte(nil), p...))
	d.waiting += len(p)
	d.changed.Broadcast()
	return len(p), nil
}

// passLines writes the queued lines.
func (d *DetachedWriter) passLines() {
	for {
		line, ok := d.takeLine()
		if !ok {
			return
		}
		_, _ = d.next.Write(line)
		d.mu.Lock()
		d.writing = false
		dropped, lost := d.dropped, d.lost
		if lost != nil {
			d.dropped = 0
		}
		d.changed.Broadcast()
		d.mu.Unlock()
		if dropped > 0 && lost != nil {
			lost(dropped)
		}
	}
}

// takeLine waits for a line; ok is false when there will be none.
func (d *DetachedWriter) takeLine() (line []byte, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) == 0 {
		if d.closed {
			return nil, false
		}
		d.changed.Wait()
	}
	line = d.queue[0]
	d.queue[0] = nil
	d.queue = d.queue[1:]
	d.waiting -= len(line)
	d.writing = true
	return line, true
}

// Close waits until everything is written, up to a limit. Lines that are
// written later may be lost.
func (d *DetachedWriter) Close(most time.Duration) {
	over := false
	timer := time.AfterFunc(most, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		over = true
		d.changed.Broadcast()
	})
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.changed.Broadcast()
	for !over && (len(d.queue) > 0 || d.writing) {
		d.changed.Wait()
	}
}
