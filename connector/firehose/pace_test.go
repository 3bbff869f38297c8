package firehose

import (
	"context"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// perSecond is how many requests came in each second since start.
func (w *world) perSecond(start time.Time) []int {
	var n []int
	for _, r := range w.svc.Requests() {
		for at := int(r.Start.Sub(start).Seconds()); len(n) <= at; {
			n = append(n, 0)
		}
		n[int(r.Start.Sub(start).Seconds())]++
	}
	return n
}

// An outage of fifteen seconds: hardly a request while it lasts, and full speed
// soon after.
func TestBreaker(t *testing.T) {
	for _, outage := range []fault{
		{Effect: firehosetest.RefuseRequest},
		{Effect: firehosetest.Outage},
		{Effect: firehosetest.Reset},
		{Effect: firehosetest.RefuseRequest, Code: "ThrottlingException"},
		{Effect: firehosetest.RefuseRequest, Code: "ExpiredTokenException"},
	} {
		t.Run(string(outage.Effect)+" "+outage.Code, func(t *testing.T) {
			cfg := settings()
			cfg.BatchMaxRecords = 50
			virtual(t, firehosetest.Options{Latency: firehosetest.Fixed(500 * time.Millisecond)}, cfg, func(w *world) {
				ctx, cancel := context.WithCancel(w.t.Context())
				start := time.Now()
				w.pump(ctx, 100)
				time.Sleep(10 * time.Second)
				before := len(w.svc.Stored("orders"))
				w.svc.SetFaults([]fault{outage})
				time.Sleep(8 * time.Second)
				if st := w.stream.State(); !st.BreakerOpen || time.Since(st.StalledSince) < 7*time.Second {
					t.Errorf("state in the outage: %+v", st)
				}
				w.wantMetric(1, "breaker_open")
				time.Sleep(7 * time.Second)
				w.svc.ClearFaults()
				end := time.Now()
				stored := len(w.svc.Stored("orders"))
				time.Sleep(15 * time.Second)
				all := w.svc.Stored("orders")
				if len(all) == stored || all[stored].Time.Sub(end) > 10*time.Second {
					t.Fatal("nothing accepted within ten seconds after the outage")
				}
				t.Logf("%+v", w.limiter())
				t.Logf("first acceptance after %v, requests a second %v", all[stored].Time.Sub(end), w.perSecond(start))
				last := 0
				for _, r := range all[stored:] {
					if r.Time.Sub(end) > 14*time.Second {
						last++
					}
				}
				if last < before/10/2 {
					t.Errorf("%d records in the fifteenth second after, %d a second before", last, before/10)
				}
				for i, n := range w.perSecond(start)[13:25] {
					if n > 5 {
						t.Errorf("%d requests in second %d of the outage", n, i+4)
					}
				}
				if w.log.count("does not answer") != 1 || w.log.count("answers again") != 1 {
					t.Errorf("log: %s", w.log.String())
				}
				cancel()
				w.wg.Wait()
			})
		})
	}
}

func TestBlockedThenRecovers(t *testing.T) {
	virtual(t, firehosetest.Options{}, settings(), func(w *world) {
		w.svc.DeleteStream("orders")
		ctx, cancel := context.WithCancel(w.t.Context())
		for range 20 {
			w.start(ctx, w.batch(500, 100))
		}
		time.Sleep(time.Hour)
		st := w.stream.State()
		if !st.Blocked || st.Reason == nil || st.Reason.Code != "ResourceNotFoundException" || time.Since(st.Since) < 59*time.Minute {
			t.Errorf("state: %+v", st)
		}
		w.wantMetric(1, "blocked")
		if n := w.requests(); n < 120 || n > 190 {
			t.Errorf("%d requests in an hour", n)
		}
		if n := w.log.count("level=ERROR"); n != 1 {
			t.Errorf("%d error lines: %s", n, w.log.String())
		}
		if w.log.count("stream=orders class=blocked code=ResourceNotFoundException") != 1 {
			t.Errorf("log: %s", w.log.String())
		}
		w.svc.AddStream(firehosetest.Stream{Name: "orders"})
		time.Sleep(time.Minute)
		w.wantOnce(10_000)
		w.wantMark(10_000)
		w.wantMetric(0, "blocked")
		if w.log.count("answers again") != 1 {
			t.Errorf("log: %s", w.log.String())
		}
		cancel()
		w.wg.Wait()
	})
}

func TestConfiguredLimitsHold(t *testing.T) {
	cfg := settings()
	cfg.MaxBytesPerSecond, cfg.MaxRecordsPerSecond = 100_000, 500
	for size, want := range map[int]float64{100: 500, 1000: 100} {
		virtual(t, firehosetest.Options{}, cfg, func(w *world) {
			ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
			defer cancel()
			w.pump(ctx, size)
			w.wg.Wait()
			if got := float64(len(w.svc.Stored("orders"))) / 60; got < 0.95*want || got > 1.05*want {
				t.Errorf("%v records a second of %d bytes, want %v", got, size, want)
			}
		})
	}
}

// The whole of it against the service's own quota.
func TestStreamKeepsQuota(t *testing.T) {
	measuresThroughput(t)
	all := []firehosetest.Quota{
		{BytesPerSecond: 1 << 20},
		{BytesPerSecond: 1 << 20, Scatter: true},
		{BytesPerSecond: 1 << 20, WholeRequest: true},
		{RecordsPerSecond: 1000},
		{RequestsPerSecond: 10},
	}
	for _, quota := range longtest.Pick(all[3:4], all) {
		o := firehosetest.Options{Latency: firehosetest.Fixed(30 * time.Millisecond), Streams: []firehosetest.Stream{{Name: "orders", Quota: quota}}}
		virtual(t, o, settings(), func(w *world) {
			ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			w.pump(ctx, 1000)
			w.wg.Wait()
			sent, accepted := 0, 0
			for _, r := range w.svc.Requests() {
				if r.Start.Sub(start) > 20*time.Second {
					sent += r.Records
					accepted += r.Stored
				}
			}
			want := 40 * max(quota.BytesPerSecond/1000, quota.RecordsPerSecond)
			t.Logf("%+v: sent %d accepted %d of %.0f, %d requests", quota, sent, accepted, want, w.requests())
			if float64(accepted) < 0.9*want {
				t.Errorf("%+v: accepted %d of %.0f", quota, accepted, want)
			}
			if float64(sent) > 1.15*float64(accepted) {
				t.Errorf("%+v: sent %d, accepted %d", quota, sent, accepted)
			}
		})
	}
}
