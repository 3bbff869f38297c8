package e2e_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/firehose/firehosetest"
)

// aggregatedCost packs up to 100,000 values of Avro into one compressed record.
func aggregatedCost(c *connector.Config) {
	avroFormat(c)
	c.Record.Aggregate, c.Record.Compression, c.Record.AggregateMaxRecords = true, "gzip", 100_000
}

// TestSlowConversion: records take 50 ms each and fit by the 100,000 into a batch. The linger,
// a revoke and a stop wait for one of them, not for the batch.
func TestSlowConversion(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes()
		const each = 50 * time.Millisecond
		w.before = func(convert.SchemaRef) { time.Sleep(each) }
		w.produceWith(0, 10_000, func(i int) *kgo.Record { return avroNumber(i, 1) })
		first := w.start(aggregatedCost)
		w.untilShared(4, first)
		begin := time.Now()
		w.until("a batch is stored", 5*time.Second, func() bool { return w.stream.Stats().Streams["s"].Records > 0 })
		if took, linger := time.Since(begin), time.Second; took > linger+10*each {
			t.Errorf("the first batch was stored after %v, its linger is %v", took, linger)
		}
		for range 50 {
			time.Sleep(200 * time.Millisecond)
			if err := errors.Join(first.connector.Live(), first.connector.Ready()); err != nil {
				t.Fatal(err)
			}
		}
		second := w.start(aggregatedCost)
		w.untilShared(2, first, second)
		if took := w.revokeTook(); took > 4*each {
			t.Errorf("a revoke took %v", took)
		}
		for _, m := range []*member{first, second} {
			m.mustStopWithin(time.Second)
		}
	})
}

// TestSlowCompilation: a large schema takes a minute to compile, which is longer than any interval that watches the process. The partitions whose
// records need it wait. The others, whose small schema is not compiled either when it begins, are delivered and committed, on the same stream and on another one, no member leaves the group, the probes
// pass, and neither a revoke nor a stop waits for the compiler.
func TestSlowCompilation(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		words := strings.Repeat("many words ", 2000)
		r.SeedSchema("in-value", 3, 3, sr.Schema{Schema: `{"type":"record","name":"R","doc":"` + words + `","fields":[{"name":"n","type":"long"}]}`})
		w.compiles = func(d convert.SchemaDefinition) {
			if strings.Contains(d.Text, words) {
				time.Sleep(time.Minute)
			}
		}
		w.stream.AddStream(firehosetest.Stream{Name: "b"})
		w.topic("other", 4)
		two := func(c *connector.Config) {
			avroFormat(c)
			c.Kafka.Topics = []string{w.in, "other"}
			if err := c.Firehose.Routes.Decode("other=b"); err != nil {
				t.Fatal(err)
			}
		}
		const each = 80
		record := func(i int) *kgo.Record { // partition 0 of each topic needs the schema, and the others don't
			r := avroNumber(i, 1)
			if r.Topic = []string{w.in, "other"}[i/4%2]; r.Partition == 0 {
				r.Value[4] = 3
			}
			return r
		}
		first := w.start(two)
		w.untilShared(8, first)
		n := 0
		for begin := time.Now(); time.Since(begin) < 50*time.Second; {
			w.produceWith(n, n+each, record)
			n += each
			w.wantPassing(n, n/4, 2*time.Second)
			if err := errors.Join(first.connector.Live(), first.connector.Ready()); err != nil {
				t.Error(err)
			}
		}
		if got := first.metric("kafka_assigned_partitions"); got != 8 {
			t.Errorf("%v partitions are assigned, want 8", got)
		}
		second := w.start(two)
		w.untilShared(4, first, second)
		if took := w.revokeTook(); took > time.Second {
			t.Errorf("a revoke took %v", took)
		}
		first.mustStopWithin(time.Second)
		if lost, _ := w.judge.count(n); lost == 0 {
			t.Error("the schema is compiled already, so the revoke and the stop had nothing to wait for")
		}
		w.untilCommitted(n)
		second.mustStop()
		w.wantExactly(n)
	})
}

