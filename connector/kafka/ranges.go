package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"kafka-firehose/connector/retry"
)

// rangeLookupTimeout bounds each question about topics and their offsets.
const rangeLookupTimeout = time.Minute

// OffsetRange is the part of a partition that lies between two times: the offsets from Begin up to and without End.
type OffsetRange struct {
	Topic     string
	TopicID   [16]byte // zero where brokers have none
	Partition int32
	// Begin is the offset of the first record that is not older than the earlier time, End that of the first
	// record that is not older than the later time, or the end of the log. With read_committed both are at most the
	// last stable offset.
	Begin, End int64
	// HeldBack is how many offsets of the range are not before End, because they are behind a transaction that is open. It is 0
	// with read_uncommitted. OpenTransaction is the offset at which the first open transaction begins; 0 without HeldBack.
	HeldBack, OpenTransaction int64
	// LogStart is the first offset that the log still has.
	LogStart int64
	// Expired is true if retention has removed records just before Begin: some may have been in the range.
	Expired bool
	// First is the time of the record at Begin, zero if there is none.
	First time.Time

	// Next returns the first offset from the given one on that is to be read, and any that is not below End if there is
	// none. Nil reads all offsets.
	Next func(offset int64) int64
	// OnExpired is called if retention has removed the next offsets while the range was read, from up to and without to.
	// The reading continues behind them. With nil that is an error.
	OnExpired func(from, to int64)
}

// skipTo returns the first offset from the given one on that is to be read.
func (g *OffsetRange) skipTo(offset int64) int64 {
	if g.Next == nil {
		return offset
	}
	return g.Next(offset)
}

// FindTopics returns the topics that the configuration names, or that its pattern matches, without exclude.
func (r *RangeReader) FindTopics(ctx context.Context, exclude string) ([]string, error) {
	if r.cfg.TopicPattern == "" {
		return r.cfg.Topics, nil
	}
	view, err := r.describeTopics(ctx, nil)
	if err != nil {
		return nil, r.cfg.explainError(err)
	}
	matches := r.cfg.TopicMatcher(exclude)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(view.topics)) {
		if matches(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("KAFKA_TOPIC_PATTERN matches none of the %d topics that this process may see: correct it, or grant DESCRIBE on the topics", len(view.topics))
	}
	return names, nil
}

// describeTopics asks for topics, for all with nil.
func (r *RangeReader) describeTopics(ctx context.Context, names []string) (topicView, error) {
	ctx, cancel := context.WithTimeout(ctx, rangeLookupTimeout)
	defer cancel()
	resp, err := metadataRequest(names).RequestWith(ctx, r.client)
	if err != nil {
		return topicView{}, fmt.Errorf("describe topics: %w", err)
	}
	return newTopicView(resp), nil
}

// IsCompacted reports whether the cleaner compacts a topic, so that records which it had may be gone.
func (r *RangeReader) IsCompacted(ctx context.Context, topic string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, rangeLookupTimeout)
	defer cancel()
	configs, err := r.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return false, r.cfg.explainError(err)
	}
	described, err := configs.On(topic, nil)
	if err := cmp.Or(err, described.Err); err != nil {
		return false, r.cfg.explainError(err)
	}
	for _, c := range described.Configs {
		if c.Key == "cleanup.policy" {
			return strings.Contains(c.MaybeValue(), "compact"), nil
		}
	}
	return false, nil
}

