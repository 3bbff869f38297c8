package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// mounted is a file of a mounted ConfigMap: a link to a file in a directory that is itself a link, which is swapped.
type mounted struct {
	t       *testing.T
	dir     string
	version int
}

func mount(t *testing.T, content string) *mounted {
	t.Helper()
	m := &mounted{t: t, dir: t.TempDir()}
	m.put(content)
	if err := os.Symlink(filepath.Join("..data", "settings.json"), m.path()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *mounted) path() string { return filepath.Join(m.dir, "settings.json") }

// put swaps the directory, as the kubelet does.
func (m *mounted) put(content string) {
	m.t.Helper()
	m.version++
	next := fmt.Sprintf("..%d", m.version)
	for _, err := range []error{
		os.Mkdir(filepath.Join(m.dir, next), 0o700),
		os.WriteFile(filepath.Join(m.dir, next, "settings.json"), []byte(content), 0o600),
		os.Symlink(next, filepath.Join(m.dir, "..tmp")),
		os.Rename(filepath.Join(m.dir, "..tmp"), filepath.Join(m.dir, "..data")),
	} {
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// reads has a member read the file, and these topics.
func (m *mounted) reads(topics ...string) func(*connector.Config) {
	return func(c *connector.Config) { c.Kafka.Topics, c.RuntimeSettingsFile = topics, m.path() }
}

// to is a record of a topic of two partitions.
func to(topic string) func(int) *kgo.Record {
	return func(i int) *kgo.Record {
		return &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: []byte(strconv.Itoa(i))}
	}
}

// wantNone fails if one of the records from first up to last was sent.
func (w *world) wantNone(first, last int) {
	w.t.Helper()
	for i := first; i < last; i++ {
		if w.judge.copiesOf(strconv.Itoa(i)) > 0 {
			w.t.Fatalf("record %d of a paused topic was sent\n%s", i, w.log.tail())
		}
	}
}

// pausedPartitions counts the partitions whose status says that the runtime settings pause them.
func (m *member) pausedPartitions(topic string) (n int) {
	for _, p := range m.connector.Status().Partitions {
		if p.Topic == topic && p.State == "paused" && p.Reason == "runtime settings" {
			n++
		}
	}
	return n
}

// TestRuntimePause: a topic is paused, through a rebalance and a bad file, and resumed: nothing of it is sent meanwhile, the other
// topic is delivered, and in the end everything was delivered once.
func TestRuntimePause(t *testing.T) { bubble(t, runtimePause) }

func runtimePause(w *world) {
	other := w.name("other")
	w.topic(other, 2)
	file := mount(w.t, `{}`)
	first := w.start(file.reads(w.in, other))
	w.produce(0, 100)
	w.produceWith(100, 200, to(other))
	w.untilStored(200, 200)

	file.put(fmt.Sprintf(`{"paused_topics": [%q]}`, other))
	w.until("the topic is paused", patience, func() bool { return first.metric("kafka_topic_paused", other) == 1 })
	if got := first.metric("kafka_topic_paused", `"`+w.in+`"`); got != 0 {
		w.t.Error("the other topic is paused, too")
	}
	w.produce(200, 300)
	w.produceWith(300, 400, to(other))
	w.until("the lag of the paused topic is known", patience, func() bool { return first.metric("kafka_lag_records", other) == 100 })
	w.until("the other topic is delivered", patience, func() bool { return w.judge.copiesOf("299") == 1 })
	w.wantNone(300, 400)
	if n := first.pausedPartitions(other); n != 2 {
		w.t.Errorf("%d partitions have the state, want 2", n)
	}

	second := w.start(file.reads(w.in, other))
	w.untilShared(3, first, second)
	file.put(`{"paused_topic": []}`)
	w.until("both tell of the bad file", patience, func() bool {
		return first.metric("runtime_settings_fault")+second.metric("runtime_settings_fault") == 2
	})
	const says = `paused_topic is no setting; did you mean paused_topics?`
	if err, notes := first.connector.Ready(), first.connector.Notes(); err != nil || notes == nil || !strings.Contains(notes.Error(), says) {
		w.t.Errorf("ready: %v, and tells %v; want ready, and %q", err, notes, says)
	}
	if s := first.connector.Status(); s.Runtime == nil || !strings.Contains(s.Runtime.Error, says) || len(s.Faults) != 1 || len(s.Runtime.PausedTopics) != 1 {
		w.t.Errorf("the status has the faults %+v and the settings %+v", s.Faults, s.Runtime)
	}
	time.Sleep(either(w, 2*time.Minute, 10*time.Second))
	if n := first.pausedPartitions(other) + second.pausedPartitions(other); n != 2 {
		w.t.Errorf("after the rebalance %d partitions are paused, want 2", n)
	}
	w.wantNone(300, 400)
	second.mustStop()
	w.untilShared(6, first)
	time.Sleep(either(w, time.Minute, 10*time.Second))
	w.wantNone(300, 400)

	file.put(`{}`)
	w.untilStored(400, 400)
	w.untilCommitted(400)
	if first.metric("kafka_topic_paused") != 0 || first.metric("runtime_settings_fault") != 0 {
		w.t.Error("the metrics still say that a topic is paused, or the file bad")
	}
	first.mustStop()
	w.wantExactly(400)
}

// TestRuntimePausedStream: a paused stream pauses every topic that is routed to it, those too that the pattern finds later, and a
// process that starts with it sends none of their records. What was polled before is delivered.
func TestRuntimePausedStream(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddStream(firehosetest.Stream{Name: "d"})
		w.topic("log-a", 2)
		file := mount(t, `{"paused_streams": ["d"]}`)
		m := w.start(func(c *connector.Config) {
			c.Kafka.Topics, c.Kafka.TopicPattern, c.RuntimeSettingsFile = nil, "log-[a-z]|in", file.path()
			c.Firehose.Stream = ""
			if err := c.Firehose.Routes.Decode("in=s,/log-.*/=d"); err != nil {
				t.Fatal(err)
			}
		})
		w.produce(0, 100)
		w.produceWith(100, 200, to("log-a"))
		w.untilStored(100, 100)
		w.topic("log-b", 2)
		w.produceWith(200, 300, to("log-b"))
		w.until("the new topic is found", patience, func() bool { return m.pausedPartitions("log-b") == 2 })
		time.Sleep(time.Hour)
		w.wantNone(100, 300)
		for _, s := range m.connector.Status().Streams {
			if want := map[string]string{"s": "idle", "d": "paused"}[s.Name]; s.State != want {
				t.Errorf("stream %s is %s: %s; want %s", s.Name, s.State, s.Reason, want)
			}
		}
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		if got := m.metric("throttled"); got != 0 {
			t.Error("the lag of paused topics counts as throttling")
		}
		file.put(`{"paused_topics": ["log-b"]}`)
		w.untilStored(200, 200)
		w.wantNone(200, 300)
		file.put(`{}`)
		w.untilStored(300, 300)
		m.mustStop()
		w.wantExactly(300)
	})
}

