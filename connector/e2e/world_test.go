package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/awsconfig/iamtest"
	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/logging/logtest"
	"kafka-firehose/connector/schema/glue"
)

const (
	group     = "g"
	accessKey = "AKIDEXAMPLE"
	secretKey = "planted-secret-0123456789"
)

// patience is how long a case waits for what has to come but is not its subject.
const patience = 3 * time.Minute

// world is a Kafka cluster, a Firehose, what was produced and a judge that looks
// at every record stored and every offset committed.
type world struct {
	broker
	t        *testing.T
	in       string // a topic of four partitions, which members read unless told otherwise
	group    string
	producer *kgo.Client
	admin    *kadm.Client
	stream   *firehosetest.Service
	judge    *judge
	log      *lockedBuffer
	level    slog.LevelVar
	members  []*member
	through  func(ctx context.Context, network, host string) (net.Conn, error) // how members dial; nil for dial
	hooks    []kgo.Hook                                                        // of the members to come
	records  kgo.Pool                                                          // likewise; nil for their own
	loads    []func() int
	registry http.RoundTripper // to the Schema Registry
	letters  *post             // the dead-letter topic of a test that shares it; nil for none
	glue     []glue.ClientOption
	noKeys   atomic.Bool                    // there are no credentials for Firehose any more
	before   func(convert.SchemaRef)        // each conversion of the members to come; nil for nothing
	compiles func(convert.SchemaDefinition) // before each schema that members to come compile; nil for nothing
	watched  []destination.ClientOption     // the way to CloudWatch
	s3       []claimcheck.ClientOption      // the way to the claim-check bucket
	guard    *iamtest.Guard                 // stands in front of AWS; nil for none
}

func newWorld(t *testing.T, b broker) *world {
	t.Helper()
	w := &world{broker: b, t: t, in: b.prefix + "in", group: b.prefix + group, judge: newJudge(), log: &lockedBuffer{}}
	if b.door.tls != nil {
		w.listenInside()
	}
	w.connect()
	w.stream = firehosetest.New(firehosetest.Options{
		Streams:     []firehosetest.Stream{{Name: "s"}},
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Latency:     firehosetest.Fixed(5 * time.Millisecond),
		OnStored:    w.judge.stored,
		Keep:        firehosetest.KeepEntries, // the judge has the values
	})
	w.topic(w.in, 4)
	return w
}

// connect makes the producer, and once more where it has to learn of partitions
// anew: one that forgets a topic numbers its batches from 0 again, and brokers take
// them for repetitions.
func (w *world) connect() {
	w.t.Helper()
	// A leader may need a moment to begin with a partition that it is known for.
	w.producer = w.client(kgo.ProducerBatchMaxBytes(1_100_000), kgo.MetadataMinAge(10*time.Millisecond), kgo.UnknownTopicRetries(200))
	w.admin = kadm.NewClient(w.producer)
}

