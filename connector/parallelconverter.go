package connector

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
)

// parallelConverter converts the records that are next in a pipeline's queue on several cores, in
// rounds, so that the batcher has only to copy them. It belongs to the batcher: the batcher converts its part of a
// round, and continues when the round has ended.
//
// The records stay in the queue, which alone decides about size, revocation and age; this only
// caches converted output, in the order of the queue. A record that could not be converted has
// none: the batcher converts it once more in its turn, and gets the error. So skips, dead letters and
// schemas that have to be fetched first happen as without this, and when they would.
//
// A round ends early when the batcher is called. The records that were not tried are converted
// when the batcher gets to the first of them.
type parallelConverter struct {
	convert *convert.Converter
	called  func() bool       // the batcher has to stop packing; for all cores
	parts   [][]byte          // of each core; their capacity is all the memory there is
	bytes   int               // of the records of a round, at most
	round   []convertedRecord // its records
	at      int               // how many of them the batcher is done with
	cut     bool              // the round ended early
	misses  int               // records in a row that were not in the round
	cores   sync.WaitGroup

	_       [64]byte     // the next fields move between cores; a cache line of their own keeps the fields above in place
	claimed atomic.Int64 // how many of the round some core has begun with, or more
	_       [64]byte
}

// convertedRecord is a record and its output, parts[part][from:to].
type convertedRecord struct {
	record   *kgo.Record
	part     int32 // or one of the following
	from, to int32
}

const (
	inTurn  = -1 // it is to be converted in its turn
	untried = -2
	leftOut = -3 // RECORD_FILTER leaves it out
)

const (
	// roundRecords is the maximum of records in a round, for each core. Its beginning and end, when cores wait for
	// one another, take some 20 µs, and records as little as 300 ns.
	roundRecords = 512
	// roundBytes is the maximum of bytes in a round. To compare JSON with its schema takes memory
	// many times its size: with this, all cores together take what the largest record
	// takes.
	roundBytes = 1 << 20
	// One more core is worth waking for each worthRecords records, or for each worthBytes bytes.
	worthRecords, worthBytes = 8, 8 << 10
	// maxClaimed is the maximum of records that a core takes at a time.
	maxClaimed = 32
	// minPart is a part that is worth having: with less memory, fewer cores work.
	minPart = 64 << 10
	// maxMisses records in a row that are not in the round end it: a partition that waited for
	// a schema may have thousands more.
	maxMisses = 64
)

// newParallelConverter divides the bytes among the cores. It is nil where there are too few:
// records are converted one by one then.
func newParallelConverter(c *convert.Converter, called func() bool, cores, bytes int) *parallelConverter {
	if cores = min(cores, bytes/minPart); cores < 2 {
		return nil
	}
	part := min(bytes/cores, batch.MaxRecordBytes)
	a := &parallelConverter{convert: c, called: called, parts: make([][]byte, cores), bytes: min(cores*part/2, roundBytes), round: make([]convertedRecord, 0, cores*roundRecords)}
	for i := range a.parts {
		a.parts[i] = make([]byte, 0, part)
	}
	return a
}

// appendRecord is Converter.Append for record i of c, which was taken from q last.
func (a *parallelConverter) appendRecord(dst []byte, c fetchedRecords, i int, q *recordQueue) ([]byte, error) {
	if a.at == len(a.round) || a.misses >= maxMisses {
		rest := c
		rest.records = c.records[i:]
		a.beginRound(rest, q)
	}
	if v, ok := a.takeConverted(c.records[i]); ok {
		if v.part == leftOut {
			return dst, convert.ErrFiltered
		}
		return append(dst, a.parts[v.part][v.from:v.to]...), nil
	}
	return a.convert.Append(dst, c.records[i])
}

