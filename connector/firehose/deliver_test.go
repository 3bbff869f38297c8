package firehose

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/offset"
)

type fault = firehosetest.Fault

// Each row of the table of answers: what the stream does with it. The row
// "accepted" is the control case.
func TestAnswers(t *testing.T) {
	tests := []struct {
		name      string
		fault     fault
		requests  int     // to deliver ten records
		ambiguous float64 // records
		stored    int     // copies of all records together
		outcome   string  // of the first request
	}{
		{"accepted", fault{Effect: firehosetest.Delay}, 1, 0, 10, "accepted"},
		{"some records throttled", fault{Effect: firehosetest.RefuseRecords, Indexes: []int{2, 7}}, 2, 0, 10, "partial"},
		{"some records failed", fault{Effect: firehosetest.RefuseRecords, Indexes: []int{0}, Code: "InternalFailure"}, 2, 0, 10, "partial"},
		{"some records failed by a code that nobody knows", fault{Effect: firehosetest.RefuseRecords, Indexes: []int{0}, Code: "Gremlins"}, 2, 0, 10, "partial"},
		{"all records throttled", fault{Effect: firehosetest.RefuseRecords}, 2, 0, 10, "partial"},
		{"503", fault{Effect: firehosetest.RefuseRequest}, 2, 0, 10, "unavailable"},
		{"503 in HTML", fault{Effect: firehosetest.RefuseRequest, Body: "html"}, 2, 0, 10, "unavailable"},
		{"503 without a body", fault{Effect: firehosetest.RefuseRequest, Body: "empty"}, 2, 0, 10, "unavailable"},
		{"500", fault{Effect: firehosetest.RefuseRequest, Code: "InternalFailure"}, 2, 0, 10, "unavailable"},
		{"502", fault{Effect: firehosetest.RefuseRequest, Code: "BadGateway", Status: 502, Body: "html"}, 2, 10, 10, "ambiguous"},
		{"504, stored", fault{Effect: firehosetest.RefuseRequest, Code: "GatewayTimeout", Status: 504, Stored: true}, 2, 10, 20, "ambiguous"},
		{"ThrottlingException", fault{Effect: firehosetest.RefuseRequest, Code: "ThrottlingException"}, 2, 0, 10, "throttled"},
		{"LimitExceededException", fault{Effect: firehosetest.RefuseRequest, Code: "LimitExceededException"}, 2, 0, 10, "throttled"},
		{"429 without a code", fault{Effect: firehosetest.RefuseRequest, Status: 429, Code: "Unknown", Body: "empty"}, 2, 0, 10, "throttled"},
		{"reset, not stored", fault{Effect: firehosetest.Reset}, 2, 10, 10, "ambiguous"},
		{"reset, stored", fault{Effect: firehosetest.Reset, Stored: true}, 2, 10, 20, "ambiguous"},
		{"timeout, stored", fault{Effect: firehosetest.Hang, Stored: true}, 2, 10, 20, "ambiguous"},
		{"cut answer", fault{Effect: firehosetest.CutBody, Stored: true}, 2, 10, 20, "ambiguous"},
		{"blank object, not stored", fault{Effect: firehosetest.EmptyObject}, 2, 10, 10, "ambiguous"},
		{"blank object, stored", fault{Effect: firehosetest.EmptyObject, Stored: true}, 2, 10, 20, "ambiguous"},
		{"blank answer", fault{Effect: firehosetest.EmptyBody, Stored: true}, 2, 10, 20, "ambiguous"},
		{"short answer", fault{Effect: firehosetest.ShortAnswer, Stored: true}, 2, 10, 20, "ambiguous"},
		{"long answer", fault{Effect: firehosetest.LongAnswer}, 2, 10, 20, "ambiguous"},
		{"count says all failed, entries say accepted", fault{Effect: firehosetest.WrongCount, Count: 10}, 1, 0, 10, "accepted"},
		{"entries without code and id", fault{Effect: firehosetest.BlankEntries, Indexes: []int{4}}, 2, 0, 10, "partial"},
		{"entries without code and id, stored", fault{Effect: firehosetest.BlankEntries, Indexes: []int{4}, Stored: true}, 2, 0, 11, "partial"},
		{"entries with both", fault{Effect: firehosetest.DoubleEntries, Indexes: []int{4}}, 2, 0, 10, "partial"},
		{"expired token", fault{Effect: firehosetest.RefuseRequest, Code: "ExpiredTokenException"}, 2, 0, 10, "credentials"},
		{"unknown token", fault{Effect: firehosetest.RefuseRequest, Code: "UnrecognizedClientException"}, 2, 0, 10, "credentials"},
		// The second request is right by the skewed clock, which is right again by then.
		{"clock skew", fault{Effect: firehosetest.ClockSkew, Skew: 20 * time.Minute}, 3, 0, 10, "credentials"},
		{"no permission", fault{Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException"}, 2, 0, 10, "blocked"},
		{"no stream", fault{Effect: firehosetest.RefuseRequest, Code: "ResourceNotFoundException"}, 2, 0, 10, "blocked"},
		{"no key", fault{Effect: firehosetest.RefuseRequest, Code: "InvalidKMSResourceException"}, 2, 0, 10, "blocked"},
		{"wrong source", fault{Effect: firehosetest.RefuseRequest, Code: "InvalidSourceException"}, 2, 0, 10, "blocked"},
		{"invalid, not on size", fault{Effect: firehosetest.RefuseRequest, Code: "InvalidArgumentException", Message: "This operation is not permitted on KinesisStreamAsSource delivery stream type."}, 2, 0, 10, "blocked"},
		{"validation, not on size", fault{Effect: firehosetest.RefuseRequest, Code: "ValidationException", Message: "1 validation error detected: Value 'a' at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"}, 2, 0, 10, "blocked"},
		{"serialization", fault{Effect: firehosetest.RefuseRequest, Code: "SerializationException"}, 2, 0, 10, "blocked"},
		{"wrong operation", fault{Effect: firehosetest.RefuseRequest, Code: "UnknownOperationException"}, 2, 0, 10, "blocked"},
		{"404 in HTML", fault{Effect: firehosetest.RefuseRequest, Status: 404, Code: "NotFound", Body: "html"}, 2, 0, 10, "blocked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.fault.Times = 1
			virtual(t, firehosetest.Options{Faults: []fault{tt.fault}}, settings(), func(w *world) {
				w.mustDeliver(w.batch(10, 100))
				if got := w.requests(); got != tt.requests {
					t.Errorf("%d requests, want %d", got, tt.requests)
				}
				if got := len(w.svc.Stored("orders")); got != tt.stored {
					t.Errorf("%d copies stored, want %d", got, tt.stored)
				}
				if got := len(w.copies()); got != 10 {
					t.Errorf("%d records stored, want 10", got)
				}
				w.wantMark(10)
				w.wantMetric(tt.ambiguous, "records_ambiguous_total")
				w.wantMetric(10, "records_accepted_total")
				if w.metric("requests_total", tt.outcome) < 1 {
					t.Errorf("no request is counted as %s", tt.outcome)
				}
				if st := w.stream.State(); st.Blocked || st.BreakerOpen || st.InFlight != 0 || st.Waiting != 0 || st.CredentialsRefused != nil || !st.StalledSince.IsZero() {
					t.Errorf("state afterwards: %+v", st)
				}
			})
		})
	}
}

func TestRetryByIndexSendsOnlyWhatFailed(t *testing.T) {
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.RefuseRecords, Share: 0.3}}}, settings(), func(w *world) {
		for range 20 {
			w.mustDeliver(w.batch(500, 100))
		}
		w.wantOnce(10_000)
		w.wantMark(10_000)
		sent := 0
		for _, r := range w.svc.Requests() {
			sent += r.Records
		}
		if got := float64(sent - 10_000); got != w.metric("records_retried_total", "service_unavailable") {
			t.Errorf("%v records were sent again, the metric says %v", got, w.metric("records_retried_total", "service_unavailable"))
		}
	})
}

