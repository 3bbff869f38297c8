package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
)

// apacheOnly are cases of what the embedded broker doesn't have: a log cleaner,
// retention, replicas in racks, and other people's clients.
func apacheOnly() map[string]func(*world) {
	return map[string]func(*world){
		"AuditOfCompacted":    auditOfCompacted,
		"ReplayOfCompacted":   replayOfCompacted,
		"CompactedTopic":      compactedTopic,
		"RetentionByTime":     retentionByTime,
		"NearestReplica":      nearestReplica,
		"LeadersWithoutARack": leadersWithoutARack,
		"OtherClient":         otherClient,
		"ZstdLevels":          zstdLevels,
		"ProtocolChanges":     protocolChanges,
	}
}

// protocolChanges: members of one protocol are replaced by those of the other while they run, and back again. The brokers migrate the group.
func protocolChanges(w *world) {
	const each = 100
	var old *member
	for i, protocol := range []string{"classic", "consumer", "classic"} {
		m := w.start(func(c *connector.Config) { c.Kafka.GroupProtocol = protocol })
		w.until("the new member has partitions", patience, func() bool { return m.metric("kafka_assigned_partitions") > 0 })
		w.produce(i*each, i*each+each/2)
		if old != nil {
			old.mustStop()
		}
		w.produce(i*each+each/2, (i+1)*each)
		w.untilCommitted((i + 1) * each)
		if err := m.connector.Ready(); err != nil {
			w.t.Errorf("%s: not ready: %v", protocol, err)
		}
		old = m
	}
	old.mustStop()
	w.wantExactly(3 * each)
}

// compactedTopic: the cleaner removes what has newer records of the same key, from
// before and around the commit. Gaps in the offsets are no loss and leave no lag.
func compactedTopic(w *world) {
	topic := w.name("compacted")
	w.topic(topic, 1, "cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01")
	produce := func(from, to int) {
		w.produceWith(from, to, func(i int) *kgo.Record {
			return &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "%d", i%20), Value: fmt.Appendf(nil, "%d", i)}
		})
		time.Sleep(200 * time.Millisecond) // the next batch begins a segment
	}
	reads := func(c *connector.Config) { c.Kafka.Topics = []string{topic} }
	produce(0, 100)
	m := w.start(reads)
	w.untilCommitted(100)
	m.mustStop()
	for i := 100; i < 1000; i += 100 {
		produce(i, i+100)
	}
	left := w.untilCompacted(topic)
	w.t.Logf("%d of 1000 records are left", len(left))
	if first := w.after(left, 100); first == 100 {
		w.t.Fatal("the record at the commit is still there, so nothing is tested")
	}
	m = w.start(reads)
	w.untilCommitted(1000)
	m.untilNoLag()
	m.mustStop()
	for _, r := range left {
		if got := w.judge.copiesOf(string(r.Value)); got != 1 {
			w.t.Errorf("record %s at offset %d came %d times, want once", r.Value, r.Offset, got)
		}
	}
	if got := m.metric("kafka_offsets_expired_total"); got != 0 {
		w.t.Errorf("%v offsets counted as expired; they were compacted", got)
	}
}

// untilCompacted waits until the cleaner has gone over a topic that nobody writes to,
// closes the books over what it removed, and returns the rest.
func (w *world) untilCompacted(topic string) (left []*kgo.Record) {
	w.t.Helper()
	since, n := time.Now(), -1
	w.until("the log is compacted", patience, func() bool {
		left = w.survey(topic, 0)
		if len(left) != n {
			since, n = time.Now(), len(left)
		}
		return n < 300 && time.Since(since) > 2*time.Second // the active segment and one of each key
	})
	there := map[int64]bool{}
	for _, r := range left {
		there[r.Offset] = true
	}
	for o := range left[len(left)-1].Offset {
		if !there[o] {
			w.judge.allow(place{part{topic, 0}, o})
		}
	}
	return left
}

// after is the first offset of records that is not below o.
func (*world) after(records []*kgo.Record, o int64) int64 {
	for _, r := range records {
		if r.Offset >= o {
			return r.Offset
		}
	}
	return -1
}

