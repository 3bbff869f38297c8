package recovery

import (
	"sync"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"kafka-firehose/connector/kafka"
)

// maxCodes bounds the error codes that are counted separately in a partition.
const maxCodes = 100

// otherCodes stands for the codes beyond maxCodes.
const otherCodes = "(others)"

// partitionAudit is both sides of one partition.
type partitionAudit struct {
	kafka.OffsetRange
	committed int64 // by the group, -1 for nothing

	// Of the goroutine that reads the partition.
	expected *roaring64.Bitmap // records that the service sends
	notDue   *roaring64.Bitmap // of these, records that are too new to be in an object
	leftOut  map[string]int64  // :: reason -> records that the service does not send
	run      span              // of expected offsets, that is not in expected yet

	compacted bool // records of the range that were delivered may be gone; known where some are not expected

	mu        sync.Mutex
	delivered *roaring64.Bitmap            // offsets of the range that are in an object
	twice     *roaring64.Bitmap            // of these, those that are there more than once
	copies    int64                        // documents of delivered offsets beyond the first
	expired   *roaring64.Bitmap            // offsets before LogStart that are in an object, with a time in the range
	again     int64                        // documents of expired offsets beyond the first
	refused   *roaring64.Bitmap            // offsets in the error output
	codes     map[string]*roaring64.Bitmap // :: error code -> of these
}

// span is the offsets from begin up to and without end.
type span struct{ begin, end int64 }

func newPartitionAudit(g kafka.OffsetRange, committed int64) *partitionAudit {
	return &partitionAudit{
		OffsetRange: g, committed: committed,
		expected: roaring64.New(), notDue: roaring64.New(), leftOut: map[string]int64{},
		delivered: roaring64.New(), twice: roaring64.New(), expired: roaring64.New(),
		refused: roaring64.New(), codes: map[string]*roaring64.Bitmap{},
	}
}

// expectOffset notes a record that the service sends. Offsets come in their order.
func (p *partitionAudit) expectOffset(offset int64, due bool) {
	if offset != p.run.end {
		p.flushOffsets()
		p.run.begin = offset
	}
	p.run.end = offset + 1
	if !due {
		p.notDue.Add(uint64(offset))
	}
}

// flushOffsets puts the run of offsets into the bitmap.
func (p *partitionAudit) flushOffsets() {
	p.expected.AddRange(uint64(p.run.begin), uint64(p.run.end))
	p.run = span{}
}

// addDelivered notes delivered offsets of the range, in any order.
func (p *partitionAudit) addDelivered(offsets []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range offsets {
		if !p.delivered.CheckedAdd(o) {
			p.twice.Add(o)
			p.copies++
		}
	}
}

// addExpired notes delivered offsets that retention has removed from Kafka.
func (p *partitionAudit) addExpired(offsets []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range offsets {
		if !p.expired.CheckedAdd(o) {
			p.again++
		}
	}
}

// addRefused notes an offset in the error output.
func (p *partitionAudit) addRefused(offset int64, code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused.Add(uint64(offset))
	if p.codes[code] == nil && len(p.codes) >= maxCodes {
		code = otherCodes
	}
	if p.codes[code] == nil {
		p.codes[code] = roaring64.New()
	}
	p.codes[code].Add(uint64(offset))
}

// hasUnexpected reports whether something was delivered that is not among the expected records. Nothing is read any more.
func (p *partitionAudit) hasUnexpected() bool {
	p.flushOffsets()
	return p.delivered.AndCardinality(p.expected) < p.delivered.GetCardinality()
}

// PartitionReport has the results of a partition's records. All counts are of records, each of which has
// one of the results: Expected = Once + Twice + Refused + NotSent + NotDue + Missing.
type PartitionReport struct {
	Topic     string `json:"topic"`
	TopicID   string `json:"topic_id,omitempty"` // empty where brokers have none
	Partition int32  `json:"partition"`
	Begin     int64  `json:"begin_offset"`       // of the range in Kafka
	End       int64  `json:"end_offset"`         // the first behind it, or behind its part before an open transaction
	HeldBack  int64  `json:"behind_transaction"` // offsets of the range that were not compared: a transaction before them is open

	Expected int64 `json:"expected"`       // Kafka holds them, and the service sends them
	Once     int64 `json:"delivered_once"` // in one object, one time
	Twice    int64 `json:"delivered_twice"`
	Copies   int64 `json:"copies"`          // documents beyond the first of each record
	Refused  int64 `json:"in_error_output"` // in no object, but in the error output
	NotSent  int64 `json:"not_sent"`        // in neither, and behind the group's committed offset
	NotDue   int64 `json:"not_due"`         // in neither, and younger than the buffering allows for
	Missing  int64 `json:"missing"`         // in neither, without an excuse

	Unexpected int64            `json:"not_expected"` // delivered, and not among the records that Kafka holds and the service sends
	Compacted  bool             `json:"compacted"`    // these may be records that compaction has removed, and are no fault
	LeftOut    map[string]int64 `json:"left_out"`     // :: reason -> records in Kafka that the service does not send
	Codes      map[string]int64 `json:"error_codes"`  // :: code -> records of Refused

	// Expired is about the records that retention has removed from Kafka; nil if it removed none of the range.
	Expired *ExpiredReport `json:"expired,omitempty"`

	MissingOffsets    OffsetList `json:"missing_offsets"`
	TwiceOffsets      OffsetList `json:"twice_offsets"`
	RefusedOffsets    OffsetList `json:"error_output_offsets"`
	UnexpectedOffsets OffsetList `json:"not_expected_offsets"`

	missing *roaring64.Bitmap // all of them, for the file
}

