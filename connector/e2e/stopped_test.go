package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// poison produces the numbers from 0 to 199, and between them, at offset 25 of partition 1, a record that no stream
// takes: with its delimiter it is one byte larger than the limit.
func (w *world) poison(size int) {
	w.t.Helper()
	w.produce(0, 100)
	w.produceWith(0, 1, func(int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 1, Value: []byte(strings.Repeat("x", size))}
	})
	w.judge.allow(place{part{w.in, 1}, 25})
	w.produce(100, 200)
}

// lines counts the log lines that have all of the words.
func (w *world) lines(words ...string) (n int) {
next:
	for line := range strings.Lines(w.log.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		n++
	}
	return n
}

func TestBadRecordStopsItsPartition(t *testing.T) { bubble(t, badRecordStopsItsPartition) }

// badRecordStopsItsPartition: the others go on, and everything before the record is committed. That it stands is
// told as long as it lasts, with the command that skips it; after that nothing is left of it.
func badRecordStopsItsPartition(w *world) {
	w.poison(1_024_000)
	m := w.start()
	const others, stopped = 3 * 50, 25 // of the 200 records that can be delivered, 50 are in each partition
	w.untilCommitted(others + stopped)
	w.produce(200, 400)
	w.untilCommitted(others + stopped + 3*50)
	if at := w.judge.lastCommit(w.in, 1); at != 25 {
		w.t.Errorf("partition 1 is committed to %d, want 25: everything before the record and nothing past it", at)
	}
	command := fmt.Sprintf("kafka-consumer-groups.sh --bootstrap-server %s --group %s --topic %s:1 --reset-offsets --to-offset 26 --execute", strings.Join(w.addrs, ","), w.group, w.in)
	if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), command) {
		w.t.Errorf("readiness has not the command %q: %v", command, err)
	}
	if got := m.metric("kafka_faulty_partitions", `value:"bad_record"`); got != 1 {
		w.t.Errorf("%v partitions are counted as stopped, want 1", got)
	}
	said := []string{"level=ERROR", "a partition is stopped", "topic=" + w.in, "partition=1", "offset=25", "(1024001 bytes)", command}
	if w.lines(said...) == 0 {
		w.t.Fatalf("no line has %q: %s", said, w.log)
	}
	before := w.lines(said...)
	time.Sleep(5 * time.Minute)
	if n := w.lines(said...) - before; n < 4 || n > 6 {
		w.t.Errorf("%d lines in five minutes, want one in each", n)
	}
	m.mustStop()
	reset := kadm.Offsets{}
	reset.AddOffset(w.in, 1, 26, -1)
	if err := w.admin.CommitAllOffsets(context.Background(), w.group, reset); err != nil {
		w.t.Fatal(err)
	}
	m = w.start()
	w.untilCommitted(401)
	w.wantExactly(400)
	if err := m.connector.Ready(); err != nil {
		w.t.Errorf("not ready after the record was skipped: %v", err)
	}
	m.mustStop()
}

// TestStoppedPartitionIsGivenAway: a stopped partition does not hold up a rebalance, and its next owner stops at the
// same record.
func TestStoppedPartitionIsGivenAway(t *testing.T) {
	bubble(t, func(w *world) {
		w.poison(1_024_000)
		first := w.start()
		w.untilCommitted(175)
		second := w.start()
		w.untilShared(4/2, first, second)
		begin := time.Now()
		first.mustStop()
		if took := time.Since(begin); took > time.Second {
			w.t.Errorf("the member stopped after %v, want at once", took)
		}
		w.until("the partition is stopped at its next owner", time.Minute, func() bool {
			return second.metric("kafka_faulty_partitions", `value:"bad_record"`) == 1
		})
		w.produce(200, 400)
		w.untilCommitted(175 + 150)
		second.mustStop()
		if at := w.judge.lastCommit(w.in, 1); at != 25 {
			w.t.Errorf("partition 1 is committed to %d, want 25", at)
		}
	})
}

