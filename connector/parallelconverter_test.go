package connector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/schema"
	"kafka-firehose/metrics"
)

// TestAheadAgainstOneByOne gives two pipelines the same, one of which converts ahead on three
// cores: records of a few partitions with bad, large and null values and control records
// among them, schemas that have to be fetched or don't exist, partitions that are given up
// or lost, and batches that end anywhere. After each step both have sealed, skipped and
// marked the same in the same order. Each has a clock of its own, as the registry's verdicts
// depend on the time.
func TestAheadAgainstOneByOne(t *testing.T) {
	used := 0
	for seed := range uint64(80) {
		plain, _ := walkPipeline(t, seed, 0)
		staged, times := walkPipeline(t, seed, 3*minPart)
		used += times
		for step := range max(len(plain), len(staged)) {
			if step >= len(plain) || step >= len(staged) || plain[step] != staged[step] {
				t.Fatalf("seed %d, step %d: ahead of its turn\n%s\nin turn\n%s", seed, step, slices.Concat(staged, []string{""})[min(step, len(staged))], slices.Concat(plain, []string{""})[min(step, len(plain))])
			}
		}
	}
	if used < 500 {
		t.Errorf("only %d times was something converted ahead: this shows nothing", used)
	}
}

// walkPipeline takes a pipeline with that much memory for converting in parallel through a walk, and returns its states and
// how often something was converted in parallel.
func walkPipeline(t *testing.T, seed uint64, bytes int) (states []string, used int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 21))
		r := newRig(t, []string{"skip", "skip", "exit"}[rng.IntN(3)], bytes)
		var next int64
		for step := range 60 {
			err := stepPipeline(t, r, rng, &next)
			states = append(states, fmt.Sprint(err)+"\n"+r.state())
			if r.parallel != nil {
				used += min(len(r.parallel.round), 1)
				for _, part := range r.parallel.parts {
					if cap(part) != minPart {
						t.Fatalf("seed %d, step %d: a part of %d bytes, of %d", seed, step, cap(part), minPart)
					}
				}
			}
			if err != nil {
				break
			}
		}
		r.dropLeases(anyLease)
		r.seal()
		states = append(states, r.state())
		if r.parallel != nil && slices.ContainsFunc(r.parallel.round[:cap(r.parallel.round)], func(v convertedRecord) bool { return v.record != nil }) {
			t.Fatalf("seed %d: records that were given up are kept alive", seed)
		}
	})
	return states, used
}

// stepPipeline does one thing to a pipeline.
func stepPipeline(t *testing.T, r *rig, rng *rand.Rand, next *int64) error {
	t.Helper()
	at, of := rng.IntN(len(r.leases)), rng.Uint64()
	switch rng.IntN(12) {
	case 0:
		r.revoke(at)
	case 1:
		r.lose(at)
	case 2:
		r.seal()
	case 3, 4, 5, 6, 7:
		r.poll(at, someRecords(rng, next))
	case 8:
		r.settle(of)
	default:
		return r.pack(t)
	}
	return nil
}

// TestAheadConvertsOnce: what is left of a round when a batch is sealed serves the next one.
func TestAheadConvertsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "exit", 3*minPart)
		const n = 1000
		for i := range n {
			r.poll(i%4, []*kgo.Record{{Topic: "t", Offset: int64(i), Value: fmt.Appendf([]byte{0, 0, 0, 0, 1}, "100 %d", i)}})
		}
		for range n/r.limits.Records + 1 {
			if err := r.pack(t); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.calls.Load(); got != n || r.queued.Load() != 0 || len(r.sealed) != n/r.limits.Records {
			t.Errorf("%d records were converted %d times, for %d batches; %d bytes are left", n, got, len(r.sealed), r.queued.Load())
		}
	})
}

