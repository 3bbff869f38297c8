package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/longtest"
)

// rollouts are the ways in which Kubernetes replaces pods one by one.
var rollouts = []string{
	"Deployment", // as the chart sets it: one is told to stop, and its successor starts at the same time
	"Surge",      // maxSurge: 1, maxUnavailable: 0: the successor is there before one is told to stop
	"StatefulSet",
}

// TestRollingUpdate: three members under steady load are replaced, all of them. Nothing is lost and
// nothing comes twice, and no partition waits for anybody's session to time out.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	for _, how := range rollouts {
		for _, proto := range longtest.Pick(map[string][]string{"Surge": {"consumer"}, "StatefulSet": {"classic"}}[how], protocols) {
			t.Run(how+"/"+proto, func(t *testing.T) { bubble(t, rollingUpdate(how, proto)) })
		}
	}
}

// nameless is how long no pod has the name that a StatefulSet gives again: the old one is gone, the new
// one is scheduled and starts.
const nameless = 5 * time.Second

func rollingUpdate(how, proto string) func(*world) {
	const partitions, pods = 12, 3
	return func(w *world) {
		orders := w.name("orders")
		w.topic(orders, partitions)
		stop := w.loadWith(0, partitions, 50*time.Millisecond, func(i int) *kgo.Record {
			return &kgo.Record{Topic: orders, Partition: int32(i % partitions), Value: fmt.Appendf(nil, "%d", i)}
		})
		begin := func(ordinal int) *member {
			return w.start(func(c *connector.Config) {
				c.Kafka.Topics, c.Kafka.GroupProtocol = []string{orders}, proto
				if how == "StatefulSet" {
					c.Kafka.GroupInstanceID = fmt.Sprintf("pod-%d", ordinal)
				}
			})
		}
		settle := func() { time.Sleep(either(w, 15*time.Second, 2*time.Second)) } // minReadySeconds
		members := make([]*member, pods)
		for i := range members {
			members[i] = begin(i)
		}
		w.untilShared(partitions/pods, members...)
		settle()
		w.judge.watch()
		settle()
		calm := w.judge.watched()
		w.judge.watch()
		for i, old := range members {
			members[i] = w.replace(how, old, func() *member { return begin(i) })
			w.untilShared(partitions/pods, members...)
			settle()
		}
		seen := w.judge.watched()
		produced := stop()
		w.untilCommitted(produced)
		for _, m := range members {
			m.mustStop()
		}
		w.wantExactly(produced)
		w.t.Logf("%s, %s: %d records, %d rebalances, partitions moved %d times, the longest that one waited %.1f s, %.1f s before the update",
			how, proto, produced, seen.rebalances, seen.moves, seen.longest.Seconds(), calm.longest.Seconds())
		w.wantRollout(how, proto, seen, calm)
	}
}

// replace puts a member in the place of another, and returns when the old one is gone.
func (w *world) replace(how string, old *member, begin func() *member) (successor *member) {
	w.t.Helper()
	switch how {
	case "Deployment":
		successor = begin()
	case "Surge":
		successor = begin()
		w.until("the successor has partitions", patience, func() bool { return successor.owns() > 0 })
	case "StatefulSet":
		old.mustStop()
		time.Sleep(either(w, nameless, time.Second))
		return begin()
	}
	old.mustStop()
	return successor
}

// heartbeat is how often brokers have a member of the consumer protocol ask whether there is anything
// new, unless they are set otherwise. One that a partition is given to hears of it then.
const heartbeat = 5 * time.Second

// wantRollout: what a rolling update may cost. A pod that joins is two rebalances, as a partition goes
// to it by way of nobody, and one that leaves is one; done at once they are hardly more than one.
func (w *world) wantRollout(how, proto string, seen, calm rollout) {
	w.t.Helper()
	rebalances, longest := map[string]int{"Deployment": 6, "Surge": 9, "StatefulSet": 3}[how], calm.longest+2*time.Second
	if how == "StatefulSet" {
		longest += nameless
		if seen.moves > 0 {
			w.t.Errorf("partitions of static members moved %d times", seen.moves)
		}
	} else if proto == "consumer" {
		longest += heartbeat
	}
	if w.cluster == nil { // the machine's time, and a broker's own timers
		rebalances, longest = rebalances+3, w.config().Kafka.SessionTimeout
	}
	if seen.rebalances > rebalances || seen.longest > longest {
		w.t.Errorf("%d rebalances and a partition that waited %v; want at most %d and %v", seen.rebalances, seen.longest, rebalances, longest)
	}
}

// rollout is what the judge writes down about the group from watch on; its lock guards it. A
// generation is what brokers count rebalances by, the epoch in the consumer protocol.
type rollout struct {
	since      time.Time // zero while nobody watches
	generation int32     // the newest that a member was told of
	rebalances int
	instance   map[string]string  // :: member -> the name under which it comes back
	holder     map[part]string    // :: instance, or member without one, that was last given the partition
	moves      int                // of partitions from one to another
	last       map[part]time.Time // when a record of it was last accepted
	longest    time.Duration      // that a partition had nothing accepted
}

func newRollout() rollout {
	return rollout{instance: map[string]string{}, holder: map[part]string{}, last: map[part]time.Time{}}
}

// watch begins to count, from now on.
func (j *judge) watch() {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &j.rollout
	r.since, r.rebalances, r.moves, r.longest = time.Now(), 0, 0, 0
	for p := range r.last {
		r.last[p] = r.since
	}
}

// watched is what was counted up to now.
func (j *judge) watched() rollout {
	j.mu.Lock()
	defer j.mu.Unlock()
	for p := range j.rollout.last {
		j.rollout.delivered(p) // or has not been, up to now
	}
	return j.rollout
}

func (r *rollout) delivered(p part) {
	now := time.Now()
	if last, ok := r.last[p]; ok && !r.since.IsZero() {
		r.longest = max(r.longest, now.Sub(last))
	}
	r.last[p] = now
}

func (r *rollout) heard(generation int32, member string, instance *string) {
	if instance != nil {
		r.instance[member] = *instance
	}
	if generation > r.generation {
		r.rebalances += int(generation - r.generation)
		r.generation = generation
	}
}

func (r *rollout) handed(p part, member string) {
	to := member
	if instance, ok := r.instance[member]; ok {
		to = instance
	}
	if from, ok := r.holder[p]; ok && from != to {
		r.moves++
	}
	r.holder[p] = to
}
