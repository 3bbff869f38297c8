package connector_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/metrics"
)

const (
	group     = "g"
	accessKey = "AKIDEXAMPLE"
	secretKey = "planted-secret-0123456789"
)

// world is a Kafka cluster, a Firehose, what was produced and a judge that looks
// at every record stored and every offset committed. It lives in one synctest
// bubble: no socket, virtual time.
type world struct {
	t        *testing.T
	door     door
	net      kfake.VirtualNetwork
	cluster  *kfake.Cluster
	producer *kgo.Client
	admin    *kadm.Client
	stream   *firehosetest.Service
	judge    *judge
	log      *lockedBuffer
}

// bubble runs f in a world with a topic "in" of four partitions and a stream "s".
func bubble(t *testing.T, f func(w *world)) {
	t.Helper()
	guarded(t, func() door { return door{} }, f)
}

// door is how one gets into the cluster: what the brokers demand, and how the
// producer and the admin of the test meet that.
type door struct {
	cluster []kfake.Opt
	client  []kgo.Opt
	tls     *tls.Config // the client's
}

// guarded is bubble with a door, which is made inside.
func guarded(t *testing.T, make func() door, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, make())
		defer w.close()
		f(w)
		w.judge.verdict(t)
	})
}

func newWorld(t *testing.T, door door) *world {
	t.Helper()
	w := &world{t: t, door: door, log: &lockedBuffer{}}
	w.judge = newJudge()
	w.cluster = kfake.MustCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(9092), kfake.SeedTopics(4, "in"), kfake.ListenFn(w.net.Listen),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "11000000"}),
	}, door.cluster...)...)
	if door.tls != nil {
		w.listenInside()
	}
	var err error
	w.producer, err = kgo.NewClient(append(w.dial(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1_100_000), kgo.MetadataMinAge(10*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	w.admin = kadm.NewClient(w.producer)
	w.stream = firehosetest.New(firehosetest.Options{
		Streams:     []firehosetest.Stream{{Name: "s"}},
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Latency:     firehosetest.Fixed(5 * time.Millisecond),
		OnStored:    w.judge.stored,
	})
	w.topic("in", 4)
	return w
}

// listenInside has the judge listen in the broker, where the wire tells nothing.
func (w *world) listenInside() {
	w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		w.judge.commit(r.(*kmsg.OffsetCommitRequest))(nil)
		return nil, nil, false
	})
	w.cluster.ControlKey(kmsg.SyncGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		w.judge.assign(r.(*kmsg.SyncGroupRequest))
		return nil, nil, false
	})
}

// topic makes a topic, unless it is there, and lets the judge know its id: new
// versions of a commit name topics by that alone.
func (w *world) topic(name string, partitions int32) {
	w.t.Helper()
	if w.cluster.TopicInfo(name) == nil {
		if err := w.cluster.CreateTopic(name, partitions, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	w.judge.name(w.cluster.TopicInfo(name).TopicID, name)
}

func (w *world) close() {
	w.producer.Close()
	w.cluster.Close()
}

func (w *world) dial() []kgo.Opt {
	dial := w.net.DialContext
	if w.door.tls != nil {
		dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := w.net.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, w.door.tls), nil
		}
	}
	return append([]kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.Dialer(dial)}, w.door.client...)
}

// produce writes records whose values are their numbers, round robin over four
// partitions, and waits until Kafka has them.
func (w *world) produce(from, to int) {
	w.t.Helper()
	w.produceWith(from, to, func(i int) *kgo.Record {
		return &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d", i)}
	})
}

