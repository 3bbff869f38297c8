package firehosetest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// failed is which entries of an answer failed: "..x" is the third of three.
func (r result) failed(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	a := r.batch(t)
	for _, e := range a.RequestResponses {
		switch {
		case e.ErrorCode == "" && len(e.RecordId) == 224:
			b.WriteByte('.')
		case e.RecordId == "" && e.ErrorCode == "ServiceUnavailableException" && e.ErrorMessage == "Slow down.":
			b.WriteByte('x')
		default:
			t.Fatalf("odd entry %+v", e)
		}
	}
	if n := strings.Count(b.String(), "x"); *a.FailedPutCount != n {
		t.Errorf("FailedPutCount is %d of %s", *a.FailedPutCount, b.String())
	}
	return b.String()
}

// TestQuota meters each of the three buckets in virtual time.
func TestQuota(t *testing.T) {
	type step struct {
		wait time.Duration
		recs [][]byte
		want string
	}
	for name, tc := range map[string]struct {
		quota firehosetest.Quota
		steps []step
	}{
		"records": {firehosetest.Quota{RecordsPerSecond: 4}, []step{
			{0, sized(3, 1), "..."},
			{0, sized(3, 1), ".xx"},
			{0, sized(1, 1), "x"},
			{250 * time.Millisecond, sized(2, 1), ".x"},
			{time.Hour, sized(6, 1), "....xx"}, // saves up one second's worth, no more
		}},
		"requests": {firehosetest.Quota{RequestsPerSecond: 2}, []step{
			{0, sized(9, 1), "........."},
			{0, sized(2, 1), ".."},
			{0, sized(2, 1), "xx"},
			{499 * time.Millisecond, sized(1, 1), "x"},
			{time.Millisecond, sized(1, 1), "."},
		}},
		"bytes": {firehosetest.Quota{BytesPerSecond: 1000}, []step{
			{0, sized(3, 400), "..x"},
			{0, sized(1, 200), "."},
			{0, sized(1, 1), "x"},
			{100 * time.Millisecond, append(sized(1, 101), sized(1, 100)...), "x."}, // what fits passes
			{time.Second, sized(1, 5000), "."},                                      // more than a full bucket: owes
			{4 * time.Second, sized(1, 1), "x"},
			{time.Second, sized(1, 1000), "."},
		}},
		"burst": {firehosetest.Quota{RecordsPerSecond: 2, BurstSeconds: 3}, []step{
			{0, sized(7, 1), "......x"},
			{time.Second, sized(3, 1), "..x"},
		}},
		"unlimited": {firehosetest.Quota{}, []step{{0, sized(500, 1), strings.Repeat(".", 500)}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(nil)
				s.SetQuota("orders", tc.quota)
				stored := 0
				for i, st := range tc.steps {
					time.Sleep(st.wait)
					if got := do(t, s, put(st.recs...)).failed(t); got != st.want {
						t.Errorf("step %d: got %s, want %s", i, got, st.want)
					}
					stored += strings.Count(st.want, ".")
				}
				if got := len(s.Stored("orders")); got != stored {
					t.Errorf("stored %d, want %d", got, stored)
				}
			})
		})
	}
}

// TestQuotaShapes has the other ways in which a quota runs out.
func TestQuotaShapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(nil)
		s.SetQuota("orders", firehosetest.Quota{RecordsPerSecond: 50, Scatter: true})
		got := do(t, s, put(sized(100, 1)...)).failed(t)
		if strings.Count(got, "x") != 50 || strings.HasSuffix(got, strings.Repeat("x", 50)) {
			t.Errorf("not scattered: %s", got)
		}

		s.SetQuota("orders", firehosetest.Quota{RequestsPerSecond: 1, WholeRequest: true})
		do(t, s, put(sized(2, 1)...)).batch(t)
		do(t, s, put(sized(2, 1)...)).wantError(t, 503, "ServiceUnavailableException", "Slow down.")

		// PutRecord shares the quota, and has no entries to fail.
		s.SetQuota("orders", firehosetest.Quota{RecordsPerSecond: 1})
		one := call{op: "PutRecord", body: `{"DeliveryStreamName":"orders","Record":{"Data":"eA=="}}`}
		if r := do(t, s, one); r.err != nil || r.status != 200 || shape(string(r.body)) != `{"Encrypted":false,"RecordId":"224"}` {
			t.Errorf("got %d %s %v", r.status, r.body, r.err)
		}
		do(t, s, one).wantError(t, 503, "ServiceUnavailableException", "Slow down.")
	})
}

func TestDefaultQuota(t *testing.T) {
	large := firehosetest.Quota{RecordsPerSecond: 500_000, RequestsPerSecond: 2_000, BytesPerSecond: 5 * 1024 * 1024}
	other := firehosetest.Quota{RecordsPerSecond: 100_000, RequestsPerSecond: 1_000, BytesPerSecond: 1024 * 1024}
	for region, want := range map[string]firehosetest.Quota{
		"us-east-1": large, "us-west-2": large, "eu-west-1": large, "eu-central-1": other, "": other,
	} {
		if got := firehosetest.DefaultQuota(region); got != want {
			t.Errorf("%s: got %+v", region, got)
		}
	}
}
