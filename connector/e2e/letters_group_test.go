package e2e_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"kafka-firehose/connector"
)

// TestRevokeWithPendingDeadLetters: letters that their topic does not take hold up no
// rebalance. They are given up, and the next owner writes them.
func TestRevokeWithPendingDeadLetters(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(1_048_588)
		p.mixed(40)
		p.refuses(kerr.NotEnoughReplicas)
		first := w.start(policy)
		time.Sleep(30 * time.Second)
		begin := time.Now()
		second := w.start(policy)
		w.untilShared(2, first, second)
		if took := time.Since(begin); took > 9*time.Second {
			t.Errorf("the rebalance took %v: it waited for letters that nobody takes", took)
		}
		time.Sleep(20 * time.Second)
		if a, b := first.metric("dead_letters_pending"), second.metric("dead_letters_pending"); a != 20 || b != 20 {
			t.Errorf("%v and %v letters are pending, want 20 with each owner", a, b)
		}
		p.refuses(nil)
		time.Sleep(time.Minute)
		first.mustStop()
		second.mustStop()
		p.want(0)
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
		p, policy := w.post(1_048_588)
		first := w.start(policy)
		time.Sleep(10 * time.Second)
		p.refuses(kerr.NotEnoughReplicas)
		p.mixed(40)
		begin := time.Now()
		second := w.start(policy, func(c *connector.Config) { c.Kafka.ClientID = "second" })
		w.untilShared(2, first, second)
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("the rebalance took %v", took)
		}
		p.refuses(nil)
		time.Sleep(time.Minute)
		first.mustStop()
		second.mustStop()
		p.want(len(p.bad))
		w.wantAll(720, 720)
	})
}
