package e2e_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// TestMemberThrownOutInARebalance: a member of a classic group hears of a rebalance and is held up, or
// frozen, before the coordinator has its request to join. It is thrown out, and another one delivers
// and commits further. The coordinator then lets the first one in under a new member id; the client
// keeps the partitions that it had until it learns its new ones, and says nothing of a loss. What it
// commits for those that it has to give up would be taken, as its new generation is the group's:
// it must not commit them.
func TestMemberThrownOutInARebalance(t *testing.T) {
	bubble(t, memberThrownOutInARebalance)
}

func memberThrownOutInARebalance(w *world) {
	var armed, held atomic.Bool
	gate := make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	w.cluster.ControlKey(kmsg.JoinGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		if join := r.(*kmsg.JoinGroupRequest); armed.Load() && join.RebalanceTimeoutMillis == 7000 && held.CompareAndSwap(false, true) {
			w.cluster.SleepControl(func() { <-gate })
		}
		return nil, nil, false
	})
	a := w.start(func(c *connector.Config) {
		c.Kafka.CommitInterval = time.Hour
		c.Kafka.SessionTimeout, c.Kafka.RebalanceTimeout, c.Kafka.RevokeDrainTimeout = 6*time.Second, 7*time.Second, 2*time.Second
	})
	w.untilShared(4, a)
	w.produce(0, 100)
	w.untilStored(100, 100) // and not committed
	armed.Store(true)
	b := w.start(func(c *connector.Config) {
		c.Kafka.CommitInterval = 100 * time.Millisecond
		c.Kafka.RebalanceTimeout, c.Kafka.RevokeDrainTimeout = 6*time.Second, 2*time.Second
	})
	w.untilShared(4, b)
	w.produce(100, 200)
	w.untilCommitted(200)
	if !held.Load() {
		w.t.Fatal("the first member did not try to join again")
	}
	release()
	w.untilShared(2, a, b)
	time.Sleep(30 * time.Second)
	if got := w.committed(); got != 200 {
		w.t.Errorf("committed %d, want 200 as before", got)
	}
	a.mustStop()
	b.mustStop()
	for i := range 200 {
		if w.judge.copiesOf(strconv.Itoa(i)) == 0 {
			w.t.Errorf("record %d is lost", i)
		}
	}
}