// client is one for a test's own use; the partition of a record is what the record
// says.
func (w *world) client(o ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	c, err := kgo.NewClient(append(w.dialing(), append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, o...)...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// name is that of a topic in this world.
func (w *world) name(topic string) string { return w.prefix + topic }

// topic makes a topic and lets the judge know its id: new versions of a commit name
// topics by that alone. Settings are pairs of name and value.
func (w *world) topic(name string, partitions int32, settings ...string) {
	w.t.Helper()
	configs := map[string]*string{}
	for i := 0; i < len(settings); i += 2 {
		configs[settings[i]] = &settings[i+1]
	}
	made, err := w.admin.CreateTopic(context.Background(), partitions, -1, configs, name)
	if err != nil {
		w.t.Fatalf("create topic %s: %v", name, err)
	}
	w.judge.name(made.ID, name)
	w.until("every broker knows "+name, patience, func() bool { return w.known(name, int(partitions)) })
}

// known reports whether every broker has heard of a topic and its leaders.
func (w *world) known(name string, partitions int) bool {
	ask := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	ask.Topics = append(ask.Topics, topic)
	for _, b := range w.producer.DiscoveredBrokers() {
		resp, err := ask.RequestWith(context.Background(), b)
		if err != nil || len(resp.Topics[0].Partitions) != partitions {
			return false
		}
		for _, p := range resp.Topics[0].Partitions {
			if p.ErrorCode != 0 {
				return false
			}
		}
	}
	return true
}

// deleteTopic deletes a topic and closes its books.
func (w *world) deleteTopic(name string) {
	w.t.Helper()
	if _, err := w.admin.DeleteTopic(context.Background(), name); err != nil {
		w.t.Fatalf("delete topic %s: %v", name, err)
	}
	w.judge.forget(name)
	w.producer.PurgeTopicsFromClient(name)
}

// close ends what a case has left behind.
func (w *world) close() {
	w.stream.ClearFaults()
	for _, stop := range w.loads {
		stop()
	}
	for _, m := range w.members {
		m.cancel()
		<-m.ended
	}
	w.producer.Close()
}

// either is for what differs between a world of virtual and one of real time.
func either[T any](w *world, virtual, inRealTime T) T {
	if w.cluster != nil {
		return virtual
	}
	return inRealTime
}

// until waits for something that has to come. In a bubble that costs nothing.
func (w *world) until(what string, within time.Duration, done func() bool) {
	w.t.Helper()
	if !came(within, done) {
		w.t.Fatalf("waited %v in vain until %s\n%s", within, what, w.state())
	}
}

// came waits for something and reports whether it came in time.
func came(within time.Duration, done func() bool) bool {
	for end := time.Now().Add(within); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// state tells what a case that waits in vain needs to be understood: what Firehose has, each member's status, and the log's end.
func (w *world) state() string {
	text := fmt.Sprintf("firehose: %+v\n", w.stream.Stats())
	for i, m := range w.members {
		now := m.connector.Status()
		for i := range now.Streams {
			now.Streams[i].History = nil
		}
		snapshot, err := json.Marshal(now)
		text += fmt.Sprintf("member %d: %s %v\n", i, snapshot, err)
	}
	return text + w.log.tail()
}

// untilCommitted waits until the group's offsets add up to sum.
func (w *world) untilCommitted(sum int) {
	w.t.Helper()
	if !came(patience, func() bool { return w.committed() == int64(sum) }) {
		w.t.Fatalf("after %v committed %d, want %d\n%s", patience, w.committed(), sum, w.state())
	}
}

// untilStored waits until at least n of the records 0 to of-1 are with Firehose.
func (w *world) untilStored(n, of int) {
	w.t.Helper()
	lost := of
	if !came(patience, func() bool { lost, _ = w.judge.count(of); return of-lost >= n }) {
		w.t.Fatalf("after %v %d of %d records are stored, want %d\n%s", patience, of-lost, of, n, w.state())
	}
}

// produce writes records whose values are their numbers, round robin over four
// partitions, and waits until Kafka has them.
func (w *world) produce(from, to int) {
	w.t.Helper()
	w.produceWith(from, to, w.numbered)
}

func (w *world) numbered(i int) *kgo.Record {
	return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d", i)}
}

func (w *world) produceWith(from, to int, record func(i int) *kgo.Record) {
	w.t.Helper()
	if err := w.tryProduce(w.producer, from, to, record); err != nil {
		w.t.Fatalf("produce: %v", err)
	}
}

func (w *world) tryProduce(by *kgo.Client, from, to int, record func(i int) *kgo.Record) error {
	var first kgo.FirstErrPromise
	for i := from; i < to; i++ {
		promise := first.Promise()
		by.Produce(context.Background(), record(i), func(r *kgo.Record, err error) {
			if err == nil {
				w.judge.produced(r)
			}
			promise(r, err)
		})
	}
	return errors.Join(by.Flush(context.Background()), first.Err())
}

// load produces n records every so often until stop is called, which returns how
// many there were. They are numbered from first on.
func (w *world) load(first, n int, every time.Duration) (stop func() int) {
	return w.loadWith(first, n, every, w.numbered)
}

func (w *world) loadWith(first, n int, every time.Duration, record func(i int) *kgo.Record) (stop func() int) {
	end, produced := make(chan struct{}), make(chan int)
	go func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for at := first; ; {
			select {
			case <-end:
				produced <- at
				return
			case <-ticks.C:
				if err := w.tryProduce(w.producer, at, at+n, record); err != nil {
					w.t.Errorf("produce: %v", err)
				}
				at += n
			}
		}
	}()
	stop = sync.OnceValue(func() int { close(end); return <-produced })
	w.loads = append(w.loads, stop)
	return stop
}

// config is a connector's configuration in this world.
func (w *world) config() connector.Config {
	cfg := connector.DefaultConfig()
	cfg.Kafka.Brokers = w.addrs
	cfg.Kafka.Topics = []string{w.in}
	cfg.Kafka.GroupID = w.group
	cfg.Firehose.Stream = "s"
	cfg.Firehose.StartupCheck = false
	w.adapt(&cfg)
	return cfg
}

// committed is the sum of the group's offsets, -1 while its coordinator can't say.
func (w *world) committed() (sum int64) {
	w.t.Helper()
	offsets, err := w.admin.FetchOffsets(context.Background(), w.group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0 // nobody has been in it yet
	}
	if kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err) {
		return -1
	}
	if err != nil {
		w.t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
	return sum
}

// wantExactly fails unless records 0 to n-1 were stored once each.
func (w *world) wantExactly(n int) {
	w.t.Helper()
	w.wantAll(n, 0)
}

// wantAll fails unless records 0 to n-1 were stored, with at most so many copies
// too many.
func (w *world) wantAll(n, maxDuplicates int) {
	w.t.Helper()
	lost, copies := w.judge.count(n)
	if lost > 0 || copies > maxDuplicates {
		w.t.Errorf("of %d records %d are lost and %d came twice; want 0 lost and at most %d twice", n, lost, copies, maxDuplicates)
	}
}

type lockedBuffer struct{ logtest.Buffer }

// tail is the end of what was written.
func (l *lockedBuffer) tail() string {
	s := l.String()
	return s[max(len(s)-4000, 0):]
}
