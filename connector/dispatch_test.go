package connector

import (
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
)

// busy answers that each record has failed, until it is told to take them.
type busy struct{ takes atomic.Bool }

func (b *busy) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	entry := `{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."},`
	if b.takes.Load() {
		entry = `{"RecordId":"a"},`
	}
	entries := strings.TrimSuffix(strings.Repeat(entry, strings.Count(string(body), `"Data"`)), ",")
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"FailedPutCount":0,"RequestResponses":[` + entries + `]}`)),
	}, nil
}

// TestDispatchKeepsNothing: in trouble there are many more batches in their backoff than
// requests may be in flight, each with a goroutine. When all have settled, no more wait
// for the next than could send at a time, and they keep no batch.
func TestDispatchKeepsNothing(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-east-1")
	synctest.Test(t, func(t *testing.T) {
		const batches, inFlight = 40, 3
		cfg, service := DefaultConfig().Firehose, &busy{}
		cfg.Stream, cfg.MaxInFlight = "s", inFlight
		client, err := firehose.NewClient(t.Context(), cfg, slog.New(slog.DiscardHandler), func(o *awsfirehose.Options) { o.HTTPClient = service })
		if err != nil {
			t.Fatal(err)
		}
		l := &lane{
			stream: firehose.NewStream("s", client, cfg),
			sealed: make(chan *batch.Batch), landed: make(chan struct{}), spare: make(chan struct{}, inFlight),
		}
		go l.dispatch(t.Context(), func(err error) { t.Error(err) })
		var made []weak.Pointer[batch.Batch]
		b, lease := batch.NewBuilder(batch.Limits{Records: 1, Bytes: 100, Linger: time.Second}, batch.Aggregation{Values: 1}), offset.NewLease("t", 0)
		for i := range int64(batches) {
			lease.Register(i, i, 1)
			full := b.Add(time.Now(), lease, offset.After(i, 0), time.Now(), append(b.Buffer(), 'x'))
			made = append(made, weak.Make(full))
			l.sealed <- full
		}
		time.Sleep(time.Second)
		if got := senders(); got < batches/2 {
			t.Fatalf("%d goroutines have a batch, want more to show anything", got)
		}
		service.takes.Store(true)
		time.Sleep(time.Minute)
		if m, ok := lease.Mark(); !ok || m.Offset != batches {
			t.Fatalf("accepted up to %d %v, want %d", m.Offset, ok, batches)
		}
		if got := senders(); got > inFlight {
			t.Errorf("%d goroutines wait for the next batch, want at most %d", got, inFlight)
		}
		runtime.GC()
		for i, p := range made {
			if p.Value() != nil {
				t.Errorf("batch %d is kept, though it has settled", i)
			}
		}
		close(l.sealed)
		<-l.landed
	})
}

// senders is how many goroutines dispatch has.
func senders() int {
	stacks := make([]byte, 8<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*lane).dispatch.func")
}
