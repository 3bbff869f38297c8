package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/retry"
)

// CommitMarks commits the mark of every lease that has moved since it was last
// acknowledged. A failed commit is tried again by the next call: the lease remembers
// only marks that Kafka has acknowledged.
//
// ctx bounds the wait, not the request. A request that was cancelled in flight
// would take its connection along, the next one would go out on another, and the
// broker might handle the older one last: the commit would go backwards. So a request in
// flight is not cancelled, and no other starts until it has been answered.
func (s *Source) CommitMarks(ctx context.Context) error {
	select {
	case s.committing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("commit offsets of group %s: the commit before is not answered: %w", s.cfg.GroupID, ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		err := s.commitOnce(s.client.Context())
		<-s.committing
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("commit offsets of group %s: %w", s.cfg.GroupID, ctx.Err())
	}
}

// CommitLast is the commit before the group is left: it is repeated until it succeeds, can't any more, or ctx is over.
func (s *Source) CommitLast(ctx context.Context) error { return s.commitLast(ctx, s.leasesOf(nil)) }

// commitLast is the commit before leases end. Whether other partitions are refused does not matter to it.
func (s *Source) commitLast(ctx context.Context, ending []*offset.Lease) error {
	for {
		err := s.CommitMarks(ctx)
		if refusedPartitions(err) != nil {
			err = refusedOf(err, ending)
		}
		if err == nil || ctx.Err() != nil || isHopeless(err) {
			return err
		}
		_ = retry.Sleep(ctx, 200*time.Millisecond)
	}
}

// refusedOf is the part of a commit's error that is about the leases.
func refusedOf(err error, leases []*offset.Lease) error {
	own, refused := refusedCommits{}, refusedPartitions(err)
	for _, l := range leases {
		k := partitionID{l.Topic, l.Partition}
		if reason := refused[k]; reason != nil {
			own[k] = reason
		}
	}
	return own.orNil()
}

// isHopeless reports an error that a repetition can't heal. If only some partitions were refused for good, the
// others are worth another try.
func isHopeless(err error) bool {
	if refused := refusedPartitions(err); refused != nil {
		for _, one := range refused {
			if !isHopeless(one) {
				return false
			}
		}
		return true
	}
	return slices.ContainsFunc([]error{
		kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.UnknownTopicID, kerr.UnknownTopicOrPartition,
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed,
	}, func(e error) bool { return errors.Is(err, e) })
}

// refusedCommits are partitions whose offsets were not committed, while those of others were.
type refusedCommits map[partitionID]error

// Error names one of the partitions.
func (e refusedCommits) Error() string {
	first := slices.MinFunc(slices.Collect(maps.Keys(e)), func(a, b partitionID) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	text := fmt.Sprintf("topic %s partition %d: %v", first.topic, first.partition, e[first])
	if n := len(e) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more partitions)", n)
	}
	return text
}

// Unwrap returns the reasons.
func (e refusedCommits) Unwrap() []error { return slices.Collect(maps.Values(e)) }

// orNil is the error, nil if nothing was refused.
func (e refusedCommits) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// refusedPartitions are the partitions that an error of a commit names.
func refusedPartitions(err error) refusedCommits {
	refused, _ := errors.AsType[refusedCommits](err)
	return refused
}

// commitOnce needs s.committing.
//
// It does not go through the client's own commit, which waits while the group
// rebalances and then goes out under the new generation: the broker checks that
// the member is in the group, not that it still owns the partition, so a mark
// from before could overwrite the new owner's commit. Here the
// generation is read first and the marks after it. If the group moves on in
// between or during the request, the broker refuses the old generation, and the partitions that
// are still owned are committed at the next interval.
func (s *Source) commitOnce(ctx context.Context) error {
	member, generation := s.client.GroupMetadata()
	if s.thrownOut() {
		return errThrownOut
	}
	marks := s.leaseMarks()
	if len(marks) == 0 {
		s.access.noteCommit(nil) // refused partitions belong to other members now
		return nil
	}
	err := s.sendCommit(ctx, member, generation, marks)
	s.access.noteCommit(err)
	refusals := refusedPartitions(err)
	if err == nil || len(refusals) > 0 {
		s.noteProgress(marks, refusals)
	}
	for k, refused := range refusals {
		if s.access.isKnown([]any{refused}) {
			continue // access reports it, once for all partitions
		}
		s.commits.beginFault(k, partitionFault{reason: "commit", message: "the coordinator refuses it, trying again", err: refused, offset: marks[k].mark.Offset})
	}
	if err != nil {
		s.metrics.Commits.WithLabelValues("error").Inc()
		return fmt.Errorf("commit offsets of group %s: %w", s.cfg.GroupID, err)
	}
	s.metrics.Commits.WithLabelValues("ok").Inc()
	return nil
}

// noteProgress notes when an offset moved: that of any partition. One that is refused is a fault of its own.
func (s *Source) noteProgress(marks map[partitionID]commitPosition, refused map[partitionID]error) {
	for k, m := range marks {
		if m.moves && refused[k] == nil {
			s.metrics.LastCommit.Set(float64(time.Now().Unix()))
			return
		}
	}
}

