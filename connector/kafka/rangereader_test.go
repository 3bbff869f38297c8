package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/kafka/fetch"
	"kafka-firehose/metrics"
)

// rangeTest is a cluster with topic "t" of a partition, and a reader of it.
type rangeTest struct {
	*testing.T
	cluster  *kfake.Cluster
	producer *kgo.Client
	reader   *RangeReader
}

func readsRanges(t *testing.T, config map[string]string, body func(r *rangeTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		cluster := kfake.MustCluster(kfake.NumBrokers(2), kfake.Ports(9092, 9093), kfake.ListenFn(network.Listen))
		defer cluster.Close()
		cfg := Config{Brokers: cluster.ListenAddrs(), GroupID: "g", ClientID: "c", IsolationLevel: "read_committed"}
		connection, err := cfg.NewConnection(network.DialContext, slog.New(slog.DiscardHandler), metrics.New(prometheus.NewRegistry()).Kafka)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := cfg.OpenRangeReader(connection, fetch.Bytes{Setting: 256 << 20, SettingPerMax: 2, Aim: 16 << 20, Max: 64 << 20, Response: 8 << 20, Uncompressed: 48 << 20}, kgo.MetadataMinAge(10*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		producer, err := kgo.NewClient(append(connection.ClientOptions(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer producer.Close()
		if err := cluster.CreateTopic("t", 1, config); err != nil {
			t.Fatal(err)
		}
		body(&rangeTest{t, cluster, producer, reader})
	})
}

func (r *rangeTest) produce(key string, size int) {
	r.Helper()
	if err := r.producer.ProduceSync(r.Context(), &kgo.Record{Topic: "t", Key: []byte(key), Value: make([]byte, size)}).FirstErr(); err != nil {
		r.Fatal(err)
	}
}

func (r *rangeTest) whole() []OffsetRange {
	r.Helper()
	ranges, _, err := r.reader.FindRanges(r.Context(), []string{"t"}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		r.Fatal(err)
	}
	return ranges
}

// read returns the offsets that came.
func (r *rangeTest) read(ranges []OffsetRange) (offsets []int64, err error) {
	var mu sync.Mutex
	err = r.reader.ReadRanges(r.Context(), ranges, func(records []*kgo.Record) error {
		mu.Lock()
		defer mu.Unlock()
		for _, record := range records {
			offsets = append(offsets, record.Offset)
		}
		return nil
	})
	return offsets, err
}

// TestRangeCompacted: compaction leaves holes in the middle.
func TestRangeCompacted(t *testing.T) {
	t.Parallel()
	readsRanges(t, map[string]string{"cleanup.policy": "compact"}, func(r *rangeTest) {
		for i := range 10 {
			r.produce(fmt.Sprint(i%3), 1)
		}
		r.cluster.Compact()
		if got, err := r.read(r.whole()); err != nil || len(got) < 3 || len(got) > 4 || got[len(got)-1] != 9 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// TestRangeBehindTransactions: on a topic on which some transaction is always open, a range is held back by those alone that
// began in it, and only until they have ended.
func TestRangeBehindTransactions(t *testing.T) {
	t.Parallel()
	readsRanges(t, nil, func(r *rangeTest) {
		for range 10 {
			r.produce("k", 1)
		}
		begin := func(id string) (end func()) {
			tx, err := kgo.NewClient(append(r.producer.Opts(), kgo.TransactionalID(id))...)
			if err != nil {
				r.Fatal(err)
			}
			if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(r.Context(), &kgo.Record{Topic: "t"}).FirstErr()); err != nil {
				r.Fatal(err)
			}
			return func() {
				if err := tx.EndTransaction(r.Context(), kgo.TryCommit); err != nil {
					r.Error(err)
				}
				tx.Close()
			}
		}
		end := begin("first")
		from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		ranges, _, err := r.reader.FindRanges(r.Context(), []string{"t"}, from, to)
		if g := ranges[0]; err != nil || g.Begin != 0 || g.End != 10 || g.HeldBack != 1 || g.OpenTransaction != 10 {
			t.Errorf("got %+v, %v", ranges, err)
		}
		var ended sync.WaitGroup
		ended.Go(func() {
			for i := range 20 { // one begins before the other ends
				time.Sleep(200 * time.Millisecond)
				next := begin(fmt.Sprint(i))
				time.Sleep(200 * time.Millisecond)
				end()
				end = next
			}
		})
		ranges, _, err = r.reader.FindStableRanges(r.Context(), []string{"t"}, from, to)
		if g := ranges[0]; err != nil || g.HeldBack != 0 || g.End != 11 {
			t.Errorf("got %+v, %v", ranges, err)
		}
		ended.Wait()
		asked := time.Now()
		ranges, _, err = r.reader.FindStableRanges(r.Context(), []string{"t"}, from, to)
		if g := ranges[0]; err != nil || g.HeldBack == 0 || time.Since(asked) < transactionWait || !errors.As(CheckHeldBack(ranges), new(*OpenTransactionError)) {
			t.Errorf("got %+v, %v", ranges, err)
		}
		end()
	})
}

// TestRangeWithoutTail: a range whose last offsets hold no record has an end all the same, and a broker that has no answer
// for the moment does not end it.
func TestRangeWithoutTail(t *testing.T) {
	t.Parallel()
	readsRanges(t, nil, func(r *rangeTest) {
		for range 10 {
			r.produce("k", 1)
		}
		var asked int
		r.cluster.ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			fetch := req.(*kmsg.FetchRequest)
			if fetch.Topics[0].Partitions[0].FetchOffset < 10 {
				return nil, nil, false
			}
			asked++
			resp := fetch.ResponseKind().(*kmsg.FetchResponse)
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = fetch.Topics[0].Topic, fetch.Topics[0].TopicID
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.LastStableOffset, partition.HighWatermark = 15, 15
			if asked == 1 { // a new leader that does not know the end of its log
				partition.LastStableOffset = 10
			}
			topic.Partitions = append(topic.Partitions, partition)
			resp.Topics = append(resp.Topics, topic)
			return resp, nil, true
		})
		ranges := r.whole()
		ranges[0].End = 15
		if got, err := r.read(ranges); err != nil || !slices.Equal(got, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || asked != 3 {
			t.Errorf("got %v, %v after %d answers without a record, want 3", got, err, asked)
		}
	})
}

// TestRangeBeyondTheLog: a log that was cut never reaches the end of the range.
func TestRangeBeyondTheLog(t *testing.T) {
	t.Parallel()
	readsRanges(t, nil, func(r *rangeTest) {
		r.produce("k", 1)
		ranges, begin := r.whole(), time.Now()
		ranges[0].End = 5
		got, err := r.read(ranges)
		if err == nil || !strings.Contains(err.Error(), "has no record behind topic t partition 0 offset 1") || len(got) != 1 || time.Since(begin) > 150*time.Second {
			t.Errorf("got %v, %v after %s", got, err, time.Since(begin))
		}
	})
}

// TestRangeErrors: errors that pass are waited for, and each record comes once; the others end the reading with what to do.
func TestRangeErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault kfake.Fault
		want  string // "" for success
		took  time.Duration
	}{
		"the leader moves":   {fault: kfake.Fault{Err: kerr.NotLeaderForPartition, Count: 3}, took: 10 * time.Second},
		"nobody leads":       {fault: kfake.Fault{Err: kerr.LeaderNotAvailable, Count: -1}, want: "no record came within 1m0s", took: 2 * time.Minute},
		"out of range":       {fault: kfake.Fault{Err: kerr.OffsetOutOfRange, Count: 2}, took: 10 * time.Second},
		"access is denied":   {fault: kfake.Fault{Err: kerr.TopicAuthorizationFailed, Count: -1}, want: "needs the operations READ and DESCRIBE on the topic", took: time.Second},
		"a corrupt log file": {fault: kfake.Fault{Err: kerr.KafkaStorageError, Count: -1}, want: "KAFKA_STORAGE_ERROR", took: 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readsRanges(t, nil, func(r *rangeTest) {
				for range 5 {
					r.produce("k", 1)
				}
				ranges := r.whole()
				test.fault.Keys, test.fault.Topic = []kmsg.Key{kmsg.Fetch}, "t"
				r.cluster.Fault(test.fault)
				begin := time.Now()
				got, err := r.read(ranges)
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || err == nil && !slices.Equal(got, []int64{0, 1, 2, 3, 4}) {
					t.Errorf("got %v, %v, want %q", got, err, test.want)
				}
				if took := time.Since(begin); took > test.took {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestRangeExpires: retention removes records while they are read.
func TestRangeExpires(t *testing.T) {
	t.Parallel()
	readsRanges(t, nil, func(r *rangeTest) {
		for range 6 {
			r.produce("k", 700_000)
		}
		err := r.reader.ReadRanges(r.Context(), r.whole(), func(records []*kgo.Record) error {
			if records[0].Offset == 0 {
				var to kadm.Offsets
				to.Add(kadm.Offset{Topic: "t", At: 5, LeaderEpoch: -1})
				_, err := kadm.NewClient(r.producer).DeleteRecords(context.Background(), to)
				return err
			}
			return nil
		})
		if !errors.Is(err, ErrRangeExpired) {
			t.Errorf("got %v", err)
		}
	})
}

// TestRangeVisit: an error of the caller's comes back as it is, and at once.
func TestRangeVisit(t *testing.T) {
	t.Parallel()
	readsRanges(t, nil, func(r *rangeTest) {
		r.produce("k", 1)
		r.produce("k", 1)
		broken, visits := errors.New("broken"), 0
		err := r.reader.ReadRanges(r.Context(), r.whole(), func([]*kgo.Record) error { visits++; return broken })
		if !errors.Is(err, broken) || visits != 1 {
			t.Errorf("got %v after %d visits", err, visits)
		}
	})
}

// TestRangeUnreachable: the message says which setting the address is from.
func TestRangeUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Brokers: []string{"nowhere:9092"}}
		connection, err := cfg.NewConnection(func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }, slog.New(slog.DiscardHandler), metrics.New(prometheus.NewRegistry()).Kafka)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := cfg.OpenRangeReader(connection, fetch.Bytes{Max: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		begin := time.Now()
		_, _, err = reader.FindRanges(t.Context(), []string{"t"}, begin.Add(-time.Hour), begin)
		if err == nil || !strings.Contains(err.Error(), "connection refused: nothing listens at this address: start the broker, or look at KAFKA_BROKERS") || time.Since(begin) > 2*time.Minute {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
	})
}
