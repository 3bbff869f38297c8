package e2e_test

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

//go:embed testdata/legacy-records.txt
var legacyRecords string

// legacyLogs are stored logs by format and compression, such as "0/gzip".
func legacyLogs(t *testing.T) map[string][]byte {
	t.Helper()
	logs := map[string][]byte{}
	for line := range strings.Lines(legacyRecords) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		field := strings.Fields(line)
		log, err := base64.StdEncoding.DecodeString(field[2])
		if err != nil {
			t.Fatal(err)
		}
		logs[field[0]+"/"+field[1]] = log
	}
	return logs
}

// unreadable is beyond the client: before 0.10, Kafka's lz4 had a wrong checksum in
// its header (KAFKA-3160).
const unreadable = "0/lz4"

// TestLegacyRecords: logs that were written before Kafka 0.11 and never rewritten, in
// the message formats 0 and 1, from the start and from the middle of a compressed
// message. Brokers since 4.0 don't write them any more, so the bytes are stored.
func TestLegacyRecords(t *testing.T) {
	t.Parallel()
	logs := legacyLogs(t)
	delete(logs, unreadable)
	if len(logs) != 7 {
		t.Errorf("%d logs, want two formats with four kinds of compression but for one", len(logs))
	}
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		for _, from := range []int{0, 5} {
			t.Run(fmt.Sprintf("%s/from=%d", name, from), func(t *testing.T) { bubble(t, legacy(logs[name], from)) })
		}
	}
}

// TestUndecodableBatch: what the client can't decode is passed by nobody. Its
// partition stands still, somebody is told which one, and the others go on.
func TestUndecodableBatch(t *testing.T) {
	log := legacyLogs(t)[unreadable]
	bubble(t, func(w *world) {
		full := 0
		w.cluster.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			req := r.(*kmsg.FetchRequest)
			if len(req.Topics) > 0 {
				full++
			}
			if len(req.Topics) > 0 && full%2 == 0 {
				return nil, nil, false // the other partitions, from the broker; it has nothing in this one
			}
			a, ok := stored(req, log)
			return a, nil, ok
		})
		w.produceWith(0, 300, func(i int) *kgo.Record {
			return &kgo.Record{Topic: w.in, Partition: int32(1 + i%3), Value: fmt.Appendf(nil, "%d", i)}
		})
		m := w.start()
		w.untilCommitted(300) // in the other partitions
		time.Sleep(time.Minute)
		if at := w.judge.lastCommit(w.in, 0); at > 0 {
			t.Errorf("partition 0 is committed to %d, past a batch that nobody could read", at)
		}
		if got := m.metric("kafka_fetch_errors_total", `value:"decode"`); got == 0 {
			t.Error("not counted as a batch that can't be decoded")
		}
		if !strings.Contains(w.log.String(), `cause="a batch can't be decoded: the partition stands still`) {
			t.Errorf("nobody was told\n%s", w.log.tail())
		}
		m.mustStop()
	})
}

func legacy(log []byte, from int) func(*world) {
	return func(w *world) {
		// The same records in today's format, for the broker to know where the log ends.
		w.produceWith(0, 10, func(i int) *kgo.Record {
			r := &kgo.Record{Topic: w.in, Key: fmt.Appendf(nil, "key-%d", i)}
			if i < 9 {
				r.Value = fmt.Appendf(nil, "%d", i)
			}
			return r
		})
		begin := kadm.Offsets{}
		begin.AddOffset(w.in, 0, int64(from), -1)
		if err := w.admin.CommitAllOffsets(w.t.Context(), w.group, begin); err != nil {
			w.t.Fatal(err)
		}
		for i := range from {
			w.judge.allow(place{part{w.in, 0}, int64(i)})
		}
		served := w.serve(log)
		m := w.start()
		w.untilCommitted(10)
		m.mustStop()
		if served() == 0 {
			w.t.Error("the stored bytes were never read")
		}
		for i := range 9 {
			want := 1
			if i < from {
				want = 0
			}
			if got := w.judge.copiesOf(fmt.Sprint(i)); got != want {
				w.t.Errorf("record %d came %d times, want %d", i, got, want)
			}
		}
		if got := m.metric("records_skipped_total", "tombstone"); got != 1 {
			w.t.Errorf("%v tombstones, want 1", got)
		}
	}
}

// serve has the broker answer with a stored log where its own has the first ten
// records of partition 0, and returns how often it has.
func (w *world) serve(log []byte) (served func() int32) {
	var n atomic.Int32
	w.cluster.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		a, ok := stored(r.(*kmsg.FetchRequest), log)
		if ok && a.ErrorCode == 0 {
			n.Add(1)
		}
		return a, nil, ok
	})
	return n.Load
}

// stored answers a fetch of partition 0 before offset 10 with the bytes of a log, all
// of them, as brokers do that don't look into a compressed message. Other fetches
// are not its business.
func stored(r *kmsg.FetchRequest, log []byte) (a *kmsg.FetchResponse, ok bool) {
	a = r.ResponseKind().(*kmsg.FetchResponse)
	if len(r.Topics) == 0 { // what an incremental fetch has left out; the next one is full
		a.ErrorCode = kerr.FetchSessionIDNotFound.Code
		return a, r.SessionID != 0
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			if p.Partition != 0 || p.FetchOffset >= 10 {
				continue
			}
			part := kmsg.NewFetchResponseTopicPartition()
			part.HighWatermark, part.LastStableOffset, part.LogStartOffset = 10, 10, 0
			part.RecordBatches = log
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			topic.Partitions = append(topic.Partitions, part)
			a.Topics = append(a.Topics, topic)
			return a, true
		}
	}
	return nil, false
}
