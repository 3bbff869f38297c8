package kafka

import (
	"log/slog"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

// at is a fetch of one record.
func at(o int64) kgo.FetchTopicPartition {
	return kgo.FetchTopicPartition{Topic: "t", FetchPartition: kgo.FetchPartition{Partition: 0, Records: []*kgo.Record{{Topic: "t", Offset: o}}}}
}

// TestGoBackTwice: the second rewind after the log was cut below the commit.
func TestGoBackTwice(t *testing.T) {
	l := offset.NewLease("t", 0)
	s := &Source{log: slog.New(slog.DiscardHandler), partitions: map[id]*partition{{"t", 0}: {lease: l, begin: 0, expected: 200, committed: 100}}}
	back := map[string]map[int32]kgo.EpochOffset{}
	s.goBack(at(50), back) // cut below the commit: 50 is read again
	if got := back["t"][0].Offset; got != 50 {
		t.Fatal(got)
	}
	// 50..89 are polled, none accepted, and then the position is reset to 70.
	s.goBack(at(70), back)
	if got := back["t"][0].Offset; got != 50 {
		t.Errorf("read again from %d, want 50: 50 to 69 are not accepted", got)
	}
}

// TestGoBackAfterDrop: the group is left between register and goBack.
func TestGoBackAfterDrop(*testing.T) {
	s := &Source{log: slog.New(slog.DiscardHandler), partitions: map[id]*partition{}}
	s.goBack(at(50), map[string]map[int32]kgo.EpochOffset{})
}

// TestFirstFetch: with little memory the first fetches are smaller, as nobody knows
// yet how many brokers answer and how far records grow.
func TestFirstFetch(t *testing.T) {
	for buffer, want := range map[int64]int32{26 << 20: 64 << 10, 64 << 20: 128 << 10, 256 << 20: 256 << 10, 8 << 30: 256 << 10} {
		if got := firstFetch(buffer); got != want {
			t.Errorf("%d bytes with MAX_BUFFERED_BYTES %d, want %d", got, buffer, want)
		}
	}
}

// taken is a handler that notes the weight of records.
type taken struct {
	Handler
	weight int64
}

func (h *taken) Take(_ *offset.Lease, _ []*kgo.Record, weight int64, _ time.Time) { h.weight += weight }

// TestHeadersHaveWeight: headers take memory beside their keys and values, which may be empty.
func TestHeadersHaveWeight(t *testing.T) {
	m := metrics.New(prometheus.NewRegistry()).Kafka
	h := &taken{}
	s := &Source{
		log: slog.New(slog.DiscardHandler), metrics: m, handler: h, recreated: map[string]time.Time{}, access: newAccess(Config{}, func() {}, slog.New(slog.DiscardHandler)),
		partitions: map[id]*partition{{"t", 0}: {lease: offset.NewLease("t", 0), begin: -1, expected: -1, committed: -1}},
	}
	s.cfg.MaxUncommittedRecords = 10
	fetch := at(0)
	fetch.Records[0].Headers = make([]kgo.RecordHeader, 1000)
	s.register(fetch, [16]byte{}, time.Now())
	if want := int64(1000 * unsafe.Sizeof(kgo.RecordHeader{})); h.weight < want || h.weight > want+1000 {
		t.Errorf("%d bytes of memory for %d of headers", h.weight, want)
	}
}