// TestAheadForgetsWhatWasLost: a partition is lost while some of its records are converted
// ahead. The client has their memory again when they were passed over, and what it puts
// there is to be converted itself.
func TestAheadForgetsWhatWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := func(what string) (records []*kgo.Record) {
			for i := range 100 {
				records = append(records, &kgo.Record{Topic: "t", Offset: int64(i), Value: fmt.Appendf([]byte{0, 0, 0, 0, 1}, "100 %s%d", what, i)})
			}
			return records
		}
		plain, staged := newRig(t, "exit", 0), newRig(t, "exit", 3*minPart)
		for _, r := range []*rig{plain, staged} {
			old, newer := records("old"), records("new")
			r.poll(0, old)
			if err := r.pack(t); err != nil || len(r.sealed) != 1 {
				t.Fatal(err, len(r.sealed))
			}
			r.lose(0)
			if err := r.pack(t); err != nil {
				t.Fatal(err)
			}
			for i, r := range old {
				*r = *newer[i]
			}
			slices.Reverse(old) // the first comes where one lay that was not packed
			r.poll(1, old)
			if err := r.pack(t); err != nil || len(r.sealed) != 2 {
				t.Fatal(err, len(r.sealed))
			}
		}
		if plain.sealed[1] != staged.sealed[1] {
			t.Errorf("it sealed\n%s\nwant\n%s", staged.sealed[1], plain.sealed[1])
		}
	})
}

// TestAheadTakesNoMemory: beside the parts, which are there from the start, a round takes
// next to none, however many records it has.
func TestAheadTakesNoMemory(t *testing.T) {
	for _, f := range costly(t) {
		if f.name == "json-schema compared" {
			continue // the library makes an instance of each record
		}
		a := newParallelConverter(f.converter, nobodyCalls, 2, 2<<20)
		polls, buf := f.fetchedRecords(12, 500), make([]byte, 0, 1<<10)
		var q recordQueue
		if n := testing.AllocsPerRun(10, func() {
			for _, c := range polls {
				q.putRecords(c)
			}
			for c, ok := q.takeRecords(); ok; c, ok = q.takeRecords() {
				buf = f.convert(t, a, c, &q, buf)
			}
		}); n > 120 {
			t.Errorf("%s: 6000 records take %v allocations", f.name, n)
		}
	}
}

// TestAheadIsWorthIt: a few small records are converted in their turn, as is one that is
// larger than a round.
func TestAheadIsWorthIt(t *testing.T) {
	for _, c := range []struct{ records, size, want int }{
		{1, 100, 0},
		{2*worthRecords - 1, 100, 0},
		{2 * worthRecords, 100, 2 * worthRecords},
		{2, worthBytes - 1, 0},
		{2, worthBytes, 2},
		{3000, 0, 2 * roundRecords},
		{300, 10 << 10, 100}, // half of what there is memory for
		{1, roundBytes + 1, 0},
	} {
		a := newParallelConverter(costly(t)[3].converter, nobodyCalls, 2, 8<<20)
		all := fetchedRecords{}
		for range c.records {
			all.records = append(all.records, &kgo.Record{Value: make([]byte, c.size)})
		}
		a.beginRound(all, &recordQueue{})
		if got := len(a.round); got != c.want {
			t.Errorf("%d records of %d bytes: %d are converted ahead, want %d", c.records, c.size, got, c.want)
		}
	}
}

// TestAheadEndsWhenItIsFull: where records grow a lot, what there is no room for is left to
// the next round, but for what cores have begun with.
func TestAheadEndsWhenItIsFull(t *testing.T) {
	cfg := DefaultConfig().Record
	cfg.Format = "avro"
	a := newParallelConverter(convert.New(cfg, func(convert.SchemaRef) (convert.Schema, error) { return numbers{new(atomic.Int64)}, nil }), nobodyCalls, 2, 2*minPart)
	all := fetchedRecords{}
	for i := range 1000 {
		all.records = append(all.records, &kgo.Record{Value: fmt.Appendf([]byte{0, 0, 0, 0, 1}, "3000 %d", i)})
	}
	a.beginRound(all, &recordQueue{})
	inVain := 0
	for _, v := range a.round {
		if v.part < 0 {
			inVain++
		}
	}
	if done := len(a.round) - inVain; done < 20 || inVain > 2*maxClaimed {
		t.Errorf("%d records were converted, %d in vain", done, inVain)
	}
}

func nobodyCalls() bool { return false }

// rig is a pipeline without goroutines, and what came of it.
type rig struct {
	*batcher
	leases  []*offset.Lease
	old     []*offset.Lease
	metrics *metrics.Set
	calls   atomic.Int64 // of its schemas
	log     bytes.Buffer
	open    []*batch.Batch // sealed and not settled
	sealed  []string
}