// takeConverted returns the output of r; it is not ok if r is to be converted.
//
// The round has records of the queue alone, in the order of the queue. So r is the first of
// them or not there at all: then its partition waited for a schema when the round was made, and
// the round is for the records behind it.
func (a *parallelConverter) takeConverted(r *kgo.Record) (v convertedRecord, ok bool) {
	for a.at < len(a.round) && a.round[a.at].record == nil {
		a.at++
	}
	if a.at == len(a.round) || a.round[a.at].record != r {
		a.misses++
		return v, false
	}
	if a.cut && a.round[a.at].part == untried {
		if a.resumeRound(); a.at == len(a.round) { // there is too little to do, or no memory for more
			return v, false
		}
	}
	v = a.round[a.at]
	a.round[a.at].record = nil // its memory may be recycled
	a.at++
	a.misses = 0
	return v, v.part >= 0 || v.part == leftOut
}

// discardOutput ends the round.
func (a *parallelConverter) discardOutput() {
	if a != nil {
		clear(a.round)
		a.at = len(a.round)
	}
}

// leaveOut takes the records of a partition out of the round: they leave the order of the queue.
func (a *parallelConverter) leaveOut(lease *offset.Lease) {
	if a == nil {
		return
	}
	for i, v := range a.round {
		if v.record != nil && v.record.Partition == lease.Partition && v.record.Topic == lease.Topic {
			a.round[i] = convertedRecord{part: inTurn}
		}
	}
}

// beginRound makes a round of the records in c and in q behind it, if that is worth it.
func (a *parallelConverter) beginRound(c fetchedRecords, q *recordQueue) {
	a.discardOutput()
	bytes := 0
	a.at, a.misses, a.round = 0, 0, a.round[:0]
	add := func(c fetchedRecords) bool {
		for _, r := range c.records {
			if r.Attrs.IsControl() {
				continue
			}
			if bytes += kafka.RecordSize(r); bytes > a.bytes || len(a.round) == cap(a.round) {
				return false
			}
			a.round = append(a.round, convertedRecord{record: r, part: untried})
		}
		return true
	}
	if add(c) {
		q.eachQueued(add)
	}
	for i := range a.parts {
		a.parts[i] = a.parts[i][:0]
	}
	a.claimed.Store(0)
	a.convertRound(bytes)
}

// resumeRound converts the records of the round that were not tried when it was cut.
func (a *parallelConverter) resumeRound() {
	bytes := 0
	for _, v := range a.round[a.at:] {
		if v.part == untried {
			bytes += kafka.RecordSize(v.record)
		}
	}
	a.claimed.Store(int64(a.at))
	a.convertRound(bytes)
}

// convertRound converts the round from the claimed records on, if that is worth it for that number of
// bytes.
func (a *parallelConverter) convertRound(bytes int) {
	records := len(a.round) - int(a.claimed.Load())
	if cores := min(len(a.parts), records, max(records/worthRecords, bytes/worthBytes)); cores > 1 {
		a.startWorkers(cores)
	}
	if a.cut = a.called(); a.cut {
		return
	}
	begun := min(int(a.claimed.Load()), len(a.round))
	clear(a.round[begun:])
	a.round = a.round[:begun]
}

// startWorkers has a number of cores convert the round, one of them the batcher's own.
func (a *parallelConverter) startWorkers(cores int) {
	each := min(1+len(a.round)/(8*cores), maxClaimed)
	for core := 1; core < cores; core++ {
		a.cores.Go(func() { a.convertShare(core, each) })
	}
	a.convertShare(0, each)
	a.cores.Wait()
}

// convertShare converts the records of the round that no other core has begun with, until there
// are none, half of the part is full (a record that doesn't fit into it alone is more than half),
// or the batcher is called.
func (a *parallelConverter) convertShare(core, each int) {
	part := a.parts[core]
	for len(part) <= cap(part)/2 && !a.called() {
		to := int(a.claimed.Add(int64(each)))
		from := min(to-each, len(a.round))
		if from == len(a.round) {
			break
		}
		for i := from; i < min(to, len(a.round)) && !a.called(); i++ {
			v := &a.round[i]
			if v.part != untried || v.record == nil {
				continue
			}
			v.part = inTurn
			out, err := a.convert.AppendWithin(part, v.record, cap(part)-len(part))
			if errors.Is(err, convert.ErrFiltered) {
				v.part = leftOut
			}
			if err != nil || cap(out) != cap(part) {
				continue
			}
			v.part, v.from, v.to = int32(core), int32(len(part)), int32(len(out))
			part = out
		}
	}
	a.parts[core] = part
}
