package preflight

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/logging/logtest"
)

// streamWorld is a client of an emulated Firehose, in virtual time.
type streamWorld struct {
	t      *testing.T
	svc    *firehosetest.Service
	client *firehose.Client
	log    logtest.Buffer
}

func (w *streamWorld) countLog(s string) int { return strings.Count(w.log.String(), s) }

// virtual runs f in a bubble in which an hour takes no time.
func virtual(t *testing.T, o firehosetest.Options, f func(w *streamWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Streams == nil {
			o.Streams = []firehosetest.Stream{{Name: "orders"}}
		}
		w := &streamWorld{t: t, svc: firehosetest.New(o)}
		clients, err := firehose.NewClients(t.Context(), firehose.Config{Stream: "orders", MaxInFlight: 16, RequestTimeout: 10 * time.Second},
			slog.New(slog.NewTextHandler(&w.log, nil)), func(o *awsfirehose.Options) {
				o.Region, o.HTTPClient = "us-east-1", w.svc
				o.Credentials = credentials.NewStaticCredentialsProvider("AKID", "secret", "")
			})
		if err != nil {
			t.Fatal(err)
		}
		w.client = clients.ForStream("orders")
		f(w)
	})
}

func TestStreamCheck(t *testing.T) {
	describe := "DescribeDeliveryStream"
	tests := []struct {
		name   string
		stream firehosetest.Stream
		faults []firehosetest.Fault
		err    string
		log    string
		waits  bool
	}{
		{name: "active", stream: firehosetest.Stream{Name: "orders"}},
		{name: "missing", stream: firehosetest.Stream{Name: "other"}, err: "orders does not exist"},
		{name: "wrong type", stream: firehosetest.Stream{Name: "orders", Type: "KinesisStreamAsSource"}, err: "orders is of type KinesisStreamAsSource"},
		{name: "deleting", stream: firehosetest.Stream{Name: "orders", Status: "DELETING"}, err: "orders is DELETING"},
		{name: "never created", stream: firehosetest.Stream{Name: "orders", Status: "CREATING"}, err: "orders is CREATING", waits: true},
		{name: "no permission", stream: firehosetest.Stream{Name: "orders"}, faults: []firehosetest.Fault{{Operation: describe, Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException"}}, log: "AccessDeniedException"},
		{name: "throttled for long", stream: firehosetest.Stream{Name: "orders"}, faults: []firehosetest.Fault{{Operation: describe, Effect: firehosetest.RefuseRequest, Code: "ThrottlingException"}}, log: "ThrottlingException", waits: true},
		{name: "throttled once", stream: firehosetest.Stream{Name: "orders"}, faults: []firehosetest.Fault{{Operation: describe, Effect: firehosetest.RefuseRequest, Code: "ThrottlingException", Times: 1}}, waits: true},
		{name: "no network", stream: firehosetest.Stream{Name: "orders"}, faults: []firehosetest.Fault{{Operation: describe, Effect: firehosetest.Outage}}, log: "code=connect", waits: true},
		{name: "hangs", stream: firehosetest.Stream{Name: "orders"}, faults: []firehosetest.Fault{{Operation: describe, Effect: firehosetest.Hang}}, log: "code=timeout", waits: true},
		{name: "two delimiters", stream: firehosetest.Stream{Name: "orders", Processors: []firehosetest.Processor{{Type: "AppendDelimiterToRecord"}}}, log: "blank lines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, firehosetest.Options{Streams: []firehosetest.Stream{tt.stream}, Faults: tt.faults}, func(w *streamWorld) {
				start := time.Now()
				var reason error
				check := checkOf(w, w.client, SentRecords{Delimiter: "\n"})
				check.Waiting = func(err error) { reason = err }
				err := check.Run(w.t.Context())
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("error is %v, want %q", err, tt.err)
				}
				if tt.waits != (reason != nil) {
					t.Errorf("the reason to wait is %v", reason)
				}
				if n := w.countLog("level=WARN"); (tt.log != "") != (n == 1) || w.countLog(tt.log) == 0 {
					t.Errorf("log: %s", w.log.String())
				}
				if took := time.Since(start); took > 3*time.Minute {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// checkOf is the check of the stream orders, which logs to the world's log.
func checkOf(w *streamWorld, api firehose.Describer, sends SentRecords) StreamCheck {
	return StreamCheck{API: api, Stream: "orders", Sends: sends, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Waiting: func(error) {}, Described: func(*types.DeliveryStreamDescription) {}}
}

// TestCheckQuota: members that start together share five requests a second. The first requests are sent at once,
// those that are throttled are repeated at random times, and every member ends its check.
func TestCheckQuota(t *testing.T) {
	virtual(t, firehosetest.Options{Latency: firehosetest.Fixed(5 * time.Millisecond)}, func(w *streamWorld) {
		const members = 20
		start := time.Now()
		took := make([]time.Duration, members)
		var checks sync.WaitGroup
		for i := range members {
			checks.Go(func() {
				if err := checkOf(w, w.client, SentRecords{}).Run(w.t.Context()); err != nil {
					t.Errorf("member %d: %v", i, err)
				}
				took[i] = time.Since(start)
			})
		}
		checks.Wait()
		slices.Sort(took)
		if took[4] != 5*time.Millisecond || took[5] == 5*time.Millisecond {
			t.Errorf("the first six checks took %v, want the time of one request for five of them, without a wait", took[:6])
		}
		if last := took[members-1]; last > 15*time.Second {
			t.Errorf("the last check took %v", last)
		}
		apart := map[time.Duration]bool{}
		for _, d := range took[5:] {
			apart[d] = true
		}
		if requests := w.svc.Stats().Requests; len(apart) < 10 || requests > 4*members {
			t.Errorf("%d requests, throttled checks passed at %d different times", requests, len(apart))
		}
	})
}

// TestCheckDelay: the streams of one process are described within the quota.
func TestCheckDelay(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 0, 4: 0, 5: time.Second, 9: time.Second, 10: 2 * time.Second} {
		if got := CheckDelay(n); got != want {
			t.Errorf("check %d waits %v, want %v", n, got, want)
		}
	}
	for range 100 {
		if d := RecheckDelay(); d < 30*time.Second || d > time.Minute {
			t.Errorf("a stream that can't be used is checked again after %v, want 30 s to 1 min", d)
		}
	}
}
