package connector

import (
	"testing"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/kafka/fetch"
)

// TestDivide: pipelines give up what the client holds beyond its quarter, up to half of their share, and
// get it back when large batches come no more. (TestLargeBatchesOfThreeBrokers sees the
// whole of it; how close to the bound that comes depends on when what is fetched.)
func TestDivide(t *testing.T) {
	t.Parallel()
	const share, quarter = 20 << 20, 16 << 20
	a, b := &pipeline{}, &pipeline{}
	r := &poller{budget: budget{pipeline: share, fetch: fetch.Bytes{Aim: quarter - 1<<20, PooledRecords: 1 << 20}}, pipelines: map[string]*pipeline{"a": a, "b": b}}
	now := time.Now()
	for _, c := range []struct {
		what  string
		after time.Duration
		held  int64
		less  int64 // bytes, of each pipeline's share
	}{
		{"nothing was fetched yet", 0, 0, 0},
		{"a quarter", 0, quarter, 0},
		{"8 MiB more than that", time.Second, quarter + 8<<20, 4 << 20},
		{"less, just now", 0, 1 << 20, 4 << 20},
		{"half as much, for as long as that takes", fetchedHalf, 1 << 20, 0},
		{"more than there is", 0, 1 << 30, share / 2},
	} {
		now = now.Add(c.after)
		r.divideBudget(now, c.held)
		if got := [2]int64{share - a.share.Load(), share - b.share.Load()}; got != [2]int64{c.less, c.less} {
			t.Errorf("%s: the pipelines gave up %d bytes, want %d each", c.what, got, c.less)
		}
	}
}

// TestQueueBytes: a pipeline that is the only one has little in its queue, however much memory
// there is; one of several may use all it has.
func TestQueueBytes(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, tt := range []struct{ share, pipelines, want int64 }{
		{192 * mib, 1, 24 * mib}, // an eighth
		{48 * mib, 1, 16 * mib},  // not less
		{8 * mib, 1, 8 * mib},    // than there is
		{192 * mib, 2, 192 * mib},
	} {
		if got := queueBytes(tt.share, int(tt.pipelines)); got != tt.want {
			t.Errorf("a share of %d MiB, %d pipelines: %d bytes queued, want %d MiB", tt.share/mib, tt.pipelines, got, tt.want/mib)
		}
	}
	l := &pipeline{maxQueue: 16 * mib, limits: batch.Limits{Bytes: mib}}
	l.share.Store(100 * mib)
	l.queued.Store(10 * mib)
	if got := l.freeBytes(); got != 6*mib {
		t.Errorf("room for %d bytes beside 10 MiB, want for 6 MiB", got)
	}
	l.sent.Store(88 * mib)
	if got := l.freeBytes(); got >= 2*mib {
		t.Errorf("room for %d bytes with 98 of 100 MiB in use", got)
	}
}
