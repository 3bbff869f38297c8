package firehosetest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestLedger checks what is remembered of two puts, and that OnStored knows it
// before the answer is out and may ask the service about it.
func TestLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := false
		var seen []firehosetest.Stored
		var s *firehosetest.Service
		s = newService(func(o *firehosetest.Options) {
			o.Latency = firehosetest.Fixed(time.Second)
			o.OnStored = func(r firehosetest.Stored) {
				if answered {
					t.Error("OnStored came after the answer")
				}
				if got := s.Stored("orders"); got[len(seen)].RecordID != r.RecordID {
					t.Error("OnStored came before the ledger's entry")
				}
				seen = append(seen, r)
			}
		})
		start := time.Now()
		s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRecords, Indexes: []int{1}, To: 1}})
		r := do(t, s, put(text("a", "b", "c")...))
		answered = true
		a := r.batch(t)
		answered = false
		do(t, s, put([]byte("d"))).batch(t)

		got := s.Stored("orders")
		if diff := cmp.Diff(seen, got); diff != "" {
			t.Errorf("OnStored -, Stored +:\n%s", diff)
		}
		want := []firehosetest.Stored{
			{Stream: "orders", Data: []byte("a"), Call: 1, Index: 0, Time: start.Add(time.Second), Signed: start.UTC(), Answered: true},
			{Stream: "orders", Data: []byte("c"), Call: 1, Index: 2, Time: start.Add(time.Second), Signed: start.UTC(), Answered: true},
			{Stream: "orders", Data: []byte("d"), Call: 2, Index: 0, Time: start.Add(2 * time.Second), Signed: start.Add(time.Second).UTC(), Answered: true},
		}
		ids := make(map[string]bool)
		for i := range got {
			if i == 1 && (got[i].RecordID != a.RequestResponses[2].RecordId || got[i].RequestID != r.header.Get("X-Amzn-Requestid")) {
				t.Error("the ledger's ids are not the answer's")
			}
			if ids[got[i].RecordID] = true; len(got[i].RecordID) != 224 {
				t.Errorf("RecordID %q", got[i].RecordID)
			}
			got[i].RecordID, got[i].RequestID = "", ""
		}
		if diff := cmp.Diff(want, got); diff != "" || len(ids) != 3 {
			t.Errorf("%d ids; want -, got +:\n%s", len(ids), diff)
		}
	})
}

// TestRequests checks the log, and the counters that go with it.
func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(func(o *firehosetest.Options) {
			o.KeepRequests = 3
			o.Latency = func(bytes int) time.Duration { return time.Duration(bytes) * time.Millisecond }
		})
		do(t, s, put([]byte("forgotten"))).batch(t)
		s.SetFaults([]firehosetest.Fault{
			{Effect: firehosetest.RefuseRecords, Indexes: []int{0}, Operation: "PutRecordBatch"},
			{Effect: firehosetest.Reset, Stored: true, Operation: "PutRecordBatch", From: 2},
		})
		t0 := time.Now()
		two := put(sized(2, 5_121)...)
		do(t, s, two)
		for range 2 { // at once
			go do(t, s, two)
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		wire := int64(len(two.body))
		took := time.Duration(wire) * time.Millisecond
		put := firehosetest.Request{
			Operation: "PutRecordBatch", Stream: "orders", Records: 2, Bytes: 10_242, WireBytes: wire, Stored: 1, Refused: 1, Status: 200,
			Faults: []firehosetest.Effect{firehosetest.RefuseRecords},
		}
		want := []firehosetest.Request{put, put, put}
		want[0].Call, want[0].InFlight, want[0].Start, want[0].End = 2, 1, t0, t0.Add(took)
		for i := 1; i < 3; i++ {
			w := &want[i]
			w.Call, w.InFlight, w.Status, w.Start, w.End = 2+i, i, 0, t0.Add(took), t0.Add(2*took)
			w.Faults = append(w.Faults[:1:1], firehosetest.Reset)
		}
		got := s.Requests()
		for i := range got {
			if len(got[i].RequestID) != 36 {
				t.Errorf("RequestID %q", got[i].RequestID)
			}
			got[i].RequestID = ""
		}
		if len(got) == 3 && got[1].Call == 4 { // the last two end in either order
			got[1], got[2] = got[2], got[1]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		wantStats := firehosetest.Stats{
			Requests: 4, PeakInFlight: 2, Outcomes: map[string]int{"200": 2, "none": 2},
			Streams: map[string]firehosetest.StreamStats{"orders": {Requests: 4, Records: 4, Bytes: 9 + 3*5_121, Billed: 5_120 + 3*10_240, Refused: 3, Unanswered: 2}},
		}
		if diff := cmp.Diff(wantStats, s.Stats()); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	})
}

// TestKeep has the three sizes of memory.
func TestKeep(t *testing.T) {
	for _, tc := range []struct {
		keep    firehosetest.Keep
		entries int
		data    bool
	}{{firehosetest.KeepData, 3, true}, {firehosetest.KeepEntries, 3, false}, {firehosetest.KeepCounts, 0, false}} {
		calls := 0
		s := newService(func(o *firehosetest.Options) {
			o.Keep = tc.keep
			o.OnStored = func(r firehosetest.Stored) {
				if string(r.Data) == "xyz" {
					calls++
				}
			}
			o.Faults = []firehosetest.Fault{{Effect: firehosetest.EmptyObject, Stored: true, To: 1}}
		})
		do(t, s, put(text("xyz")...))
		do(t, s, put(text("xyz", "xyz")...))
		got := s.Stored("orders")
		if len(got) != tc.entries || calls != 3 {
			t.Errorf("%d: %d entries, %d calls", tc.keep, len(got), calls)
		}
		for _, r := range got {
			if (r.Data != nil) != tc.data {
				t.Errorf("%d: data %q", tc.keep, r.Data)
			}
		}
		want := firehosetest.StreamStats{Requests: 2, Records: 3, Bytes: 9, Billed: 3 * 5_120, Unanswered: 1}
		if got := s.Stats().Streams["orders"]; got != want {
			t.Errorf("%d: got %+v", tc.keep, got)
		}
	}
}

// TestStreams adds, changes and deletes streams while the service runs.
func TestStreams(t *testing.T) {
	s := newService(nil)
	s.AddStream(firehosetest.Stream{Name: "late", Encrypted: true})
	if a := do(t, s, call{body: putBody("late", []byte("x"))}).batch(t); !*a.Encrypted {
		t.Error("not encrypted")
	}
	want := []firehosetest.Stream{
		{Name: "late", Type: "DirectPut", Status: "ACTIVE", Encrypted: true},
		{Name: "orders", Type: "DirectPut", Status: "ACTIVE"},
	}
	if diff := cmp.Diff(want, s.Streams()); diff != "" {
		t.Error(diff)
	}
	if !s.DeleteStream("late") || s.DeleteStream("late") || s.SetQuota("late", firehosetest.Quota{}) {
		t.Error("deleted twice, or still there")
	}
	do(t, s, call{body: putBody("late", []byte("x"))}).wantError(t, 400, "ResourceNotFoundException", "Firehose late not found under account 123456789012.")
	if got := stored(s, "late"); len(got) != 1 {
		t.Errorf("the ledger forgot: %v", got)
	}
}