func newRig(t *testing.T, policy string, bytes int) *rig {
	t.Helper()
	r := &rig{metrics: metrics.New(prometheus.NewRegistry())}
	cfg := DefaultConfig()
	cfg.Record.Format = "avro"
	registry, err := schema.New(schema.Config{URLs: []string{"http://registry.example"}}, schema.Options{
		Compile:   func(convert.SchemaDefinition) (convert.Schema, error) { return numbers{&r.calls}, nil },
		Log:       slog.New(slog.DiscardHandler),
		Metrics:   r.metrics.Schema,
		Transport: numbered{},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.batcher = &batcher{builder: batch.NewBuilder(batch.Limits{}, batch.Aggregation{Values: 1}), pipeline: &pipeline{
		convert: convert.New(cfg.Record, registry.LookupSchema), schemas: registry, policy: policy, skipCommand: cfg.skipCommand,
		limits: batch.Limits{Records: 70, Bytes: 2 << 20, Linger: time.Hour}, metrics: r.metrics.Pipeline,
		log: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{ReplaceAttr: timeless})), wake: make(chan struct{}, 1), freed: func() {}, countUnusable: func(string, *convert.BadRecord) {},
		stream: firehose.NewStream("s", nil, cfg.Firehose.ForStream("s")),
	}}
	r.linger = r.newLinger()
	r.share.Store(1 << 30)
	r.parallel = newParallelConverter(r.convert, r.hasCalls, 3, bytes)
	for p := range 4 {
		r.leases = append(r.leases, offset.NewLease("t", int32(p)))
	}
	return r
}

