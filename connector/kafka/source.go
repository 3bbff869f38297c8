// Package kafka reads records as one member of a consumer group and commits
// settled offsets. It is the only package that holds a kgo.Client.
//
// The source registers every record it polls with the lease of its partition
// before a rebalance may continue, and hands it to the pipelines. The leases decide
// which offset may be committed; the source decides when.
package kafka

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka/fetch"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/retry"
	"kafka-firehose/metrics"
)

// Handler takes what the source polls. Its methods must not block for anything
// outside the process: the group waits for them.
type Handler interface {
	// ExpectTopic announces a topic of which partitions were assigned, before it gets
	// records of them. It must not wait.
	ExpectTopic(topic string)
	// TakeRecords receives records of one partition, in offset order, and how many bytes of
	// memory they weigh. They belong to the handler from then on, which recycles them
	// when it is done with them. Control records are among them, for the offsets they
	// occupy.
	TakeRecords(lease *offset.Lease, records []*kgo.Record, weight int64, polled time.Time)
	// ReleaseLeases asks for leases that are about to end: their queued records are
	// discarded, and an open batch that has records of them goes out at once. It returns those
	// that are worth waiting for, because Firehose is taking the requests in flight. It takes
	// KAFKA_REVOKE_DRAIN_TIMEOUT at most, and no time for leases that are closed.
	ReleaseLeases(leases []*offset.Lease) (wait []PendingLease)
	// UpdateShares reports the member's part of each topic's partitions, after each rebalance, and
	// nil if it owns no partition. It must not wait.
	UpdateShares(shares map[string]TopicShare)
}

// PendingLease is a lease of which records are under way.
type PendingLease struct {
	Lease *offset.Lease
	// InVain is closed when nothing more of it is about to settle: to wait longer would only
	// hold up the group. It is nil where that is not known.
	InVain <-chan struct{}
}

// Source is one member of the group: it owns the client and a lease for each
// partition that the member owns.
type Source struct {
	cfg        Config
	log        *slog.Logger
	metrics    *metrics.Kafka
	handler    Handler
	connection *Connection
	access     *accessFaults
	client     *kgo.Client
	lag        *offsetInquirer // where the logs begin and end
	standing   *offsetInquirer // what topics there are, and where the group stands
	routed     func(topic string) bool
	exclude    string // the topic that no pattern matches, empty for none

	// committing is held from before the marks are read until Kafka has answered
	// the commit of them, so that two commits never cross.
	committing chan struct{}
	byID       bool          // the last commit named topics by their ids; coordinators of a cluster that is being updated differ. Committing's alone
	leaving    chan struct{} // closed when the group is about to be left
	held       chan struct{} // a partition was paused until its commit; holds one
	regrouped  chan struct{} // the owned partitions have changed; holds one

	fatal    context.Context         // ends with what the source cannot go on after
	failWith context.CancelCauseFunc // ends fatal; the first error counts

	mu         sync.Mutex
	partitions map[partitionID]*partition
	member     string          // id under which the partitions are owned; empty before the first assignment
	joined     bool            // a rebalance has ended with this process in the group
	wasMember  bool            // it was, once
	turnedAway time.Time       // since when another has its name; zero while none
	unrouted   map[string]bool // topics told about already
	abandoned  int64           // records that were begun when partitions were lost, until the group is joined again
	suspects   map[string]*topicSuspicion
	joinedAt   time.Time                       // when the process first was in the group; zero before
	unplaced   time.Time                       // since when every assignment was lost before a partition of it had a position; zero for not
	unwanted   func(topic string) bool         // see PauseReading
	present    map[string][16]byte             // :: topic -> its id, of those that there were then; nil until they are known
	fetched    map[partitionID]committedOffset // the group's offsets, between two callbacks of the client
	seeking    bool                            // a partition is to be read on elsewhere
	stopPoll   context.CancelFunc              // ends the poll that is under way, nil between two polls
	plain      bool                            // commits carry no marker, because the broker takes none
	wire       trafficHook
	budget     *fetch.Budget

	faults  *partitionFaults // of reading
	commits *partitionFaults // of committing
	stops   *partitionFaults // of delivering: partitions that BAD_RECORD_POLICY has stopped
	silent  *silentBrokers
	kicked  chan struct{} // the positions are to be looked at now; holds one
}

type partitionID struct {
	topic     string
	partition int32
}

