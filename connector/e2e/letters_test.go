package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestDeadLetters: everything that Kafka held of a bad record is in its letter, with
// where it came from and why; the good ones are delivered, and the offsets are right.
func TestDeadLetters(t *testing.T) { bubble(t, deadLetters) }

func deadLetters(w *world) {
	p, policy := w.post(1_048_588)
	p.mixed(100)
	begin := time.Now().Truncate(time.Second)
	m := w.start(policy)
	w.untilCommitted(1900)
	w.wantExactly(1800)
	found := p.want(0)
	for name, want := range map[string]float64{"dead_letters_total": 100, "dead_letters_pending": 0, "dead_letters_pending_bytes": 0, "dead_letter_blocked": 0, "records_skipped_total": 0} {
		if got := m.metric(name); got != want {
			w.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	m.mustStop()
	if !strings.Contains(w.log.String(), `error="the value is null"`) {
		w.t.Error("the log doesn't say what was wrong with a record")
	}

	r := found[p.bad[42]]
	if r == nil {
		w.t.Fatal("a letter is missing")
	}
	if string(r.Key) != "key 42" || r.Value != nil || r.Headers[0].Key != "h" || !bytes.Equal(r.Headers[0].Value, []byte{0xff, 42}) {
		w.t.Errorf("the record has changed on its way: %+v", r)
	}
	for name, want := range map[string]string{
		"__connect.errors.topic": w.in, "__connect.errors.partition": "2", "__connect.errors.connector.name": w.group,
		"__connect.errors.stage": "VALUE_CONVERTER", "__connect.errors.exception.class.name": "tombstone",
		"__connect.errors.exception.message": "the value is null", "kafka-firehose.value.sha256": "",
	} {
		if got := header(r, name); got != want {
			w.t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	at, err := time.Parse(time.RFC3339, header(r, "kafka-firehose.time"))
	if err != nil || at.Before(begin) || r.Timestamp.Before(begin) {
		w.t.Errorf("buried at %v, with the timestamp %v: want the time of the burial, after %v (%v)", at, r.Timestamp, begin, err)
	}
	if _, err := time.Parse(time.RFC3339, header(r, "kafka-firehose.timestamp")); err != nil {
		w.t.Error(err)
	}
}

// TestDeadLettersKeepTheirPartition: by the default partitioner all letters of a key
// share a partition, and different keys spread.
func TestDeadLettersKeepTheirPartition(t *testing.T) { bubble(t, deadLettersKeepTheirPartition) }

func deadLettersKeepTheirPartition(w *world) {
	p, policy := w.post(1_048_588)
	p.produce(100, func(i int) *kgo.Record { return &kgo.Record{Key: fmt.Appendf(nil, "%d", i%10)} })
	m := w.start(policy)
	w.untilCommitted(100)
	m.mustStop()
	of, used := map[string]int32{}, map[int32]bool{}
	for _, r := range p.letters() {
		if part, ok := of[string(r.Key)]; ok && part != r.Partition {
			w.t.Errorf("letters of key %s are in the partitions %d and %d", r.Key, part, r.Partition)
		}
		of[string(r.Key)], used[r.Partition] = r.Partition, true
	}
	if len(of) != 10 || len(used) < 2 {
		w.t.Errorf("%d keys in %d partitions, want 10 in some", len(of), len(used))
	}
}

// TestDeadLetterTooLarge: a record that Firehose does not take for its size may be too
// large for the dead-letter topic as well. Then its digest is there instead; one that
// fits is whole.
func TestDeadLetterTooLarge(t *testing.T) { bubble(t, deadLetterTooLarge) }

func deadLetterTooLarge(w *world) {
	p, policy := w.post(2_000_000)
	fits, large := bytes.Repeat([]byte("f"), 1_999_000), bytes.Repeat([]byte("l"), 2_000_001)
	w.producer.Close()
	w.producer = w.client(kgo.ProducerBatchMaxBytes(11_000_000), kgo.MetadataMinAge(10*time.Millisecond))
	w.admin = kadm.NewClient(w.producer)
	values := [][]byte{fits, large}
	p.produce(2, func(i int) *kgo.Record { return &kgo.Record{Key: []byte("k"), Value: values[i]} })
	p.produce(2, func(i int) *kgo.Record { // the key alone is too much
		return &kgo.Record{Key: values[i], Headers: []kgo.RecordHeader{{Key: "h", Value: make([]byte, 5000)}}}
	})
	m := w.start(policy)
	w.untilCommitted(4)
	m.mustStop()
	found := p.want(0)
	if len(found) < 4 {
		w.t.Fatal("letters are missing")
	}
	if r := found[p.bad[0]]; !bytes.Equal(r.Value, fits) || header(r, "kafka-firehose.value.sha256") != "" {
		w.t.Error("the letter that fits is not whole")
	}
	r, digest := found[p.bad[1]], fmt.Sprintf("%x", sha256.Sum256(large))
	if r.Value != nil || string(r.Key) != "k" || header(r, "kafka-firehose.value.sha256") != digest || header(r, "kafka-firehose.value.bytes") != "2000001" {
		w.t.Errorf("the letter that is too large has %d bytes and the digest %q", len(r.Value), header(r, "kafka-firehose.value.sha256"))
	}
	r = found[p.bad[3]]
	if r.Key != nil || header(r, "h") != "" || header(r, "kafka-firehose.key.sha256") != digest ||
		header(r, "kafka-firehose.key.bytes") != "2000001" || header(r, "kafka-firehose.headers.bytes") != "5001" {
		w.t.Errorf("the letter whose key is too large: %q", r.Headers)
	}
	if got := m.metric("dead_letter_digests_total"); got != 1 {
		w.t.Errorf("%v digests counted, want 1", got)
	}
}

// TestDeadLetterLimitIsRaised: whoever raises max.message.bytes needs no restart.
func TestDeadLetterLimitIsRaised(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(1_048_588)
		w.producer.Close()
		w.producer = w.client(kgo.ProducerBatchMaxBytes(11_000_000), kgo.MetadataMinAge(10*time.Millisecond))
		w.admin = kadm.NewClient(w.producer)
		large := bytes.Repeat([]byte("l"), 2_000_000)
		m := w.start(policy)
		p.produce(1, func(int) *kgo.Record { return &kgo.Record{Value: large} })
		w.untilCommitted(1)
		limit := "9000000"
		if _, err := w.admin.AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, p.topic); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		p.produce(1, func(int) *kgo.Record { return &kgo.Record{Value: large} })
		w.untilCommitted(2)
		m.mustStop()
		found := p.want(0)
		if a, b := found[p.bad[0]], found[p.bad[1]]; a == nil || b == nil || a.Value != nil || !bytes.Equal(b.Value, large) {
			t.Error("want a digest before the limit was raised, and the whole record after it")
		}
	})
}

// TestDeadLetterTopicMadeAnew: the topic is deleted while the process runs, and created
// again.
func TestDeadLetterTopicMadeAnew(t *testing.T) { bubble(t, deadLetterTopicMadeAnew) }

func deadLetterTopicMadeAnew(w *world) {
	p, policy := w.post(1_048_588)
	m := w.start(policy)
	p.mixed(10)
	w.untilCommitted(190)
	w.deleteTopic(p.topic)
	p.bad = nil
	p.produce(10, func(int) *kgo.Record { return &kgo.Record{} })
	w.until("the topic is missed", patience, func() bool {
		err := m.connector.Ready()
		return err != nil && strings.Contains(err.Error(), "create it")
	})
	p.make(1_048_588)
	w.untilCommitted(200)
	if err := m.connector.Ready(); err != nil {
		w.t.Errorf("not ready after the repair: %v", err)
	}
	m.mustStop()
	p.want(0)
	w.wantExactly(180)
}

// TestDeadLetterTopicDown for ten minutes, in each of the ways in which it can be:
// the good records pass, no commit passes a bad one, it is said once, and when the
// topic is back the letters are in it. The attempts meanwhile are few.
func TestDeadLetterTopicDown(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]*kerr.Error{
		"too few replicas": kerr.NotEnoughReplicas, "disk": kerr.KafkaStorageError, "forbidden": kerr.TopicAuthorizationFailed,
		"missing": kerr.UnknownTopicOrPartition, "policy": kerr.PolicyViolation,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				p, policy := w.post(1_048_588)
				p.mixed(100)
				p.refuses(down)
				m := w.start(policy)
				time.Sleep(10 * time.Minute)
				w.wantExactly(1800)
				if got := m.metric("dead_letters_pending"); got != 100 {
					t.Errorf("%v letters pending, want 100", got)
				}
				for _, at := range p.bad[:4] {
					if last := w.judge.lastCommit(w.in, at.n); last != at.offset {
						t.Errorf("partition %d is committed to %d, want %d, its first bad record", at.n, last, at.offset)
					}
				}
				if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "dead-letter topic dead") {
					t.Errorf("readiness says %v", err)
				}
				if err := m.connector.Live(); err != nil {
					t.Errorf("a restart would not cure it, yet: %v", err)
				}
				if got := strings.Count(w.log.String(), "the dead-letter topic takes no records"); got != 1 {
					t.Errorf("told %d times that the topic takes no letters, want once", got)
				}
				if got := p.fault.Hits(); got < 10 || got > 600 {
					t.Errorf("%d attempts in ten minutes", got)
				}
				if m.metric("dead_letter_produce_errors_total") == 0 || m.metric("dead_letter_blocked") != 1 {
					t.Error("the failures are not in the metrics")
				}
				p.refuses(nil)
				time.Sleep(30 * time.Second)
				p.want(0)
				if got := w.committed(); got != 1900 {
					t.Errorf("committed %d, want 1900", got)
				}
				if err := m.connector.Ready(); err != nil {
					t.Errorf("not ready after the repair: %v", err)
				}
				m.mustStop()
			})
		})
	}
}

