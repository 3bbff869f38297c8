package firehose

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestSettledBatchesAreNotKept: in trouble many more batches wait for their next attempt than
// requests may be in flight. There is a worker for each request that was in flight and no more,
// and when all batches are settled, nothing keeps one.
func TestSettledBatchesAreNotKept(t *testing.T) {
	const batches, inFlight = 40, 3
	cfg := settings()
	cfg.MaxInFlight = inFlight
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.RefuseRecords}}, Keep: firehosetest.KeepCounts}, cfg, func(w *world) {
		var made []weak.Pointer[batch.Batch]
		for range batches {
			b := w.batch(10, 100)
			made = append(made, weak.Make(b))
			w.batches <- b
		}
		time.Sleep(time.Second)
		if n := workersOf(); n == 0 || n > inFlight {
			t.Errorf("%d workers, want 1 to %d", n, inFlight)
		}
		w.svc.ClearFaults()
		time.Sleep(time.Minute)
		w.wantMark(10 * batches)
		runtime.GC()
		for i, p := range made {
			if p.Value() != nil {
				t.Errorf("batch %d is kept, though it has settled", i)
			}
		}
	})
}

// workersOf is how many workers senders have.
func workersOf() int {
	stacks := make([]byte, 8<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*sender).runWorker(")
}

// TestRunEndsWhenAllIsSettled: Run returns when the channel is closed and the last record is
// settled, also one that is sent again.
func TestRunEndsWhenAllIsSettled(t *testing.T) {
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.RefuseRecords, Times: 3}}}, settings(), func(w *world) {
		w.batches <- w.batch(10, 100)
		close(w.batches)
		<-w.stream.Ended()
		w.wantMark(10)
		w.wantOnce(10)
	})
}

// TestRefusalsDoNotHoldUpOthers: while a record is being written to the dead-letter topic, the
// others of its stream are delivered, and Run waits for it at the end.
func TestRefusalsDoNotHoldUpOthers(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		answer := make(chan error)
		w.stream.onRefused = func(context.Context, Refusal) error { return <-answer }
		w.batches <- w.batch(1, 1_024_001)
		time.Sleep(time.Second)
		w.mustDeliver(w.batch(10, 100))
		w.wantMark(0)
		close(w.batches)
		synctest.Wait()
		select {
		case <-w.stream.Ended():
			t.Error("Run has returned before the refused record was settled")
		default:
		}
		answer <- nil
		<-w.stream.Ended()
		w.wantMark(11)
	})
}
