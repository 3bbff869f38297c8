package recovery

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kafka-firehose/connector/kafka"
)

// ReplayPartition is the part of a replay in one partition.
type ReplayPartition struct {
	// OffsetRange is the whole range, as it was when the replay first began. Its Next selects the offsets of a file.
	kafka.OffsetRange
	// Reached is the offset before which nothing is left to do. It is Begin at the first start and End when all is done.
	Reached int64
	// Bad is how many records before Reached could not be delivered, and Removed how many offsets retention had removed.
	Bad, Removed int64

	key      string
	from, to time.Time
	file     *OffsetFilePartition // nil for a range of time
}

// Metadata is that of a commit of the progress.
func (p *ReplayPartition) Metadata() string {
	return replayMarker{key: p.key, topic: p.TopicID, begin: p.Begin, end: p.End, bad: p.Bad, expired: p.Removed, from: p.from, to: p.to}.String()
}

// RemainingRange is the part of the range that is not done.
func (p *ReplayPartition) RemainingRange() kafka.OffsetRange {
	left := p.OffsetRange
	left.Begin = p.Reached
	return left
}

// CountOffsets returns how many offsets of the replay are in the range from begin up to and without end.
func (p *ReplayPartition) CountOffsets(begin, end int64) int64 {
	if p.file != nil {
		return p.file.countOffsets(begin, end)
	}
	return max(end-begin, 0)
}

// GapError says which records of a range retention has removed.
type GapError struct{ gaps []string }

// maxGaps are named in an error.
const maxGaps = 5

// Error names some of the gaps.
func (e *GapError) Error() string {
	text := strings.Join(e.gaps[:min(len(e.gaps), maxGaps)], "; ")
	if n := len(e.gaps) - maxGaps; n > 0 {
		text += fmt.Sprintf("; and %d more partitions", n)
	}
	return "retention has removed records of the range: " + text + "; -allow-gaps replays the rest"
}

// PlanReplay decides where the replay begins and ends in each partition of the request's shard. Ranges are those of the
// topics' partitions between the two times, or their whole logs if the request has offsets; progress is that of an earlier start.
// The error may be a *GapError, or a *kafka.OpenTransactionError if transactions are open before the end of a range that is new.
func PlanReplay(r ReplayRequest, cluster string, ranges []kafka.OffsetRange, progress []kafka.RangeCommit) ([]*ReplayPartition, error) {
	if f := r.Offsets; f != nil && f.Cluster != "" && cluster != "" && f.Cluster != cluster {
		return nil, fmt.Errorf("-offsets: the file is of cluster %s, and KAFKA_BROKERS are of cluster %s", f.Cluster, cluster)
	}
	if err := r.checkPartitions(ranges); err != nil {
		return nil, err
	}
	var plan []*ReplayPartition
	var gaps GapError
	var held []kafka.OffsetRange
	key := r.rangeKey()
	for _, g := range ranges {
		if !r.wantsPartition(g.Topic, g.Partition) {
			continue
		}
		p := &ReplayPartition{OffsetRange: g, key: key, from: r.From, to: r.To}
		if r.Offsets != nil {
			p.file = r.Offsets.partitionOf(g.Topic, g.Partition)
			if !p.file.isOfTopic(g.TopicID) {
				return nil, fmt.Errorf("-offsets: topic %s was deleted and created again since the file was written: its offsets are of other records now", g.Topic)
			}
			p.OffsetRange.Next = p.file.nextOffset
		}
		var gap string
		var err error
		if commit, found := kafka.FindCommit(progress, g.Topic, g.Partition); found {
			gap, err = p.resumeFrom(r, commit)
		} else {
			if p.isHeldBack() {
				held = append(held, p.OffsetRange)
				continue
			}
			gap, err = p.beginFirst()
		}
		if err != nil {
			return nil, err
		}
		if gap != "" {
			gaps.gaps = append(gaps.gaps, fmt.Sprintf("topic %s partition %d: %s", g.Topic, g.Partition, gap))
		}
		plan = append(plan, p)
	}
	if len(gaps.gaps) > 0 && !r.AllowGaps {
		return nil, &gaps
	}
	if err := kafka.CheckHeldBack(held); err != nil {
		return nil, err
	}
	return plan, nil
}

// isHeldBack reports whether an open transaction holds back offsets of the replay. The range must not end before them: later
// starts would take it for done.
func (p *ReplayPartition) isHeldBack() bool {
	if p.file == nil || p.HeldBack == 0 {
		return p.HeldBack > 0
	}
	end := p.file.endOffset()
	return p.OpenTransaction < end && end <= p.OpenTransaction+p.HeldBack
}