// Until the last record of a batch is accepted nothing of it may be committed.
func TestHalfAcceptedBatchIsNotCommitted(t *testing.T) {
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.RefuseRecords, Refuse: func(_, _ int, data []byte) string {
		if string(data[:8]) == "00000009" {
			return "InternalFailure"
		}
		return ""
	}}}}, settings(), func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		w.start(ctx, w.batch(10, 100))
		time.Sleep(time.Minute)
		w.wantMark(0)
		w.wantOnce(9)
		w.svc.ClearFaults()
		time.Sleep(10 * time.Second)
		w.wantMark(10)
		w.wantOnce(10)
		cancel()
		w.wg.Wait()
	})
}

func TestSplitsWhatIsTooLarge(t *testing.T) {
	virtual(t, firehosetest.Options{RequestLimitBytes: 4_000_000}, settings(), func(w *world) {
		for range 5 {
			w.mustDeliver(w.batch(42, 99_000)) // 4,158,000 bytes: legal only if MB is MiB
		}
		w.wantOnce(210)
		w.wantMark(210)
		if len(w.refusals) > 0 {
			t.Errorf("refused: %v", w.refusals[0])
		}
		w.wantMetric(0, "records_ambiguous_total")
	})
}

func TestLearnsTheSmallerRequestLimit(t *testing.T) {
	cfg := settings()
	cfg.BatchMaxBytes = 4_194_304
	virtual(t, firehosetest.Options{RequestLimitBytes: 4_000_000}, cfg, func(w *world) {
		w.warm()
		w.mustDeliver(w.batch(42, 99_000))
		if _, bytes := w.stream.BatchLimits(); bytes != 4_000_000 {
			t.Errorf("limit is %d bytes, want 4000000", bytes)
		}
	})
}

