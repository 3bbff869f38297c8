package fetch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// testBytes is what the connector gives to the source with a setting.
func testBytes(setting int64) Bytes {
	most := min(max(setting/2, 16<<20), MaxFetched)
	return Bytes{
		Setting: setting, SettingPerMax: 2, Aim: setting / 64 * 13, PooledRecords: setting / 64, PooledBatches: setting / 32,
		Max: most, Response: most / 8, Uncompressed: most / 4 * 3,
	}
}

// TestFetchBudget: whatever responses of ten brokers take, and however they end, together
// they stay within the maximum beside the one that may exceed it. Each batch that fits at
// all gets in while nothing else is there, and nothing is counted when all are gone.
func TestFetchBudget(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	for run := range 200 {
		b := NewBudget(testBytes(64 << 20))
		responses := map[string]*response{}
		for range 300 {
			broker := fmt.Sprint(rng.IntN(10))
			r := responses[broker]
			n := rng.Int64N(b.max * 5 / 4)
			if rng.IntN(2) == 0 {
				n /= 100
			}
			switch rng.IntN(8) {
			case 0:
				b.countRequest(broker)
				responses[broker] = nil
			case 1:
				b.closeBroker(broker)
			case 2, 3:
				responses[broker] = b.beginResponse(broker, n)
			case 4, 5:
				if r != nil {
					b.countBytes(r, n)
				}
			default:
				if r != nil {
					b.unpackBatch(r, n)
				}
			}
			held := int64(0)
			for _, r := range b.responses {
				held += r.held
			}
			if usual := 10 * b.bytes.Response; b.used != held || b.used > b.max+usual {
				t.Fatalf("run %d: %d bytes are counted, of responses with %d; at most %d are allowed", run, b.used, held, b.max)
			}
			if b.excess != nil && b.excess.ended {
				t.Fatalf("run %d: one that has ended exceeds the maximum", run)
			}
		}
		for broker := range responses {
			b.countRequest(broker)
		}
		if b.used != 0 || b.excess != nil {
			t.Fatalf("run %d: %d bytes are counted when nothing is there", run, b.used)
		}
		if r := b.beginResponse("x", b.max); r == nil || !b.unpackBatch(r, b.max) {
			t.Fatalf("run %d: a batch that fits gets no room", run)
		}
	}
}

// TestFetchBudgetOfDeadBrokers: a response whose broker is gone is counted as long as the
// client may hold it, and no longer.
func TestFetchBudgetOfDeadBrokers(t *testing.T) {
	t.Parallel()
	b := NewBudget(testBytes(64 << 20))
	buffered := int64(1)
	b.WatchBuffered(func() int64 { return buffered })
	for _, broker := range []string{"gone", "too"} {
		r := b.beginResponse(broker, 1)
		b.unpackBatch(r, b.max*2/3)
		b.closeBroker(broker)
	}
	r := b.beginResponse("here", 1)
	if b.unpackBatch(r, b.max/2) {
		t.Error("room for a batch while the client holds those of brokers that are gone")
	}
	b.responses["gone"].closed = time.Now().Add(-closedTime - time.Second)
	if !b.unpackBatch(r, b.max/2) || len(b.responses) != 2 {
		t.Error("no room long after a connection was closed")
	}
	buffered = 0
	if b.unpackBatch(r, b.max); len(b.responses) != 1 || b.excess != nil {
		t.Errorf("%d responses when the client holds nothing", len(b.responses))
	}
}

// TestExplain: the application gets the reason for a partition that stands still, once, and
// nothing of batches that only wait.
func TestExplain(t *testing.T) {
	t.Parallel()
	b := NewBudget(testBytes(64 << 20))
	id := [16]byte{1}
	b.refusePartition(topicPartition{id: id, partition: 3}, b.tooLarge(5, 40*mebi, "has 40 MiB"))
	b.refusePartition(topicPartition{topic: "old", partition: 3}, ErrNoRoom)
	fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{
		{Topic: "new", TopicID: id, Partitions: []kgo.FetchPartition{{Partition: 3, Err: errBatchRefused}, {Partition: 4, Err: errBatchRefused}, {Partition: 5}}},
		{Topic: "old", Partitions: []kgo.FetchPartition{{Partition: 3, Err: errBatchRefused}, {Partition: 4, Err: fmt.Errorf("decompress: %w", ErrNoRoom)}}},
	}}}
	if !b.ExplainFetches(fetches) {
		t.Error("nothing waits for room")
	}
	errs := fetches.Errors()
	if len(errs) != 2 || errs[0].Partition != 3 || errs[1].Partition != 4 || !errors.Is(errs[1].Err, errBatchRefused) {
		t.Fatalf("errors %v", errs)
	}
	var got *BatchError
	if !errors.As(errs[0].Err, &got) || got.Topic != "new" || got.Partition != 3 || got.Offset != 5 || !got.TooLarge {
		t.Errorf("%#v", got)
	}
	if len(b.refused) != 0 || ErrNoRoom.Topic != "" {
		t.Errorf("it keeps %v", b.refused)
	}
}
