package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/longtest"
)

// TestLatestAtRandom takes a group that starts at the end through kills and stops, partitions that are added, a topic that
// is created again, and brokers that are slow to say where logs end or don't say it for a partition. Everything that is
// written after the start arrives, unless its topic is deleted first, and nothing from before.
func TestLatestAtRandom(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols {
		for seed := range longtest.Pick(uint64(1), uint64(200)) {
			t.Run(fmt.Sprintf("%s/%d", protocol, seed), func(t *testing.T) { bubble(t, latestAtRandom(protocol, seed)) })
		}
	}
}

// latestWalk is a walk through trouble.
type latestWalk struct {
	w        *world
	rng      *rand.Rand
	protocol string
	other    string // a topic that stays: the group has its offsets when it has lost those of w.in with the topic
	slow     atomic.Int64
	fault    *kfake.FaultHandle
	members  []*member
	started  map[*member]time.Time
	parts    int // of w.in now
	next     int // number of the next record
	expected []int
}

func latestAtRandom(protocol string, seed uint64) func(*world) {
	return func(w *world) {
		k := &latestWalk{w: w, rng: rand.New(rand.NewPCG(seed, 7)), protocol: protocol, other: w.name("other"), started: map[*member]time.Time{}, parts: 4}
		w.topic(k.other, 1)
		w.cluster.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if d := k.slow.Load(); d > 0 {
				w.cluster.SleepControl(func() { time.Sleep(time.Duration(d)) })
			}
			return nil, nil, false
		})
		w.history(40)
		time.Sleep(time.Second)
		k.start()
		w.until("its start is committed", patience, func() bool { return w.judge.committedParts() == 5 })
		for range 12 {
			k.step()
			time.Sleep(time.Duration(k.rng.IntN(8000)) * time.Millisecond)
		}
		k.heal()
		for i := range 40 {
			if w.judge.copiesOf(fmt.Sprint(100000+i)) > 0 {
				w.t.Errorf("record %d of the history was delivered", i)
			}
		}
		for _, m := range k.members {
			_ = m.stop()
		}
	}
}

func (k *latestWalk) start() {
	m := k.w.start(latestMode, func(c *connector.Config) {
		c.Kafka.Topics = append(c.Kafka.Topics, k.other)
		c.Kafka.GroupProtocol = k.protocol
	})
	k.members = append(k.members, m)
	k.started[m] = time.Now()
}

// end takes one member away that has been in the group for a while: the embedded broker waits without end for a classic
// member that is killed while it joins.
func (k *latestWalk) end(by func(*member)) {
	for i, m := range k.members {
		if time.Since(k.started[m]) > 30*time.Second {
			by(m)
			k.members = slices.Delete(k.members, i, i+1)
			return
		}
	}
}

func (k *latestWalk) step() {
	w := k.w
	switch k.rng.IntN(9) {
	case 0:
		k.slow.Store(int64([]time.Duration{0, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second}[k.rng.IntN(4)]))
	case 1:
		if len(k.members) < 4 {
			k.start()
		}
	case 2:
		k.end((*member).kill)
	case 3:
		k.end(func(m *member) { _ = m.stop() })
	case 4:
		k.parts += 1 + k.rng.IntN(3)
		w.grow(w.in, k.parts)
	case 5:
		k.expected, k.parts = nil, 1+k.rng.IntN(5)
		w.deleteTopic(w.in)
		time.Sleep(time.Duration(1+k.rng.IntN(3)) * time.Second)
		w.topic(w.in, int32(k.parts))
	case 6, 7:
		n := 1 + k.rng.IntN(60)
		w.produceWith(k.next, k.next+n, func(i int) *kgo.Record {
			k.expected = append(k.expected, i)
			return &kgo.Record{Topic: w.in, Partition: int32(i % k.parts), Value: fmt.Appendf(nil, "%d", i)}
		})
		k.next += n
	case 8:
		if k.fault != nil {
			k.fault.Remove()
			k.fault = nil
			return
		}
		k.fault = w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: w.in, Partitions: []int32{int32(k.rng.IntN(k.parts))}, Count: -1, Err: kerr.LeaderNotAvailable})
	}
}

// heal ends all trouble, and waits for what was written.
func (k *latestWalk) heal() {
	if k.slow.Store(0); k.fault != nil {
		k.fault.Remove()
	}
	if len(k.members) == 0 {
		k.start()
	}
	var missing []int
	if !came(20*time.Minute, func() bool {
		missing = slices.DeleteFunc(slices.Clone(k.expected), func(i int) bool { return k.w.judge.copiesOf(fmt.Sprint(i)) > 0 })
		return len(missing) == 0
	}) {
		k.w.t.Errorf("%d of %d records never came: %v\n%s", len(missing), len(k.expected), missing, k.w.log.tail())
	}
}
