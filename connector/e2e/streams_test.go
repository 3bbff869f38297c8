package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// twoStreams is a configuration with the topic "in" for the stream s and the topic
// "good" for the stream other.
func (w *world) twoStreams() func(*connector.Config) {
	w.t.Helper()
	w.stream.AddStream(firehosetest.Stream{Name: "other"})
	w.topic(w.name("good"), 2)
	return func(c *connector.Config) {
		c.Kafka.Topics = []string{w.in, w.name("good")}
		if err := c.Firehose.Routes.Decode(w.name("good") + "=other"); err != nil {
			w.t.Fatal(err)
		}
	}
}

func toGood(i int) *kgo.Record {
	return &kgo.Record{Topic: "good", Partition: int32(i % 2), Value: fmt.Appendf(nil, "%d", i)}
}

// TestStreamInTrouble stops only its own topics, whatever is wrong with it, and takes
// records again by itself when that is over. The other stream's arrive at once.
func TestStreamInTrouble(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]firehosetest.Fault{
		"throttled": {Effect: firehosetest.RefuseRecords, Code: "ServiceUnavailableException"},
		"deleted":   {Effect: firehosetest.RefuseRequest, Code: "ResourceNotFoundException"},
		"forbidden": {Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException"},
		"key":       {Effect: firehosetest.RefuseRequest, Code: "InvalidKMSResourceException"},
		"down":      {Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException"},
		"hangs":     {Effect: firehosetest.Hang},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				streams := w.twoStreams()
				fault.Stream, fault.Until = "s", 2*time.Minute
				w.stream.AddFault(fault)
				m := w.start(streams)
				const each = 2000
				w.produce(0, each)
				for i := range 10 {
					from := each + i*each/10
					w.produceWith(from, from+each/10, toGood)
					time.Sleep(10 * time.Second)
					if got := w.stream.Stats().Streams["other"].Records; got != each/10*(i+1) {
						t.Fatalf("after %d s the other stream has %d records, want %d", 10*(i+1), got, each/10*(i+1))
					}
				}
				if got := w.stream.Stats().Streams["s"].Records; got != 0 {
					t.Errorf("%d records passed the fault, so nothing was tested", got)
				}
				if err := m.connector.Ready(); err == nil || strings.Contains(err.Error(), "other") || !strings.Contains(err.Error(), "stream s") {
					t.Errorf("readiness says %v, want something about the stream s alone", err)
				}
				time.Sleep(2 * time.Minute)
				if err := m.connector.Ready(); err != nil {
					t.Errorf("not ready after the end of the fault: %v", err)
				}
				m.mustStop()
				w.wantAll(2*each, each) // what hung may have been accepted
				if got := w.committed(); got != 2*each {
					t.Errorf("committed %d, want %d", got, 2*each)
				}
			})
		})
	}
}

// TestThroughputBesideAStreamThatIsDown: both streams have a steady load. One is down for
// a minute, in which far more comes for it than memory takes; the other goes on as before.
// With as little memory as two streams can have, catching up costs the other something.
func TestThroughputBesideAStreamThatIsDown(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	if testing.Short() {
		t.Skip("measures throughput and moves 600 MB; the run without the race detector has it")
	}
	for bound, share := range map[env.Bytes]float64{26 * env.MiB: 0.7, 64 * env.MiB: 0.9} {
		t.Run(bound.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				m := w.start(w.twoStreams(), func(c *connector.Config) {
					c.MaxBufferedBytes = bound
					if err := c.Firehose.StreamOptions.Decode(`{"s": {"max_records_per_second": 150}, "other": {"max_in_flight": 4}}`); err != nil {
						t.Fatal(err)
					}
				})
				l := &load{m: m, perSecond: 100, pad: strings.Repeat(" ", 8000)}
				time.Sleep(10 * time.Second)
				_, before := l.minute()
				w.stream.AddFault(firehosetest.Fault{Stream: "s", Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException", Until: time.Minute})
				down, beside := l.minute()
				pauses := strings.Count(w.log.String(), "topics paused")
				back, after := l.minute()
				t.Logf("records a minute of the other stream: %d before, %d beside, %d after; the stream itself %d and then %d; at most %.0f of %d bytes held",
					before, beside, after, down, back, l.most, bound)
				if beside < before*9/10 || float64(after) < float64(before)*share {
					t.Errorf("%d records in a minute beside the stream that is down and %d after, %d before", beside, after, before)
				}
				if down != 0 || back < 150*60*8/10 {
					t.Errorf("the stream took %d records while it was down, and %d in the minute after, of 150 a second", down, back)
				}
				if pauses == 0 || pauses > 2 {
					t.Errorf("its topics were paused %d times in the minute", pauses)
				}
				if l.most > float64(bound) {
					t.Errorf("%.0f bytes held, the bound is %d", l.most, bound)
				}
				time.Sleep(3 * time.Minute)
				m.mustStop()
				w.wantExactly(l.produced)
			})
		})
	}
}

// load is a steady one for both streams.
type load struct {
	m         *member
	perSecond int // records for each
	pad       string
	produced  int
	most      float64 // bytes that were held at once
}

// minute produces for one, and returns how many records the streams took in it.
func (l *load) minute() (s, other int) {
	w := l.m.w
	before := w.stream.Stats().Streams
	for range 600 {
		w.produceWith(l.produced, l.produced+2*l.perSecond/10, func(i int) *kgo.Record {
			r := &kgo.Record{Topic: "in", Partition: int32(i / 2 % 4), Value: fmt.Appendf(nil, "%d%s", i, l.pad)}
			if i%2 == 1 {
				r.Topic, r.Partition = "good", int32(i/2%2)
			}
			w.judge.alias(string(r.Value), fmt.Sprint(i))
			return r
		})
		l.produced += 2 * l.perSecond / 10
		time.Sleep(100 * time.Millisecond)
		l.most = max(l.most, l.m.metric("buffered_bytes"))
	}
	after := w.stream.Stats().Streams
	return after["s"].Records - before["s"].Records, after["other"].Records - before["other"].Records
}
