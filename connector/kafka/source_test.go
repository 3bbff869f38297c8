package kafka

import (
	"fmt"
	"log/slog"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka/fetch"
	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

// at is a fetch of one record.
func at(o int64) kgo.FetchTopicPartition {
	return kgo.FetchTopicPartition{Topic: "t", FetchPartition: kgo.FetchPartition{Partition: 0, Records: []*kgo.Record{{Topic: "t", Offset: o}}}}
}

// TestRewindTwice: the second rewind after the log was cut below the commit.
func TestRewindTwice(t *testing.T) {
	p := newPartition("t", 0)
	p.begin, p.expected, p.committed, p.reading = 0, 200, 100, true
	s := &Source{log: slog.New(slog.DiscardHandler), partitions: map[partitionID]*partition{{"t", 0}: p}}
	s.rewindPartition(at(50)) // cut below the commit: 50 is read again
	if p.seekTo != 50 {
		t.Fatal(p.seekTo)
	}
	// 50..89 are polled, none accepted, and then the position is reset to 70.
	s.rewindPartition(at(70))
	if p.seekTo != 50 {
		t.Errorf("read again from %d, want 50: 50 to 69 are not accepted", p.seekTo)
	}
}

// TestRewindAfterDrop: the group is left between register and rewind.
func TestRewindAfterDrop(*testing.T) {
	s := &Source{log: slog.New(slog.DiscardHandler), partitions: map[partitionID]*partition{}}
	s.rewindPartition(at(50))
}

// TestEarliestIsFoundOnce: with earliest a partition is read at once. The polling goroutine passes the seek to the
// client and takes the first records, before the look at the starts that are to be committed: one that still
// found the partition among them would have it read from the beginning again.
func TestEarliestIsFoundOnce(t *testing.T) {
	t.Parallel()
	p := newPartition("t", 0)
	p.left = true
	open := map[partitionID]*partition{{"t", 0}: p}
	s := &Source{cfg: Config{AutoOffsetReset: OffsetReset{Mode: "earliest"}}, partitions: open}
	s.startAt(open, map[partitionID]answeredStart{{"t", 0}: {at: offset.Mark{Offset: 7, Epoch: -1}}})
	if p.seekTo != 7 {
		t.Fatalf("read from %d, want 7", p.seekTo)
	}
	p.reading, p.seekTo, p.expected = true, -1, 20 // as seek and register do
	if err := s.confirmStarts(t.Context(), open); err != nil || len(s.startingPartitions(open)) > 0 {
		t.Errorf("its start is to be committed: %v", err)
	}
	if p.seekTo >= 0 || p.expected != 20 {
		t.Errorf("read again from %d, and the next offset is %d", p.seekTo, p.expected)
	}
}

// TestFirstFetch: with little memory the first fetches are smaller, as nobody knows
// yet how many brokers answer and how far records grow.
func TestFirstFetch(t *testing.T) {
	for buffer, want := range map[int64]int32{26 << 20: 64 << 10, 64 << 20: 128 << 10, 256 << 20: 256 << 10, 8 << 30: 256 << 10} {
		if got := firstFetch(fetch.Bytes{Aim: buffer / 64 * 13, PooledRecords: buffer / 64, PooledBatches: buffer / 32}); got != want {
			t.Errorf("%d bytes with MAX_BUFFERED_BYTES %d, want %d", got, buffer, want)
		}
	}
}

// TestHopeless: a commit that was refused for good is not repeated, unless it was refused so only for some partitions.
func TestHopeless(t *testing.T) {
	some := refusedCommits{{"a", 0}: kerr.TopicAuthorizationFailed, {"b", 0}: kerr.RequestTimedOut}
	all := refusedCommits{{"a", 0}: kerr.TopicAuthorizationFailed}
	if isHopeless(some) {
		t.Error("a commit of which one partition is refused for good is hopeless")
	}
	for _, err := range []error{all, kerr.UnknownMemberID, fmt.Errorf("x: %w", kerr.GroupAuthorizationFailed)} {
		if !isHopeless(err) {
			t.Errorf("%v is not hopeless", err)
		}
	}
	if isHopeless(kerr.RebalanceInProgress) {
		t.Error("a rebalance is hopeless")
	}
}

// taken is a handler that notes the weight of records.
type taken struct {
	Handler
	weight int64
}

func (h *taken) TakeRecords(_ *offset.Lease, _ []*kgo.Record, weight int64, _ time.Time) {
	h.weight += weight
}

// TestHeadersHaveWeight: headers take memory beside their keys and values, which may be empty.
func TestHeadersHaveWeight(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry()).Kafka
	h := &taken{}
	s := &Source{
		log: slog.New(slog.DiscardHandler), metrics: m, handler: h, access: newAccess(Config{}, func() {}, slog.New(slog.DiscardHandler)),
		faults: &partitionFaults{all: map[partitionID]partitionFault{}}, partitions: map[partitionID]*partition{{"t", 0}: newPartition("t", 0)},
	}
	s.partitions[partitionID{"t", 0}].reading = true
	s.cfg.MaxUncommittedRecords = 10
	fetch := at(0)
	fetch.Records[0].Headers = make([]kgo.RecordHeader, 1000)
	s.registerFetched(fetch, [16]byte{}, time.Now())
	if want := int64(1000 * unsafe.Sizeof(kgo.RecordHeader{})); h.weight < want || h.weight > want+1000 {
		t.Errorf("%d bytes of memory for %d of headers", h.weight, want)
	}
}

// shareTaker is a handler that counts the reports of shares.
type shareTaker struct {
	Handler
	reports int
	shares  map[string]TopicShare // of the last one
}

func (h *shareTaker) UpdateShares(shares map[string]TopicShare) {
	h.reports++
	h.shares = shares
}

// TestShareOfNoPartitions: a member that has lost its last partition reports that, although it asks no broker.
func TestShareOfNoPartitions(t *testing.T) {
	h := &shareTaker{}
	s := &Source{handler: h, partitions: map[partitionID]*partition{}}
	s.countShares(t.Context())
	if h.reports != 1 || len(h.shares) > 0 {
		t.Errorf("%d reports, the last one of %v; want one without a topic", h.reports, h.shares)
	}
}
