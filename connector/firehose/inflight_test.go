package firehose

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/firehose/limiter"
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
		if over(w.stream.Stranded(waiting)) {
			t.Error("a lease of which nothing is sent yet is given up although the stream accepts records")
		}
		w.breakOpen(ctx, waiting)
		inFlight := w.stream.Stranded(flying)
		if over(inFlight) {
			t.Error("a request in flight is not waited for because the breaker is open")
		}
		begin := time.Now()
		<-w.stream.Stranded(waiting)
		if took := time.Since(begin); took > 100*time.Millisecond {
			t.Errorf("records that wait for an open breaker were waited for, for %v", took)
		}
		<-inFlight
		if m, ok := flying.Mark(); !ok || m.Offset != 20 {
			t.Errorf("the wait ended before the records that were accepted had settled: %v %v", m, ok)
		}

		for _, lease := range []*offset.Lease{waiting, other} {
			lease.Register(w.next, w.next, 1)
			w.build.Add(time.Now(), lease, offset.After(w.next, 0), time.Now(), append(w.build.Buffer(), "mixed"...))
			w.next++
		}
		w.start(ctx, w.build.Seal())
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
		if m, ok := other.Mark(); !ok || m.Offset != w.next {
			t.Errorf("the mark is %v %v, want %d", m, ok, w.next)
		}
		cancel()
		w.wg.Wait()
		if f := &w.stream.inFlight; len(f.parts) > 0 || w.stream.State().InFlight > 0 {
			t.Errorf("%d parts are in flight at the end", len(f.parts))
		}
	})
}

// sealed is a batch with one record of a lease.
func sealed(lease *offset.Lease) *batch.Batch {
	b := batch.NewBuilder(batch.Limits{Records: 10, Bytes: 1000, Linger: time.Second}, batch.Aggregation{Values: 1})
	b.Add(time.Now(), lease, offset.After(0, 0), time.Now(), append(b.Buffer(), 'x'))
	return b.Seal()
}

// onePermit is a gate with one permit, and who has it.
func onePermit(t *testing.T) (*gate, *Slot) {
	t.Helper()
	cfg := settings()
	cfg.MaxInFlight = 1
	g := newGate(cfg)
	s, err := g.acquire(t.Context(), fresh, limiter.Load{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g, s
}

// giveUpWhenGranted has a retry wait for the only permit with others behind it, and gives the
// wait up at the moment when it gets the permit, before it has noticed. The others are to share
// its request.
func giveUpWhenGranted(t *testing.T, others ...*rider) (*gate, error) {
	t.Helper()
	g, s := onePermit(t)
	size := limiter.Load{Bytes: 100, Records: 1}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := g.acquire(ctx, retries, size, &rider{fate: make(chan fate, 1)})
		done <- err
	}()
	synctest.Wait()
	for _, r := range others {
		go func() {
			if s, err := g.acquire(t.Context(), retries, size, r); s != nil || err != nil {
				t.Errorf("a retry that shares a request got %v, %v", s, err)
			}
		}()
	}
	synctest.Wait()
	time.Sleep(ripe)
	g.mu.Lock()
	cancel() // it wakes up, and waits for the lock
	g.limiter.Cancel(time.Now(), s.request)
	s.leave()
	g.mu.Unlock()
	return g, <-done
}

// TestWaitGivenUpReturnsItsPermit: a wait that ends with its context in the moment in which it
// is let in gives the permit back, or nobody would ever send again.
func TestWaitGivenUpReturnsItsPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := giveUpWhenGranted(t)
		if err == nil || !strings.Contains(err.Error(), "canceled") {
			t.Errorf("the wait ended with %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s, err := g.acquire(ctx, fresh, limiter.Load{}, nil)
		if err != nil {
			t.Fatalf("nobody is let in any more: %v", err)
		}
		s.Release()
		if n := g.limiter.Snapshot().InFlight; n != 0 {
			t.Errorf("%d permits are in use at the end", n)
		}
	})
}

// TestRetriesLookForAnotherRequest: retries that were to share the request of a permit that is
// given back unused are told so, and find another.
func TestRetriesLookForAnotherRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var others []*rider
		for range 3 {
			others = append(others, &rider{part: &part{batch: sealed(offset.NewLease("t", 0))}, fate: make(chan fate, 1)})
		}
		if _, err := giveUpWhenGranted(t, others...); err == nil {
			t.Error("the wait that was given up got a permit")
		}
		for i, r := range others {
			select {
			case ft := <-r.fate:
				if !ft.unsent {
					t.Errorf("retry %d is told %+v, want that there was no request", i, ft)
				}
			case <-time.After(time.Hour):
				t.Errorf("retry %d waits for a request that was never made", i)
			}
		}
	})
}
