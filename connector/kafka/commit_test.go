package kafka

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
)

// settled is a lease whose mark is next.
func settled(topic string, partition int32, next int64) *offset.Lease {
	l := offset.NewLease(topic, partition)
	l.Cover(1, offset.After(next-1, 4), 1, time.Time{}).Settle()
	return l
}

func request(marks map[id]position) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	for topic, parts := range offsets(marks) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		for n, o := range parts {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = n, o.Offset, o.Epoch
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

// TestRefreshBeforeACommitLeaves: while a commit waits out a rebalance, one
// partition is given up, one moves on, and one stays.
func TestRefreshBeforeACommitLeaves(t *testing.T) {
	s := &Source{}
	gone, moved, stays := settled("t", 0, 10), settled("t", 1, 20), settled("u", 0, 30)
	marks := map[id]position{}
	for _, l := range []*offset.Lease{gone, moved, stays} {
		m, _ := l.Mark()
		marks[id{l.Topic, l.Partition}] = position{l, m}
	}
	req := request(marks)
	gone.Close()
	moved.Cover(2, offset.After(24, 5), 1, time.Time{}).Settle()

	if err := s.refresh(req, marks); err != nil {
		t.Fatal(err)
	}
	got := map[id]kmsg.OffsetCommitRequestTopicPartition{}
	for _, rt := range req.Topics {
		for _, p := range rt.Partitions {
			got[id{rt.Topic, p.Partition}] = p
		}
	}
	if len(got) != 2 || got[id{"t", 1}].Offset != 25 || got[id{"t", 1}].LeaderEpoch != 5 || got[id{"u", 0}].Offset != 30 {
		t.Errorf("the commit says %+v; want t/1 at 25 in epoch 5 and u/0 at 30", got)
	}

	moved.Close()
	stays.Close()
	if err := s.refresh(req, marks); !errors.Is(err, errNothingLeft) {
		t.Errorf("a commit of closed leases alone would leave: %v", err)
	}
}