// checkPartitions returns an error if a partition that the request names does not exist.
func (r ReplayRequest) checkPartitions(ranges []kafka.OffsetRange) error {
	there := func(topic string, partition int32) bool {
		return slices.ContainsFunc(ranges, func(g kafka.OffsetRange) bool { return g.Partition == partition && (topic == "" || g.Topic == topic) })
	}
	for _, n := range r.Partitions {
		if !there("", n) {
			return fmt.Errorf("-partitions names %d, and no topic of the replay has a partition of this number", n)
		}
	}
	if r.Offsets == nil {
		return nil
	}
	wanted := false
	for _, p := range r.Offsets.Partitions {
		if len(r.Topics) > 0 && !slices.Contains(r.Topics, p.Topic) {
			continue
		}
		wanted = wanted || len(r.Partitions) == 0 || slices.Contains(r.Partitions, p.Partition)
		if !there(p.Topic, p.Partition) {
			return fmt.Errorf("-offsets: topic %s has no partition %d", p.Topic, p.Partition)
		}
	}
	if !wanted {
		return errors.New("-offsets: the file has no offsets of the topics and partitions that -topic and -partitions name")
	}
	return nil
}

// beginFirst sets the range at the first start. gap says which part of it retention has removed.
func (p *ReplayPartition) beginFirst() (gap string, err error) {
	if p.file == nil {
		p.Reached = p.Begin
		if p.Expired {
			gap = p.describeExpired()
		}
		return gap, nil
	}
	if last := p.file.endOffset() - 1; last >= p.End {
		return "", fmt.Errorf("-offsets: topic %s partition %d ends before offset %d of the file, at offset %d: the topic was created again, or its log was cut", p.Topic, p.Partition, last, p.End)
	}
	p.Begin, p.End = p.file.firstOffset(), p.file.endOffset()
	p.Reached = p.Begin
	return p.skipRemoved(), nil
}

// describeExpired says how much of the range of time is gone, as far as can be known.
func (p *ReplayPartition) describeExpired() string {
	if p.First.IsZero() || !p.First.Before(p.to) {
		return fmt.Sprintf("all of the range, up to %d offsets", p.LogStart)
	}
	return fmt.Sprintf("its log begins at offset %d with a record of %s, so up to %s of the range are gone", p.LogStart, formatTime(p.First), p.First.Sub(p.from).Round(time.Second))
}

// skipRemoved moves Reached behind the offsets that retention has removed, and says how many they are.
func (p *ReplayPartition) skipRemoved() (gap string) {
	start := min(p.LogStart, p.End)
	if start <= p.Reached {
		return ""
	}
	removed := p.CountOffsets(p.Reached, start)
	p.Reached = start
	if removed == 0 {
		return ""
	}
	p.Removed += removed
	return fmt.Sprintf("%d offsets before offset %d", removed, p.LogStart)
}

// errAnotherRange says that a name is taken.
var errAnotherRange = errors.New("its progress is of another range")

// resumeFrom continues where an earlier start has committed. gap says which part of the rest retention has removed.
func (p *ReplayPartition) resumeFrom(r ReplayRequest, commit kafka.RangeCommit) (gap string, err error) {
	m, ok := parseReplayMarker(commit.Metadata)
	switch {
	case !ok:
		return "", fmt.Errorf("-name %s: the offset in topic %s partition %d was not committed by a replay; choose another name", r.ProgressName(), p.Topic, p.Partition)
	case m.key != p.key && m.from.Before(m.to):
		return "", fmt.Errorf("-name %s: %w, from %s to %s or of other topics, partitions or another stream; repeat the flags of that run, or choose another name", r.ProgressName(), errAnotherRange, m.from.UTC().Format(time.RFC3339Nano), m.to.UTC().Format(time.RFC3339Nano))
	case m.key != p.key:
		return "", fmt.Errorf("-name %s: %w, of other offsets; repeat the flags of that run, or choose another name", r.ProgressName(), errAnotherRange)
	case m.topic != p.TopicID && m.topic != [16]byte{} && p.TopicID != [16]byte{}:
		return "", fmt.Errorf("-name %s: topic %s was deleted and created again since this replay began; choose another name", r.ProgressName(), p.Topic)
	}
	p.Begin, p.End, p.Reached, p.Bad, p.Removed = m.begin, m.end, min(commit.Offset, m.end), m.bad, m.expired
	return p.skipRemoved(), nil
}
