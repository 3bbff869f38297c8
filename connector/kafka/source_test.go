package kafka

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
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
