package e2e_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// registry is a Schema Registry without a network.
type registry struct {
	*srfake.Registry
	down     atomic.Bool
	requests atomic.Int64
}

// newRegistry has the numbers as schemas 1 and 2.
func newRegistry() *registry {
	r := &registry{Registry: srfake.NewRegistry()}
	r.SeedSchema("in-value", 1, 1, sr.Schema{Schema: `"long"`})
	r.SeedSchema("in-value", 2, 2, sr.Schema{Schema: `{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}`})
	return r
}

// RoundTrip implements http.RoundTripper.
func (r *registry) RoundTrip(request *http.Request) (*http.Response, error) {
	r.requests.Add(1)
	time.Sleep(5 * time.Millisecond)
	if r.down.Load() {
		return nil, errors.New("connection refused")
	}
	rec := httptest.NewRecorder()
	r.Handler().ServeHTTP(rec, request)
	return rec.Result(), nil
}

// avroNumber is a record with a number that was written with schema 1 or 2.
func avroNumber(i int, schema byte) *kgo.Record {
	return &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: binary.AppendVarint([]byte{0, 0, 0, 0, schema}, int64(i))}
}

// decodes makes it a world whose values are Avro; the judge reads what is made of them.
func (w *world) decodes() *registry {
	r := newRegistry()
	w.registry = r
	w.judge.made = func(r *kgo.Record) string {
		n, _ := binary.Varint(r.Value[5:])
		return fmt.Sprint(n)
	}
	w.judge.read = func(line string) string { return strings.Trim(line, `{"n:}`) }
	return r
}

func avroFormat(c *connector.Config) {
	c.Record.Format, c.Schema.URLs = "avro", []string{"http://registry.example"}
}

// TestRegistryOutage: ten minutes without the registry. What needs no new schema goes
// on, the rest waits: nothing is lost, nothing bad, memory is bounded, the log of
// requests short. A rebalance gets through meanwhile, and so does a stop.
func TestRegistryOutage(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		const bound = 16 << 20
		small := func(c *connector.Config) { avroFormat(c); c.MaxBufferedBytes = bound }
		first := w.start(small)
		w.produceWith(0, 1000, func(i int) *kgo.Record { return avroNumber(i, 1) })
		time.Sleep(10 * time.Second)
		w.wantExactly(1000)
		if n := r.requests.Load(); n != 1 {
			t.Errorf("%d requests for one schema", n)
		}

		r.down.Store(true)
		w.produceWith(1000, 2000, func(i int) *kgo.Record { return avroNumber(i, 1) })
		time.Sleep(10 * time.Second)
		w.wantExactly(2000)
		if err := first.connector.Ready(); err != nil {
			t.Errorf("nothing waits, and yet it is not ready: %v", err)
		}

		const n = 120_000
		w.produceWith(2000, n, func(i int) *kgo.Record { return avroNumber(i, 2) })
		var most float64
		wait := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				most = max(most, first.metric("buffered_bytes"))
			}
		}
		wait(2 * time.Minute)
		if err := first.connector.Ready(); err == nil || !strings.Contains(err.Error(), "Schema Registry: ") {
			t.Errorf("ready although records wait: %v", err)
		}
		if err := first.connector.Live(); err != nil {
			t.Errorf("a restart would not cure it, yet: %v", err)
		}
		if lag := first.metric("kafka_lag_records"); lag < n-3000 {
			t.Errorf("lag is %v of %d", lag, n-2000)
		}
		second := w.start(small)
		wait(30 * time.Second)
		if a, b := first.metric("kafka_assigned_partitions"), second.metric("kafka_assigned_partitions"); a != 2 || b != 2 {
			t.Errorf("%v and %v partitions, want 2 and 2: the rebalance is held up", a, b)
		}
		begin := time.Now()
		if err := second.stop(); err != nil || time.Since(begin) > 10*time.Second {
			t.Errorf("a stop took %v: %v", time.Since(begin), err)
		}
		wait(7*time.Minute + 30*time.Second)
		if most > bound {
			t.Errorf("%.0f bytes held, the bound is %d", most, bound)
		}
		requests := r.requests.Load()
		if requests < 40 || requests > 400 {
			t.Errorf("%d requests in ten minutes", requests)
		}
		if n := strings.Count(w.log.String(), "can't be reached"); n != 2 {
			t.Errorf("%d lines tell of the outage, want one of each member", n)
		}
		w.wantExactly(2000)

		r.down.Store(false)
		time.Sleep(2 * time.Minute)
		if err := first.connector.Ready(); err != nil {
			t.Errorf("not ready after the outage: %v", err)
		}
		first.mustStop()
		w.wantExactly(n)
		if got := w.committed(); got != n {
			t.Errorf("committed %d, want %d", got, n)
		}
		if bad := first.metric("records_skipped_total") - first.metric("records_skipped_total", "revoked"); bad != 0 {
			t.Errorf("%v records are bad because of an outage", bad)
		}
		t.Logf("%d requests, at most %.0f bytes held", requests, most)
	})
}

