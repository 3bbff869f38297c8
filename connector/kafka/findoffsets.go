package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askTimeout bounds the wait for one broker. A broker that hangs keeps only the
// partitions that it leads.
const askTimeout = 3 * time.Second

// listedOffsets is the answer to a question for an offset.
type listedOffsets struct {
	offset int64 // -1 if no record is that new
	at     int64 // timestamp of the record in milliseconds, -1 if the question was for a place
	err    error // of this partition, or of its broker
}

// findOffsets asks the leaders of partitions for the offset of a time (in milliseconds of
// Unix time), of logStart or of logEnd. Each broker is asked by itself. Every partition has an
// answer or an error.
func (s *Source) findOffsets(ctx context.Context, view topicView, ask map[partitionID]int64, isolation int8) map[partitionID]listedOffsets {
	answers := make(map[partitionID]listedOffsets, len(ask))
	byLeader := map[int32]map[partitionID]int64{}
	for k, at := range ask {
		t := view.topics[k.topic]
		switch {
		case t.err != nil:
			answers[k] = listedOffsets{err: t.err}
		case int(k.partition) >= len(t.leaders):
			answers[k] = listedOffsets{err: kerr.UnknownTopicOrPartition}
		case t.leaders[k.partition] < 0:
			answers[k] = listedOffsets{err: kerr.LeaderNotAvailable}
		default:
			leader := t.leaders[k.partition]
			if byLeader[leader] == nil {
				byLeader[leader] = map[partitionID]int64{}
			}
			byLeader[leader][k] = at
		}
	}
	client, err := s.standing.openClient()
	if err != nil {
		return allFailed(ask, err)
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for leader, ask := range byLeader {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			some := listFrom(ctx, client, leader, ask, isolation)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(answers, some)
		})
	}
	asking.Wait()
	return answers
}

func allFailed(ask map[partitionID]int64, err error) map[partitionID]listedOffsets {
	answers := make(map[partitionID]listedOffsets, len(ask))
	for k := range ask {
		answers[k] = listedOffsets{err: err}
	}
	return answers
}

// listFrom asks one broker for offsets of partitions that it leads. Each has an answer or an error.
func listFrom(ctx context.Context, client *kgo.Client, leader int32, ask map[partitionID]int64, isolation int8) map[partitionID]listedOffsets {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	at := map[string]int{} // :: topic -> its index in the request
	for k, time := range ask {
		if _, ok := at[k.topic]; !ok {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = k.topic
			at[k.topic] = len(req.Topics)
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = k.partition, time
		t := &req.Topics[at[k.topic]]
		t.Partitions = append(t.Partitions, p)
	}
	kresp, err := client.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return allFailed(ask, fmt.Errorf("broker %d: %w", leader, err))
	}
	answers := allFailed(ask, errors.New("the broker did not answer for the partition"))
	resp, ok := kresp.(*kmsg.ListOffsetsResponse)
	if !ok {
		return answers
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			k := partitionID{t.Topic, p.Partition}
			if _, asked := ask[k]; asked {
				answers[k] = listedOffsets{p.Offset, p.Timestamp, kerr.ErrorForCode(p.ErrorCode)}
			}
		}
	}
	return answers
}

// isolationLevel is that of requests to read records and to find the end of a log: with read_committed both end before the
// first open transaction.
func (c Config) isolationLevel() int8 {
	if c.IsolationLevel == "read_committed" {
		return readCommitted
	}
	return readUncommitted
}
