package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"kafka-firehose/connector/longtest"
)

// TestAllocationsOfTheProcess: from the fetch to the commit, nothing is allocated for a
// record. What there is comes with a fetch, a batch of the log, or a request, which has 500
// records and takes 300 objects of the SDK.
func TestAllocationsOfTheProcess(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	h := newHost(t)
	c := h.start("FIREHOSE_BATCH_LINGER=1s") // full requests
	const size, warm, records = 200, 50_000, 200_000
	produce := func(n int) {
		h.produceWith(n, func(i int) []byte { return fmt.Appendf(nil, "%0*d", size, i) })
		h.delivered(time.Minute)
	}
	produce(warm)
	before := allocated(t, c)
	produce(records)
	after := allocated(t, c)
	h.drain(c)
	each := (after - before) / records
	t.Logf("for a record %.2f objects are allocated", each)
	if each >= 1 {
		t.Errorf("for a record %.2f objects are allocated, want less than one", each)
	}
}

// allocated is how many objects the process has allocated since it began.
func allocated(t *testing.T, c *child) float64 {
	t.Helper()
	for _, f := range scrape(t, c) {
		if f.GetName() == "go_memstats_mallocs_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatal("the metrics don't tell what was allocated")
	return 0
}