func TestOverTheDocumentedLimitIsBad(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		b := w.batch(1, 1_024_001)
		w.mustDeliver(b)
		if len(w.refusals) != 1 || w.refusals[0].Size != 1_024_001 || w.refusals[0].Code != "ValidationException" || w.refusals[0].Topic != "orders" || w.refusals[0].Partition != 3 {
			t.Errorf("refusals: %+v", w.refusals)
		}
		w.wantMark(1)
		w.wantOnce(0)
		w.wantMetric(1, "records_refused_total", "limit")
		w.mustDeliver(w.batch(1, 1_024_000)) // control: the largest that is legal
		w.wantOnce(1)
	})
}

func TestRefusedRecordStopsByDefault(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.stream.onRefused = func(_ context.Context, r Refusal) error { return r }
		var r Refusal
		w.batches <- w.batch(1, 1_024_001)
		if err := <-w.failed; !errors.As(err, &r) || r.Size != 1_024_001 {
			t.Errorf("the stream reports %v", err)
		}
		w.mustDeliver(w.batch(10, 100)) // others go on
		w.wantMark(0)
		if st := w.stream.State(); st.Waiting > 0 || !st.StalledSince.IsZero() {
			t.Errorf("the record is still sent: %+v", st)
		}
	})
}

// others delivers a batch of ten small records a second, for so long.
func (w *world) others(d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(time.Second)
		w.mustDeliver(w.batch(10, 100))
	}
}

// 413 for one record, while larger requests pass: size is not the reason. It is reported
// and never given up, and delivered when the reason is gone.
func TestRefusedForASizeThatPasses(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.refuseLarge(func(data []byte) bool { return string(data[:8]) == "00000123" })
		w.start(w.t.Context(), w.batch(200, 100))
		w.others(time.Hour)
		if len(w.refusals) > 0 {
			t.Fatalf("given up: %v", w.refusals[0])
		}
		w.wantMetric(1, "stuck_records")
		w.wantOnce(int(w.next) - 1)
		w.wantMark(0) // the record has a batch in common with the first 199
		if st := w.stream.State(); st.Blocked || st.BreakerOpen {
			t.Errorf("others are held up: %+v", st)
		}
		if got := w.log.count("level=ERROR"); got != 1 {
			t.Errorf("%d error lines, want 1", got)
		}
		if got := w.requests(); got > 3600+400+60 {
			t.Errorf("%d requests, 3600 of them for others", got)
		}
		w.intercept(func([][]byte) bool { return false })
		time.Sleep(time.Minute)
		w.wantMark(w.next)
		w.wantOnce(int(w.next))
		w.wg.Wait()
	})
}

