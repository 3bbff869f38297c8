package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// lagFirst is when lag is asked for the first time, and lagEvery how often after that.
	lagFirst = 3 * time.Second
	lagEvery = 15 * time.Second
	// lagTimeout bounds the questions to one broker. It is shorter than lagEvery, so that a broker
	// that hangs delays no refresh.
	lagTimeout = 10 * time.Second
	// openAfter is how long the last stable offset of a partition stands still, while records are
	// appended behind it, before a transaction counts as hanging: the default transaction timeout of
	// Java producers is one minute. openEvery is how often the warning is repeated.
	openAfter = 2 * time.Minute
	openEvery = 5 * time.Minute
)

// Questions to the brokers, as kmsg.ListOffsetsRequest asks them: a timestamp that is none, and an
// isolation level.
const (
	logStart, logEnd               int64 = -2, -1
	readUncommitted, readCommitted int8  = 0, 1
)

// logOffsets are the offsets of logs. A partition is missing where its leader did not answer for it; err is the
// reason for the first one.
type logOffsets struct {
	starts map[partitionID]listedOffsets // log start offsets
	stable map[partitionID]listedOffsets // last stable offsets; with read_uncommitted the high watermarks
	ends   map[partitionID]listedOffsets // high watermarks
	err    error
}

// eachLeader asks the leaders of partitions for their offsets, all at the same time and with a timeout for
// each. It passes each answer to take when it arrives, one after the other, and returns after the last. The
// leaders are those that the client knows: asking a broker for them would wait for that broker.
func (s *Source) eachLeader(ctx context.Context, partitions map[string][]int32, take func(asked map[string][]int32, of logOffsets)) {
	byLeader := map[int32]map[string][]int32{}
	for topic, numbers := range partitions {
		for _, n := range numbers {
			leader, _, _ := s.client.PartitionLeader(topic, n)
			if byLeader[leader] == nil {
				byLeader[leader] = map[string][]int32{}
			}
			byLeader[leader][topic] = append(byLeader[leader][topic], n)
		}
	}
	var all sync.WaitGroup
	var taking sync.Mutex
	for leader, asked := range byLeader {
		all.Go(func() {
			of := s.askLeader(ctx, leader, asked)
			taking.Lock()
			defer taking.Unlock()
			take(asked, of)
		})
	}
	all.Wait()
}

