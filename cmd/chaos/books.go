package main

import (
	"bytes"
	"strconv"
	"sync"
	"time"
)

// books are what is known of a run from outside of the connector: what Kafka holds
// and what the group has committed, as an independent client reads them; what
// Firehose has accepted and from which process. The connector's own word counts for
// nothing here.
type books struct {
	mu      sync.Mutex
	records []record        // :: id -> what became of it
	spare   map[int64][]put // :: id -> copies after the first
	commits map[int32][]commit
	foreign int // accepted values that nobody produced
}

// record is one that was produced. Its id is its place in books.records.
type record struct {
	partition int32
	offset    int64 // -1: not in the topic, because it was aborted or its outcome is not known yet
	oversized bool  // policy leaves it out
	first     put
}

// put is one acceptance by Firehose. The zero value is none.
type put struct {
	at      int64 // Unix microseconds, taken before the answer left
	sent    int64 // Unix microseconds, when the attempt was signed, rounded down to a second
	process int32 // which
	call    int32 // of the emulator that serves it
}

// commit is an offset that the group's coordinator has written down.
type commit struct {
	offset int64
	at     int64 // Unix milliseconds, by the broker's clock, which is this machine's
}

// skewed is more than a request can be on its way.
const skewed = 30 * time.Minute

func newBooks() *books {
	return &books{spare: map[int64][]put{}, commits: map[int32][]commit{}}
}

// issue gives out the next id.
func (b *books) issue(oversized bool) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, record{offset: -1, oversized: oversized})
	return int64(len(b.records) - 1)
}

// idPrefix begins each value, which is a line of JSON. The number after it is the id.
const idPrefix = `{"id":`

// idOf finds the id in a value.
func idOf(value []byte) (id int64, ok bool) {
	rest, ok := bytes.CutPrefix(value, []byte(idPrefix))
	if !ok {
		return 0, false
	}
	number, _, ok := bytes.Cut(rest, []byte{','})
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(string(number), 10, 64)
	return id, err == nil && id >= 0
}

// found enters where the topic holds a record.
func (b *books) found(value []byte, partition int32, offset int64) {
	id, ok := idOf(value)
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok && id < int64(len(b.records)) {
		b.records[id].partition, b.records[id].offset = partition, offset
	}
}

// accepted enters what Firehose stored; an aggregated record has a line for each.
func (b *books) accepted(data []byte, process, call int, at, sent time.Time) {
	p := put{at.UnixMicro(), sent.UnixMicro(), int32(process), int32(call)}
	if d := at.Sub(sent); d < 0 || d > skewed {
		p.sent = p.at - p.at%1_000_000 // the client follows a clock that was put off
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range bytes.Lines(data) {
		id, ok := idOf(line)
		switch {
		case !ok || id >= int64(len(b.records)):
			b.foreign++
		case b.records[id].first.at == 0:
			b.records[id].first = p
		default:
			b.spare[id] = append(b.spare[id], p)
		}
	}
}

// committed enters an offset of the group, in the order of the coordinator's log.
func (b *books) committed(partition int32, offset, at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits[partition] = append(b.commits[partition], commit{offset, at})
}

// standing is the newest commit of a partition.
func (b *books) standing(partition int32) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.commits[partition]; len(c) > 0 {
		return c[len(c)-1].offset
	}
	return 0
}
