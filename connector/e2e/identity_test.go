package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// speaking is a broker that knows no request that is newer than a release.
func speaking(v *kversion.Versions) func() door {
	return func() door { return door{cluster: []kfake.Opt{kfake.MaxVersions(v)}} }
}

// TestRecreatedTopicByName: before Kafka 4.2 offsets are committed by the topic's name, before 3.1
// records are fetched by it, and before 2.8 there are no ids at all. Offsets of the old topic must not
// land in the new one. Without ids only the outage is covered: there the new topic has other offsets.
func TestRecreatedTopicByName(t *testing.T) {
	t.Parallel()
	bodies := map[string]func(*world){"while held": topicCreatedAnewWhileHeld, "in an outage": topicCreatedAnewInAnOutage}
	releases := map[string]*kversion.Versions{"4.0": kversion.V4_0_0()}
	if longtest.Enabled() {
		releases["3.0"], releases["2.8"] = kversion.V3_0_0(), kversion.V2_8_0()
	}
	for name, v := range releases {
		for what, body := range bodies {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				guarded(t, speaking(v), body)
			})
		}
	}
}

// commitAs commits an offset of every partition of a topic with metadata of the test's choice, as a tool would.
func (w *world) commitAs(topic string, offset int64, metadata func(old string) string) {
	w.t.Helper()
	offsets, err := w.admin.FetchOffsets(context.Background(), w.group)
	if err != nil {
		w.t.Fatal(err)
	}
	to := kadm.Offsets{}
	for p := range int32(4) {
		was, _ := offsets.Lookup(topic, p)
		to.Add(kadm.Offset{Topic: topic, Partition: p, At: offset, LeaderEpoch: -1, Metadata: metadata(was.Metadata)})
	}
	if err := w.admin.CommitAllOffsets(context.Background(), w.group, to); err != nil {
		w.t.Fatal(err)
	}
}

// TestOffsetOfADeletedTopic: an offset of the old topic has landed in the new one, because the broker stores
// offsets by name. The next process sees whose it is and reads the new topic from its beginning. An offset that
// somebody has set by hand, or that was translated from another cluster, counts.
func TestOffsetOfADeletedTopic(t *testing.T) {
	t.Parallel()
	const n = 200
	for name, c := range map[string]struct {
		metadata func(old string) string
		first    int // the first record that is delivered
	}{
		"of the old topic":    {func(old string) string { return old }, 0},
		"set by hand":         {func(string) string { return "" }, n / 2},
		"set by another tool": {func(string) string { return "kafka-firehose/9 x=y" }, n / 2},
		"translated": {func(old string) string {
			return regexp.MustCompile(`cluster=\S*`).ReplaceAllString(old, "cluster=other")
		}, n / 2},
		"of the topic that is":  {nil, n / 2},
		"cut off by the broker": {func(old string) string { return old[:len(old)/2] }, n / 2},
	} {
		for _, mode := range longtest.Pick([]string{"earliest"}, []string{"earliest", "latest"}) {
			t.Run(name+"/"+mode, func(t *testing.T) {
				bubble(t, func(w *world) {
					start := func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode = mode }
					m := w.start(start)
					w.until("it reads", patience, func() bool { return m.metric("kafka_assigned_partitions") == 4 })
					time.Sleep(5 * time.Second)
					w.produce(100000, 100000+n)
					w.untilCommitted(n)
					m.mustStop()
					if c.metadata != nil {
						metadata := map[string]string{}
						w.commitAs(w.in, n/4, func(old string) string { metadata["old"] = old; return old })
						w.anew(w.in, 4)
						w.produce(0, n)
						w.commitAs(w.in, n/8, func(string) string { return c.metadata(metadata["old"]) })
					} else {
						w.produce(0, n)
						w.commitAs(w.in, n/4+n/8, func(old string) string { return old })
					}
					for i := range c.first {
						w.judge.allow(w.judge.placeOf(fmt.Sprint(i)))
					}
					m = w.start(start)
					w.until("the rest is delivered", patience, func() bool { lost, _ := w.judge.count(n); return lost == c.first })
					m.mustStop()
					if lost, copies := w.judge.count(n); lost != c.first || copies > 0 {
						t.Errorf("%d of %d records were not delivered and %d came twice, want %d and none\n%s", lost, n, copies, c.first, w.log.tail())
					}
				})
			})
		}
	}
}

// TestUnknownTopicIDPasses: a broker that is behind with its metadata does not know the id of a topic for a
// while. The topic is still the same: nothing is dropped, nothing comes twice, nobody is told that it was lost.
func TestUnknownTopicIDPasses(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]kmsg.Key{"fetch": kmsg.Fetch, "commit": kmsg.OffsetCommit} {
		for _, d := range longtest.Pick([]time.Duration{8 * time.Second}, []time.Duration{8 * time.Second, 5 * time.Minute}) {
			t.Run(fmt.Sprintf("%s/%v", name, d), func(t *testing.T) {
				bubble(t, func(w *world) {
					m := w.start()
					w.untilShared(4, m)
					w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 1500 * time.Millisecond})
					stop := w.load(0, 20, 100*time.Millisecond)
					for range 2 { // with an hour in between
						time.Sleep(10 * time.Second)
						h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{at}, Topic: w.in, Partitions: []int32{0}, Count: -1, Err: kerr.UnknownTopicID})
						time.Sleep(d)
						h.Remove()
						time.Sleep(time.Minute)
					}
					n := stop()
					w.untilCommitted(n)
					w.wantExactly(n)
					if log := w.log.String(); strings.Contains(log, "created again") || m.metric("kafka_rebalances_total", "lost") > 0 {
						t.Errorf("the topic was taken for another one\n%s", w.log.tail())
					}
					m.mustStop()
				})
			})
		}
	}
}

// TestMarkerTooLong: a broker that takes no metadata with a commit still gets the commits.
func TestMarkerTooLong(t *testing.T) {
	bubble(t, func(w *world) {
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: w.in, Count: -1, Err: kerr.OffsetMetadataTooLarge, When: func(r kmsg.Request) bool {
			for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
				for _, p := range topic.Partitions {
					if p.Metadata != nil && *p.Metadata != "" {
						return true
					}
				}
			}
			return false
		}})
		m := w.start(latestMode)
		w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 4 })
		w.produce(0, 100)
		w.untilCommitted(100)
		if !strings.Contains(w.log.String(), "offset.metadata.max.bytes") {
			t.Error("nobody was told")
		}
		m.mustStop()
		w.wantExactly(100)
	})
}
