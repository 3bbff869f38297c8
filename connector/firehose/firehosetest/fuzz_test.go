package firehosetest_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"kafka-firehose/connector/firehose/firehosetest"
)

// FuzzService sends any body as any operation: the service never panics, always
// answers JSON, and stores exactly what it says it accepted.
func FuzzService(f *testing.F) {
	for _, op := range []string{"PutRecordBatch", "PutRecord", "DescribeDeliveryStream", "ListDeliveryStreams", "Other"} {
		f.Add(op, `{"DeliveryStreamName":"orders","Records":[{"Data":"YWI="}],"Record":{"Data":""},"Limit":1}`)
		f.Add(op, `{"DeliveryStreamName":"arn:x","Records":[{"Data":null}],"Record":null,"Limit":0}`)
		f.Add(op, `{`)
	}
	f.Fuzz(func(t *testing.T, op, body string) {
		s := newService(nil)
		c := call{op: "PutRecordBatch", body: body}
		switch op {
		case "PutRecord", "DescribeDeliveryStream", "ListDeliveryStreams", "Other":
			c.op = op
		}
		r := do(t, s, c)
		if r.err != nil || !json.Valid(r.body) {
			t.Fatalf("got %v, %q", r.err, r.body)
		}
		want := 0
		if r.status == 200 && c.op == "PutRecordBatch" {
			want = len(r.batch(t).RequestResponses)
		} else if r.status == 200 && c.op == "PutRecord" {
			want = 1
		}
		if got := len(s.Stored("orders")); got != want {
			t.Fatalf("stored %d, answered %d: %d %s", got, want, r.status, r.body)
		}
	})
}

// BenchmarkService is a whole request of 500 records, signature included; the
// time of signing is not counted:
//
//	go test -run '^$' -bench Service ./connector/firehose/firehosetest
func BenchmarkService(b *testing.B) {
	for _, size := range []int{200, 1024, 8192} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newService(func(o *firehosetest.Options) { o.Keep = firehosetest.KeepCounts })
			c := put(sized(500, size)...)
			r := c.request(b)
			b.SetBytes(int64(500 * size))
			b.ReportAllocs()
			for b.Loop() {
				r.Body, _ = r.GetBody()
				resp, err := s.Do(r)
				if err != nil || resp.StatusCode != 200 {
					b.Fatal(resp, err)
				}
			}
		})
	}
}
