package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/kafka/auth"
	"kafka-firehose/connector/kafka/fetch"
	"kafka-firehose/connector/retry"
)

const (
	// rangeFetchBytes is requested of a broker at a time, and rangePartitionBytes of a partition.
	rangeFetchBytes, rangePartitionBytes = 4 << 20, 1 << 20
	// rangeFetchWait is how long a broker waits for records before it answers that it has none.
	rangeFetchWait = 500 * time.Millisecond
	// rangeStallTimeout is how long a range may be without progress until its reading fails.
	rangeStallTimeout = time.Minute
	// rangeBackoff is the pause before leaders that did not answer are looked up again.
	rangeBackoff = time.Second
)

// RangeReader reads bounded ranges of partitions: without a group, without a commit, and to an exact
// end. A consumer does not learn that it has passed offsets that hold no record (those that compaction
// removed, or an aborted transaction), so it can't know that a range ends with them. Fetch
// responses tell it.
type RangeReader struct {
	cfg        Config
	client     *kgo.Client
	admin      *kadm.Client
	budget     *fetch.Budget
	decompress *fetch.Decompressor
	fetchBytes int32
}

// OpenRangeReader makes a RangeReader, whose fetched records take memory within the bounds of bytes.
// It connects to nothing yet. More are further options of the client, for tests.
func (c Config) OpenRangeReader(connection *Connection, bytes fetch.Bytes, more ...kgo.Opt) (*RangeReader, error) {
	r := &RangeReader{cfg: c, budget: fetch.NewBudget(bytes)}
	r.decompress = fetch.NewDecompressor(r.budget, fetch.Pool{})
	r.fetchBytes = int32(min(max(bytes.Aim/4, minFetch), rangeFetchBytes))
	client, err := kgo.NewClient(append(append(connection.ClientOptions(), r.budget.ClientOptions(connection.dial, fetch.Pool{})...), more...)...)
	if err != nil {
		return nil, err
	}
	r.client, r.admin = client, kadm.NewClient(client)
	return r, nil
}

// Close ends the connections. A nil reader has none.
func (r *RangeReader) Close() {
	if r != nil {
		r.client.Close()
	}
}

// ErrRangeExpired is the error of ReadRanges if retention removed records of a range while it was read.
var ErrRangeExpired = errors.New("retention removed records of the range while it was read")

// ReadRanges calls visit with every record of the ranges, some records of one partition at a time, in the order of their
// offsets, and with no control record. Partitions with different leaders are read at the same time, so visit is called by
// several goroutines, but for one partition by one at a time. The records may be kept; visit accounts
// for their memory once visit has returned. An error of visit ends the reading and is returned as it is.
func (r *RangeReader) ReadRanges(ctx context.Context, ranges []OffsetRange, visit func([]*kgo.Record) error) error {
	var open []*rangePosition
	for _, g := range ranges {
		if g.Begin < g.End {
			open = append(open, &rangePosition{OffsetRange: g, next: g.skipTo(g.Begin)})
		}
	}
	moved := time.Now()
	for len(open) > 0 {
		before := positionsSum(open)
		left, err := r.readOnce(ctx, open, visit)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.As(err, new(*passingError)):
			return r.cfg.explainError(err)
		case positionsSum(open) > before:
			moved = time.Now()
		case time.Since(moved) >= rangeStallTimeout:
			return r.cfg.explainError(fmt.Errorf("no record came within %s: %w", rangeStallTimeout, err))
		}
		if open = left; len(open) > 0 {
			_ = retry.Sleep(ctx, rangeBackoff)
		}
	}
	return nil
}

// rangePosition is how far a range was read.
type rangePosition struct {
	OffsetRange
	next  int64 // offset to fetch
	empty int   // answers in a row without records from a leader that has all of the range
}

func (p *rangePosition) isDone() bool { return p.next >= p.End || p.empty >= 2 }

func positionsSum(open []*rangePosition) (sum int64) {
	for _, p := range open {
		sum += p.next
	}
	return sum
}

// passingError is one after which leaders are looked up and asked again.
type passingError struct{ error }