func topicNames(open []*rangePosition) (names []string) {
	for _, p := range open {
		names = append(names, p.Topic)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ErrNoTopic says that a topic is not there, as far as this process can see.
var ErrNoTopic = errors.New("does not exist")

const (
	// transactionWait is how long FindStableRanges waits for the end of transactions, and transactionLook the time between two
	// questions. Most transactions are open for less than a second.
	transactionWait, transactionLook = 10 * time.Second, 250 * time.Millisecond
)

// FindStableRanges is FindRanges, but asks again for some seconds while open transactions hold back a part of a range. The
// ranges end where the first answer has them end, so later transactions hold back nothing.
func (r *RangeReader) FindStableRanges(ctx context.Context, names []string, from, to time.Time) ([]OffsetRange, string, error) {
	ends := map[partitionID]int64{}
	for begin := time.Now(); ; {
		ranges, cluster, err := r.findRanges(ctx, names, from, to, ends)
		if err != nil || CheckHeldBack(ranges) == nil || time.Since(begin) >= transactionWait {
			return ranges, cluster, err
		}
		if err := retry.Sleep(ctx, transactionLook); err != nil {
			return nil, "", err
		}
	}
}

// OpenTransactionError says which ranges can't be read to their ends because transactions are open.
type OpenTransactionError struct{ held []OffsetRange }

// maxHeld ranges are named in an error.
const maxHeld = 5

// Error names some of the ranges.
func (e *OpenTransactionError) Error() string {
	var texts []string
	for _, g := range e.held[:min(len(e.held), maxHeld)] {
		texts = append(texts, fmt.Sprintf("topic %s partition %d: a transaction is open at offset %d, and %d offsets of the range are not before it", g.Topic, g.Partition, g.OpenTransaction, g.HeldBack))
	}
	if n := len(e.held) - maxHeld; n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more partitions", n))
	}
	return strings.Join(texts, "; ") + ": wait until the transactions have ended, abort those that hang (kafka-transactions.sh find-hanging), or set KAFKA_ISOLATION_LEVEL=read_uncommitted, which reads records of open and aborted transactions"
}

// CheckHeldBack returns an *OpenTransactionError if open transactions hold back a part of the ranges.
func CheckHeldBack(ranges []OffsetRange) error {
	var e OpenTransactionError
	for _, g := range ranges {
		if g.HeldBack > 0 {
			e.held = append(e.held, g)
		}
	}
	if len(e.held) == 0 {
		return nil
	}
	return &e
}

// FindRanges returns the range of every partition of the topics between two times, by topic and partition, and
// the id of the cluster. A topic that does not exist is an error.
func (r *RangeReader) FindRanges(ctx context.Context, names []string, from, to time.Time) ([]OffsetRange, string, error) {
	return r.findRanges(ctx, names, from, to, map[partitionID]int64{})
}

// findRanges is FindRanges. A range ends where ends has its partition end, or before that; ends gets the ends of the others.
func (r *RangeReader) findRanges(ctx context.Context, names []string, from, to time.Time, ends map[partitionID]int64) ([]OffsetRange, string, error) {
	view, err := r.describeTopics(ctx, names)
	if err != nil {
		return nil, "", r.cfg.explainError(err)
	}
	for _, name := range names {
		switch t, ok := view.topics[name]; {
		case !ok, errors.Is(t.err, kerr.UnknownTopicOrPartition):
			return nil, "", fmt.Errorf("topic %s %w, or %s may not describe it", name, ErrNoTopic, r.cfg.Auth().Principal())
		case t.err != nil:
			return nil, "", r.cfg.explainError(fmt.Errorf("topic %s: %w", name, t.err))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, rangeLookupTimeout)
	defer cancel()
	var listed [5]kadm.ListedOffsets
	for i, list := range []func() (kadm.ListedOffsets, error){
		func() (kadm.ListedOffsets, error) { return r.admin.ListStartOffsets(ctx, names...) },
		func() (kadm.ListedOffsets, error) {
			return r.admin.ListOffsetsAfterMilli(ctx, from.UnixMilli(), names...)
		},
		func() (kadm.ListedOffsets, error) {
			return r.admin.ListOffsetsAfterMilli(ctx, to.UnixMilli(), names...)
		},
		func() (kadm.ListedOffsets, error) { return r.admin.ListEndOffsets(ctx, names...) },
		// The last question: a transaction that began after the others were answered is behind their offsets.
		func() (kadm.ListedOffsets, error) { return r.cfg.ListLogEnds(ctx, r.admin, names) },
	} {
		if listed[i], err = list(); err != nil {
			return nil, "", r.cfg.explainError(fmt.Errorf("list offsets: %w", err))
		}
	}
	var ranges []OffsetRange
	for _, name := range slices.Sorted(slices.Values(names)) {
		for n := range view.topics[name].leaders {
			g := OffsetRange{Topic: name, TopicID: view.topics[name].id, Partition: int32(n)}
			if err := g.setOffsets(listed, ends); err != nil {
				return nil, "", r.cfg.explainError(err)
			}
			ranges = append(ranges, g)
		}
	}
	return ranges, view.cluster, nil
}

// setOffsets takes the offsets of the log's start, the two times, the log's end, and its end for a reader with the isolation level
// of the settings. See findRanges for ends.
func (g *OffsetRange) setOffsets(listed [5]kadm.ListedOffsets, ends map[partitionID]int64) error {
	var at [5]int64
	for i := range listed {
		o, ok := listed[i].Lookup(g.Topic, g.Partition)
		if !ok {
			o.Err = errors.New("the broker did not answer for it")
		}
		if o.Err != nil {
			return fmt.Errorf("list offsets of topic %s partition %d: %w", g.Topic, g.Partition, o.Err)
		}
		at[i] = o.Offset
		if i == 1 && o.Timestamp >= 0 {
			g.First = time.UnixMilli(o.Timestamp)
		}
	}
	start, begin, logEnd, stable := at[0], at[1], at[3], at[4]
	id := partitionID{g.Topic, g.Partition}
	end := min(at[2], logEnd)
	if first, ok := ends[id]; ok {
		end = min(end, first)
	}
	ends[id] = end
	g.LogStart = start
	g.Begin = min(max(begin, start), logEnd, stable)
	g.End = max(min(end, stable), g.Begin)
	if held := end - max(begin, start, stable); held > 0 {
		g.HeldBack, g.OpenTransaction = held, stable
	}
	g.Expired = start > 0 && begin <= start
	return nil
}

// ListLogEnds lists where topics end for a reader with the isolation level of the settings: with read_committed that is
// before the first open transaction.
func (c Config) ListLogEnds(ctx context.Context, admin *kadm.Client, topics []string) (kadm.ListedOffsets, error) {
	if c.IsolationLevel == "read_committed" {
		return admin.ListCommittedOffsets(ctx, topics...)
	}
	return admin.ListEndOffsets(ctx, topics...)
}

// RangeCommits returns the offsets that the group has committed, by the index of ranges, -1 for none. It joins no
// group. An offset of an earlier topic of the same name does not count.
func (r *RangeReader) RangeCommits(ctx context.Context, ranges []OffsetRange, cluster string) ([]int64, error) {
	commits, err := r.fetchCommits(ctx, r.cfg.GroupID)
	if err != nil {
		return nil, err
	}
	at := make([]int64, len(ranges))
	for i, g := range ranges {
		at[i] = -1
		commit, ok := commits.Lookup(g.Topic, g.Partition)
		if !ok || commit.Err != nil {
			continue
		}
		if m, marked := parseMarker(commit.Metadata); !marked || m.isOf(cluster, g.TopicID) {
			at[i] = commit.At
		}
	}
	return at, nil
}