// timeless leaves the time out of a log.
func timeless(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (r *rig) poll(at int, records []*kgo.Record) {
	last := records[len(records)-1].Offset
	r.leases[at].RegisterRecords(records[0].Offset, last, len(records))
	r.enqueueRecords(fetchedRecords{lease: r.leases[at], records: records, weight: int64(100 * len(records)), polled: time.Unix(last, 0)})
}

// pack is what the batcher does until a batch is sealed or the queue is empty.
func (r *rig) pack(t *testing.T) error {
	t.Helper()
	for {
		err := r.packRecords(t.Context())
		time.Sleep(time.Second) // a schema comes, or the verdict that there is none, which takes half a minute
		if err != nil || len(r.queue.waitingBytes()) == 0 || len(r.waiting) > 0 {
			r.take()
			return err
		}
	}
}

// take notes what was sealed.
func (r *rig) take() {
	for _, b := range r.waiting {
		var line strings.Builder
		for i := range b.Len() {
			data := b.Record(i)
			fmt.Fprintf(&line, " %d/%d:%d:%x", b.Lease(i).Partition, b.Offset(i), len(data), crc32.ChecksumIEEE(data))
		}
		r.sealed = append(r.sealed, line.String())
		r.open = append(r.open, b)
	}
	r.waiting = nil
}

func (r *rig) seal() {
	r.sealBatch()
	r.take()
}

func (r *rig) revoke(at int) {
	l := r.leases[at]
	r.dropLeases(func(lease *offset.Lease) bool { return lease == l })
	r.take()
	r.lose(at)
}

// lose closes a lease and opens the next one; what is queued of it stays there.
func (r *rig) lose(at int) {
	l := r.leases[at]
	l.Close()
	r.old = append(r.old, l)
	r.leases[at] = offset.NewLease(l.Topic, l.Partition)
}

// settle has one of the batches accepted.
func (r *rig) settle(which uint64) {
	if n := len(r.open); n > 0 {
		i := int(which % uint64(n))
		r.open[i].RetainRecords(func(int) bool { return false })
		r.open = slices.Delete(r.open, i, i+1)
	}
}

// state is everything that can be seen of the pipeline.
func (r *rig) state() string {
	var s strings.Builder
	for _, l := range slices.Concat(r.old, r.leases) {
		m, ok := l.CommitMark()
		fmt.Fprintln(&s, l.Partition, m.Offset, ok, l.Begun())
	}
	for _, reason := range metrics.SkipReasons {
		fmt.Fprintln(&s, reason, testutil.ToFloat64(r.metrics.Pipeline.Skipped.WithLabelValues(reason)))
	}
	at, some := r.queue.oldestPoll()
	fmt.Fprintln(&s, "queued", r.queued.Load(), at, some)
	fmt.Fprintln(&s, strings.Join(r.sealed, "\n"))
	fmt.Fprintln(&s, r.log.String())
	return s.String()
}

// someRecords are up to 100 of one partition.
func someRecords(rng *rand.Rand, next *int64) (records []*kgo.Record) {
	for range 1 + rng.IntN(100) {
		*next += 1 + rng.Int64N(2)
		r := &kgo.Record{Topic: "t", Offset: *next}
		size, id := rng.IntN(300), uint32(1+rng.IntN(3))
		switch rng.IntN(120) {
		case 0:
			size = -1 // undecodable
		case 1:
			size = 1_100_000 // too large
		case 2, 3, 4:
			size = rng.IntN(2 * minPart)
		case 5:
			r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
		case 6:
			id = 404
		case 7:
			id = rng.Uint32N(300)
		}
		r.Value = binary.BigEndian.AppendUint32([]byte{0}, id)
		r.Value = fmt.Appendf(r.Value, "%d %d", size, *next)
		if rng.IntN(100) == 0 {
			r.Value = nil
		}
		records = append(records, r)
	}
	return records
}

// numbers is a schema: of a size and a number it makes so many bytes.
type numbers struct{ calls *atomic.Int64 }

var dots = strings.Repeat(".", 1_100_000)

func (n numbers) AppendJSON(dst, payload []byte, _ convert.MessageIndex, most int) ([]byte, error) {
	n.calls.Add(1)
	text, number, _ := strings.Cut(string(payload), " ")
	size, err := strconv.Atoi(text)
	if err != nil || size < 0 {
		return append(dst, "half of it"...), errors.New("no size")
	}
	const more = 7 // is written, and taken back
	dst = append(append(dst, number...), dots[:min(size, most)+more]...)
	return dst[:len(dst)-more], nil
}

// numbered is a registry that has all schemas but 404. It answers while nothing is packed, so
// that two pipelines get the same answers at the same step.
type numbered struct{}

func (numbered) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Microsecond)
	status, body := http.StatusOK, `{"schema":"\"string\""}`
	if strings.Contains(r.URL.Path, "404") {
		status, body = http.StatusNotFound, `{"error_code":40403,"message":"not found"}`
	}
	if strings.HasSuffix(r.URL.Path, "/subjects") {
		body = `["s"]`
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// slowly is numbers whose conversion takes a while, and counts.
type slowly struct {
	numbers
	each time.Duration
}

func (s slowly) AppendJSON(dst, payload []byte, i convert.MessageIndex, most int) ([]byte, error) {
	time.Sleep(s.each)
	return s.numbers.AppendJSON(dst, payload, i, most)
}

// TestAheadIsInterrupted: a call of the batcher while cores convert in parallel waits for one record.
// Calls that come all the time neither have records converted twice nor lose the help of the
// other cores.
func TestAheadIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, cores, each = 3000, 3, 10 * time.Millisecond
		r := newRig(t, "exit", cores*minPart)
		schema := slowly{numbers{&r.calls}, each}
		cfg := DefaultConfig().Record
		cfg.Format = "avro"
		r.pipeline.convert = convert.New(cfg, func(convert.SchemaRef) (convert.Schema, error) { return schema, nil })
		r.parallel.convert = r.pipeline.convert
		r.batcherCalls = make(chan batcherCall, maxCalls)
		for i := range n {
			r.poll(i%4, []*kgo.Record{{Topic: "t", Partition: int32(i % 4), Offset: int64(i), Value: fmt.Appendf([]byte{0, 0, 0, 0, 1}, "30 %d", i)}})
		}
		asked, end := make(chan time.Time, n), make(chan struct{})
		go func() {
			for {
				select {
				case <-time.After(100 * time.Millisecond):
					asked <- time.Now()
					r.callBatcher(nil)
				case <-end:
					return
				}
			}
		}()
		begin, longest := time.Now(), time.Duration(0)
		for len(r.sealed) < n/r.limits.Records {
			if err := r.packRecords(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.take()
			select {
			case a := <-r.batcherCalls:
				longest = max(longest, time.Since(<-asked))
				r.answerCall(a)
			default:
			}
		}
		if longest > 2*each {
			t.Errorf("an ask waited %v, a record takes %v", longest, each)
		}
		if got := r.calls.Load(); got > n+n/20 {
			t.Errorf("%d records were converted %d times", n, got)
		}
		if took, ideal := time.Since(begin), n*each/cores; took > ideal*3/2 {
			t.Errorf("it took %v, three cores need %v", took, ideal)
		}
		close(end)
	})
}

