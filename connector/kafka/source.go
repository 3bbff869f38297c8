// Package kafka reads records as one member of a consumer group and commits
// what has settled. It is the only package that holds a kgo.Client.
//
// The source registers every record it polls with the lease of its partition
// before a rebalance may go on, and hands it to the lanes. What of it may be
// committed is the leases' business; when, is the source's.
package kafka

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

// Handler takes what the source polls. Its methods must not block for anything
// outside the process: the group waits for them.
type Handler interface {
	// Expect is told of a topic of which partitions were assigned, before it gets
	// records of them. It must not wait.
	Expect(topic string)
	// Take receives records of one partition, in offset order, and how many bytes of
	// memory they weigh. They belong to the handler from then on, which recycles them
	// when it is done with them. Control records are among them, for the offsets they
	// occupy.
	Take(lease *offset.Lease, records []*kgo.Record, weight int64, polled time.Time)
	// Release asks for leases that are about to end: what is queued of them is
	// discarded, what is in an open batch goes out at once. It returns those that
	// are worth waiting for, because Firehose is taking what is in flight.
	Release(leases []*offset.Lease) (wait []*offset.Lease)
}

// Source is one member of the group: it owns the client and a lease for each
// partition that the member owns.
type Source struct {
	cfg        Config
	log        *slog.Logger
	metrics    *metrics.Kafka
	handler    Handler
	connection *Connection
	access     *access
	client     *kgo.Client
	admin      *kadm.Client
	routed     func(topic string) bool
	exclude    string // the topic that no pattern matches, empty for none

	// committing is held from before the marks are read until Kafka has answered
	// the commit of them, so that two commits never cross.
	committing chan struct{}
	leaving    chan struct{} // closed when the group is about to be left

	mu         sync.Mutex
	partitions map[id]*partition
	joined     bool                 // a rebalance has ended with this process in the group
	wasMember  bool                 // it was, once
	turnedAway time.Time            // since when another has its name; zero while none
	fatal      error                // what the source cannot go on after
	failed     chan struct{}        // closed with fatal
	unrouted   map[string]bool      // topics told about already
	recreated  map[string]time.Time // when a topic's id was first unknown
	stale      map[string]bool      // topics whose commits are refused for their id
	abandoned  int64                // records that were begun when partitions were lost, until the group is joined again
	known      map[string]int       // :: topic -> partitions for which latest means their end, see appeared
	resolved   bool                 // the start of a first assignment was asked for
	wire       traffic
	budget     *fetchBudget
}

type id struct {
	topic     string
	partition int32
}

// partition is what the source knows of a partition that it owns.
type partition struct {
	lease     *offset.Lease
	topicID   [16]byte // of the topic that the records came from; zero before the first
	begin     int64    // where this assignment began to read, -1 if unknown
	expected  int64    // the next offset a fetch should bring, -1 if unknown
	committed int64    // where the group stands, -1 if unknown
	paused    bool     // too far ahead of its commit
	samples   []sample // records whose commit is awaited, oldest first
	denied    bool     // must not be read, and isn't tried for a moment
}

// Options are what a Source needs beside its configuration.
type Options struct {
	Handler Handler
	Metrics *metrics.Kafka
	Log     *slog.Logger
	// Routed reports whether a topic has somewhere to go. Topics that match the
	// pattern and have not are left alone.
	Routed func(topic string) bool
	// Exclude is a topic that the pattern does not match, whatever it says; empty
	// for none. Dead letters that were read again would come back for ever.
	Exclude string
	// BufferBytes is MAX_BUFFERED_BYTES, of which fetches take a quarter.
	BufferBytes int64
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
		partitions: map[id]*partition{},
		failed:     make(chan struct{}),
		unrouted:   map[string]bool{},
		recreated:  map[string]time.Time{},
		stale:      map[string]bool{},
		known:      map[string]int{},
		committing: make(chan struct{}, 1),
		leaving:    make(chan struct{}),
		wire:       traffic{limit: o.BufferBytes},
		budget:     newFetchBudget(o.BufferBytes),
		connection: o.Connection,
		access:     newAccess(cfg, o.Connection.forget, o.Log),
	}
	// The client begins to join before NewClient returns, and its callbacks use
	// s.client. They all take the lock first, so they wait until that is set.
	s.mu.Lock()
	defer s.mu.Unlock()
	client, err := kgo.NewClient(slices.Concat(s.options(o.BufferBytes), o.Client, []kgo.Opt{kgo.WithPools(newRecords(o.BufferBytes))})...)
	if err != nil {
		return nil, err
	}
	s.client, s.admin = client, kadm.NewClient(client)
	s.budget.watch(client.BufferedFetchRecords)
	s.metrics.WatchRefusals(s.access.count)
	return s, nil
}

