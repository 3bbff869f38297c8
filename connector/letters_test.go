package connector_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
)

// mixed produces records 0 to n-1, of which each tenth is bad: a tombstone with a
// key and a header. It returns where those are. The values are their numbers, so
// that the good ones are n/10*9 of them, from 0 on.
func (w *world) mixed(p *post, n int) (bad []place) {
	w.t.Helper()
	good := 0
	for i := range n {
		if i%10 != 3 {
			good++
		}
	}
	w.produce(0, good)
	w.produceBad(p, n-good, func(i int) *kgo.Record {
		return &kgo.Record{Key: fmt.Appendf(nil, "key %d", i), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{0xff, byte(i)}}}}
	}, &bad)
	w.produce(good, 2*good)
	return bad
}

// produceBad produces records that can't be delivered, over four partitions
// unless they say where to, tells
// the post of them and appends where they are.
func (w *world) produceBad(p *post, n int, record func(i int) *kgo.Record, places *[]place) {
	w.t.Helper()
	for i := range n {
		r := record(i)
		if r.Topic == "" {
			r.Topic, r.Partition = "in", int32(i%4)
		}
		if err := w.producer.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
		at := place{part{"in", r.Partition}, r.Offset}
		p.bad(at)
		*places = append(*places, at)
	}
}

