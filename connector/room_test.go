package connector

import (
	"testing"
	"time"

	"kafka-firehose/connector/env"
)

// Lanes give up what the client holds beyond its quarter, up to half of their share, and
// get it back when large batches come no more. (TestLargeBatchesOfThreeBrokers sees the
// whole of it; how close to the bound that comes depends on when what is fetched.)
func TestDivide(t *testing.T) {
	t.Parallel()
	const share, quarter = 20 << 20, 16 << 20
	a, b := &lane{}, &lane{}
	r := &room{c: &Connector{cfg: Config{MaxBufferedBytes: env.Bytes(4 * quarter)}, share: share, lanes: map[string]*lane{"a": a, "b": b}}}
	now := time.Now()
	for _, c := range []struct {
		what  string
		after time.Duration
		held  int64
		less  int64 // bytes, of each lane's share
	}{
		{"nothing was fetched yet", 0, 0, 0},
		{"a quarter", 0, quarter, 0},
		{"8 MiB more than that", time.Second, quarter + 8<<20, 4 << 20},
		{"less, just now", 0, 1 << 20, 4 << 20},
		{"half as much, for as long as that takes", fetchedHalf, 1 << 20, 0},
		{"more than there is", 0, 1 << 30, share / 2},
	} {
		now = now.Add(c.after)
		r.divide(now, c.held)
		if got := [2]int64{share - a.share.Load(), share - b.share.Load()}; got != [2]int64{c.less, c.less} {
			t.Errorf("%s: the lanes gave up %d bytes, want %d each", c.what, got, c.less)
		}
	}
}
