package floor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"kafka-firehose/connector/firehose/firehosetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFloor: what it leaves out is no part of its work. A strict Firehose takes all of its
// requests, with valid signatures, and has each value once.
func TestFloor(t *testing.T) {
	t.Parallel()
	for values, records := range map[int]int{1: 3000, 500: 6} {
		t.Run(fmt.Sprintf("%d values a record", values), func(t *testing.T) {
			t.Parallel()
			keys := Keys{Access: "AKIDEXAMPLE", Secret: "secret"}
			stream := firehosetest.New(firehosetest.Options{
				Streams:     []firehosetest.Stream{{Name: "bench"}},
				Credentials: []firehosetest.Credentials{{AccessKey: keys.Access, SecretKey: keys.Secret}},
			})
			server := httptest.NewServer(stream)
			defer server.Close()
			cluster := filled(t, 3000)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				ended <- Run(ctx, Options{
					Brokers: cluster.ListenAddrs(), Topic: "bench", Endpoint: server.URL + "/",
					Stream: "bench", Region: "us-east-1", Keys: keys, InFlight: 3, Values: values,
				})
			}()
			for stream.Stats().Streams["bench"].Bytes < 3000*11 {
				select {
				case err := <-ended:
					t.Fatal(err)
				case <-time.After(time.Millisecond):
				}
			}
			stop()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			seen := map[string]bool{}
			stored := stream.Stored("bench")
			for _, r := range stored {
				for line := range bytes.Lines(r.Data) {
					seen[string(line)] = true
				}
			}
			// How what is fetched is cut up may leave a record that is not full.
			if len(seen) != 3000 || len(stored) < records || len(stored) > records+1 {
				t.Errorf("%d values in %d records, want 3000 in %d", len(seen), len(stored), records)
			}
		})
	}
}

// TestFloorRefused ends with what Firehose says.
func TestFloorRefused(t *testing.T) {
	t.Parallel()
	stream := firehosetest.New(firehosetest.Options{Credentials: []firehosetest.Credentials{{AccessKey: "other", SecretKey: "other"}}})
	server := httptest.NewServer(stream)
	defer server.Close()
	err := Run(t.Context(), Options{
		Brokers: filled(t, 10).ListenAddrs(), Topic: "bench", Endpoint: server.URL + "/",
		Stream: "bench", Region: "us-east-1", Keys: Keys{"a", "b"}, InFlight: 1, Values: 1,
	})
	if err == nil || !strings.Contains(err.Error(), "put: the answer is 4") {
		t.Error(err)
	}
}

// filled is a Kafka with n values of ten bytes.
func filled(t *testing.T, n int) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "bench"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range n {
		client.Produce(t.Context(), &kgo.Record{Topic: "bench", Value: fmt.Appendf(nil, "%010d", i)}, nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cluster
}

// TestBatch: the limits of requests and records hold with values of any size.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, values := range []int{1, 500} {
		for _, size := range []int{1, 199, 2047, 2048, 8192, 100_000, 511_999, 1_023_999} {
			b, value := &batch{values: values}, make([]byte, size)
			n := 0
			for ; b.fits(size + 1); n++ {
				b.add(value)
			}
			if len(b.data) > maxBytes || len(b.ends) > maxRecords || len(b.data) != n*(size+1) || b.ends[len(b.ends)-1] != len(b.data) {
				t.Errorf("%d values of %d bytes: %d bytes, %d records", n, size, len(b.data), len(b.ends))
			}
			from := 0
			for _, end := range b.ends {
				if end-from > maxRecord || end-from > values*(size+1) {
					t.Errorf("%d values of %d bytes: a record of %d", n, size, end-from)
				}
				from = end
			}
			if least := min(maxBytes-maxRecord, maxRecords*(size+1)); len(b.data) < least-size {
				t.Errorf("values of %d bytes: only %d bytes in a batch, want %d", size, len(b.data), least)
			}
		}
	}
}
