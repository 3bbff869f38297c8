package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestApacheProcess does to the process on Apache Kafka what a supervisor, an impatient
// one and a busy machine do. Its members find the brokers behind fronts, where the
// judge of the case that runs listens. It runs beside the tests of a fortress.
func TestApacheProcess(t *testing.T) { //nolint:tparallel // one case listens at a time
	kafkatest.Require(t)
	t.Parallel()
	var listening atomic.Pointer[judge]
	hear := func(r kmsg.Request) func(kmsg.Response) { return listening.Load().hear(r) }
	fronts := map[string]string{} // :: broker -> its front
	const members = "MEMBERS"
	cluster, err := kafkatest.Start(t.Context(), kafkatest.Options{
		Listeners: []kafkatest.Listener{{Name: members, Protocol: "PLAINTEXT"}},
		Advertise: func(_ int, listener, addr string) string {
			if listener != members {
				return addr
			}
			if fronts[addr] == "" {
				fronts[addr] = front(t, addr, hear)
			}
			return fronts[addr]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	for i, name := range slices.Sorted(maps.Keys(signals)) {
		t.Run(name, func(t *testing.T) {
			h := &host{t: t, judge: newJudge(), topic: fmt.Sprintf("in-%d", i), group: fmt.Sprintf("g-%d", i), addrs: cluster.Addrs(members)}
			listening.Store(h.judge)
			h.equip(cluster.Addrs("PLAINTEXT"))
			h.settle()
			signals[name](h)
		})
	}
}

// settle waits until the topic is there for everybody. Until then brokers say that it
// is not, and clients believe them for a while.
func (h *host) settle() {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(50 * time.Millisecond) {
		ends, err := h.admin.ListEndOffsets(h.t.Context(), h.topic)
		if err == nil && ends.Error() == nil && len(ends[h.topic]) == 4 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("topic %s is not there: %v", h.topic, err)
		}
	}
}