// TestDeadLettersAreBounded: the dead-letter topic is down. With little memory, every
// record is bad: it fills up to its bound, and polling stops. With much, the stream is
// down as well, so the queue is full of bad records when it comes back, and a letter
// takes twice what its record did there.
func TestDeadLettersAreBounded(t *testing.T) {
	t.Parallel()
	for bound, good := range map[env.Bytes]int{24 * env.MiB: 0, 96 * env.MiB: 40_000} {
		t.Run(bound.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				p, policy := w.post(1_048_588)
				p.refuses(kerr.NotEnoughReplicas)
				w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Outage, Until: time.Minute})
				w.produce(0, good)
				key := bytes.Repeat([]byte("k"), 100_000)
				n := int(bound) * 2 / len(key)
				p.produce(n, func(int) *kgo.Record { return &kgo.Record{Topic: w.in, Key: key} }) // in one partition, so that a poll brings it many
				m := w.start(policy, func(c *connector.Config) { c.MaxBufferedBytes = bound })
				most := 0.0
				for range 150 {
					time.Sleep(time.Second)
					most = max(most, m.metric("buffered_bytes"))
				}
				if most > float64(bound) || most < float64(bound)/4 {
					t.Errorf("at most %.0f bytes were held, want some and no more than %d", most, bound)
				}
				if err := m.connector.Live(); err != nil {
					t.Error(err)
				}
				p.refuses(nil)
				time.Sleep(time.Minute)
				p.want(0)
				m.mustStop()
				w.wantExactly(good)
				if got := w.committed(); got != int64(n+good) {
					t.Errorf("committed %d, want %d", got, n+good)
				}
			})
		})
	}
}

