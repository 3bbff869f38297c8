package firehose

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/pool"
)

// mill packs, sends and settles one full batch after the other. Firehose is a client
// that reads each body to its end and accepts all.
type mill struct {
	t       testing.TB
	client  *Client
	stream  *Stream
	builder *batch.Builder
	lease   *offset.Lease
	records int
	value   []byte
	next    int64

	batches chan *batch.Batch
	full    *batch.Batch  // that is being delivered
	settled chan struct{} // gets one when it is
	release func(int64)

	answer  []byte
	scratch []byte
}

func newMill(t testing.TB, records, size int, buffers *pool.Pool[byte]) *mill {
	t.Helper()
	entry := `{"RecordId":"` + strings.Repeat("A", 224) + `"},`
	m := &mill{
		t: t, records: records, value: bytes.Repeat([]byte("v"), size), lease: offset.NewLease("orders", 0),
		answer:  []byte(`{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[` + strings.TrimSuffix(strings.Repeat(entry, records), ",") + `]}`),
		scratch: make([]byte, 32<<10),
	}
	cfg := settings()
	cfg.BatchMaxBytes = 4 << 20 // 500 records of 8 KiB are whole
	client, err := newClient(t.Context(), cfg, cfg.accessOf(""), slog.New(slog.DiscardHandler), func(o *firehose.Options) {
		o.Region, o.HTTPClient = "us-east-1", m
		o.Credentials = credentials.NewStaticCredentialsProvider("AKID", "secret", "")
	})
	if err != nil {
		t.Fatal(err)
	}
	m.client = client
	m.stream = NewStream("orders", client, cfg, WithPool(buffers))
	const perSecond = 1e12 // known, or it would begin with small requests
	m.stream.sender.limiter = limiter.New(limiter.Config{
		Quota: limiter.Load{Bytes: perSecond, Records: perSecond}, MaxInFlight: cfg.MaxInFlight, Timeout: cfg.RequestTimeout,
	})
	m.batches, m.settled = make(chan *batch.Batch), make(chan struct{})
	m.release = func(int64) {
		if m.full.HeldBytes() == 0 {
			m.settled <- struct{}{}
		}
	}
	go m.stream.Run(context.WithoutCancel(t.Context()), m.batches, func(err error) { t.Error(err) })
	t.Cleanup(func() { close(m.batches); <-m.stream.Ended() })
	m.builder = batch.NewBuilder(batch.Limits{Records: records, Bytes: 8 << 20, Linger: time.Second}, batch.Aggregation{Values: 1})
	m.builder.SetPool(buffers)
	return m
}

func (m *mill) Do(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn("")
	trace.GotConn(httptrace.GotConnInfo{})
	for n := 1; n > 0; {
		n, _ = r.Body.Read(m.scratch)
	}
	trace.WroteRequest(httptrace.WroteRequestInfo{})
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(m.answer)), Body: io.NopCloser(bytes.NewReader(m.answer)), Request: r}, nil
}

// turn is one batch.
func (m *mill) turn() {
	var full *batch.Batch
	for full == nil {
		m.lease.RegisterRecords(m.next, m.next, 1)
		full = m.builder.AddRecord(time.Time{}, m.lease, offset.MarkAfter(m.next, 0), time.Time{}, append(m.builder.AppendBuffer(), m.value...))
		m.next++
	}
	m.full = full
	full.OnRelease(m.release)
	m.batches <- full
	<-m.settled
}

// cost is what a turn allocates, on average.
func (m *mill) cost() (objects, size float64) {
	for range 5 {
		m.turn()
	}
	const turns = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	objects = testing.AllocsPerRun(turns-1, m.turn) // and one to warm up
	runtime.ReadMemStats(&after)
	return objects, float64(after.TotalAlloc-before.TotalAlloc) / turns
}

// From the value to the settled record, nothing is allocated for a record, however
// many there are in a batch and however large they are: what there is is the SDK's, for
// each request.
func TestAllocations(t *testing.T) {
	const (
		objects = 400      // for a request
		slack   = 10       // for 400 more records in it
		size    = 96 << 10 // bytes for a request, with the list of its records
	)
	few, _ := newMill(t, 100, 200, pool.New[byte](32<<20, 16)).cost()
	for _, each := range []int{200, 1 << 10, 8 << 10} {
		n, bytes := newMill(t, 500, each, pool.New[byte](32<<20, 16)).cost()
		t.Logf("500 records of %d bytes: %.0f objects, %.0f bytes", each, n, bytes)
		if n > objects || n > few+slack || bytes > size {
			t.Errorf("500 records of %d bytes took %.0f objects and %.0f bytes; want at most %d objects, at most %d more than the %.0f of 100 records, and %d bytes", each, n, bytes, objects, slack, few, size)
		}
	}
	if _, bytes := newMill(t, 500, 8<<10, nil).cost(); bytes < 8<<20 { // control: a buffer and a body
		t.Errorf("without a pool there are %.0f bytes", bytes)
	}
}

// BenchmarkDeliver is a full batch, from its values to the last settled record, with a
// pool and without, and with the serializer of the SDK:
//
//	go test ./connector/firehose -run - -bench Deliver -benchmem
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{200, 1 << 10, 8 << 10} {
		for _, how := range []string{"stock", "no pool", "pool"} {
			b.Run(fmt.Sprintf("%d/%s", size, how), func(b *testing.B) {
				var buffers *pool.Pool[byte]
				if how != "no pool" {
					buffers = pool.New[byte](32<<20, 16)
				}
				m := newMill(b, 500, size, buffers)
				if how == "stock" {
					m.client.Client = firehose.New(m.client.Options()) // it has the SDK's protocol
				}
				b.ReportAllocs()
				b.SetBytes(int64(500 * size))
				for b.Loop() {
					m.turn()
				}
			})
		}
	}
}