// TestRefusedRecordStopsItsPartition is the same for a record that the stream alone refuses: records that share its
// batch are delivered, and their partitions committed.
func TestRefusedRecordStopsItsPartition(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream = firehosetest.New(firehosetest.Options{
			Streams: []firehosetest.Stream{{Name: "s"}}, RequestLimitBytes: 50_000, OnStored: w.judge.stored,
		})
		w.poison(60_000)
		m := w.start()
		n := 200
		for ; m.metric("kafka_faulty_partitions", `value:"bad_record"`) == 0; n += 40 {
			if n > 20_000 {
				t.Fatalf("no partition is stopped\n%s", w.log.tail())
			}
			w.produce(n, n+40)
			time.Sleep(time.Second)
		}
		w.produce(n, n+400)
		n += 400
		w.until("the other partitions are committed", time.Minute, func() bool { return w.committed() >= int64(3*n/4) })
		if at := w.judge.lastCommit(w.in, 1); at > 25 {
			w.t.Errorf("partition 1 is committed to %d, want 25 at most", at)
		}
		if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "--to-offset 26 --execute") {
			w.t.Errorf("readiness: %v", err)
		}
		if n := m.connector.Status().BadRecords.Records; n != 1 {
			w.t.Errorf("the status counts %d bad records, want 1", n)
		}
		// What was accepted behind the record comes again after it was skipped, and nothing before that.
		before := w.stream.Stats().Streams["s"].Records
		time.Sleep(30 * time.Minute)
		if after := w.stream.Stats().Streams["s"].Records; after != before {
			w.t.Errorf("%d records were sent again while the partition stood", after-before)
		}
		if err := m.stop(); err == nil || !strings.Contains(err.Error(), "records will be delivered again") {
			w.t.Errorf("the drain ended with %v", err)
		}
	})
}

// TestStoppedPartitionGoesOn: the record is tried again while its partition stands. Here its schema is registered later.
func TestStoppedPartitionGoesOn(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		numbered := func(i int) *kgo.Record { r := avroNumber(i, 1); r.Partition = 0; return r }
		w.produceWith(0, 100, numbered)
		w.produceWith(100, 101, func(i int) *kgo.Record {
			r := numbered(i)
			r.Value[4] = 77 // a schema that nobody has registered
			return r
		})
		w.produceWith(101, 150, numbered)
		m := w.start(avroFormat)
		w.until("the partition is stopped", 5*time.Minute, func() bool {
			return m.metric("kafka_faulty_partitions", `value:"bad_record"`) == 1
		})
		time.Sleep(12 * time.Minute) // and is stopped again
		if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "offset 100 (") {
			t.Errorf("readiness: %v", err)
		}
		if at := w.judge.lastCommit(w.in, 0); at != 100 {
			t.Errorf("committed to %d, want 100", at)
		}
		r.SeedSchema("later-value", 1, 77, sr.Schema{Schema: `"long"`})
		w.until("all is committed", 7*time.Minute, func() bool { return w.committed() == 150 })
		w.wantExactly(150)
		time.Sleep(time.Minute)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		if n := w.lines("level=INFO", "the fault of a partition is over"); n != 1 {
			t.Errorf("%d lines say that the fault is over, want 1: %s", n, w.log.tail())
		}
		m.mustStop()
	})
}

// TestExitKeepsItsMeaning: exit is what stop has meant.
func TestExitKeepsItsMeaning(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 4)
		w.produceWith(4, 5, func(int) *kgo.Record { return &kgo.Record{Topic: w.in, Partition: 1, Value: make([]byte, 1_024_000)} })
		w.judge.allow(place{part{w.in, 1}, 1})
		m := w.start(func(c *connector.Config) { c.BadRecordPolicy = "exit" })
		if err := <-m.done; err == nil || !strings.Contains(err.Error(), "--to-offset 2 --execute") {
			w.t.Errorf("ended with %v", err)
		}
	})
}