// OffsetList is a set of offsets, as pairs of the first and the last offset of each stretch.
type OffsetList struct {
	Ranges [][2]int64 `json:"ranges"`       // the lowest ones, maxRanges at most
	Cut    bool       `json:"cut,omitzero"` // there are more
}

// ExpiredReport judges offsets that retention has removed from Kafka by the ids that were delivered. A gap may be a lost record, and may as
// well be an offset without a record for the service: of a transaction's marker, an aborted or compacted
// record, or a tombstone.
type ExpiredReport struct {
	Begin     int64      `json:"begin_offset"` // the lowest id that was delivered
	End       int64      `json:"end_offset"`   // the first behind the stretch
	Delivered int64      `json:"delivered"`
	Copies    int64      `json:"copies"`
	Gaps      int64      `json:"gaps"`
	Offsets   OffsetList `json:"gap_offsets"`
}

// maxRanges are listed of each kind and partition.
const maxRanges = 10_000

// buildReport compares both sides, when nothing is read any more.
func (p *partitionAudit) buildReport() PartitionReport {
	p.flushOffsets()
	r := PartitionReport{
		Topic: p.Topic, Partition: p.Partition, Begin: p.Begin, End: p.End, HeldBack: p.HeldBack,
		Expected: countBits(p.expected), Copies: p.copies, Compacted: p.compacted, LeftOut: p.leftOut, Codes: map[string]int64{},
	}
	if p.OffsetRange.TopicID != [16]byte{} {
		r.TopicID = kafka.FormatTopicID(p.OffsetRange.TopicID)
	}
	unexpected := roaring64.AndNot(p.delivered, p.expected)
	twice := roaring64.And(p.twice, p.expected)
	r.Unexpected, r.UnexpectedOffsets = countBits(unexpected), listOf(unexpected)
	r.Twice, r.TwiceOffsets = countBits(twice), listOf(twice)
	r.Once = countBits(p.delivered) - r.Unexpected - r.Twice

	absent := p.expected // it is not needed any more
	absent.AndNot(p.delivered)
	for code, offsets := range p.codes {
		if n := int64(offsets.AndCardinality(absent)); n > 0 {
			r.Codes[code] = n
		}
	}
	take := func(excuse *roaring64.Bitmap) int64 {
		n := int64(absent.AndCardinality(excuse))
		absent.AndNot(excuse)
		return n
	}
	r.RefusedOffsets = listOf(roaring64.And(absent, p.refused))
	r.Refused = take(p.refused)
	if p.committed >= 0 {
		behind := roaring64.New()
		behind.AddRange(uint64(max(p.committed, p.Begin)), uint64(max(p.End, p.committed, p.Begin)))
		r.NotSent = take(behind)
	}
	r.NotDue = take(p.notDue)
	r.Missing, r.MissingOffsets, r.missing = countBits(absent), listOf(absent), absent
	r.Expired = p.reportExpired()
	return r
}

func (p *partitionAudit) reportExpired() *ExpiredReport {
	if !p.Expired || p.expired.IsEmpty() {
		return nil
	}
	e := &ExpiredReport{Begin: int64(p.expired.Minimum()), End: int64(p.expired.Maximum()) + 1, Delivered: countBits(p.expired), Copies: p.again}
	if p.End > p.Begin { // the rest of the range is in Kafka
		e.End = p.LogStart
	}
	gaps := roaring64.New()
	gaps.AddRange(uint64(e.Begin), uint64(e.End))
	gaps.AndNot(p.expired)
	gaps.AndNot(p.refused)
	e.Gaps, e.Offsets = countBits(gaps), listOf(gaps)
	return e
}

func countBits(b *roaring64.Bitmap) int64 { return int64(b.GetCardinality()) }

// rangesOf yields the offsets of b as inclusive pairs.
func rangesOf(b *roaring64.Bitmap) func(yield func([2]int64) bool) {
	return func(yield func([2]int64) bool) {
		current, open := [2]int64{}, false
		for it := b.Iterator(); it.HasNext(); {
			o := int64(it.Next())
			if open && o == current[1]+1 {
				current[1] = o
				continue
			}
			if open && !yield(current) {
				return
			}
			current, open = [2]int64{o, o}, true
		}
		if open {
			yield(current)
		}
	}
}

// listOf returns the lowest offsets of b.
func listOf(b *roaring64.Bitmap) OffsetList {
	list := OffsetList{Ranges: [][2]int64{}}
	for r := range rangesOf(b) {
		if list.Cut = len(list.Ranges) == maxRanges; list.Cut {
			break
		}
		list.Ranges = append(list.Ranges, r)
	}
	return list
}