// askLeader asks one broker for the offsets of partitions that it leads. After a request that failed as a whole it asks
// for nothing more.
func (s *Source) askLeader(ctx context.Context, leader int32, partitions map[string][]int32) (of logOffsets) {
	if leader < 0 { // there is none, or the client does not know it
		return logOffsets{err: fmt.Errorf("%s is without a leader", oneOf(partitions))}
	}
	client, err := s.lag.openClient()
	if err != nil {
		return logOffsets{err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, lagTimeout)
	defer cancel()
	ask := func(at int64, isolation int8) map[partitionID]listedOffsets {
		if ctx.Err() != nil {
			return nil
		}
		answers := listFrom(ctx, client, leader, everyPartition(partitions, at), isolation)
		for k, l := range answers {
			if l.err == nil {
				continue
			}
			if delete(answers, k); of.err == nil {
				of.err = fmt.Errorf("topic %s partition %d: %w", k.topic, k.partition, l.err)
			}
		}
		return answers
	}
	of.starts = ask(logStart, readUncommitted)
	if s.cfg.IsolationLevel == "read_committed" {
		of.stable = ask(logEnd, readCommitted)
	}
	of.ends = ask(logEnd, readUncommitted) // last: the end is never before the stable offset
	if s.cfg.IsolationLevel != "read_committed" {
		of.stable = of.ends
	}
	return of
}

// everyPartition asks for the same place in all partitions.
func everyPartition(partitions map[string][]int32, at int64) map[partitionID]int64 {
	asks := map[partitionID]int64{}
	for topic, numbers := range partitions {
		for _, n := range numbers {
			asks[partitionID{topic, n}] = at
		}
	}
	return asks
}

// oneOf names one of the partitions, and how many others there are.
func oneOf(partitions map[string][]int32) string {
	name, others := "", -1
	for topic, numbers := range partitions {
		if others += len(numbers); name == "" {
			name = fmt.Sprintf("topic %s partition %d", topic, numbers[0])
		}
	}
	if others > 0 {
		name += fmt.Sprintf(" (and of %d more)", others)
	}
	return name
}

// watchLag keeps lag, headroom and open transactions fresh until ctx ends. The high watermarks of fetches would
// cost nothing, but they freeze when nothing is fetched.
func (s *Source) watchLag(ctx context.Context) {
	open := openTransactions{log: s.log, at: map[partitionID]openTransaction{}}
	runEvery(ctx, lagFirst, lagEvery, func() {
		if err := s.refreshLag(ctx, open); err != nil && ctx.Err() == nil && !s.access.isKnown([]any{err}) {
			s.log.Warn("the lag of some partitions is unknown, trying again", "error", err)
		}
	})
}

// refreshLag asks for the offsets of all owned partitions and sets their series. A partition that can't be asked
// has none until it can. The error is why, for one of them.
func (s *Source) refreshLag(ctx context.Context, open openTransactions) (err error) {
	partitions := s.copyAssignment()
	if len(partitions) == 0 {
		s.lag.closeIdle()
	}
	s.eachLeader(ctx, partitions, func(asked map[string][]int32, of logOffsets) {
		if err == nil {
			err = of.err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for topic, numbers := range asked {
			for _, n := range numbers {
				s.setLag(partitionID{topic, n}, of, open)
			}
		}
	})
	maps.DeleteFunc(open.at, func(k partitionID, _ openTransaction) bool { return !slices.Contains(partitions[k.topic], k.partition) })
	return err
}

// setLag sets the series of a partition. Without a commit its position is the start of its log. It needs s.mu.
func (s *Source) setLag(k partitionID, of logOffsets, open openTransactions) {
	p := s.partitions[k]
	if p == nil {
		return // it has gone, and its series with it
	}
	start, okStart := of.starts[k]
	stable, okStable := of.stable[k]
	end, okEnd := of.ends[k]
	if !okStart || !okStable || !okEnd {
		s.metrics.ForgetLag(k.topic, k.partition)
		return
	}
	position := max(p.committed, start.offset)
	p.lag = max(end.offset-position, 0)
	s.metrics.SetLag(k.topic, k.partition, p.lag)
	s.metrics.SetHeadroom(k.topic, k.partition, position-start.offset)
	s.metrics.SetOpenTransaction(k.topic, k.partition, max(end.offset-stable.offset, 0))
	open.observeOffsets(k, stable.offset, end.offset)
}

// TopicLag is the lag of each topic's owned partitions, in records, as far as it is known.
func (s *Source) TopicLag() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	lag := map[string]int64{}
	for k, p := range s.partitions {
		lag[k.topic] += p.lag
	}
	return lag
}

// copyAssignment is the owned partitions by topic.
func (s *Source) copyAssignment() map[string][]int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	partitions := map[string][]int32{}
	for k := range s.partitions {
		partitions[k.topic] = append(partitions[k.topic], k.partition)
	}
	return partitions
}

// openTransactions finds partitions whose last stable offset stands still while records are appended behind it:
// a producer has opened a transaction there and neither commits nor aborts it.
type openTransactions struct {
	log *slog.Logger
	at  map[partitionID]openTransaction
}

// openTransaction is a last stable offset, and the end of the log when it was first seen.
type openTransaction struct {
	stable, end   int64
	since, warned time.Time
}

// observeOffsets warns of a partition whose last stable offset has not moved for long.
func (o openTransactions) observeOffsets(k partitionID, stable, end int64) {
	now := time.Now()
	at, seen := o.at[k]
	switch {
	case !seen || at.stable != stable || stable >= end:
		if !at.warned.IsZero() {
			o.log.Info("the transaction has ended; the records behind it are read", "topic", k.topic, "partition", k.partition, "offset", at.stable)
		}
		o.at[k] = openTransaction{stable: stable, end: end, since: now}
	case end > at.end && now.Sub(at.since) >= openAfter && now.Sub(at.warned) >= openEvery:
		at.warned = now
		o.at[k] = at
		o.log.Warn("records wait behind an open transaction: its producer neither commits nor aborts it; find it with kafka-transactions.sh and abort it, or wait for its timeout",
			"topic", k.topic, "partition", k.partition, "offset", stable, "records", end-stable, "for", now.Sub(at.since).Round(time.Second).String())
	}
}