// limitRequests answers 413 to all requests with more bytes of data than a limit.
func (w *world) limitRequests(most int) {
	w.intercept(func(records [][]byte) bool {
		n := 0
		for _, r := range records {
			n += len(r)
		}
		return n > most
	})
}

// Everything is refused from some time on: the stream is blocked soon, although requests
// as large were accepted a moment ago.
func TestProxyThatTakesNothingMore(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.others(10 * time.Second)
		w.intercept(func([][]byte) bool { return true })
		ctx, cancel := context.WithCancel(w.t.Context())
		w.start(ctx, w.batch(10, 100), w.batch(1, 100))
		time.Sleep(30 * time.Second)
		if !w.stream.State().Blocked {
			t.Errorf("not blocked: %+v", w.stream.State())
		}
		time.Sleep(time.Hour)
		if got := w.requests(); got > 400 {
			t.Errorf("%d requests", got)
		}
		if len(w.refusals) > 0 {
			t.Errorf("given up: %v", w.refusals[0])
		}
		cancel()
		w.wg.Wait()
	})
}

// A proxy takes no more than 50,000 bytes in a request. Requests that are larger are
// split, and a record that is larger is given up when that is proved; the next one soon.
func TestProxyWithALimit(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.limitRequests(50_000)
		w.mustDeliver(w.batch(500, 1000))
		w.start(w.t.Context(), w.batch(1, 60_000))
		w.others(pathProofTime - time.Minute)
		if len(w.refusals) > 0 {
			t.Fatalf("given up too early: %v", w.refusals[0])
		}
		w.wantMetric(1, "stuck_records")
		w.others(2 * time.Minute)
		if len(w.refusals) != 1 || w.refusals[0].Size != 60_000 || w.refusals[0].Offset != 500 {
			t.Fatalf("refusals: %+v", w.refusals)
		}
		w.wantMetric(1, "records_refused_total", "service")
		w.wantMetric(0, "stuck_records")
		w.start(w.t.Context(), w.batch(1, 60_000))
		w.others(20 * time.Second)
		w.wg.Wait()
		if len(w.refusals) != 2 {
			t.Errorf("%d records are given up, want 2", len(w.refusals))
		}
		w.wantMark(w.next)
	})
}

// The limit of a proxy is too low for ten minutes, by mistake: no record is given up.
func TestProxyLimitByMistake(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.others(10 * time.Second)
		w.limitRequests(2000)
		for range 5 {
			w.start(w.t.Context(), w.batch(3, 50_000))
		}
		w.others(10 * time.Minute)
		w.limitRequests(4_000_000)
		w.others(time.Minute)
		w.wg.Wait()
		if len(w.refusals) > 0 {
			t.Errorf("given up: %v", w.refusals[0])
		}
		w.wantOnce(int(w.next))
		w.wantMark(w.next)
	})
}

// A record of several values is above the limit of a proxy: the values are not, and none
// is given up.
func TestProxyWithALimitBelowAggregates(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.build = batch.NewBuilder(batch.Limits{Records: 500, Bytes: 4_000_000, Linger: time.Second}, batch.Aggregation{Values: 10, Bytes: 1_000_000})
		w.limitRequests(50_000)
		ctx, cancel := context.WithCancel(w.t.Context())
		w.start(ctx, w.batch(10, 6000))
		w.others(2 * pathProofTime)
		if len(w.refusals) > 0 {
			t.Errorf("given up: %d values", w.refusals[0].Values)
		}
		w.wantMetric(1, "stuck_records")
		w.wantMark(0)
		cancel()
		w.wg.Wait()
	})
}

