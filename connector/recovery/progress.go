package recovery

import (
	"fmt"
	"io"
	"sync"
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

const (
	// progressEvery is the time between two lines.
	progressEvery = 10 * time.Second
	// redrawEvery is the time between two versions of the line on a terminal.
	redrawEvery = 500 * time.Millisecond
)

// showProgress writes the progress until stop is called.
func (c *auditCounts) showProgress(w io.Writer, terminal bool) (stop func()) {
	return ShowProgress(w, terminal, c.progressLine)
}

// ShowProgress writes what line returns, given the time since the call, until stop is called: on a terminal again and again
// in the same place, elsewhere a line every ten seconds. A nil w gets nothing.
func ShowProgress(w io.Writer, terminal bool, line func(since time.Duration) string) (stop func()) {
	if w == nil {
		return func() {}
	}
	every, format := progressEvery, "%s\n"
	if terminal {
		every, format = redrawEvery, "\r\x1b[K%s"
	}
	begin, done := time.Now(), make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(w, format, line(time.Since(begin)))
			case <-done:
				if terminal {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			}
		}
	})
	return func() {
		close(done)
		showing.Wait()
	}
}

func (c *auditCounts) progressLine(since time.Duration) string {
	percent := int64(100)
	if total := c.recordsTotal.Load(); total > 0 {
		percent = min(100*c.records.Load()/total, 100)
	}
	mb := float64(c.bytes.Load()) / 1e6
	return fmt.Sprintf("audit: %s, %d records of Kafka (%d%% of the offsets); %d of %d objects, %.0f MB, %.1f MB/s",
		since.Round(time.Second), c.records.Load(), percent, c.objects.Load(), c.objectsTotal.Load(), mb, mb/max(since.Seconds(), 0.001))
}
