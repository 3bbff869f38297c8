package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"kafka-firehose/connector/retry"
)

// RangeCommit is the progress in a partition, as the offset that a group without members has committed.
type RangeCommit struct {
	Topic     string
	Partition int32
	Offset    int64
	Metadata  string
}

// askAgain is the time between two tries of a question.
const askAgain = 500 * time.Millisecond

// RetryPatiently asks until the answer is not one of those that pass by themselves, such as that
// of a cluster whose groups have no coordinator before the first of them is asked for.
func RetryPatiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for {
		answer, err := ask()
		if !kerr.IsRetriable(err) || ctx.Err() != nil {
			return answer, err
		}
		_ = retry.Sleep(ctx, askAgain)
	}
}

// FetchProgress returns the offsets that a group has committed. It joins no group.
func (r *RangeReader) FetchProgress(ctx context.Context, group string) (progress []RangeCommit, err error) {
	commits, err := r.fetchCommits(ctx, group)
	if err != nil {
		return nil, err
	}
	for _, c := range commits.Sorted() {
		if c.Err != nil {
			return nil, r.explainGroup(group, fmt.Errorf("offset of group %s in topic %s partition %d: %w", group, c.Topic, c.Partition, c.Err))
		}
		if c.At >= 0 {
			progress = append(progress, RangeCommit{Topic: c.Topic, Partition: c.Partition, Offset: c.At, Metadata: c.Metadata})
		}
	}
	return progress, nil
}

// FindCommit returns the progress in a partition. It is not found if the group has committed none.
func FindCommit(progress []RangeCommit, topic string, partition int32) (commit RangeCommit, found bool) {
	i := slices.IndexFunc(progress, func(c RangeCommit) bool { return c.Topic == topic && c.Partition == partition })
	if i < 0 {
		return RangeCommit{}, false
	}
	return progress[i], true
}

// fetchCommits returns all offsets of a group, none if there is no such group.
func (r *RangeReader) fetchCommits(ctx context.Context, group string) (kadm.OffsetResponses, error) {
	ctx, cancel := context.WithTimeout(ctx, rangeLookupTimeout)
	defer cancel()
	commits, err := RetryPatiently(ctx, func() (kadm.OffsetResponses, error) { return r.admin.FetchOffsets(ctx, group) })
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, r.explainGroup(group, fmt.Errorf("offsets of group %s: %w", group, err))
	}
	return commits, nil
}

// CommitProgress commits offsets of a group without members. An error may leave some of them committed. A group that has
// members refuses it.
func (r *RangeReader) CommitProgress(ctx context.Context, group string, progress []RangeCommit) error {
	var offsets kadm.Offsets
	for _, c := range progress {
		offsets.Add(kadm.Offset{Topic: c.Topic, Partition: c.Partition, At: c.Offset, LeaderEpoch: -1, Metadata: c.Metadata})
	}
	ctx, cancel := context.WithTimeout(ctx, rangeLookupTimeout)
	defer cancel()
	committed, err := RetryPatiently(ctx, func() (kadm.OffsetResponses, error) {
		committed, err := r.admin.CommitOffsets(ctx, group, offsets)
		if err == nil {
			err = committed.Error()
		}
		return committed, err
	})
	switch {
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.IllegalGeneration):
		return fmt.Errorf("commit progress to group %s: %w: the group has members; want a group that nothing else uses", group, err)
	case errors.Is(err, kerr.OffsetMetadataTooLarge):
		return fmt.Errorf("commit progress to group %s: %w: raise the brokers' offset.metadata.max.bytes to 4096, their default", group, err)
	case err != nil:
		return r.explainGroup(group, fmt.Errorf("commit progress to group %s: %w", group, err))
	}
	for _, c := range progress {
		if _, ok := committed.Lookup(c.Topic, c.Partition); !ok {
			return fmt.Errorf("commit progress to group %s: topic %s partition %d: %w", group, c.Topic, c.Partition, errUnanswered)
		}
	}
	return nil
}

// explainGroup is explainError for an error of a group that is not the service's.
func (r *RangeReader) explainGroup(group string, err error) error {
	cfg := r.cfg
	cfg.GroupID = group
	return cfg.explainError(err)
}
