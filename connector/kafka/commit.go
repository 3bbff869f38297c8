package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
)

// Commit commits the mark of every lease that has moved since it was last
// acknowledged. What fails is tried again by the next call: the lease remembers
// only what Kafka has acknowledged.
func (s *Source) Commit(ctx context.Context) error {
	s.committing.Lock()
	defer s.committing.Unlock()
	return s.commit(ctx)
}

// commit needs s.committing.
func (s *Source) commit(ctx context.Context) error {
	marks := s.marks()
	if len(marks) == 0 {
		return nil
	}
	var failed error
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error { return s.refresh(req, marks) })
	s.client.CommitOffsetsSync(ctx, offsets(marks), func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		failed = s.acknowledge(req, resp, marks)
	})
	switch {
	case errors.Is(failed, errNothingLeft):
		return nil
	case failed != nil:
		s.metrics.Commits.WithLabelValues("error").Inc()
		return fmt.Errorf("commit offsets of group %s: %w", s.cfg.GroupID, failed)
	}
	s.metrics.Commits.WithLabelValues("ok").Inc()
	s.metrics.LastCommit.Set(float64(time.Now().Unix()))
	return nil
}

// position is a mark on its way to Kafka.
type position struct {
	lease *offset.Lease
	mark  offset.Mark
}

func (s *Source) marks() map[id]position {
	s.mu.Lock()
	defer s.mu.Unlock()
	marks := map[id]position{}
	for k, p := range s.partitions {
		if m, ok := p.lease.Mark(); ok {
			marks[k] = position{p.lease, m}
		}
	}
	return marks
}

func offsets(marks map[id]position) map[string]map[int32]kgo.EpochOffset {
	out := map[string]map[int32]kgo.EpochOffset{}
	for k, p := range marks {
		if out[k.topic] == nil {
			out[k.topic] = map[int32]kgo.EpochOffset{}
		}
		out[k.topic][k.partition] = kgo.EpochOffset{Epoch: p.mark.Epoch, Offset: p.mark.Offset}
	}
	return out
}

var errNothingLeft = errors.New("all partitions of the commit were given up")

// refresh reads the marks again at the last moment before a commit leaves.
//
// The story: a commit waits while the group rebalances, and then goes out under
// the new generation. The broker checks that the member is in the group, not
// that it still owns the partition, so a mark read before the rebalance could
// overwrite what the new owner has committed meanwhile. Hence closed leases are
// taken out here, and the others commit what is true now.
func (s *Source) refresh(req *kmsg.OffsetCommitRequest, marks map[id]position) error {
	topics := req.Topics[:0]
	for _, t := range req.Topics {
		parts := t.Partitions[:0]
		for _, p := range t.Partitions {
			k := id{t.Topic, p.Partition}
			m, ok := marks[k].lease.Mark()
			if !ok {
				delete(marks, k)
				continue
			}
			marks[k] = position{marks[k].lease, m}
			p.Offset, p.LeaderEpoch = m.Offset, m.Epoch
			parts = append(parts, p)
		}
		if t.Partitions = parts; len(parts) > 0 {
			topics = append(topics, t)
		}
	}
	if req.Topics = topics; len(topics) == 0 {
		return errNothingLeft
	}
	return nil
}

// acknowledge notes, partition by partition, what the answer says.
func (s *Source) acknowledge(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, marks map[id]position) (failed error) {
	names := map[[16]byte]string{} // since version 10 the answer names topics by their id alone
	for _, t := range req.Topics {
		names[t.TopicID] = t.Topic
	}
	for _, t := range resp.Topics {
		topic := t.Topic
		if topic == "" {
			topic = names[t.TopicID]
		}
		for _, p := range t.Partitions {
			k := id{topic, p.Partition}
			m, ok := marks[k]
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				failed = fmt.Errorf("topic %s partition %d: %w", topic, p.Partition, err)
				continue
			}
			if !ok {
				continue
			}
			m.lease.Committed(m.mark)
			s.committed(k, m)
		}
	}
	return failed
}

func (s *Source) committed(k id, m position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partitions[k]; p != nil && p.lease == m.lease {
		p.committed = m.mark.Offset
		s.metrics.SetCommitted(k.topic, k.partition, m.mark.Offset)
	}
}

// Close commits what has settled and leaves the group; a static member keeps
// its place. ctx bounds both together.
func (s *Source) Close(ctx context.Context) error {
	err := s.Commit(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.client.CloseAllowingRebalance()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("leave group %s: %w", s.cfg.GroupID, ctx.Err()))
	}
	s.metrics.Member.Set(0)
	return err
}