// TestAheadStaysUsefulBesideAWait: one partition waits for a schema again and again. Records
// of others that were converted in parallel are not converted a second time because of that.
func TestAheadStaysUsefulBesideAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, unknown = 3000, 100
		r := newRig(t, "skip", 3*minPart)
		bad := make([]*kgo.Record, unknown)
		for i := range bad {
			bad[i] = &kgo.Record{Topic: "t", Offset: int64(i), Value: binary.BigEndian.AppendUint32([]byte{0}, uint32(404_000+i))}
		}
		r.poll(0, bad)
		for i := range n {
			r.poll(1+i%3, []*kgo.Record{{Topic: "t", Partition: int32(1 + i%3), Offset: int64(i), Value: fmt.Appendf([]byte{0, 0, 0, 0, 1}, "30 %d", i)}})
		}
		for r.queued.Load() > 0 {
			if err := r.packRecords(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.take()
			time.Sleep(10 * time.Microsecond)
		}
		if got := r.calls.Load(); got > n+n/10 {
			t.Errorf("%d records were converted %d times", n, got)
		}
		if got := testutil.ToFloat64(r.metrics.Pipeline.Skipped.WithLabelValues("unknown_schema")); got != unknown {
			t.Errorf("%v records of unknown schemas, want %d", got, unknown)
		}
	})
}

// TestLingerWhilePacking: records take so long that a batch is due before the queue is empty.
// The batch, which is opened while records are packed, is sealed then.
func TestLingerWhilePacking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each, linger = 10 * time.Millisecond, 300 * time.Millisecond
		r := newRig(t, "exit", 0)
		cfg := DefaultConfig().Record
		cfg.Format = "avro"
		schema := slowly{numbers{&r.calls}, each}
		r.pipeline.convert = convert.New(cfg, func(convert.SchemaRef) (convert.Schema, error) { return schema, nil })
		r.due = make(chan struct{}, 1)
		r.limits.Linger = linger
		r.poll(0, []*kgo.Record{{Topic: "t", Value: []byte("not Avro")}}) // it opens no batch
		r.policy = "skip"
		for i := range 60 {
			r.poll(0, []*kgo.Record{{Topic: "t", Offset: int64(1 + i), Value: fmt.Appendf([]byte{0, 0, 0, 0, 1}, "30 %d", i)}})
		}
		begin := time.Now()
		if err := r.packRecords(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < linger || took > linger+2*each {
			t.Errorf("packed for %v, the linger is %v", took, linger)
		}
		if r.sealDue(); len(r.waiting) != 1 {
			t.Errorf("%d batches were sealed, want 1", len(r.waiting))
		}
	})
}

// TestAheadLeavesOutWhatWaits: a partition waits for its schema while records of others behind
// it are converted in parallel and sent. When their memory serves other records, nothing that was
// converted before is sent for those.
func TestAheadLeavesOutWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := func(n int, id byte, what string) (records []*kgo.Record) {
			for i := range n {
				records = append(records, &kgo.Record{Topic: "t", Offset: int64(i), Value: fmt.Appendf([]byte{0, 0, 0, 0, id}, "30 %s%d", what, i)})
			}
			return records
		}
		plain, staged := newRig(t, "exit", 0), newRig(t, "exit", 3*minPart)
		for _, r := range []*rig{plain, staged} {
			r.poll(1, records(1, 1, "first"))
			if err := r.pack(t); err != nil {
				t.Fatal(err)
			}
			waiting, old, newer := records(100, 7, "waiting"), records(20, 1, "old"), records(20, 1, "new")
			for _, record := range slices.Concat(old, newer) {
				record.Partition = 1
			}
			r.poll(0, waiting)
			r.poll(1, old)
			if err := r.packRecords(t.Context()); err != nil || len(r.queue.waitingBytes()) != 1 {
				t.Fatal(err, len(r.queue.waitingBytes()))
			}
			for i, record := range old {
				*record = *newer[i]
			}
			time.Sleep(time.Millisecond) // the schema comes
			r.poll(1, old)
			for r.queued.Load() > 0 {
				if err := r.pack(t); err != nil {
					t.Fatal(err)
				}
			}
			r.seal()
		}
		if a, b := strings.Join(plain.sealed, "\n"), strings.Join(staged.sealed, "\n"); a != b {
			t.Errorf("it sealed\n%s\nwant\n%s", b, a)
		}
	})
}