// TestStopWaitsForDeadLetters: a drain writes what is pending, as long as there is
// time.
func TestStopWaitsForDeadLetters(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(1_048_588)
		p.mixed(40)
		p.refuses(kerr.NotEnoughReplicas)
		m := w.start(policy)
		time.Sleep(30 * time.Second)
		go func() {
			time.Sleep(5 * time.Second)
			p.refuses(nil)
		}()
		m.mustStop()
		p.want(0)
		if got := w.committed(); got != 760 {
			t.Errorf("committed %d, want 760", got)
		}
	})
}

// TestStopGivesDeadLettersUp when SHUTDOWN_TIMEOUT is over, and tells how many.
func TestStopGivesDeadLettersUp(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(1_048_588)
		p.produce(40, func(int) *kgo.Record { return &kgo.Record{} })
		p.refuses(kerr.NotEnoughReplicas)
		m := w.start(policy)
		time.Sleep(30 * time.Second)
		begin := time.Now()
		if err := m.stop(); err == nil || !strings.Contains(err.Error(), "40 records will be delivered again") {
			t.Errorf("the drain ended with %v", err)
		}
		if took := time.Since(begin); took > 25*time.Second {
			t.Errorf("SHUTDOWN_TIMEOUT is 25s, it took %s", took)
		}
		w.judge.commits++ // there is nothing to commit
	})
}

// TestRefusedByTheStream: a record is too large for this stream alone. Its letter has
// the key and the headers, which the request did not.
func TestRefusedByTheStream(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream = firehosetest.New(firehosetest.Options{
			Streams: []firehosetest.Stream{{Name: "s"}}, RequestLimitBytes: 50_000, OnStored: w.judge.stored,
		})
		p, policy := w.post(1_048_588)
		w.produce(0, 400)
		value := strings.Repeat("x", 60_000)
		p.produce(1, func(int) *kgo.Record {
			return &kgo.Record{Key: []byte("k"), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}
		})
		m := w.start(policy)
		p.refuses(kerr.NotEnoughReplicas) // the batch waits for its letter
		for i := 1; i < 30; i++ {
			w.produce(i*400, i*400+400)
			time.Sleep(time.Second)
		}
		time.Sleep(30 * time.Second)
		if got := m.metric("dead_letters_pending"); got != 1 {
			t.Errorf("%v letters are pending, want 1", got)
		}
		p.refuses(nil)
		time.Sleep(30 * time.Second)
		r := p.want(0)[p.bad[0]]
		if r == nil {
			t.Fatalf("the letter is missing\n%s", w.log.tail())
		}
		if string(r.Key) != "k" || string(r.Value) != value || header(r, "h") != "v" ||
			header(r, "__connect.errors.stage") != "TASK_PUT" || header(r, "__connect.errors.exception.class.name") != "refused" {
			t.Errorf("the letter is not the record: key %q, %d bytes, headers %q", r.Key, len(r.Value), r.Headers)
		}
		m.mustStop()
		w.wantExactly(12000)
		if got := w.committed(); got != 12001 {
			t.Errorf("committed %d, want 12001", got)
		}
	})
}
