package e2e_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// TestBrokerAnswersNoFetch: one broker of three answers no fetch for five minutes, and everything else. The partitions that it
// leads have a fault that the log, the metric and readiness show; the others are delivered. All is read when it answers.
func TestBrokerAnswersNoFetch(t *testing.T) {
	three := door{cluster: []kfake.Opt{kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094)}}
	guarded(t, func() door { return three }, func(w *world) {
		const partitions, n = 6, 600
		topic := w.name("spread")
		w.topic(topic, partitions)
		silent, theirs := w.cluster.LeaderFor(topic, 0), map[int]bool{}
		for p := range partitions {
			theirs[p] = w.cluster.LeaderFor(topic, int32(p)) == silent
		}
		spread := func(i int) *kgo.Record {
			return &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: fmt.Appendf(nil, "%d", i)}
		}
		m := w.start(func(c *connector.Config) { c.Kafka.Topics = []string{topic} })
		w.produceWith(0, n, spread)
		w.untilCommitted(n)

		var hangs atomic.Bool
		hangs.Store(true)
		w.cluster.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if hangs.Load() && w.cluster.CurrentNode() == silent {
				w.cluster.SleepControl(func() {
					for hangs.Load() {
						time.Sleep(time.Second)
					}
				})
			}
			return nil, nil, false
		})
		w.produceWith(n, 2*n, spread)
		time.Sleep(time.Minute + 30*time.Second)
		if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), topic+" partition 0 can't be read") || !strings.Contains(err.Error(), "the leader answers no fetch") {
			t.Errorf("partition 0 stands still, and readiness says %v", err)
		}
		logged := len(w.log.String())
		time.Sleep(3*time.Minute + 30*time.Second)
		if got := minutesWith("the leader answers no fetch", w.log.String()[logged:]); got < 3 {
			t.Errorf("it was logged in %d of three and a half minutes\n%s", got, w.log.tail())
		}
		stuck := 0.0
		for p, their := range theirs {
			if their {
				stuck++
			} else if copies := w.judge.copiesOf(fmt.Sprint(n + p)); copies != 1 {
				t.Errorf("record %d of another broker came %d times", n+p, copies)
			}
		}
		if got := m.metric("kafka_faulty_partitions", "connection"); got != stuck {
			t.Errorf("%v partitions have a fault, want %v", got, stuck)
		}
		hangs.Store(false)
		w.untilCommitted(2 * n)
		time.Sleep(time.Minute)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready after the broker answers: %v", err)
		}
		if got := m.metric("kafka_rebalances_total", "lost"); got != 0 {
			t.Errorf("partitions were lost %v times", got)
		}
		m.mustStop()
		w.wantExactly(2 * n)
	})
}

// TestOffsetsAreNotAnswered: the coordinator answers no question for the group's offsets for ten minutes. The client is let into the group
// and gives the session up again and again; readiness, the metric and the log say why nothing is read, and it begins by itself.
func TestOffsetsAreNotAnswered(t *testing.T) {
	bubble(t, func(w *world) {
		var hangs atomic.Bool
		hangs.Store(true)
		w.cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if hangs.Load() {
				w.cluster.SleepControl(func() {
					for hangs.Load() {
						time.Sleep(time.Second)
					}
				})
			}
			return nil, nil, false
		})
		m := w.start()
		w.produce(0, 100)
		time.Sleep(time.Minute)
		for i := 0; i < 60 && !t.Failed(); i++ {
			time.Sleep(9 * time.Second)
			if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "does not answer for the group's offsets") {
				t.Errorf("nothing is read, and readiness says %v\n%s", err, w.log.tail())
			}
			if got := m.metric("kafka_refused", "group"); got != 1 {
				t.Errorf("%v refusals of the group, want 1", got)
			}
		}
		hangs.Store(false)
		w.untilCommitted(100)
		time.Sleep(time.Minute)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready after it answers: %v", err)
		}
		m.mustStop()
		w.wantExactly(100)
	})
}
