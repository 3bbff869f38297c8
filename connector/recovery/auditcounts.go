package recovery

import (
	"fmt"
	"sync/atomic"
	"time"
)

// auditCounts are the totals of the records, objects and documents that were read.
type auditCounts struct {
	records, recordsTotal atomic.Int64 // of Kafka; the total is of offsets, some of which hold no record
	objects, objectsTotal atomic.Int64 // read, and found so far in the window
	bytes                 atomic.Int64 // as they are stored
	documents             atomic.Int64
	withoutID, foreign    atomic.Int64
	others, outside       atomic.Int64 // ids of other topics, and of other times
	errorDocuments        atomic.Int64
	errorsOther           atomic.Int64 // documents of the error output without a record, or with one that has no id
}

// progressLine is for people who wait.
func (c *auditCounts) progressLine(since time.Duration) string {
	percent := int64(100)
	if total := c.recordsTotal.Load(); total > 0 {
		percent = min(100*c.records.Load()/total, 100)
	}
	mb := float64(c.bytes.Load()) / 1e6
	return fmt.Sprintf("audit: %s, %d records of Kafka (%d%% of the offsets); %d of %d objects, %.0f MB, %.1f MB/s",
		since.Round(time.Second), c.records.Load(), percent, c.objects.Load(), c.objectsTotal.Load(), mb, mb/max(since.Seconds(), 0.001))
}