// TestRuntimePauseIsNoThrottling: a stream takes all that is sent close to its limit, and the lag of a paused topic grows. That lag does not
// count as held back by the stream, until the topic is resumed.
func TestRuntimePauseIsNoThrottling(t *testing.T) {
	bubble(t, func(w *world) {
		other := w.name("other")
		w.topic(other, 2)
		file := mount(t, fmt.Sprintf(`{"paused_topics": [%q]}`, other))
		m := w.start(file.reads(w.in, other), func(c *connector.Config) { c.Firehose.MaxRecordsPerSecond = 10 })
		w.load(0, 9, time.Second)
		w.loadWith(1_000_000, 10, time.Second, to(other))
		large := regexp.MustCompile(`throttled: .* the lag of \d{3,} records grows`)
		for range 10 {
			time.Sleep(20 * time.Second)
			if err := m.connector.Notes(); err != nil && large.MatchString(err.Error()) {
				t.Fatalf("while the topic is paused: %v", err)
			}
		}
		if lag := m.connector.Status().Streams[0].Lag; lag < 1500 {
			t.Errorf("the status has a lag of %d, want that of the paused topic in it", lag)
		}
		file.put(`{}`)
		time.Sleep(3 * time.Minute)
		if err := m.connector.Notes(); err == nil || !large.MatchString(err.Error()) {
			t.Errorf("after the topic was resumed: %v, want that the stream is throttled", err)
		}
	})
}

// TestRuntimePauseKeepsCommits: while a topic is paused its offsets are committed again each hour, by a process too that has
// read nothing of it. That is no progress: the time of the last commit stays.
func TestRuntimePauseKeepsCommits(t *testing.T) {
	bubble(t, func(w *world) {
		file := mount(t, `{}`)
		first := w.start(file.reads(w.in))
		w.produce(0, 100)
		w.untilCommitted(100)
		file.put(fmt.Sprintf(`{"paused_topics": [%q]}`, w.in))
		w.until("the topic is paused", patience, func() bool { return first.metric("kafka_topic_paused") == 1 })
		var partitions atomic.Int32
		w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
				partitions.Add(int32(len(topic.Partitions)))
			}
			return nil, nil, false
		})
		for _, m := range []func() *member{
			func() *member { return first },
			func() *member { first.mustStop(); return w.start(file.reads(w.in)) },
		} {
			now := m()
			w.untilShared(4, now)
			last := now.metric("kafka_last_commit_timestamp_seconds")
			partitions.Store(0)
			hours := longtest.Pick(2, 24)
			time.Sleep(time.Duration(hours)*time.Hour + time.Minute)
			if n := int(partitions.Load()); n < 4*(hours-1) || n > 4*(hours+1) {
				t.Errorf("%d offsets were committed in %d hours, want %d", n, hours, 4*hours)
			}
			if got := now.metric("kafka_last_commit_timestamp_seconds"); got != last {
				t.Error("the repeated commit counts as progress")
			}
		}
		w.untilCommitted(100)
		if w.committed() != 100 {
			t.Error("the offsets have moved")
		}
	})
}