func (e *passingError) Unwrap() error { return e.error }

// readOnce looks up the leaders and reads from all of them until they have no more or have failed. It
// returns the positions that are not at their end.
func (r *RangeReader) readOnce(ctx context.Context, open []*rangePosition, visit func([]*kgo.Record) error) (left []*rangePosition, err error) {
	view, err := r.describeTopics(ctx, topicNames(open))
	if err != nil {
		return open, &passingError{err}
	}
	byLeader := map[int32][]*rangePosition{}
	for _, p := range open {
		t := view.topics[p.Topic]
		if t.id != p.TopicID {
			return open, fmt.Errorf("topic %s was deleted and created again while it was read", p.Topic)
		}
		leader := int32(-1)
		if int(p.Partition) < len(t.leaders) {
			leader = t.leaders[p.Partition]
		}
		byLeader[leader] = append(byLeader[leader], p)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var first error
	var reading sync.WaitGroup
	for leader, positions := range byLeader {
		reading.Go(func() {
			err := r.readFrom(ctx, leader, positions, visit)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && (first == nil || errors.As(first, new(*passingError))) {
				first = err
			}
			if err != nil && !errors.As(err, new(*passingError)) {
				cancel() // stop the others
			}
		})
	}
	reading.Wait()
	return slices.DeleteFunc(slices.Clone(open), (*rangePosition).isDone), first
}

// readFrom fetches from one broker until all positions are at their end, or an error comes. The broker has one
// request at a time: the fetch budget counts by responses of a broker.
func (r *RangeReader) readFrom(ctx context.Context, leader int32, positions []*rangePosition, visit func([]*kgo.Record) error) error {
	if leader < 0 {
		return &passingError{kerr.LeaderNotAvailable}
	}
	for moved, before := time.Now(), positionsSum(positions); ; {
		open := slices.DeleteFunc(slices.Clone(positions), (*rangePosition).isDone)
		if len(open) == 0 {
			return nil
		}
		if sum := positionsSum(positions); sum > before {
			moved, before = time.Now(), sum
		} else if time.Since(moved) >= rangeStallTimeout {
			return &passingError{fmt.Errorf("broker %d has no record behind topic %s partition %d offset %d, where the range continues", leader, open[0].Topic, open[0].Partition, open[0].next)}
		}
		resp, err := r.client.Broker(int(leader)).RetriableRequest(ctx, r.fetchRequest(open))
		if err != nil {
			return &passingError{fmt.Errorf("fetch from broker %d: %w", leader, err)}
		}
		fetched, ok := resp.(*kmsg.FetchResponse)
		if !ok {
			return fmt.Errorf("broker %d answers a fetch with %T", leader, resp)
		}
		if err := kerr.ErrorForCode(fetched.ErrorCode); err != nil {
			return &passingError{fmt.Errorf("fetch from broker %d: %w", leader, err)}
		}
		if err := r.processResponse(open, fetched, visit); err != nil {
			return err
		}
		positions = slices.Concat(positions[1:], positions[:1]) // each is the first once: a full response leaves no room for the last ones
	}
}

func (r *RangeReader) fetchRequest(open []*rangePosition) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(rangeFetchWait.Milliseconds()), 1, r.fetchBytes
	req.IsolationLevel = r.cfg.isolationLevel()
	for _, p := range open {
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.TopicID = p.Topic, p.TopicID
		partition := kmsg.NewFetchRequestTopicPartition()
		partition.Partition, partition.FetchOffset = p.Partition, p.next
		partition.PartitionMaxBytes = min(rangePartitionBytes, r.fetchBytes)
		topic.Partitions = append(topic.Partitions, partition)
		req.Topics = append(req.Topics, topic)
	}
	return req
}

// processResponse visits the records of a response and moves the positions past it.
func (r *RangeReader) processResponse(open []*rangePosition, resp *kmsg.FetchResponse, visit func([]*kgo.Record) error) error {
	var bytes int
	var idle []*rangePosition
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			answer := &t.Partitions[j]
			bytes += len(answer.RecordBatches)
			p := positionOf(open, t, answer.Partition)
			if p == nil {
				continue
			}
			moved, err := r.processPartition(p, answer, visit)
			if err != nil {
				return err
			}
			if !moved && r.logEnd(answer) >= p.End {
				idle = append(idle, p)
			}
		}
	}
	if bytes > 0 {
		return nil
	}
	// The broker had time to find a record for any of them: there is none before the end of the log.
	for _, p := range idle {
		p.empty++
	}
	return nil
}