// TestRegistryAndStreamDown: the schema comes while a sealed batch waits for the
// stream. Were that not taken note of at once, fill would turn without a pause, and
// this test would not end.
func TestRegistryAndStreamDown(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		m := w.start(avroFormat)
		w.produceWith(0, 100, func(i int) *kgo.Record { return avroNumber(i, 1) })
		time.Sleep(10 * time.Second)
		w.wantExactly(100)
		r.down.Store(true)
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Outage, Until: 3 * time.Minute})
		for i := range 10 { // one fails, one waits to be sent, the others are in the queue
			w.produceWith(100+100*i, 200+100*i, func(i int) *kgo.Record { return avroNumber(i, 1) })
			time.Sleep(500 * time.Millisecond)
		}
		w.produceWith(1100, 1200, func(i int) *kgo.Record { return avroNumber(i, 2) })
		time.Sleep(30 * time.Second)
		r.down.Store(false)
		time.Sleep(5 * time.Minute)
		m.mustStop()
		w.wantExactly(1200)
	})
}

// TestOneBadInAThousand: every good record is delivered, every bad one counted.
func TestOneBadInAThousand(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes()
		w.judge.made = func(r *kgo.Record) string { return fmt.Sprint(r.Offset*4 + int64(r.Partition)) }
		const n = 20_000
		bad := func(i int) bool { return i%1000 == 500 }
		kinds := [][]byte{[]byte("{}"), {0, 0, 0, 0, 9, 2}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 2, 2, 2}, {}}
		w.produceWith(0, n, func(i int) *kgo.Record {
			r := avroNumber(i, byte(1+i%2))
			if bad(i) {
				r.Value = kinds[i/1000%len(kinds)]
			}
			return r
		})
		for i := 500; i < n; i += 1000 {
			w.judge.allow(place{part{w.in, int32(i % 4)}, int64(i / 4)})
		}
		m := w.start(avroFormat, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		time.Sleep(time.Minute)
		m.mustStop()
		for i := range n {
			if got, want := w.judge.copiesOf(fmt.Sprint(i)), 1; !bad(i) && got != want {
				t.Fatalf("record %d arrived %d times", i, got)
			}
		}
		if got, want := m.metric("records_skipped_total", "undecodable"), 16.0; got != want {
			t.Errorf("%v records undecodable, want %v", got, want)
		}
		if got, want := m.metric("records_skipped_total", "unknown_schema"), 4.0; got != want {
			t.Errorf("%v records of an unknown schema, want %v", got, want)
		}
		if got := w.committed(); got != n {
			t.Errorf("committed %d, want %d", got, n)
		}
		for _, want := range []string{"it does not begin as Schema Registry serializers do", "it ends too early", "schema 9: the Schema Registry does not have it"} {
			if !strings.Contains(w.log.String(), want) {
				t.Errorf("nobody was told %q", want)
			}
		}
	})
}

// TestUndecodableExits: with the policy stop an undecodable record ends the process behind
// everything before it, and the error tells which.
func TestUndecodableExits(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes()
		w.produceWith(0, 100, func(i int) *kgo.Record { r := avroNumber(i, 1); r.Partition = 0; return r })
		w.produceWith(100, 101, func(int) *kgo.Record { return &kgo.Record{Topic: "in", Value: []byte{0, 0, 0, 0, 77, 1}} })
		w.produceWith(101, 150, func(i int) *kgo.Record { r := avroNumber(i, 1); r.Partition = 0; return r })
		m := w.start(avroFormat, func(c *connector.Config) { c.BadRecordPolicy = "exit" })
		err := <-m.done
		if err == nil || !strings.Contains(err.Error(), "topic in partition 0 offset 100 (6 bytes): schema 77: the Schema Registry does not have it") {
			t.Errorf("%v", err)
		}
		w.wantExactly(100)
		if at := w.judge.lastCommit("in", 0); at != 100 {
			t.Errorf("committed to %d, want 100", at)
		}
	})
}

