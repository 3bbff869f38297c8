package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/retry"
)

const (
	topic = "events"
	group = "sandbox"
	// maxBatch is larger than a record of Firehose, so that the sandbox can show how such lines are skipped.
	maxBatch = 2 << 20
)

// broker is the embedded Kafka with its topic, and the producer that feeds it.
type broker struct {
	cluster *kfake.Cluster
	addr    string
	client  *kgo.Client
	admin   *kadm.Client
	fed     multiset // values that client has produced
}

func openBroker(o options) (*broker, error) {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return o.openListener(network, o.kafka, "kafka") }),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(4 * maxBatch)}),
		kfake.SeedTopics(int32(o.partitions), topic),
	)
	if err != nil {
		return nil, fmt.Errorf("start the embedded Kafka: %w", err)
	}
	b := &broker{cluster: cluster, addr: cluster.ListenAddrs()[0]}
	b.client, err = kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(maxBatch))
	if err != nil {
		cluster.Close()
		return nil, fmt.Errorf("connect to the embedded Kafka: %w", err)
	}
	b.admin = kadm.NewClient(b.client)
	return b, nil
}

func (b *broker) close() {
	b.client.Close()
	b.cluster.Close()
}

// offsets are positions in the topic, by partition. The default is 0, the start.
type offsets map[int32]int64

func (o offsets) sum() (n int64) {
	for _, at := range o {
		n += at
	}
	return n
}

// reaches reports that o is at or past target in every partition.
func (o offsets) reaches(target offsets) bool {
	for p, at := range target {
		if o[p] < at {
			return false
		}
	}
	return true
}

// endOffsets returns the end offsets of the partitions.
func (b *broker) endOffsets(ctx context.Context) (offsets, error) {
	listed, err := b.admin.ListEndOffsets(ctx, topic)
	if err = errors.Join(err, listed.Error()); err != nil {
		return nil, fmt.Errorf("list the end offsets: %w", err)
	}
	ends := offsets{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// committedOffsets returns the offsets that the connector's group has committed.
func (b *broker) committedOffsets(ctx context.Context) (offsets, error) {
	found, err := b.admin.FetchOffsets(ctx, group)
	if err = errors.Join(err, found.Error()); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch the committed offsets: %w", err)
	}
	committed := offsets{}
	found.Each(func(o kadm.OffsetResponse) { committed[o.Partition] = max(o.At, 0) })
	return committed, nil
}

// produceRecords produces until the source ends, max records are produced (-1 is no limit), or ctx ends, which is
// no error. All produced records are in the topic when it returns.
func (b *broker) produceRecords(ctx context.Context, source recordSource, max int64, rate int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The source has a goroutine of its own, because a read from standard input can't be cancelled.
	records := make(chan *kgo.Record, 100)
	var sourceErr error // set before records is closed
	go func() {
		defer close(records)
		for r, err := range source {
			if err != nil {
				sourceErr = err
				return
			}
			select {
			case records <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	var produced kgo.FirstErrPromise
	begin := time.Now()
	for n := int64(0); n != max; n++ {
		if rate > 0 {
			due := time.Duration(float64(n) / float64(rate) * float64(time.Second))
			// Waits below 5 ms are skipped until they add up: a timer for each record would limit the rate.
			if ahead := due - time.Since(begin); ahead > 5*time.Millisecond {
				_ = retry.Sleep(ctx, ahead)
			}
		}
		select {
		case r, more := <-records:
			if !more {
				return errors.Join(sourceErr, produced.Err())
			}
			b.fed.add(r.Value) // before the producer sees it
			// With ctx, buffered records would be dropped at its end. Produce blocks while the producer's buffer is full.
			b.client.Produce(context.WithoutCancel(ctx), r, produced.Promise())
		case <-ctx.Done():
			return produced.Err()
		}
	}
	return produced.Err()
}

// recordSource is a sequence of records. An error is its last element.
type recordSource = iter.Seq2[*kgo.Record, error]

// readLines returns the lines of in without their newlines. The last line may have no newline.
func readLines(name string, in io.Reader) recordSource {
	return func(yield func(*kgo.Record, error) bool) {
		for r := bufio.NewReaderSize(in, 64<<10); ; {
			text, err := r.ReadBytes('\n')
			if len(text) > 0 && !yield(&kgo.Record{Value: bytes.TrimSuffix(text, []byte{'\n'})}, nil) {
				return
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("read %s: %w", name, err))
				return
			}
		}
	}
}

// sampleEvents yields events of a shop's web server without end: JSON objects of about 400 bytes, keyed by user.
// Each has a number, so that all are different.
func sampleEvents(yield func(*kgo.Record, error) bool) {
	dice := rand.New(rand.NewPCG(1, 2))
	actions := []string{"view", "search", "add_to_cart", "remove_from_cart", "checkout", "login"}
	for n, more := 1, true; more; n++ {
		user := fmt.Sprintf("user-%05d", dice.IntN(20_000))
		value := fmt.Appendf(nil, `{"id":%d,"time":%q,"user":%q,"session":"%016x","action":%q,"url":"https://shop.example/item/%d",`+
			`"referrer":"https://search.example/","status":200,"bytes":%d,"ms":%d,"address":"203.0.113.%d",`+
			`"agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"}`,
			n, time.Now().UTC().Format(time.RFC3339Nano), user, dice.Uint64(), actions[dice.IntN(len(actions))], dice.IntN(5000),
			500+dice.IntN(50_000), 3+dice.IntN(400), dice.IntN(256))
		more = yield(&kgo.Record{Key: []byte(user), Value: value}, nil)
	}
}
