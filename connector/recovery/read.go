package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// maxUnreadable objects are named in the report.
	maxUnreadable = 100
	// stopUnreadable objects that can't be read end the audit: the store is out of reach.
	stopUnreadable = 1000
)

// Unreadable is an object that could not be read.
type Unreadable struct {
	Object string `json:"object"`
	Error  string `json:"error"`
}

// objectWindow is when objects of the range were delivered.
func (a *auditor) objectWindow() Window {
	until := a.now
	if limit := a.To.Add(a.Late); a.Late > 0 && limit.Before(until) {
		until = limit
	}
	return Window{From: a.From, Until: until}
}

// readObjects reads the delivered objects.
func (a *auditor) readObjects(ctx context.Context) error {
	var exclude string
	if a.errors != nil {
		exclude = prefixWithin(a.objects, a.errors)
	}
	list := func(visit func(Object) error) error {
		return a.objects.List(ctx, a.objectWindow(), func(o Object) error {
			if exclude != "" && strings.HasPrefix(o.Name, exclude) {
				return nil
			}
			return visit(o)
		})
	}
	err := a.readEach(ctx, a.objects, list, a.readObject)
	if err != nil {
		return fmt.Errorf("-objects: %w", err)
	}
	return nil
}

// readEach has several goroutines read the objects of the window, while others are still listed.
func (a *auditor) readEach(ctx context.Context, s Store, list func(func(Object) error) error, read func(string, io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan Object)
	var reading sync.WaitGroup
	for range a.Parallel {
		reading.Go(func() {
			for o := range todo {
				if err := a.readOne(ctx, s, o, read); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	window := a.objectWindow()
	err := list(func(o Object) error {
		if !window.includesObject(o) {
			return nil
		}
		a.counts.objectsTotal.Add(1)
		select {
		case todo <- o:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(todo)
	reading.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// readOne reads an object. The error is one that ends the audit; an object that alone can't be read is noted.
func (a *auditor) readOne(ctx context.Context, s Store, o Object, read func(string, io.Reader) error) error {
	err := func() error {
		stored, err := s.Open(ctx, o)
		if err != nil {
			return err
		}
		defer stored.Close()
		content, err := contentOf(&countingReader{stored, &a.counts})
		if err != nil {
			return err
		}
		return read(o.Name, content)
	}()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrStop):
		return fmt.Errorf("%s: %w", o.Name, err)
	case err != nil:
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.unread++; len(a.unreadable) < maxUnreadable {
			a.unreadable = append(a.unreadable, Unreadable{o.Name, err.Error()})
		}
		if a.unread >= stopUnreadable {
			return fmt.Errorf("%w: %d of them failed, the last one %s: %w", ErrStop, a.unread, o.Name, err)
		}
	default:
		a.counts.objects.Add(1)
	}
	return nil
}

// readObject notes the ids of an object.
func (a *auditor) readObject(name string, content io.Reader) error {
	if err := checkText(content); err != nil {
		return err
	}
	n := &idCollector{a: a, object: name, delivered: map[*partitionAudit][]uint64{}, expired: map[*partitionAudit][]uint64{}}
	s := &documentScanner{id: a.id, timestamp: a.service.Timestamp, visit: n.noteDocument}
	err := s.readAll(content, make([]byte, readBuffer))
	n.flushAll()
	a.counts.documents.Add(s.documents)
	a.counts.foreign.Add(s.foreign)
	return err
}

// idCollector gathers the offsets of one object, so that partitions are locked seldom.
type idCollector struct {
	a                  *auditor
	object             string
	delivered, expired map[*partitionAudit][]uint64
}

// maxGathered offsets of a partition are held by an idCollector.
const maxGathered = 4096

func (n *idCollector) noteDocument(d document) error {
	id, ok := parseID(d.id)
	if !ok {
		n.a.documentWithoutID(n.object)
		return nil
	}
	p := n.a.partitionOf(id)
	switch {
	case p == nil:
		n.a.counts.others.Add(1)
	case id.offset >= p.Begin && id.offset < p.End:
		gatherOffset(n.delivered, p, id.offset, p.addDelivered)
	case p.Expired && id.offset < p.LogStart && n.a.inRange(d.timestamp):
		gatherOffset(n.expired, p, id.offset, p.addExpired)
	default:
		n.a.counts.outside.Add(1)
	}
	return nil
}

func gatherOffset(into map[*partitionAudit][]uint64, p *partitionAudit, offset int64, flush func([]uint64)) {
	into[p] = append(into[p], uint64(offset))
	if len(into[p]) == maxGathered {
		flush(into[p])
		into[p] = into[p][:0]
	}
}

func (n *idCollector) flushAll() {
	for p, offsets := range n.delivered {
		p.addDelivered(offsets)
	}
	for p, offsets := range n.expired {
		p.addExpired(offsets)
	}
}

// partitionOf is nil for one that is not audited.
func (a *auditor) partitionOf(id recordID) *partitionAudit {
	if of := a.partitions[string(id.topic)]; int(id.partition) < len(of) {
		return of[id.partition]
	}
	return nil
}

// inRange reports whether a record's time, or one that is not known, is in the range.
func (a *auditor) inRange(timestamp []byte) bool {
	t, known := parseTimestamp(timestamp)
	return !known || !t.Before(a.From.Truncate(time.Millisecond)) && t.Before(a.To)
}

func (a *auditor) documentWithoutID(object string) {
	if a.counts.withoutID.Add(1) == 1 {
		a.mu.Lock()
		a.withoutID = object
		a.mu.Unlock()
	}
}

// countingReader counts the bytes that come from a store.
type countingReader struct {
	io.Reader
	counts *auditCounts
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.counts.bytes.Add(int64(n))
	return n, err
}
