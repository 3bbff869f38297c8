package kafka

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// silentAfter is how long a broker answers no fetch, and at least two, before its partitions have a fault. The client
	// waits 15 seconds for an answer.
	silentAfter = 15 * time.Second
	// silentFor is how long a failed fetch counts that is followed by none: no partition of the broker is fetched any more.
	silentFor = 40 * time.Second
)

// silentBrokers are the brokers that answer no fetch, although they may answer everything else. The client fetches again and
// again and reports nothing for the partitions.
type silentBrokers struct {
	source *Source

	mu      sync.Mutex
	brokers map[int32]brokerSilence
}

// brokerSilence is a row of fetches without an answer.
type brokerSilence struct {
	since, last time.Time // when the first of them was sent, and when the last one failed
	fetches     int
	err         error // of the last one
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (b *silentBrokers) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	err := e2e.Err()
	if kmsg.Key(key) != kmsg.Fetch || errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		delete(b.brokers, broker.NodeID)
		return
	}
	now := time.Now()
	s := b.brokers[broker.NodeID]
	if now.Sub(s.last) >= silentFor {
		s = brokerSilence{since: now.Add(-e2e.DurationE2E())}
	}
	s.last, s.err = now, err
	s.fetches++
	b.brokers[broker.NodeID] = s
	if s.isSilent(now) {
		b.source.wakePositions()
	}
}

func (s brokerSilence) isSilent(now time.Time) bool {
	return s.fetches >= 2 && now.Sub(s.since) >= silentAfter && now.Sub(s.last) < silentFor
}

// silentNow are the brokers that answer no fetch now, by their ids.
func (b *silentBrokers) silentNow() map[int32]brokerSilence {
	b.mu.Lock()
	defer b.mu.Unlock()
	silent, now := maps.Clone(b.brokers), time.Now()
	maps.DeleteFunc(silent, func(_ int32, s brokerSilence) bool { return !s.isSilent(now) })
	return silent
}

// noteSilentBrokers notes the faults of partitions whose leaders answer no fetch. A record ends the fault of its partition.
func (s *Source) noteSilentBrokers() {
	silent := s.silent.silentNow()
	if len(silent) == 0 {
		return
	}
	faults := map[partitionID]partitionFault{}
	s.mu.Lock()
	for k, p := range s.partitions {
		leader, _, _ := s.client.PartitionLeader(k.topic, k.partition)
		if broker, ok := silent[leader]; ok && p.reading && !p.heldBack() {
			faults[k] = partitionFault{reason: "connection", message: "the leader answers no fetch", err: broker.err, offset: p.expected}
		}
	}
	s.mu.Unlock()
	for k, f := range faults {
		s.faults.beginFault(k, f)
	}
}