// wantPassing fails unless records 0 to n-1 are stored within a time, but for those of partition 0 that wait, and committed soon.
func (w *world) wantPassing(n, waiting int, within time.Duration) {
	w.t.Helper()
	lost := n
	if !came(within, func() bool { lost, _ = w.judge.count(n); return lost == waiting }) {
		w.t.Errorf("after %v %d of %d records are not stored, want %d", within, lost, n, waiting)
	}
	committed := func() bool {
		for _, topic := range []string{w.in, "other"} {
			for p := range int32(3) {
				if w.judge.lastCommit(topic, p+1) < int64(n/8) {
					return false
				}
			}
		}
		return true
	}
	if !came(10*time.Second, committed) {
		w.t.Errorf("%v after it was stored it is not committed", 10*time.Second)
	}
}

// hang makes conversions of schema 2 wait until the result is called.
func (w *world) hang() (end func()) {
	released := make(chan struct{})
	w.before = func(ref convert.SchemaRef) {
		if ref.ID == 2 {
			<-released
		}
	}
	return func() { close(released); w.before = nil }
}

// TestHangingConversion: a library never returns. The probes say so, both, and at once; a
// revoke ends with its timeout, so that others get the partitions; and nothing is lost.
func TestHangingConversion(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes()
		end := w.hang()
		two := func(c *connector.Config) {
			avroFormat(c)
			c.Kafka.Topics = []string{w.in, "other"}
			if err := c.Firehose.Routes.Decode("other=b"); err != nil {
				t.Fatal(err)
			}
		}
		w.stream.AddStream(firehosetest.Stream{Name: "b"})
		w.topic("other", 4)
		first := w.start(two)
		w.untilShared(8, first)
		w.produceWith(0, 400, func(i int) *kgo.Record { return avroNumber(i, byte(1+i/200)) })
		w.produceWith(400, 800, func(i int) *kgo.Record {
			r := avroNumber(i, byte(1+(i-400)/200))
			r.Topic = "other"
			return r
		})
		time.Sleep(5 * time.Second)
		if err := first.connector.Live(); err != nil {
			t.Errorf("after five seconds: %v", err)
		}
		time.Sleep(10 * time.Second)
		begin := time.Now()
		for _, err := range []error{first.connector.Live(), first.connector.Ready()} {
			if err == nil || !strings.Contains(err.Error(), "stream s hangs, near topic in partition") || !strings.Contains(err.Error(), "stream b hangs, near topic other") {
				t.Errorf("two conversions hang, and the probe says %v", err)
			}
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("the probes took %v", took)
		}
		time.Sleep(10 * time.Minute)
		if n := strings.Count(w.log.String(), "the pipeline hangs"); n < 20 || n > 22 {
			t.Errorf("the log says %d times that one of two hangs, want it every minute", n)
		}

		second := w.start(two)
		w.untilShared(4, first, second)
		if took, limit := w.revokeTook(), 10*time.Second; took > limit+time.Second {
			t.Errorf("the revoke took %v, KAFKA_REVOKE_DRAIN_TIMEOUT is %v", took, limit)
		}
		end() // the answers that nobody waits for any more come now
		time.Sleep(time.Second)
		if err := errors.Join(first.connector.Live(), first.connector.Ready()); err != nil {
			t.Errorf("it does not hang any more: %v", err)
		}
		w.until("all records are stored", patience, func() bool { lost, _ := w.judge.count(800); return lost == 0 })
		w.untilCommitted(800)
		first.mustStop()
		second.mustStop()
	})
}

// TestAgeOfHangingRecord: a record whose conversion hangs is in no batch and not in the queue, and its age is known all the same.
func TestAgeOfHangingRecord(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes()
		end := w.hang()
		m := w.start(avroFormat)
		w.untilShared(4, m)
		w.produceWith(0, 1, func(i int) *kgo.Record { return avroNumber(i, 2) })
		time.Sleep(5 * time.Minute)
		s := m.connector.Status()
		old := 0
		for _, p := range s.Partitions {
			if p.OldestAge > 295 {
				old++
			}
		}
		if old != 1 || s.Memory.OldestAge < 295 {
			t.Errorf("%d partitions have an old record, want 1; the oldest of all has %v s", old, s.Memory.OldestAge)
		}
		end()
		w.untilCommitted(1)
		time.Sleep(time.Second)
		if s := m.connector.Status(); s.Memory.OldestAge != 0 {
			t.Errorf("the oldest record has %v s after the commit of all", s.Memory.OldestAge)
		}
		m.mustStop()
	})
}

// held answers a kind of request only when the result is called.
func (w *world) held(key kmsg.Key, of func(kmsg.Request) bool) (release func()) {
	end := make(chan struct{})
	w.cluster.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		if of == nil || of(r) {
			w.cluster.SleepControl(func() { <-end })
		}
		return nil, nil, false
	})
	return func() { close(end) }
}