func (w *world) produceWith(from, to int, record func(i int) *kgo.Record) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.producer.Produce(context.Background(), record(i), func(r *kgo.Record, err error) {
			if err != nil {
				w.t.Errorf("produce: %v", err)
				return
			}
			w.judge.produced(r)
		})
	}
	if err := w.producer.Flush(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// config is a connector's configuration in this world.
func (w *world) config() connector.Config {
	cfg := connector.DefaultConfig()
	cfg.Kafka.Brokers = w.cluster.ListenAddrs()
	cfg.Kafka.Topics = []string{"in"}
	cfg.Kafka.GroupID = group
	cfg.Firehose.Stream = "s"
	cfg.Firehose.StartupCheck = false
	return cfg
}

// member is one running connector.
type member struct {
	w         *world
	connector *connector.Connector
	registry  *prometheus.Registry
	kafka     *wire
	firehose  *httpWire
	cancel    context.CancelFunc
	done      chan error
}

// start runs a connector whose configuration change has adapted.
func (w *world) start(change ...func(*connector.Config)) *member {
	w.t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	m := &member{w: w, registry: prometheus.NewRegistry(), kafka: &wire{w: w}, firehose: &httpWire{w: w}, done: make(chan error, 1)}
	var err error
	m.connector, err = connector.New(context.Background(), cfg, connector.Options{
		Log:       slog.New(slog.NewTextHandler(w.log, nil)),
		Metrics:   metrics.New(m.registry),
		KafkaDial: m.kafka.dial,
		Kafka:     []kgo.Opt{kgo.MetadataMinAge(10 * time.Millisecond)},
		Firehose:  []func(*awsfirehose.Options){m.firehose.client},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() { m.done <- m.connector.Run(ctx) }()
	return m
}

// httpWire is a member's way to Firehose.
type httpWire struct {
	w    *world
	down atomic.Bool

	mu     sync.Mutex
	noting bool
	values []int // that passed since sent was first called, as numbers
}

// Do implements aws.HTTPClient.
func (h *httpWire) Do(r *http.Request) (*http.Response, error) {
	if h.down.Load() {
		return nil, net.ErrClosed
	}
	h.mu.Lock()
	noting := h.noting
	h.mu.Unlock()
	if noting {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.note(body)
	}
	return h.w.stream.Do(r)
}

func (h *httpWire) note(body []byte) {
	var put struct{ Records []struct{ Data []byte } }
	if json.Unmarshal(body, &put) != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range put.Records {
		if v, err := strconv.Atoi(strings.TrimSpace(string(r.Data))); err == nil {
			h.values = append(h.values, v)
		}
	}
}

// sent returns the values that were sent since it was last called, accepted or
// not. The first call begins to take notes.
func (h *httpWire) sent() (values []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	values, h.values, h.noting = h.values, nil, true
	return values
}

// client points the SDK at the emulated Firehose, without a socket.
func (h *httpWire) client(o *awsfirehose.Options) {
	o.Region = "us-east-1"
	o.HTTPClient = h
	o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
	})
}

// stop asks for a drain and waits for its end.
func (m *member) stop() error {
	m.cancel()
	return <-m.done
}

// kill is kill -9, as seen from outside: from one moment to the next the process
// sends nothing any more, neither to Kafka nor to Firehose.
func (m *member) kill() {
	m.kafka.cut()
	m.firehose.down.Store(true)
	_ = m.stop()
}

// mustStop fails the test unless the drain was clean.
func (m *member) mustStop() {
	m.w.t.Helper()
	if err := m.stop(); err != nil {
		m.w.t.Fatalf("the drain was not clean: %v\n%s", err, m.w.log)
	}
}

// metric is the sum of a metric over its labels.
func (m *member) metric(name string, labels ...string) (sum float64) {
	m.w.t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		m.w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "kafka_firehose_"+name {
			continue
		}
	series:
		for _, s := range f.GetMetric() {
			text := s.String()
			for _, l := range labels {
				if !strings.Contains(text, l) {
					continue series
				}
			}
			sum += s.GetCounter().GetValue() + s.GetGauge().GetValue()
		}
	}
	return sum
}

// committed is the sum of the group's offsets.
func (w *world) committed() (sum int64) {
	w.t.Helper()
	offsets, err := w.admin.FetchOffsets(context.Background(), group)
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

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