// errThrownOut is returned between a join under a new member id and its assignment. The coordinator would take a commit: the
// generation is the group's, and it does not check who owns a partition.
var errThrownOut = errors.New("this process was thrown out of the group and is joining again")

// isMoving reports an error that a commit meets while the group rebalances.
func isMoving(err error) bool {
	return errors.Is(err, errThrownOut) || errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.StaleMemberEpoch)
}

// commitPosition is a mark that is being committed.
type commitPosition struct {
	lease    *offset.Lease
	mark     offset.Mark
	topicID  [16]byte
	metadata string
	moves    bool // the group's offset, which a repeated commit does not
}

func (s *Source) leaseMarks() map[partitionID]commitPosition {
	s.mu.Lock()
	defer s.mu.Unlock()
	marks := map[partitionID]commitPosition{}
	for k, p := range s.partitions {
		if m, ok := p.lease.CommitMark(); ok {
			at := commitPosition{lease: p.lease, mark: m, topicID: p.topicID, moves: m.Offset > p.committed}
			if !s.plain {
				at.metadata = p.marker
			}
			marks[k] = at
		}
	}
	return marks
}

// sendCommit commits the marks. A broker that takes topics by name can't refuse the offsets of a deleted topic:
// then the marks of topics that have another id now are held back.
func (s *Source) sendCommit(ctx context.Context, member string, generation int32, marks map[partitionID]commitPosition) error {
	if member == "" {
		return errors.New("this process is not in the group")
	}
	refused := refusedCommits{}
	if !s.byID {
		var err error
		if marks, err = s.currentMarks(ctx, marks, refused); err != nil {
			return err
		}
	}
	if len(marks) > 0 {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID, req.Generation = s.cfg.GroupID, member, generation
		if s.cfg.GroupInstanceID != "" {
			req.InstanceID = &s.cfg.GroupInstanceID
		}
		fillIn(req, marks)
		resp, err := req.RequestWith(ctx, s.client)
		if err != nil {
			return err
		}
		s.acknowledgeCommits(req, resp, marks, refused)
	}
	return refused.orNil()
}

// commitsByID is the version of OffsetCommit from which on a commit names topics by their ids.
const commitsByID = 10

// topicKey is a topic under one of its ids. Since version 10 commits name topics by
// the id alone, and each partition by that of the topic its records came from: a
// commit for a topic that was deleted and created again is refused, and does not
// land in the new one.
type topicKey struct {
	name string
	id   [16]byte
}

func fillIn(req *kmsg.OffsetCommitRequest, marks map[partitionID]commitPosition) {
	at := map[topicKey]int{} // :: topic -> its place in the request
	for k, p := range marks {
		key := topicKey{k.topic, p.topicID}
		if _, ok := at[key]; !ok {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = key.name, key.id
			at[key] = len(req.Topics)
			req.Topics = append(req.Topics, t)
		}
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset, part.LeaderEpoch = k.partition, p.mark.Offset, p.mark.Epoch
		part.Metadata = new(p.metadata)
		t := &req.Topics[at[key]]
		t.Partitions = append(t.Partitions, part)
	}
}

// acknowledgeCommits notes, partition by partition, what the answer says.
func (s *Source) acknowledgeCommits(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, marks map[partitionID]commitPosition, refused refusedCommits) {
	names := map[[16]byte]string{}
	for _, t := range req.Topics {
		names[t.TopicID] = t.Topic
	}
	s.byID = resp.Version >= commitsByID
	answered := map[partitionID]bool{}
	for _, t := range resp.Topics {
		topic := t.Topic
		if topic == "" {
			topic = names[t.TopicID]
		}
		for _, p := range t.Partitions {
			k := partitionID{topic, p.Partition}
			answered[k] = true
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				refused[k] = err
				s.noteRefusedCommit(k, err)
			} else if m, ok := marks[k]; ok {
				m.lease.NoteCommitted(m.mark)
				s.noteCommitted(k, m)
			}
		}
	}
	for k := range marks {
		if !answered[k] {
			refused[k] = errUnanswered
		}
	}
}

// errUnanswered is that of a partition that is missing in an answer: nothing says that its offset is committed.
var errUnanswered = errors.New("the coordinator did not answer for the partition")

// noteRefusedCommit looks at the reason why a partition was not committed.
func (s *Source) noteRefusedCommit(k partitionID, err error) {
	switch {
	case errors.Is(err, kerr.UnknownTopicID):
		s.suspectTopic(k.topic, [16]byte{}) // a paused partition fetches nothing, so no fetch would find out
	case errors.Is(err, kerr.OffsetMetadataTooLarge):
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.plain {
			s.plain = true
			s.log.Warn("the broker takes no metadata of this size with a commit, so commits go without: a topic that is deleted and created again while no process runs may be read from the old topic's offset; raise offset.metadata.max.bytes to 256 or more")
		}
	}
}

func (s *Source) noteCommitted(k partitionID, m commitPosition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partitions[k]; p != nil && p.lease == m.lease {
		p.committed = m.mark.Offset
		s.commits.endFault(k)
		s.metrics.SetCommitted(k.topic, k.partition, m.mark.Offset)
		p.observeDelay(m.mark.Offset, s.metrics.Delay.WithLabelValues(k.topic))
	}
}
