package recovery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// BadOffsets are the offsets of the records of one partition that could not be delivered. The log names not all of them, because
// it holds back lines that repeat.
type BadOffsets struct {
	Topic     string
	Partition int32
	stretches []badStretch
	cut       bool // there were more
}

// badStretch is offsets that follow one another, or one Firehose record of several values.
type badStretch struct {
	first, last int64
	values      int // of one Firehose record, whose first offset is first; 1 for offsets
}

// maxBadStretches of a partition are named.
const maxBadStretches = 100

// AddRecord adds a Firehose record, which holds values from the offset on.
func (b *BadOffsets) AddRecord(offset int64, values int) {
	if n := len(b.stretches); n > 0 && values == 1 {
		if last := &b.stretches[n-1]; last.values == 1 && last.last+1 == offset {
			last.last = offset
			return
		}
	}
	if len(b.stretches) == maxBadStretches {
		b.cut = true
		return
	}
	b.stretches = append(b.stretches, badStretch{offset, offset, values})
}

// IsEmpty reports whether there are none.
func (b BadOffsets) IsEmpty() bool { return len(b.stretches) == 0 }

// String returns the offsets in ascending order.
func (b BadOffsets) String() string {
	var parts []string
	for _, s := range slices.SortedFunc(slices.Values(b.stretches), func(x, y badStretch) int { return cmp.Compare(x.first, y.first) }) {
		switch {
		case s.values > 1:
			parts = append(parts, fmt.Sprintf("%d (the first of %d values in one record)", s.first, s.values))
		case s.first == s.last:
			parts = append(parts, fmt.Sprint(s.first))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", s.first, s.last))
		}
	}
	if b.cut {
		parts = append(parts, "and more")
	}
	return fmt.Sprintf("%s/%d: offsets %s", b.Topic, b.Partition, strings.Join(parts, ", "))
}