// mute is a Schema Registry that never answers a request for schema 2.
type mute struct{ *registry }

func (s mute) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/2") {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.registry.RoundTrip(r)
}

// TestStopIsBounded: whatever hangs, a stop takes SHUTDOWN_TIMEOUT and a moment.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	nothing := func() {}
	for _, test := range []struct {
		name string
		// hang makes something hang once the member has all partitions and has delivered
		// something, or before it starts.
		before, hang func(w *world) (release func())
		change       func(*connector.Config)
		left         string // what the log names, if anything
	}{
		{name: "nothing"},
		{name: "conversion", before: (*world).hang, left: "converting for stream s"},
		{name: "schema", before: func(w *world) func() { w.registry = mute{newRegistry()}; return nothing }},
		{name: "lag", hang: func(w *world) func() { return w.held(kmsg.ListOffsets, nil) }},
		{name: "the group's offsets", hang: func(w *world) func() { return w.held(kmsg.OffsetFetch, nil) }},
		{name: "fetch", hang: func(w *world) func() { return w.held(kmsg.Fetch, nil) }},
		{name: "throttled fetch", hang: func(w *world) func() {
			w.cluster.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
				w.cluster.KeepControl()
				resp := r.ResponseKind().(*kmsg.FetchResponse)
				resp.ThrottleMillis = int32(time.Hour / time.Millisecond)
				return resp, nil, true
			})
			return nothing
		}},
		{name: "commit", hang: func(w *world) func() { return w.held(kmsg.OffsetCommit, nil) }},
		{name: "leave", hang: func(w *world) func() { return w.held(kmsg.LeaveGroup, nil) }},
		{name: "leave, consumer", hang: func(w *world) func() { return w.held(kmsg.ConsumerGroupHeartbeat, nil) }, change: func(c *connector.Config) { c.Kafka.GroupProtocol = "consumer" }},
		{name: "heartbeat", hang: func(w *world) func() { return w.held(kmsg.Heartbeat, nil) }},
		{name: "metadata", hang: func(w *world) func() { return w.held(kmsg.Metadata, nil) }},
		{name: "Firehose", hang: func(w *world) func() {
			w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Hang})
			return nothing
		}},
		{name: "dead letters", hang: func(w *world) func() {
			return w.held(kmsg.Produce, func(r kmsg.Request) bool {
				return r.(*kmsg.ProduceRequest).Topics[0].Topic == "dead"
			})
		}, change: func(c *connector.Config) { c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "dead" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.decodes()
				w.topic("dead", 1)
				release := nothing
				if test.before != nil {
					release = test.before(w)
				}
				w.produceWith(0, 40, func(i int) *kgo.Record { return avroNumber(i, 1) })
				const timeout = 10 * time.Second
				m := w.start(avroFormat, func(c *connector.Config) {
					c.ShutdownTimeout = timeout
					if test.change != nil {
						test.change(c)
					}
				})
				w.untilShared(4, m)
				time.Sleep(5 * time.Second)
				if test.hang != nil {
					release = test.hang(w)
				}
				w.produceWith(40, 80, func(i int) *kgo.Record { return avroNumber(i, 2) })
				w.produceWith(80, 81, func(i int) *kgo.Record { // bad, for those that have dead letters
					r := avroNumber(i, 2)
					r.Partition = 3
					if test.name == "dead letters" {
						binary.BigEndian.PutUint32(r.Value[1:], 404)
					}
					return r
				})
				time.Sleep(17 * time.Second) // lag is asked for every 15 s
				begin := time.Now()
				err := m.stop()
				took := time.Since(begin)
				t.Logf("the stop took %v: %v", took, err)
				if took > timeout+2*time.Second {
					t.Errorf("the stop took %v, SHUTDOWN_TIMEOUT is %v", took, timeout)
				}
				if test.name == "conversion" {
					groups, err := w.admin.DescribeGroups(context.Background(), w.group)
					if err != nil {
						t.Fatal(err)
					}
					if n := len(groups[w.group].Members); n > 0 {
						t.Errorf("%d members are left in the group", n)
					}
				}
				if log := w.log.String(); strings.Contains(log, "left goroutines behind") != (test.left != "") || !strings.Contains(log, test.left) {
					t.Errorf("want the log to name %q\n%s", test.left, w.log.tail())
				}
				release()
			})
		})
	}
}