// A proxy that answers 413 to everything must not turn skip into loss.
func TestProxyThatTakesNothingBlocks(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.intercept(func([][]byte) bool { time.Sleep(50 * time.Millisecond); return true })
		ctx, cancel := context.WithCancel(w.t.Context())
		for range 30 {
			w.start(ctx, w.batch(500, 100))
		}
		for !w.stream.State().Blocked {
			time.Sleep(time.Millisecond)
		}
		if got := w.requests(); got > 100 { // nine halvings, of a few batches at once
			t.Errorf("%d requests before the stream was blocked", got)
		} else {
			t.Logf("%d requests before the stream was blocked", got)
		}
		time.Sleep(time.Hour)
		if len(w.refusals) > 0 {
			t.Fatalf("given up: %v", w.refusals[0])
		}
		w.wantMark(0)
		if st := w.stream.State(); !st.Blocked {
			t.Errorf("not blocked: %+v", st)
		}
		if got := w.requests(); got > 500 {
			t.Errorf("%d requests in an hour", got)
		}
		if got := w.log.count("level=ERROR"); got != 1 {
			t.Errorf("%d error lines, want 1", got)
		}
		w.refuseLarge(func([]byte) bool { return false })
		time.Sleep(2 * time.Minute)
		w.wantMark(15_000)
		w.wantOnce(15_000)
		cancel()
		w.wg.Wait()
	})
}

// refuseLarge answers 413 to each request with a record for which refuse is true.
func (w *world) refuseLarge(refuse func(data []byte) bool) {
	w.intercept(func(records [][]byte) bool { return slices.ContainsFunc(records, refuse) })
}

// intercept answers 413 to each request for whose records refuse is true.
func (w *world) intercept(refuse func(records [][]byte) bool) { w.proxy.Store(&refuse) }

func TestFenceLeavesOutClosedLeases(t *testing.T) {
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.RefuseRequest}}}, settings(), func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		gone := offset.NewLease("orders", 4)
		w.start(ctx, w.of(gone, 10, 100)) // offsets 0 to 9
		w.start(ctx, w.batch(10, 100))    // 10 to 19
		time.Sleep(10 * time.Second)
		gone.Close()
		w.svc.ClearFaults()
		time.Sleep(10 * time.Second)
		for id := range w.copies() {
			if id < "00000010" {
				t.Errorf("record %s of a closed lease was sent", id)
			}
		}
		if got := len(w.copies()); got != 10 {
			t.Errorf("%d records stored, want the 10 of the other lease", got)
		}
		w.wantMark(20)
		w.wantMetric(10, "records_fenced_total")
		cancel()
		w.wg.Wait()
	})
}

// The lease of a batch is closed while it waits for its first request.
func TestFenceOfAFreshBatch(t *testing.T) {
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.Delay, Delay: 5 * time.Second}}}, settings(), func(w *world) {
		gone := offset.NewLease("orders", 4)
		w.start(w.t.Context(), w.batch(10, 100)) // the first request of a stream is alone
		time.Sleep(time.Second)
		w.start(w.t.Context(), w.of(gone, 10, 100))
		time.Sleep(time.Second)
		if st := w.stream.State(); st.InFlight != 1 || st.Waiting != 1 {
			t.Fatalf("%+v, want a request in flight and a batch that waits", st)
		}
		gone.Close()
		w.wg.Wait()
		if n := w.requests(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		w.wantMetric(10, "records_fenced_total")
	})
}

// Two batches wait for a slot to be sent again, and then share a request. The
// lease of one is closed while they wait; chance decides which of them leads.
func TestFenceOfSharedRequest(t *testing.T) {
	cfg := settings()
	cfg.MaxInFlight = 2
	for range 8 {
		virtual(t, firehosetest.Options{Latency: firehosetest.Fixed(5 * time.Second)}, cfg, func(w *world) {
			w.mustDeliver(w.batch(1, 100)) // from here on there may be two requests
			w.svc.SetFaults([]fault{{Effect: firehosetest.RefuseRecords, To: 2}})
			gone := offset.NewLease("orders", 4)
			var sent, late atomic.Int32
			w.intercept(func(records [][]byte) bool {
				for _, r := range records {
					if string(r[:8]) > "00000010" {
						continue
					}
					sent.Add(1)
					if gone.Closed() {
						late.Add(1)
					}
				}
				return false
			})
			w.start(w.t.Context(), w.of(gone, 10, 100), w.batch(10, 100))
			time.Sleep(time.Second)
			w.start(w.t.Context(), w.batch(10, 100), w.batch(10, 100)) // take the slots at 5 s, for 5 s
			time.Sleep(6 * time.Second)
			gone.Close()
			w.wg.Wait()
			if sent.Load() != 10 || late.Load() > 0 {
				t.Errorf("%d records of the lease were sent, %d after it was closed", sent.Load(), late.Load())
			}
			w.wantMark(41)
			w.wantOnce(31)
		})
	}
}

