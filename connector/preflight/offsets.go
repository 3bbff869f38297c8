package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/preflight/check"
)

// offsetStanding is where the group is in one topic.
type offsetStanding struct {
	partitions, committed int
	lag, log              int64    // records behind the commits, and in the partitions without one
	open                  int64    // records behind open transactions, of these
	gone                  int64    // that retention took between a commit and the log's start
	passed, beyond        []string // partitions whose commit is before the log's start, or after its end
}

// lookAtOffsets compares the group's commits with the offsets of the topics.
func (i *clusterInspector) lookAtOffsets(ctx context.Context) {
	if len(i.topics) == 0 {
		return
	}
	commits, err := kafka.RetryPatiently(ctx, func() (kadm.OffsetResponses, error) { return i.admin.FetchOffsets(ctx, i.cfg.GroupID) })
	if errors.Is(err, kerr.GroupIDNotFound) {
		err = nil
	}
	starts, startErr := i.admin.ListStartOffsets(ctx, i.topics...)
	stable, stableErr := i.cfg.ListLogEnds(ctx, i.admin, i.topics)
	ends, endErr := i.admin.ListEndOffsets(ctx, i.topics...)
	if err = cmp.Or(err, startErr, stableErr, endErr); err != nil {
		found, advice := i.explainRefused(err, "")
		i.found.AddWarning(check.Offsets, "", "can't be compared: "+found, advice)
		return
	}
	for _, topic := range i.topics {
		i.lookAtStanding(topic, commits, starts, stable, ends)
	}
}

func (i *clusterInspector) lookAtStanding(topic string, commits kadm.OffsetResponses, starts, stable, ends kadm.ListedOffsets) {
	var s offsetStanding
	for n, end := range ends[topic] {
		start, ok := starts.Lookup(topic, n)
		err := errors.Join(end.Err, start.Err)
		if !ok {
			err = errors.Join(err, errNotListed)
		}
		if err != nil {
			found, advice := i.explainRefused(err, "look at the cluster")
			i.found.AddWarning(check.Offsets, topic, fmt.Sprintf("partition %d: %s", n, found), advice)
			return
		}
		commit, ok := commits.Lookup(topic, n)
		if ok && commit.Err != nil {
			found, advice := i.explainRefused(commit.Err, "")
			i.found.AddWarning(check.Offsets, topic, fmt.Sprintf("partition %d: %s", n, found), advice)
			return
		}
		at := int64(-1)
		if ok {
			at = commit.At
		}
		s.addPartition(n, start.Offset, end.Offset, at)
		if last, ok := stable.Lookup(topic, n); ok && last.Err == nil {
			s.open += max(end.Offset-last.Offset, 0)
		}
	}
	i.tellStanding(topic, s)
}

var errNotListed = errors.New("the broker did not answer for it")

// addPartition enters a partition; at is its commit, -1 for none.
func (s *offsetStanding) addPartition(partition int32, start, end, at int64) {
	s.partitions++
	if at < 0 {
		s.log += end - start
		return
	}
	s.committed++
	s.lag += max(end-max(at, start), 0)
	switch {
	case at < start:
		s.gone += start - at
		s.passed = append(s.passed, fmt.Sprintf("%d (at %d, and its log begins at %d)", partition, at, start))
	case at > end:
		s.beyond = append(s.beyond, fmt.Sprintf("%d (at %d, and its log ends at %d)", partition, at, end))
	}
}

func (i *clusterInspector) tellStanding(topic string, s offsetStanding) {
	none := i.cfg.AutoOffsetReset.Mode == "none"
	text := fmt.Sprintf("committed in %d of %s, lag %s", s.committed, check.CountNoun(s.partitions, "partition"), check.CountNoun(s.lag, "record"))
	if s.open > 0 {
		text += fmt.Sprintf("; %s behind open transactions", check.CountNoun(s.open, "record"))
	}
	if s.committed < s.partitions {
		text += fmt.Sprintf("; the rest starts at %s (KAFKA_AUTO_OFFSET_RESET), with %s in the log", i.cfg.AutoOffsetReset, check.CountNoun(s.log, "record"))
	}
	switch {
	case len(s.passed) > 0 && none:
		i.found.AddError(check.Offsets, topic, fmt.Sprintf("retention has passed the commit of partition %s; up to %s are gone, and KAFKA_AUTO_OFFSET_RESET is none", strings.Join(s.passed, ", "), check.CountNoun(s.gone, "record")), "commit an offset that exists, or set another")
	case len(s.passed) > 0:
		i.found.AddWarning(check.Offsets, topic, fmt.Sprintf("retention has passed the commit of partition %s; up to %s are gone", strings.Join(s.passed, ", "), check.CountNoun(s.gone, "record")), "the service goes on at the log's start; give the topic a longer retention")
	case len(s.beyond) > 0:
		i.found.AddWarning(check.Offsets, topic, "the commit is beyond the end of partition "+strings.Join(s.beyond, ", "), "the topic was created anew or cut: reset the offsets of the group")
	case s.committed < s.partitions && none:
		i.found.AddError(check.Offsets, topic, fmt.Sprintf("nothing is committed in %d of %s, and KAFKA_AUTO_OFFSET_RESET is none", s.partitions-s.committed, check.CountNoun(s.partitions, "partition")), "commit an offset, or say where to start with earliest, latest or a time")
	default:
		i.found.AddOK(check.Offsets, topic, text)
	}
}
