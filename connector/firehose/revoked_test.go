package firehose

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/offset"
)

func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// breakOpen has new requests refused, and waits until that has opened the breaker. The records
// are those of a lease.
func (w *world) breakOpen(ctx context.Context, lease *offset.Lease) {
	w.t.Helper()
	w.svc.SetFaults([]fault{{Effect: firehosetest.RefuseRequest}})
	for range 3 {
		w.start(ctx, w.of(lease, 10, 100))
	}
	for end := time.Now().Add(time.Minute); !w.stream.State().BreakerOpen; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal("the breaker does not open")
		}
	}
}

// TestStranded: a revoke waits for requests in flight, also while the breaker is open, until
// they have settled, and not for what waits to be sent to a stream that accepts nothing. Of a
// lease that is given up so, nothing is sent after that, whatever the stream does; when it has
// ended, others that share a batch with it are sent.
func TestStranded(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		flying, waiting, other := offset.NewLease("orders", 1), offset.NewLease("orders", 2), offset.NewLease("orders", 4)
		w.mustDeliver(w.batch(10, 100))

		w.svc.SetFaults([]fault{{Effect: firehosetest.Delay, Delay: 9 * time.Second}})
		w.start(ctx, w.of(flying, 10, 100))
		time.Sleep(100 * time.Millisecond)
		early := w.stream.DropRevoked(waiting)
		synctest.Wait()
		if over(early) {
			t.Error("a lease of which nothing is sent yet is given up although the stream accepts records")
		}
		w.breakOpen(ctx, waiting)
		inFlight := w.stream.DropRevoked(flying)
		synctest.Wait()
		if over(inFlight) {
			t.Error("a request in flight is not waited for because the breaker is open")
		}
		begin := time.Now()
		<-w.stream.DropRevoked(waiting)
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("records that wait for an open breaker were waited for, for %v", took)
		}
		<-inFlight
		if m, ok := flying.CommitMark(); !ok || m.Offset != 20 {
			t.Errorf("the wait ended before the records that were accepted had settled: %v %v", m, ok)
		}

		for _, lease := range []*offset.Lease{waiting, other} {
			lease.RegisterRecords(w.next, w.next, 1)
			w.build.AddRecord(time.Now(), lease, offset.MarkAfter(w.next, 0), time.Now(), append(w.build.AppendBuffer(), "mixed"...))
			w.next++
		}
		w.start(ctx, w.build.SealBatch())
		w.svc.ClearFaults()
		time.Sleep(time.Minute)
		if got := len(w.svc.Stored("orders")); got != 20 {
			t.Errorf("%d records are stored, want 20: those of a lease that was given up were sent", got)
		}
		if n := len(w.svc.Requests()); n > 100 {
			t.Errorf("%d requests", n)
		}
		waiting.Close()
		time.Sleep(time.Minute)
		stored := w.svc.Stored("orders")
		if len(stored) != 21 || string(stored[20].Data) != "mixed" {
			t.Errorf("%d records are stored, want 21: the batch is held up after the lease has ended", len(stored))
		}
		if m, ok := other.CommitMark(); !ok || m.Offset != w.next {
			t.Errorf("the mark is %v %v, want %d", m, ok, w.next)
		}
		cancel()
		w.wg.Wait()
		if n := w.stream.State().InFlight; n > 0 {
			t.Errorf("%d requests are in flight at the end", n)
		}
	})
}