func TestCanceledContextSettlesNothing(t *testing.T) {
	virtual(t, firehosetest.Options{Latency: firehosetest.Fixed(time.Second)}, settings(), func(w *world) {
		ctx, cancel := context.WithTimeout(w.t.Context(), 500*time.Millisecond)
		defer cancel()
		w.stream = NewStream("orders", w.stream.api, settings())
		batches, started := make(chan *batch.Batch, 2), time.Now()
		batches <- w.batch(10, 100)
		batches <- w.batch(10, 100)
		w.stream.Run(ctx, batches, func(err error) { t.Error(err) })
		if took := time.Since(started); took != 500*time.Millisecond {
			t.Errorf("Run returned after %v, want 500ms", took)
		}
		w.wantMark(0)
		if st := w.stream.State(); st.InFlight != 0 || st.Waiting != 0 || !st.StalledSince.IsZero() {
			t.Errorf("left behind: %+v", st)
		}
		w.stream.SetShare(0.5) // is for nobody, and waits for nobody
	})
}

// Sixteen records that never pass must not stop a pipeline with sixteen slots.
func TestSixteenStuckRecords(t *testing.T) {
	speed := func(refuse bool) int {
		stored, cfg := 0, settings()
		cfg.BatchMaxRecords = 50
		o := firehosetest.Options{Latency: firehosetest.Fixed(200 * time.Millisecond), Keep: firehosetest.KeepCounts}
		virtual(t, o, cfg, func(w *world) {
			if refuse {
				w.svc.SetFaults([]fault{{Effect: firehosetest.RefuseRecords, Refuse: func(_, _ int, data []byte) string {
					if n, _ := strconv.Atoi(string(data[:8])); n%50 == 0 && n < 16*50 {
						return "InternalFailure"
					}
					return ""
				}}})
			}
			ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
			defer cancel()
			w.pump(ctx, 100)
			w.wg.Wait()
			stored = w.svc.Stats().Streams["orders"].Records
			t.Logf("refuse %v: %d stored, pace %v, %d requests", refuse, stored, w.stream.State().BytesPerSecond, w.svc.Stats().Requests)
		})
		return stored
	}
	full, got := speed(false), speed(true)
	if float64(got) < 0.9*float64(full) {
		t.Errorf("%d records beside the stuck ones, %d without them", got, full)
	}
}

func TestStuckRecordIsReported(t *testing.T) {
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.RefuseRecords, Refuse: func(_, _ int, data []byte) string {
		if string(data[:8]) == "00000005" {
			return "InternalFailure"
		}
		return ""
	}}}}, settings(), func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		w.start(ctx, w.batch(10, 100))
		for range 280 {
			time.Sleep(time.Second)
			w.mustDeliver(w.batch(1, 100))
		}
		w.wantMetric(0, "stuck_records")
		for range 40 {
			time.Sleep(time.Second)
			w.mustDeliver(w.batch(1, 100))
		}
		w.wantMetric(1, "stuck_records")
		if w.log.count("partition=3 offset=5") != 1 || w.stream.State().Stuck != 1 {
			t.Errorf("not reported once: %s", w.log.String())
		}
		w.svc.ClearFaults()
		time.Sleep(10 * time.Second)
		w.wantMetric(0, "stuck_records")
		w.wantMark(330)
		cancel()
		w.wg.Wait()
	})
}

