package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/status"
)

// TestCostOfStatus: /status of a member with 1,000 partitions, each with records in memory, takes less than 10 ms of one core:
// less than 1 % of it if it is asked for each second. The time of the test's own thread counts, so that
// other load on the machine does not.
func TestCostOfStatus(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs short tests, makes everything slower")
	}
	const partitions, answers, most = 1000, 100, 10 * time.Millisecond
	bubble(t, func(w *world) {
		wide := w.name("wide")
		w.topic(wide, partitions)
		w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.Outage}})
		m := w.start(func(c *connector.Config) { c.Kafka.Topics = []string{wide} })
		w.produceWith(0, 4*partitions, func(i int) *kgo.Record {
			return &kgo.Record{Topic: wide, Partition: int32(i % partitions), Value: fmt.Append(nil, i)}
		})
		time.Sleep(time.Minute)
		aged := 0
		for _, p := range m.connector.Status().Partitions {
			if p.OldestAge > 30 {
				aged++
			}
		}
		if aged != partitions {
			t.Errorf("%d partitions have records that wait, want %d\n%s", aged, partitions, w.log.tail())
		}
		page := status.PageHandler(m.connector.Status, http.NotFoundHandler())
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		begin, taken, n := threadTime(t), time.Duration(0), time.Duration(0)
		for n < answers && taken <= answers*most { // many, as the kernel may count in ticks of some milliseconds
			page.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/status", nil))
			taken, n = threadTime(t)-begin, n+1
		}
		if each := taken / n; each == 0 || each > most {
			t.Errorf("/status takes %v of one core, want more than nothing and %v at most", each, most)
		} else {
			t.Logf("/status takes %v of one core", each)
		}
		w.stream.ClearFaults()
		w.untilCommitted(4 * partitions)
	})
}

// threadTime is the processor time that the calling thread has taken.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
