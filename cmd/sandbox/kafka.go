package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
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

// listOffsets returns the group's committed offsets and the end offsets of the partitions.
func (b *broker) listOffsets(ctx context.Context) (committed, ends offsets, err error) {
	committed, ends = offsets{}, offsets{}
	found, err := b.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		err = nil
	}
	listed, listErr := b.admin.ListEndOffsets(ctx, topic)
	if err = errors.Join(err, listErr, listed.Error()); err != nil {
		return nil, nil, fmt.Errorf("ask for offsets: %w", err)
	}
	for p, o := range found[topic] {
		if o.Err == nil && o.At >= 0 {
			committed[p] = o.At
		}
	}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return committed, ends, nil
}

// openListener listens on addr, or on a free port if that of a default address is in use. The error names the flag.
func (o options) openListener(network, addr, flag string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	if errors.Is(err, syscall.EADDRINUSE) && !o.given[flag] {
		host, _, _ := net.SplitHostPort(addr)
		l, err = net.Listen(network, net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with -%s, such as -%s 127.0.0.1:0 for a port that is free", err, flag, flag)
	}
	return l, nil
}

// recordSource calls yield for each record until yield returns false. If the source fails, the last call has the error.
type recordSource func(yield func(*kgo.Record, error) bool)

// newRecordSource returns the source that the flags choose.
func newRecordSource(w world, o options) recordSource {
	switch o.input {
	case "":
		return sampleEvents
	case "-":
		return func(yield func(*kgo.Record, error) bool) { readLines("standard input", w.stdin, yield) }
	}
	return func(yield func(*kgo.Record, error) bool) {
		f, err := os.Open(o.input)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		readLines(o.input, f, yield)
	}
}

// readLines yields the lines of in without their newlines. The last line may have no newline.
func readLines(name string, in io.Reader, yield func(*kgo.Record, error) bool) {
	for r := bufio.NewReaderSize(in, 64<<10); ; {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 && !yield(&kgo.Record{Value: bytes.TrimSuffix(line, []byte{'\n'})}, nil) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(nil, fmt.Errorf("read %s: %w", name, err))
			return
		}
	}
}

// sampleEvents yields events of a shop's web server without end: JSON objects of about 400 bytes, keyed by user.
// Each has a number, so that all are different.
func sampleEvents(yield func(*kgo.Record, error) bool) {
	dice, actions := rand.New(rand.NewPCG(1, 2)), []string{"view", "search", "add_to_cart", "remove_from_cart", "checkout", "login"}
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

// sourceItem is a record or an error.
type sourceItem struct {
	record *kgo.Record
	err    error
}

// produceRecords produces until the source ends, max records are produced (-1 is no limit), or ctx ends, which is
// no error. All produced records are in the topic when it returns.
func (b *broker) produceRecords(ctx context.Context, from recordSource, max int64, rate int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The source has a goroutine of its own, because a read from standard input can't be cancelled.
	items := make(chan sourceItem, 100)
	go func() {
		defer close(items)
		from(func(r *kgo.Record, err error) bool {
			select {
			case items <- sourceItem{r, err}:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	var i sourceItem
	var produced kgo.FirstErrPromise
	for begin, n := time.Now(), int64(0); n != max; n++ {
		// Waits below 5 ms are skipped until they add up: a timer for each record would limit the rate.
		if ahead := time.Duration(float64(n)/float64(rate)*float64(time.Second)) - time.Since(begin); rate > 0 && ahead > 5*time.Millisecond {
			_ = retry.Sleep(ctx, ahead)
		}
		select {
		case i = <-items:
		case <-ctx.Done():
			i = sourceItem{}
		}
		if i.record == nil {
			break
		}
		b.fed.add(hashLine(i.record.Value)) // before the producer sees it
		// With ctx, buffered records would be dropped at its end. Produce blocks while the producer's buffer is full.
		b.client.Produce(context.WithoutCancel(ctx), i.record, produced.Promise())
	}
	return errors.Join(i.err, produced.Err())
}