// One record in five fails whatever the speed. What is left of the batches
// shares requests, so that this costs a fifth and not most of them.
func TestRandomFailureKeepsSpeed(t *testing.T) {
	measuresThroughput(t)
	longtest.Require(t)
	speed := func(code string, share float64) float64 {
		var stored int
		cfg := settings()
		cfg.BatchMaxRecords = 50
		o := firehosetest.Options{Latency: firehosetest.Fixed(400 * time.Millisecond), Keep: firehosetest.KeepCounts}
		if share > 0 {
			o.Faults = []fault{{Effect: firehosetest.RefuseRecords, Share: share, Code: code}}
		}
		virtual(t, o, cfg, func(w *world) {
			ctx, cancel := context.WithTimeout(w.t.Context(), 60*time.Second)
			defer cancel()
			w.pump(ctx, 100)
			w.wg.Wait()
			stored = w.svc.Stats().Streams["orders"].Records
			t.Logf("share %v: %d stored, %d requests, pace %v, peak %d", share, stored, w.svc.Stats().Requests, w.stream.State().BytesPerSecond, w.svc.Stats().PeakInFlight)
			if w.svc.Stats().PeakInFlight > 16 {
				t.Errorf("%d in flight", w.svc.Stats().PeakInFlight)
			}
		})
		return float64(stored)
	}
	full := speed("", 0)
	for _, code := range []string{"InternalFailure", "ServiceUnavailableException"} {
		// A fifth of each request fails, so four fifths is all there is; the first
		// seconds go into finding out that slowing down does not help.
		if got := speed(code, 0.2); got < 0.65*full {
			t.Errorf("%s: %.0f %% of full speed", code, 100*got/full)
		}
	}
}

// Nothing is lost whatever goes wrong, and what arrives twice was counted.
func TestChaos(t *testing.T) {
	for seed := range longtest.Pick[uint64](1, 20) {
		faults := []fault{
			{Effect: firehosetest.RefuseRecords, Share: 0.1, Probability: 0.3},
			{Effect: firehosetest.EmptyObject, Probability: 0.05, Stored: true},
			{Effect: firehosetest.Reset, Probability: 0.05, Stored: true},
			{Effect: firehosetest.Reset, Probability: 0.05},
			{Effect: firehosetest.RefuseRequest, Probability: 0.05},
			{Effect: firehosetest.RefuseRequest, Probability: 0.02, Code: "ExpiredTokenException"},
			{Effect: firehosetest.RefuseRequest, Probability: 0.02, Code: "AccessDeniedException"},
			{Effect: firehosetest.RefuseRequest, Probability: 0.05, Status: 413, Code: "RequestEntityTooLarge"},
			{Effect: firehosetest.Hang, Probability: 0.02, Stored: true},
			{Effect: firehosetest.ShortAnswer, Probability: 0.05},
			{Effect: firehosetest.BlankEntries, Share: 0.05, Probability: 0.1},
		}
		for i := range faults {
			faults[i].Seed = seed
		}
		virtual(t, firehosetest.Options{Latency: firehosetest.Fixed(20 * time.Millisecond), Faults: faults, Seed: seed}, settings(), func(w *world) {
			dice := rand.New(rand.NewPCG(seed, 7))
			ctx, cancel := context.WithCancel(w.t.Context())
			for range 100 {
				w.start(ctx, w.batch(1+dice.IntN(500), 200))
				time.Sleep(time.Duration(dice.IntN(100)) * time.Millisecond)
			}
			time.Sleep(time.Minute)
			w.svc.ClearFaults()
			time.Sleep(2 * time.Minute)
			cancel()
			w.wg.Wait()
			copies, twice := w.copies(), 0
			for _, c := range copies {
				twice += c - 1
			}
			if lost := int(w.next) - len(copies) - len(w.refusals); lost > 0 {
				t.Errorf("seed %d: %d of %d records lost", seed, lost, w.next)
			}
			if len(w.refusals) > 0 {
				t.Errorf("seed %d: %d good records are given up", seed, len(w.refusals))
			}
			if counted := w.metric("records_ambiguous_total"); float64(twice) > counted {
				t.Errorf("seed %d: %d copies too many, %v counted", seed, twice, counted)
			}
			w.wantMark(w.next)
		})
	}
}