// retentionByTime: the broker itself removes what is older than retention allows, up
// to the end of the log, while the group is away.
func retentionByTime(w *world) {
	m := w.start(latestMode)
	w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
	w.produce(0, 40)
	w.untilCommitted(40)
	m.mustStop()
	w.produce(40, 80)
	w.set(w.in, "retention.ms", "500")
	w.until("retention has removed it all", patience, func() bool {
		starts, err := w.admin.ListStartOffsets(context.Background(), w.in)
		if err != nil {
			w.t.Fatal(err)
		}
		var sum int64
		starts.Each(func(o kadm.ListedOffset) { sum += o.Offset })
		return sum == 80
	})
	w.set(w.in, "retention.ms", "-1")
	for i := 40; i < 80; i++ {
		w.judge.allow(w.judge.placeOf(fmt.Sprint(i)))
	}
	w.produce(80, 120)
	m = w.start(latestMode)
	w.untilCommitted(120)
	m.mustStop()
	w.wantExpired(m, 120, 40)
	if !strings.Contains(w.log.String(), "retention has passed the group's position") {
		w.t.Error("nobody was told")
	}
}

// set changes a setting of a topic.
func (w *world) set(topic, name, value string) {
	w.t.Helper()
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}
	if _, err := w.admin.AlterTopicConfigs(context.Background(), change, topic); err != nil {
		w.t.Fatal(err)
	}
}

// nearestReplica: with KAFKA_CLIENT_RACK every record comes from the replica of that
// rack, which leads only some of the partitions.
func nearestReplica(w *world) {
	read := w.readInRack("rack-1")
	if len(read.racks) != 1 || read.racks["rack-1"] == 0 {
		w.t.Errorf("batches came from %v, want all of them from rack-1", read.racks)
	}
}

// leadersWithoutARack is its control: the leaders are in all racks.
func leadersWithoutARack(w *world) {
	read := w.readInRack("")
	if len(read.racks) != 3 {
		w.t.Errorf("batches came from %v, want some from each of three racks", read.racks)
	}
}

func (w *world) readInRack(rack string) *fetched {
	topic := w.name("spread")
	w.topic(topic, 6)
	w.produceWith(0, 6000, func(i int) *kgo.Record {
		return &kgo.Record{Topic: topic, Partition: int32(i % 6), Value: fmt.Appendf(nil, "%d", i)}
	})
	read := w.watch()
	m := w.start(func(c *connector.Config) { c.Kafka.Topics = []string{topic}; c.Kafka.ClientRack = rack })
	w.untilCommitted(6000)
	w.produceWith(6000, 7000, func(i int) *kgo.Record {
		return &kgo.Record{Topic: topic, Partition: int32(i % 6), Value: fmt.Appendf(nil, "%d", i)}
	})
	w.untilCommitted(7000)
	m.mustStop()
	w.wantExactly(7000)
	return read
}

// otherClient: what librdkafka writes, with each of its compressions.
func otherClient(w *world) {
	if _, err := exec.LookPath("kcat"); err != nil {
		if os.Getenv("CI") == "true" {
			w.t.Fatal("CI has to run this:", err)
		}
		w.t.Skip("needs kcat, which is librdkafka as a command (Debian: apt-get install kcat)")
	}
	const each = 400
	for n, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		for p := range 4 {
			var lines strings.Builder
			for i := n * each; i < (n+1)*each; i++ {
				if i%4 == p {
					fmt.Fprintf(&lines, "key-%d\t%d\n", i, i)
				}
			}
			kcat := exec.CommandContext(w.t.Context(), "kcat", "-P", "-b", strings.Join(w.addrs, ","), "-t", w.in, "-p", fmt.Sprint(p),
				"-K", "\t", "-z", codec, "-H", "written-by=kcat", "-X", "enable.idempotence=true")
			kcat.Stdin = strings.NewReader(lines.String())
			if out, err := kcat.CombinedOutput(); err != nil {
				w.t.Fatalf("kcat -z %s: %v: %s", codec, err, out)
			}
		}
	}
	for p := range int32(4) {
		for _, r := range w.survey(w.in, p) {
			w.judge.produced(r)
		}
	}
	read := w.watch()
	m := w.start()
	w.untilCommitted(5 * each)
	m.mustStop()
	w.wantExactly(5 * each)
	if len(read.codecs) != 5 {
		w.t.Errorf("batches with the compressions %v were read, want five kinds", read.codecs)
	}
}