// partition is what the source knows of a partition that it owns.
type partition struct {
	lease        *offset.Lease
	topicID      [16]byte      // of the topic that is read; zero until the partition is placed, and where brokers have no ids
	marker       string        // what its commits carry as metadata
	begin        int64         // where this assignment began to read, or begins when that is committed; -1 if unknown
	expected     int64         // the next offset a fetch should bring, -1 if unknown
	committed    int64         // where the group stands, -1 if unknown
	paused       bool          // too far ahead of its commit
	resting      bool          // not fetched for a moment, after an error
	lag          int64         // records behind the end of the log, when it was last asked for
	stoppedAt    int64         // offset of the record that the lease is, or was, stopped at; -1 if unknown
	stoppedSince time.Time     // when
	stopReason   error         // why; nil when that record has passed
	waiting      bool          // its records wait for a schema, and enough of them are queued
	unwanted     bool          // PauseReading pauses its topic
	recommitted  time.Time     // when a commit was last repeated while it was unwanted
	samples      []delaySample // records whose commit is awaited, oldest first
	sampled      time.Time     // when the newest sample was polled, also after its commit
	lastTime     time.Time     // timestamp of the last record; zero before

	// How it comes to its position, see positions.go.
	assignedAt time.Time
	left       bool      // it waits for findPositions; the client holds it, paused, at some offset
	early      bool      // the client may be assigned it once more, see awaitsMetadata
	foreign    time.Time // since when the group's offset seems to be of another topic; zero for not
	reading    bool      // the client has a position for it
	seekTo     int64     // where the client is to read on, -1 for nowhere else
	seekEpoch  int32
	outOfRange bool      // a fetch said that the position is not in the log
	beyond     time.Time // since when the log ends before the position; zero for not
}

func newPartition(topic string, n int32) *partition {
	return &partition{lease: offset.NewLease(topic, n), begin: -1, expected: -1, committed: -1, stoppedAt: -1, seekTo: -1, assignedAt: time.Now()}
}

// Options are what a Source needs beside its configuration.
type Options struct {
	Handler Handler
	Metrics *metrics.Kafka
	Log     *slog.Logger
	// Routed reports whether a topic has somewhere to go. Topics that match the
	// pattern and have not are left alone.
	Routed func(topic string) bool
	// Exclude is a topic that is left out even if the pattern matches it; empty
	// for none. Dead letters that were read again would return without end.
	Exclude string
	// Unwanted reports whether a topic is not to be read for now, until PauseReading replaces it; nil for none.
	Unwanted func(topic string) bool
	// Bytes bounds the memory of fetched records.
	Bytes fetch.Bytes
	// Connection is what the configuration's method of that name has made. Client are
	// further options for the client, in tests.
	Connection *Connection
	Client     []kgo.Opt
}

// Open makes the client, which joins the group by itself. It does not wait for
// a broker to be there: an outage at the start is an outage like any other.
func Open(cfg Config, o Options) (*Source, error) {
	s := &Source{
		cfg: cfg, log: o.Log, metrics: o.Metrics, handler: o.Handler, routed: o.Routed, exclude: o.Exclude,
		partitions: map[partitionID]*partition{},
		unwanted:   o.Unwanted,
		unrouted:   map[string]bool{},
		suspects:   map[string]*topicSuspicion{},
		fetched:    map[partitionID]committedOffset{},
		faults:     &partitionFaults{log: o.Log, can: read, grace: faultGrace, all: map[partitionID]partitionFault{}},
		commits:    &partitionFaults{log: o.Log, can: committable, grace: faultGrace, all: map[partitionID]partitionFault{}},
		stops:      &partitionFaults{log: o.Log, can: deliverable, all: map[partitionID]partitionFault{}},
		kicked:     make(chan struct{}, 1),
		committing: make(chan struct{}, 1),
		leaving:    make(chan struct{}),
		held:       make(chan struct{}, 1),
		regrouped:  make(chan struct{}, 1),
		wire:       trafficHook{bytes: o.Bytes},
		budget:     fetch.NewBudget(o.Bytes),
		connection: o.Connection,
		access:     newAccess(cfg, o.Connection.login.DiscardCredentials, o.Log),
		lag:        newInquirer(o.Connection, o.Log, o.Client),
		standing:   newInquirer(o.Connection, o.Log, o.Client),
	}
	s.fatal, s.failWith = context.WithCancelCause(context.Background())
	s.silent = &silentBrokers{source: s, brokers: map[int32]brokerSilence{}}
	if s.unwanted == nil {
		s.unwanted = func(string) bool { return false }
	}
	// The client begins to join before NewClient returns, and its callbacks use
	// s.client. They all take the lock first, so they wait until that is set.
	s.mu.Lock()
	defer s.mu.Unlock()
	p := fetch.NewPool(o.Bytes)
	client, err := kgo.NewClient(slices.Concat(s.clientOptions(o.Bytes, p), o.Client, []kgo.Opt{kgo.WithPools(p)})...)
	if err != nil {
		return nil, err
	}
	s.client = client
	s.budget.WatchBuffered(client.BufferedFetchRecords)
	s.metrics.WatchRefusals(s.access.countRefusals)
	s.metrics.WatchFaulty(func(reason string) int {
		return s.faults.countReason(reason) + s.commits.countReason(reason) + s.stops.countReason(reason)
	})
	return s, nil
}