func positionOf(open []*rangePosition, t *kmsg.FetchResponseTopic, partition int32) *rangePosition {
	for _, p := range open {
		if p.Partition == partition && (t.Topic != "" && t.Topic == p.Topic || t.Topic == "" && t.TopicID == p.TopicID) {
			return p
		}
	}
	return nil
}

func (r *RangeReader) processPartition(p *rangePosition, answer *kmsg.FetchResponseTopicPartition, visit func([]*kgo.Record) error) (moved bool, err error) {
	level := kgo.ReadUncommitted()
	if r.cfg.isolationLevel() == readCommitted {
		level = kgo.ReadCommitted()
	}
	fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: p.next, IsolationLevel: level, Topic: p.Topic, Partition: p.Partition,
	}, answer, r.decompress, nil)
	if records := p.wanted(fetched.Records); len(records) > 0 {
		if err := visit(records); err != nil {
			return false, err
		}
	}
	if moved = next > p.next; moved {
		p.next, p.empty = p.skipTo(next), 0
	}
	if fetched.Err == nil || moved {
		return moved, nil // an error behind records comes again
	}
	if start := fetched.LogStartOffset; p.OnExpired != nil && errors.Is(fetched.Err, kerr.OffsetOutOfRange) && start > p.next {
		p.OnExpired(p.next, min(start, p.End))
		p.next, p.empty = p.skipTo(start), 0
		return true, nil
	}
	return false, r.partitionError(p, fetched)
}

// wanted returns the fetched records that are in the range.
func (p *rangePosition) wanted(fetched []*kgo.Record) []*kgo.Record {
	if n := len(fetched); n > 0 && p.Next == nil && fetched[n-1].Offset < p.End {
		return fetched
	}
	wanted := fetched[:0]
	for _, record := range fetched {
		if record.Offset < p.End && p.skipTo(record.Offset) == record.Offset {
			wanted = append(wanted, record)
		}
	}
	return wanted
}

// partitionError returns a passingError for an error that may pass, and else the error with its place.
func (r *RangeReader) partitionError(p *rangePosition, fetched kgo.FetchPartition) error {
	one := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: p.Topic, TopicID: p.TopicID, Partitions: []kgo.FetchPartition{fetched}}}}}
	if r.budget.ExplainFetches(one) {
		return &passingError{fetch.ErrNoRoom}
	}
	err := one[0].Topics[0].Partitions[0].Err
	place := fmt.Sprintf("topic %s partition %d", p.Topic, p.Partition)
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange) && fetched.LogStartOffset > p.next:
		return fmt.Errorf("%s: %w: its log begins at offset %d now, and offset %d comes next", place, ErrRangeExpired, fetched.LogStartOffset, p.next)
	case errors.Is(err, kerr.OffsetOutOfRange), errors.Is(err, kerr.UnknownTopicOrPartition), kerr.IsRetriable(err):
		return &passingError{fmt.Errorf("%s: %w", place, err)} // of a leader that was just elected, too
	}
	return fmt.Errorf("%s: %w", place, err)
}

func (r *RangeReader) logEnd(answer *kmsg.FetchResponseTopicPartition) int64 {
	if r.cfg.isolationLevel() == readCommitted {
		return answer.LastStableOffset
	}
	return answer.HighWatermark
}

// explainError adds the remedy to an error of access.
func (c Config) explainError(err error) error {
	if d, ok := c.DiagnoseError(err); ok {
		return fmt.Errorf("%w: %s", err, d.Hint)
	}
	if dial, ok := errors.AsType[*auth.DialError](err); ok {
		return fmt.Errorf("%w: %s", err, c.DiagnoseConnection(dial.Addr, err).Hint)
	}
	return err
}
