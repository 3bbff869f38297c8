package fetch

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestRecordsAreKeptEmpty: reading begins in the middle of a batch. What lies before is
// decoded and not delivered, so nobody recycles it; with the others it comes back to the
// pool, which must not keep its value.
func TestRecordsAreKeptEmpty(t *testing.T) {
	const n, from = 200, 90
	cluster := kfake.MustCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "in"))
	defer cluster.Close()
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	var batch []*kgo.Record
	for i := range n {
		batch = append(batch, &kgo.Record{Topic: "in", Value: fmt.Append(nil, i)})
	}
	if err := producer.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p := NewPool(Bytes{PooledRecords: 1 << 20})
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.WithPools(p),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"in": {0: kgo.NewOffset().At(from)}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	seen := 0
	for it := poll(t.Context(), client); !it.Done(); seen++ {
		it.Next().Recycle()
	}
	if seen != n-from {
		t.Fatalf("%d records were read at once, want %d of one batch", seen, n-from)
	}
	kept := p.records.Get(n)
	for i, r := range kept[:cap(kept)] {
		if r.Value != nil || r.Context != nil {
			t.Fatalf("record %d of %d is kept as %q", i, cap(kept), r.Value)
		}
	}
	if again := p.records.Get(n); &again[:1][0] == &kept[:1][0] {
		t.Fatal("the same memory was given twice")
	}
}

func poll(ctx context.Context, client *kgo.Client) *kgo.FetchesRecordIter {
	for {
		if f := client.PollRecords(ctx, 0); f.NumRecords() > 0 || ctx.Err() != nil {
			return f.RecordIter()
		}
	}
}

// TestRecordsPool: small batches get no memory from it, and what it keeps is bounded.
func TestRecordsPool(t *testing.T) {
	p := NewPool(Bytes{PooledRecords: 1 << 20})
	if got := p.GetRecords(minPooledRecords - 1); got != nil {
		t.Errorf("memory for %d records", cap(got))
	}
	p.PutRecords(make([]kgo.Record, minPooledRecords-1))
	p.PutRecords(make([]kgo.Record, minPooledRecords))
	if first, second := p.GetRecords(minPooledRecords), p.GetRecords(minPooledRecords); cap(first) != minPooledRecords || cap(second) == minPooledRecords {
		t.Errorf("memory for %d and %d records, want what was put, once", cap(first), cap(second))
	}
}
