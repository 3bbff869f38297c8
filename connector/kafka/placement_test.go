package kafka

import (
	"context"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

// assignee is a handler that is told of assigned topics.
type assignee struct{ Handler }

func (assignee) ExpectTopic(string) {}

// TestEarlyPartition: a partition that the client does not know yet, or is assigned a second time, waits until it was assigned
// for the last time, and is then set to its position by two seeks.
func TestEarlyPartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		cluster := kfake.MustCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen))
		defer cluster.Close()
		client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.Dialer(network.DialContext),
			kgo.ConsumeTopics("t"), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		log := slog.New(slog.DiscardHandler)
		s := &Source{
			client: client, log: log, handler: assignee{}, metrics: metrics.New(prometheus.NewRegistry()).Kafka, access: newAccess(Config{}, func() {}, log),
			cfg:    Config{AutoOffsetReset: OffsetReset{Mode: "earliest"}},
			routed: func(string) bool { return true }, unwanted: func(string) bool { return false },
			partitions: map[partitionID]*partition{}, regrouped: make(chan struct{}, 1), kicked: make(chan struct{}, 1),
			faults: &partitionFaults{log: log, can: read, all: map[partitionID]partitionFault{}}, commits: &partitionFaults{}, stops: &partitionFaults{},
		}
		k := partitionID{"t", 0}
		assign := func() *partition {
			s.onAssigned(t.Context(), client, map[string][]int32{"t": {0}})
			return s.partitions[k]
		}
		isPaused := func() bool { return len(client.PauseFetchPartitions(nil)["t"]) == 1 }
		// hold does what resolveStarts does to it.
		hold := func(p *partition) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.holdPartition(k, p)
		}
		waits := func(when string, want bool) {
			t.Helper()
			if _, open := s.waitingPartitions()[k]; open == want {
				t.Errorf("%s its start is looked for: %v, want %v", when, open, !want)
			}
		}

		first := assign()
		if !first.early || !isPaused() {
			t.Fatalf("the partition counts as early: %v, and is paused: %v; want both, because the client does not know it", first.early, isPaused())
		}
		hold(first)
		time.Sleep(5 * time.Second)
		waits("without metadata", true)
		if s.faults.countReason("position") > 0 {
			t.Error("it is a fault after five seconds")
		}
		time.Sleep(assignedFor)
		waits("without metadata for long", true)
		if s.faults.countReason("position") != 1 {
			t.Error("it is no fault although the client has not known it for long")
		}
		if _, err := kadm.NewClient(client).CreateTopic(context.Background(), 1, 1, nil, "t"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		waits("with metadata", false)

		second := assign()
		if second == first || !second.early || !isPaused() {
			t.Fatalf("assigned again it counts as early: %v, and is paused: %v", second.early, isPaused())
		}
		hold(second)
		waits("assigned again", true)
		time.Sleep(assignedAgain)
		waits("some time after that", false)

		s.setFound(second, offset.Mark{Offset: 7, Epoch: -1})
		to, again, resume := s.pendingSeeks()
		at := func(n int64) map[string]map[int32]kgo.EpochOffset {
			return map[string]map[int32]kgo.EpochOffset{"t": {0: {Epoch: -1, Offset: n}}}
		}
		if !reflect.DeepEqual(to, at(7)) || !reflect.DeepEqual(again, at(8)) || len(resume["t"]) != 1 {
			t.Errorf("seeks to %v after %v, and %v is resumed", to, again, resume)
		}
		if second.early {
			t.Error("it counts as early for ever")
		}
		s.dropPartitions(map[string][]int32{"t": {0}})
		if third := assign(); third.early || isPaused() {
			t.Error("a partition that the client knows counts as early")
		}
	})
}