// Poll waits for records, at most max of them, and hands them to the handler.
// It returns when there were some, when there was trouble or when ctx is over;
// the error is fatal. Rebalances are held back only until every polled record
// is registered, never while Firehose is slow.
func (s *Source) Poll(ctx context.Context, max int) error {
	polling, stop := context.WithCancel(ctx)
	defer stop()
	s.pollUntil(stop)
	fetches := s.client.PollRecords(polling, max)
	s.pollUntil(nil)
	waiting := s.budget.ExplainFetches(fetches)
	polled := time.Now()
	fetches.EachTopic(func(t kgo.FetchTopic) {
		t.EachPartition(func(fp kgo.FetchPartition) {
			p := kgo.FetchTopicPartition{Topic: t.Topic, FetchPartition: fp}
			if len(p.Records) > 0 && !s.registerFetched(p, t.TopicID, polled) {
				s.rewindPartition(p)
			}
		})
	})
	s.applySeeks()
	s.client.AllowRebalance()

	troubled := false
	fetches.EachTopic(func(t kgo.FetchTopic) {
		t.EachPartition(func(p kgo.FetchPartition) {
			if p.Err == nil || errors.Is(p.Err, context.Canceled) || errors.Is(p.Err, context.DeadlineExceeded) && ctx.Err() != nil || errors.Is(p.Err, kgo.ErrClientClosed) {
				return
			}
			troubled = true
			s.handlePartitionError(t.Topic, t.TopicID, p.Partition, p.Err)
		})
	})
	if (troubled || waiting) && fetches.NumRecords() == 0 {
		_ = retry.Sleep(ctx, 250*time.Millisecond) // errors come as fast as they are polled
	}
	return s.Err()
}

// pollUntil notes what ends the poll that is about to begin, nil when it has ended. The poll must not wait
// while a partition is to be read on elsewhere.
func (s *Source) pollUntil(stop context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopPoll = stop; stop != nil && s.seeking {
		stop()
	}
}

// Err is the error that the source cannot go on after, nil as long as it can.
func (s *Source) Err() error { return context.Cause(s.fatal) }

// AccessRefused says what Kafka refuses to this process now, and what to do about it; nil for
// nothing.
func (s *Source) AccessRefused() error { return s.access.lastError() }

// PartitionFaults says which partitions can't be read, committed or delivered now and why, nil for none. A fault that
// may pass by itself counts after half a minute.
func (s *Source) PartitionFaults() error {
	return errors.Join(s.faults.joinedError(), s.commits.joinedError(), s.stops.joinedError())
}

// Failed is closed when there is an Err. A poll does not notice by itself.
func (s *Source) Failed() <-chan struct{} { return s.fatal.Done() }

// FetchedBytes returns the records that the client has fetched and that have not been polled, and
// their bytes.
func (s *Source) FetchedBytes() (records, bytes int64) {
	return s.client.BufferedFetchRecords(), s.client.BufferedFetchBytes()
}

// MinHeld is the minimum of memory that the client may hold, however little it asks for: a fetch of
// each broker, which has a whole batch at least. That is as large as the largest batch
// since the last call.
func (s *Source) MinHeld() int64 {
	s.mu.Lock()
	partitions := len(s.partitions)
	s.mu.Unlock()
	return min(s.wire.largest.Swap(0)*int64(min(partitions, max(len(s.client.DiscoveredBrokers()), 1))), s.budget.Max())
}

// OldestFetched is when the oldest unsettled record in a batch was polled; ok is false
// when there is none.
func (s *Source) OldestFetched() (oldest time.Time, ok bool) {
	for _, l := range s.leasesOf(nil) {
		if at, some := l.Oldest(); some && (!ok || at.Before(oldest)) {
			oldest, ok = at, true
		}
	}
	return oldest, ok
}

// CountOutstanding is the number of records that were put in a batch and are not committed:
// they are delivered again if the process ends now. Those of partitions that were
// lost count until the group is joined again.
func (s *Source) CountOutstanding() int64 {
	n := countOutstanding(s.leasesOf(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	return n + s.abandoned
}

// abandonOutstanding counts records whose partitions went before their commit.
func (s *Source) abandonOutstanding(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned += n
}

// leasesOf returns those of the given partitions, of all for nil.
func (s *Source) leasesOf(of map[string][]int32) (leases []*offset.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of == nil {
		for _, p := range s.partitions {
			leases = append(leases, p.lease)
		}
		return leases
	}
	for topic, ids := range of {
		for _, n := range ids {
			if p := s.partitions[partitionID{topic, n}]; p != nil {
				leases = append(leases, p.lease)
			}
		}
	}
	return leases
}