// TestDeadLetters: everything that Kafka held of a bad record is in its letter, with
// where it came from and why; the good ones are delivered, and the offsets are right.
func TestDeadLetters(t *testing.T) {
	bubble(t, func(w *world) {
		post, deadLetters := w.post(1_048_588)
		bad := w.mixed(post, 1000)
		begin := time.Now()
		m := w.start(deadLetters)
		time.Sleep(20 * time.Second)
		w.wantExactly(1800)
		found := post.wantLetters(bad, 0, w.dial()...)
		if got := w.committed(); got != 1900 {
			t.Errorf("committed %d, want 1900: past the dead letters", got)
		}
		for name, want := range map[string]float64{"dead_letters_total": 100, "dead_letters_pending": 0, "dead_letters_pending_bytes": 0, "dead_letter_blocked": 0, "records_skipped_total": 0} {
			if got := m.metric(name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		m.mustStop()

		r := found[bad[42]]
		if r == nil {
			t.Fatal("a letter is missing")
		}
		if string(r.Key) != "key 42" || r.Value != nil || r.Headers[0].Key != "h" || !bytes.Equal(r.Headers[0].Value, []byte{0xff, 42}) {
			t.Errorf("the record has changed on its way: %+v", r)
		}
		for name, want := range map[string]string{
			"__connect.errors.topic": "in", "__connect.errors.partition": "2", "__connect.errors.connector.name": group,
			"__connect.errors.stage": "VALUE_CONVERTER", "__connect.errors.exception.class.name": "tombstone",
			"__connect.errors.exception.message": "the value is null", "kafka-firehose.value.sha256": "",
		} {
			if got := header(r, name); got != want {
				t.Errorf("header %s is %q, want %q", name, got, want)
			}
		}
		at, err := time.Parse(time.RFC3339, header(r, "kafka-firehose.time"))
		if err != nil || at.Before(begin.Truncate(time.Second)) || r.Timestamp.Before(begin.Truncate(time.Second)) {
			t.Errorf("buried at %v, with the timestamp %v: want the time of the burial, after %v (%v)", at, r.Timestamp, begin, err)
		}
		if _, err := time.Parse(time.RFC3339, header(r, "kafka-firehose.timestamp")); err != nil {
			t.Error(err)
		}
	})
}

// TestDeadLettersKeepTheirPartition: by the default partitioner all letters of a key
// share a partition, and different keys spread.
func TestDeadLettersKeepTheirPartition(t *testing.T) {
	bubble(t, func(w *world) {
		post, deadLetters := w.post(1_048_588)
		var bad []place
		w.produceBad(post, 100, func(i int) *kgo.Record { return &kgo.Record{Key: fmt.Appendf(nil, "%d", i%10)} }, &bad)
		m := w.start(deadLetters)
		time.Sleep(20 * time.Second)
		m.mustStop()
		of, used := map[string]int32{}, map[int32]bool{}
		for _, r := range post.letters(w.dial()...) {
			if p, ok := of[string(r.Key)]; ok && p != r.Partition {
				t.Errorf("letters of key %s are in the partitions %d and %d", r.Key, p, r.Partition)
			}
			of[string(r.Key)], used[r.Partition] = r.Partition, true
		}
		if len(of) != 10 || len(used) < 2 {
			t.Errorf("%d keys in %d partitions, want 10 in some", len(of), len(used))
		}
	})
}

// TestDeadLetterTopicDown for ten minutes, in each of the ways in which it can be:
// the good records pass, no commit passes a bad one, it is said once, and when the
// topic is back the letters are in it. The attempts meanwhile are few.
func TestDeadLetterTopicDown(t *testing.T) {
	for name, down := range map[string]*kerr.Error{
		"too few replicas": kerr.NotEnoughReplicas, "disk": kerr.KafkaStorageError, "forbidden": kerr.TopicAuthorizationFailed,
		"missing": kerr.UnknownTopicOrPartition, "policy": kerr.PolicyViolation,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				post, deadLetters := w.post(1_048_588)
				bad := w.mixed(post, 1000)
				post.refused(down)
				m := w.start(deadLetters)
				time.Sleep(10 * time.Minute)
				w.wantExactly(1800)
				if got := m.metric("dead_letters_pending"); got != 100 {
					t.Errorf("%v letters pending, want 100", got)
				}
				for _, at := range bad[:4] {
					if last := w.judge.lastCommit("in", at.n); last != at.offset {
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
				if got := post.tries(); got < 10 || got > 600 {
					t.Errorf("%d attempts in ten minutes", got)
				}
				if m.metric("dead_letter_produce_errors_total") == 0 || m.metric("dead_letter_blocked") != 1 {
					t.Error("the failures are not in the metrics")
				}
				post.refused(nil)
				time.Sleep(30 * time.Second)
				post.wantLetters(bad, 0, w.dial()...)
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
	for bound, good := range map[env.Bytes]int{24 * env.MiB: 0, 96 * env.MiB: 40_000} {
		t.Run(bound.String(), func(t *testing.T) {
			bubble(t, func(w *world) {
				post, deadLetters := w.post(1_048_588)
				post.refused(kerr.NotEnoughReplicas)
				w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Outage, Until: time.Minute})
				w.produce(0, good)
				var bad []place
				key := bytes.Repeat([]byte("k"), 100_000)
				n := int(bound) * 2 / len(key)
				w.produceBad(post, n, func(int) *kgo.Record { return &kgo.Record{Topic: "in", Key: key} }, &bad) // in one partition, so that a poll brings it many
				m := w.start(deadLetters, func(c *connector.Config) { c.MaxBufferedBytes = bound })
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
				post.refused(nil)
				time.Sleep(time.Minute)
				post.wantLetters(bad, 0, w.dial()...)
				m.mustStop()
				w.wantExactly(good)
				if got := w.committed(); got != int64(n+good) {
					t.Errorf("committed %d, want %d", got, n+good)
				}
			})
		})
	}
}

// TestRevokeWithPendingDeadLetters: letters that their topic does not take hold up no
// rebalance. They are given up, and the next owner writes them.
func TestRevokeWithPendingDeadLetters(t *testing.T) {
	bubble(t, func(w *world) {
		post, deadLetters := w.post(1_048_588)
		bad := w.mixed(post, 400)
		post.refused(kerr.NotEnoughReplicas)
		first := w.start(deadLetters)
		time.Sleep(30 * time.Second)
		begin := time.Now()
		second := w.start(deadLetters)
		for first.metric("kafka_assigned_partitions") != 2 || second.metric("kafka_assigned_partitions") != 2 {
			if time.Since(begin) > time.Minute {
				t.Fatal("the second member gets no partitions")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begin); took > 9*time.Second {
			t.Errorf("the rebalance took %v: it waited for letters that nobody takes", took)
		}
		time.Sleep(20 * time.Second)
		if a, b := first.metric("dead_letters_pending"), second.metric("dead_letters_pending"); a != 20 || b != 20 {
			t.Errorf("%v and %v letters are pending, want 20 with each owner", a, b)
		}
		post.refused(nil)
		time.Sleep(time.Minute)
		first.mustStop()
		second.mustStop()
		post.wantLetters(bad, 0, w.dial()...)
		w.wantAll(720, 720)
		if got := w.committed(); got != 760 {
			t.Errorf("committed %d, want 760", got)
		}
	})
}

// TestRevokeBeforeTheTopicIsKnownToBeDown: the revoke comes in the first attempt, so
// the letters are waited for, and for no longer than KAFKA_REVOKE_DRAIN_TIMEOUT.
func TestRevokeBeforeTheTopicIsKnownToBeDown(t *testing.T) {
	bubble(t, func(w *world) {
		post, deadLetters := w.post(1_048_588)
		first := w.start(deadLetters)
		time.Sleep(10 * time.Second)
		post.refused(kerr.NotEnoughReplicas)
		bad := w.mixed(post, 400)
		second := w.start(deadLetters, func(c *connector.Config) { c.Kafka.ClientID = "second" })
		begin := time.Now()
		for second.metric("kafka_assigned_partitions") != 2 {
			if time.Since(begin) > 20*time.Second {
				t.Fatalf("the second member has no partitions\n%s", w.log)
			}
			time.Sleep(100 * time.Millisecond)
		}
		post.refused(nil)
		time.Sleep(time.Minute)
		first.mustStop()
		second.mustStop()
		post.wantLetters(bad, len(bad), w.dial()...)
		w.wantAll(720, 720)
	})
}

// TestStopWaitsForDeadLetters: a drain writes what is pending, as long as there is
// time, and tells what it could not write.
func TestStopWaitsForDeadLetters(t *testing.T) {
	bubble(t, func(w *world) {
		post, deadLetters := w.post(1_048_588)
		bad := w.mixed(post, 400)
		post.refused(kerr.NotEnoughReplicas)
		m := w.start(deadLetters)
		time.Sleep(30 * time.Second)
		go func() {
			time.Sleep(5 * time.Second)
			post.refused(nil)
		}()
		m.mustStop()
		post.wantLetters(bad, 0, w.dial()...)
		if got := w.committed(); got != 760 {
			t.Errorf("committed %d, want 760", got)
		}
	})
	bubble(t, func(w *world) {
		post, deadLetters := w.post(1_048_588)
		var bad []place
		w.produceBad(post, 40, func(int) *kgo.Record { return &kgo.Record{} }, &bad)
		post.refused(kerr.NotEnoughReplicas)
		m := w.start(deadLetters)
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

// TestDeadLetterTooLarge: a record that Firehose does not take for its size may be too
// large for the dead-letter topic as well. Then its digest is there instead; one that
// fits is whole. Whoever raises the limit needs no restart.
func TestDeadLetterTooLarge(t *testing.T) {
	bubble(t, func(w *world) {
		post, deadLetters := w.post(2_000_000)
		var bad []place
		fits, large := bytes.Repeat([]byte("f"), 1_999_000), bytes.Repeat([]byte("l"), 2_000_001)
		w.raiseProducer(11_000_000)
		values := [][]byte{fits, large}
		w.produceBad(post, 2, func(i int) *kgo.Record { return &kgo.Record{Key: []byte("k"), Value: values[i]} }, &bad)
		w.produceBad(post, 2, func(i int) *kgo.Record { // the key alone is too much
			return &kgo.Record{Key: values[i], Headers: []kgo.RecordHeader{{Key: "h", Value: make([]byte, 5000)}}}
		}, &bad)
		m := w.start(deadLetters)
		time.Sleep(30 * time.Second)
		found := post.wantLetters(bad, 0, w.dial()...)
		if len(found) < 4 {
			t.Fatal("letters are missing")
		}
		if r := found[bad[0]]; !bytes.Equal(r.Value, fits) || header(r, "kafka-firehose.value.sha256") != "" {
			t.Error("the letter that fits is not whole")
		}
		r := found[bad[1]]
		if want := fmt.Sprintf("%x", sha256.Sum256(large)); r.Value != nil || string(r.Key) != "k" ||
			header(r, "kafka-firehose.value.sha256") != want || header(r, "kafka-firehose.value.bytes") != "2000001" {
			t.Errorf("the letter that is too large has %d bytes and the digest %q", len(r.Value), header(r, "kafka-firehose.value.sha256"))
		}
		r = found[bad[3]]
		if want := fmt.Sprintf("%x", sha256.Sum256(large)); r.Key != nil || header(r, "h") != "" || header(r, "kafka-firehose.key.sha256") != want ||
			header(r, "kafka-firehose.key.bytes") != "2000001" || header(r, "kafka-firehose.headers.bytes") != "5001" {
			t.Errorf("the letter whose key is too large: %q", r.Headers)
		}
		if got := m.metric("dead_letter_digests_total"); got != 1 {
			t.Errorf("%v digests counted, want 1", got)
		}

		post.most = 9_000_000
		w.alter("dead", "max.message.bytes", "9000000")
		time.Sleep(time.Minute)
		w.produceBad(post, 1, func(int) *kgo.Record { return &kgo.Record{Value: large} }, &bad)
		time.Sleep(10 * time.Second)
		if r := post.wantLetters(bad, 0, w.dial()...)[bad[4]]; r == nil || !bytes.Equal(r.Value, large) {
			t.Error("the limit was raised, and the letter is not whole")
		}
		m.mustStop()
		if got := w.committed(); got != 5 {
			t.Errorf("committed %d, want 5", got)
		}
	})
}

// TestRefusedByTheStream: a record is too large for this stream alone. Its letter has
// the key and the headers, which the request did not.
func TestRefusedByTheStream(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream = firehosetest.New(firehosetest.Options{
			Streams: []firehosetest.Stream{{Name: "s"}}, RequestLimitBytes: 50_000, OnStored: w.judge.stored,
		})
		post, deadLetters := w.post(1_048_588)
		var bad []place
		w.produce(0, 400)
		value := strings.Repeat("x", 60_000)
		w.produceBad(post, 1, func(int) *kgo.Record {
			return &kgo.Record{Key: []byte("k"), Value: []byte(value), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}
		}, &bad)
		m := w.start(deadLetters)
		post.refused(kerr.NotEnoughReplicas) // the batch waits for its letter
		for i := 1; i < 30; i++ {
			w.produce(i*400, i*400+400)
			time.Sleep(time.Second)
		}
		time.Sleep(30 * time.Second)
		if got := m.metric("dead_letters_pending"); got != 1 {
			t.Errorf("%v letters are pending, want 1", got)
		}
		post.refused(nil)
		time.Sleep(30 * time.Second)
		r := post.wantLetters(bad, 0, w.dial()...)[bad[0]]
		if r == nil {
			t.Fatalf("the letter is missing\n%s", w.log)
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
