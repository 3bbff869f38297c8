package connector

import (
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/kafka"
)

// ahead converts the records that are next in a lane's queue on several cores, a step at
// a time, so that fill has only to copy them. It is fill's alone: fill does its part of a
// step, and goes on when that has ended.
//
// The records stay in the queue. There they are weighed, given up and seen to be old; here
// is only what some of them become, in the order of the queue. What was given up
// meanwhile is passed over. What went wrong is not kept: fill converts it once more in its
// turn, and learns why. So whatever can happen to a record happens as without all this, and
// when it would: skips, dead letters, schemas that have to be fetched first.
type ahead struct {
	convert *convert.Converter
	parts   [][]byte    // of each core; their capacity is all the memory there is
	bytes   int         // of the records of a step, at most
	step    []converted // its records
	at      int         // how many of them fill is done with
	cores   sync.WaitGroup

	_       [64]byte     // what follows goes from core to core, what is above must not
	claimed atomic.Int64 // how many of the step some core has begun with, or more
	_       [64]byte
}

// converted is a record and what it has become, parts[part][from:to].
type converted struct {
	record   *kgo.Record
	part     int32 // -1 for one that is to be converted in its turn
	from, to int32
}

const (
	// A step has so many records for each core. Its beginning and end, when cores wait for
	// one another, take some 20 µs, and records as little as 300 ns.
	stepRecords = 512
	// stepBytes is how many bytes they have. To compare JSON with its schema takes memory
	// many times its size: with this, all cores together take what the largest record
	// takes.
	stepBytes = 1 << 20
	// A core that has less than this to do is not worth waking.
	worthRecords, worthBytes = 8, 8 << 10
	// A core takes so many records at a time.
	mostClaimed = 32
	// leastPart is a part that is worth having: with less memory, fewer cores work.
	leastPart = 64 << 10
)

// newAhead shares so many bytes out among the cores. It is nil where there are too few:
// records are converted one by one then.
func newAhead(c *convert.Converter, cores, bytes int) *ahead {
	if cores = min(cores, bytes/leastPart); cores < 2 {
		return nil
	}
	part := min(bytes/cores, convert.MaxRecordBytes)
	a := &ahead{convert: c, parts: make([][]byte, cores), bytes: min(cores*part/2, stepBytes), step: make([]converted, 0, cores*stepRecords)}
	for i := range a.parts {
		a.parts[i] = make([]byte, 0, part)
	}
	return a
}

// append is Converter.Append for record i of c, the chunk that was taken from q last.
func (a *ahead) append(dst []byte, c chunk, i int, q *queue) ([]byte, error) {
	if a.at == len(a.step) {
		rest := c
		rest.records = c.records[i:]
		a.begin(rest, q)
	}
	if v, ok := a.take(c.records[i]); ok {
		return append(dst, a.parts[v.part][v.from:v.to]...), nil
	}
	return a.convert.Append(dst, c.records[i])
}

// take finds what r has become; it is not ok if r is to be converted.
func (a *ahead) take(r *kgo.Record) (v converted, ok bool) {
	for a.at < len(a.step) && v.record != r {
		v = a.step[a.at]
		a.step[a.at].record = nil // it may go
		a.at++
	}
	return v, v.record == r && v.part >= 0
}

// forget ends the step.
func (a *ahead) forget() {
	if a != nil {
		clear(a.step)
		a.at = len(a.step)
	}
}

// begin makes a step of what is in c and in q behind it, if that is worth it.
func (a *ahead) begin(c chunk, q *queue) {
	bytes := 0
	a.at, a.step = 0, a.step[:0]
	add := func(c chunk) bool {
		for _, r := range c.records {
			if r.Attrs.IsControl() {
				continue
			}
			if bytes += kafka.Size(r); bytes > a.bytes || len(a.step) == cap(a.step) {
				return false
			}
			a.step = append(a.step, converted{record: r, part: -1})
		}
		return true
	}
	if add(c) {
		q.each(add)
	}
	a.claimed.Store(0)
	if cores := min(len(a.parts), len(a.step), max(len(a.step)/worthRecords, bytes/worthBytes)); cores > 1 {
		a.fork(cores)
	}
	begun := min(int(a.claimed.Load()), len(a.step))
	clear(a.step[begun:])
	a.step = a.step[:begun]
}

// fork has so many cores convert the step, one of them fill's own.
func (a *ahead) fork(cores int) {
	each := min(1+len(a.step)/(8*cores), mostClaimed)
	for core := 1; core < cores; core++ {
		a.cores.Go(func() { a.work(core, each) })
	}
	a.work(0, each)
	a.cores.Wait()
}

// work converts the records of the step that no other core has begun with, until there
// are none or half of the part is full: what doesn't fit into it alone is more than half.
func (a *ahead) work(core, each int) {
	part := a.parts[core][:0]
	for len(part) <= cap(part)/2 {
		to := int(a.claimed.Add(int64(each)))
		from := min(to-each, len(a.step))
		if from == len(a.step) {
			break
		}
		for i := from; i < min(to, len(a.step)); i++ {
			v := &a.step[i]
			out, err := a.convert.AppendWithin(part, v.record, cap(part)-len(part))
			if err != nil || cap(out) != cap(part) {
				continue
			}
			v.part, v.from, v.to = int32(core), int32(len(part)), int32(len(out))
			part = out
		}
	}
	a.parts[core] = part
}