// Poll waits for records, at most max of them, and hands them to the handler.
// It returns when there were some, when there was trouble or when ctx is over;
// the error is fatal. Rebalances are held back only until every polled record
// is registered, never while Firehose is slow.
func (s *Source) Poll(ctx context.Context, max int) error {
	fetches := s.client.PollRecords(ctx, max)
	waiting := s.budget.explain(fetches)
	polled := time.Now()
	back := map[string]map[int32]kgo.EpochOffset{}
	fetches.EachTopic(func(t kgo.FetchTopic) {
		t.EachPartition(func(fp kgo.FetchPartition) {
			p := kgo.FetchTopicPartition{Topic: t.Topic, FetchPartition: fp}
			if len(p.Records) > 0 && !s.register(p, t.TopicID, polled) {
				s.goBack(p, back)
			}
		})
	})
	s.client.SetOffsets(back)
	s.client.AllowRebalance()

	troubled := false
	fetches.EachError(func(topic string, partition int32, err error) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil || errors.Is(err, kgo.ErrClientClosed) {
			return
		}
		troubled = true
		s.trouble(topic, partition, err)
	})
	if (troubled || waiting) && fetches.NumRecords() == 0 {
		pause(ctx, 250*time.Millisecond) // errors come as fast as they are polled
	}
	return s.Err()
}

// Err is the error that the source cannot go on after, nil as long as it can.
func (s *Source) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fatal
}

func (s *Source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fatal == nil {
		s.fatal = err
		close(s.failed)
	}
}

// Refused says what Kafka refuses to this process now, and what to do about it; nil for
// nothing.
func (s *Source) Refused() error { return s.access.err() }

// Failed is closed when there is an Err. A poll does not notice by itself.
func (s *Source) Failed() <-chan struct{} { return s.failed }

// Buffered is what the client has fetched and not been polled for: records and
// their bytes.
func (s *Source) Buffered() (records, bytes int64) {
	return s.client.BufferedFetchRecords(), s.client.BufferedFetchBytes()
}

// LeastHeld is what the client may come to hold, however little it asks for: a fetch of
// each broker, which has a whole batch at least. That is as large as the largest that came
// since the last call.
func (s *Source) LeastHeld() int64 {
	s.mu.Lock()
	partitions := len(s.partitions)
	s.mu.Unlock()
	return min(s.wire.largest.Swap(0)*int64(min(partitions, max(len(s.client.DiscoveredBrokers()), 1))), s.budget.max)
}

// Oldest is when the oldest unsettled record in a batch was polled; ok is false
// when there is none.
func (s *Source) Oldest() (oldest time.Time, ok bool) {
	for _, l := range s.leases(nil) {
		if at, some := l.Oldest(); some && (!ok || at.Before(oldest)) {
			oldest, ok = at, true
		}
	}
	return oldest, ok
}

// Begun is the number of records that were put in a batch and are not committed:
// what is delivered again if the process ends now. Those of partitions that were
// lost count until the group is joined again.
func (s *Source) Begun() (n int64) {
	for _, l := range s.leases(nil) {
		n += l.Begun()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return n + s.abandoned
}

// abandon counts records whose partitions went before their commit.
func (s *Source) abandon(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned += n
}

// leases returns those of the given partitions, of all for nil.
func (s *Source) leases(of map[string][]int32) (leases []*offset.Lease) {
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
			if p := s.partitions[id{topic, n}]; p != nil {
				leases = append(leases, p.lease)
			}
		}
	}
	return leases
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