// partly is a registry that fails, or hangs, for some schemas, until it is healed.
type partly struct {
	*registry
	fails  func(id string) bool
	healed atomic.Bool
	hangs  atomic.Bool
	most   atomic.Int64 // requests at a time
	under  atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (p *partly) RoundTrip(r *http.Request) (*http.Response, error) {
	defer p.under.Add(-1)
	p.most.Store(max(p.most.Load(), p.under.Add(1)))
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if p.healed.Load() || !p.fails(id) {
		return p.registry.RoundTrip(r)
	}
	if p.hangs.Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	time.Sleep(5 * time.Millisecond)
	return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// TestUnknownSchemasHoldUpTheirPartition: a producer writes records to one partition that are
// no Avro, and each seems to name another schema. The other partitions of the stream do not
// wait for what the registry says of them.
func TestUnknownSchemasHoldUpTheirPartition(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes()
		const bad, good = 2000, 1000
		other := func(i int) *kgo.Record {
			r := avroNumber(i, 1)
			r.Partition = int32(1 + i%3)
			return r
		}
		w.produceWith(0, good, other)
		w.produceWith(0, bad, func(i int) *kgo.Record {
			r := avroNumber(1_000_000+i, 1)
			binary.BigEndian.PutUint32(r.Value[1:], uint32(1000+i))
			r.Partition = 0
			return r
		})
		for i := range bad {
			w.judge.allow(place{part{w.in, 0}, int64(i)})
		}
		m := w.start(avroFormat, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		w.untilShared(4, m)
		time.Sleep(2 * time.Second)
		w.produceWith(good, 2*good, other)
		begin := time.Now()
		w.untilStored(2*good, 2*good)
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("the records of other partitions took %v", took)
		}
		w.untilCommitted(bad + 2*good)
		m.mustStop()
		w.wantExactly(2 * good)
		if n := m.metric("records_skipped_total", "unknown_schema"); n != bad {
			t.Errorf("%v records of unknown schemas, want %d", n, bad)
		}
	})
}

// TestOneSchemaFails: the registry has no answer for one schema, for ten minutes. Its partition
// has more records than memory has room for. The others do not notice, memory is bounded, a
// revoke and a stop get through; and when the registry answers, nothing is lost.
func TestOneSchemaFails(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{false, true} {
		t.Run(fmt.Sprintf("hangs=%v", hangs), func(t *testing.T) {
			bubble(t, func(w *world) {
				p := &partly{registry: w.decodes(), fails: func(id string) bool { return id == "2" }}
				p.hangs.Store(hangs)
				w.registry = p
				const bound, stuck = 16 << 20, 40_000
				small := func(c *connector.Config) { avroFormat(c); c.MaxBufferedBytes = bound }
				w.produceWith(0, stuck, func(i int) *kgo.Record { r := avroNumber(i, 2); r.Partition = 0; return r })
				first := w.start(small)
				w.untilShared(4, first)
				n := stuck
				other := func(i int) *kgo.Record { r := avroNumber(i, 1); r.Partition = int32(1 + i%3); return r }
				for range 8 {
					w.produceWith(n, n+1000, other)
					n += 1000
					begin := time.Now()
					w.until("the others arrive", time.Minute, func() bool { return w.stream.Stats().Streams["s"].Records == n-stuck })
					if took := time.Since(begin); took > 10*time.Second {
						t.Errorf("1000 records of others took %v", took)
					}
					if held := first.metric("buffered_bytes"); held > bound {
						t.Errorf("%.0f bytes held, the bound is %d", held, bound)
					}
					time.Sleep(20 * time.Second)
				}
				if err := first.connector.Live(); err != nil {
					t.Error(err)
				}
				second := w.start(small)
				w.untilShared(2, first, second)
				if took := w.revokeTook(); took > time.Second {
					t.Errorf("a revoke took %v", took)
				}
				second.mustStopWithin(time.Second)
				p.healed.Store(true)
				w.untilCommitted(n)
				first.mustStop()
				w.wantExactly(n)
			})
		})
	}
}

// TestSchemasAreFetchedInParallel: many partitions wait for schemas of their own. They are
// fetched beside one another, and each once.
func TestSchemasAreFetchedInParallel(t *testing.T) {
	bubble(t, func(w *world) {
		p := &partly{registry: w.decodes(), fails: func(string) bool { return false }}
		w.registry = p
		const partitions = 100
		w.topic("many", partitions)
		for i := range partitions / 2 {
			p.SeedSchema(fmt.Sprintf("s%d", i), 1, 100+i, sr.Schema{Schema: `"long"`})
		}
		w.produceWith(0, 1000, func(i int) *kgo.Record {
			r := avroNumber(i, byte(100+i%partitions/2))
			r.Topic, r.Partition = "many", int32(i%partitions)
			return r
		})
		m := w.start(avroFormat, func(c *connector.Config) { c.Kafka.Topics = []string{"many"} })
		w.untilCommitted(1000)
		m.mustStop()
		w.wantExactly(1000)
		if got := p.requests.Load(); got != partitions/2 {
			t.Errorf("%d requests for %d schemas", got, partitions/2)
		}
		if got := p.most.Load(); got < 4 {
			t.Errorf("%d requests at a time, want some", got)
		}
	})
}
