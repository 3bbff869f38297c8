package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/childtest"
	"kafka-firehose/connector/firehose/firehosetest"
)

// scratch is where the binary lies that all tests share: linking it takes longer than
// many of them do.
var scratch string

func TestMain(m *testing.M) {
	collectLess()
	var err error
	if scratch, err = os.MkdirTemp("", "kafka-firehose"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	if err := atOnce(8); err != nil {
		panic(err)
	}
	m.Run()
}

// collectLess trades memory for time, unless GOGC says otherwise: a world lives for a second and leaves much behind, and a fifth of the CPU
// went into the search for it. Near the limit the collector runs as often as it must.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(2 << 30)
	}
}

// atOnce has more parallel tests run at a time than there are cores, unless -parallel
// says how many: those that start the process wait more than they compute.
func atOnce(n int) error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given || runtime.GOMAXPROCS(0) >= n {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(n))
}

// built is the binary. It builds the process when the first test needs it, unless it is
// told of another, such as what runs the one in the image.
var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("KAFKA_FIREHOSE_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(scratch, "kafka-firehose")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../cmd/kafka-firehose").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// binary is the process. -short leaves out what starts it: that is how the race detector
// is run, and the process is built without one.
func (h *host) binary() string {
	h.t.Helper()
	if testing.Short() {
		h.t.Skip("starts the process, which the race detector does not see; the run without it has this")
	}
	path, err := built()
	if err != nil {
		h.t.Fatal(err)
	}
	return path
}

// host is what a real process needs around it: a Kafka and a Firehose on loopback
// ports, and the judge, who listens at the brokers' end of the connections. Time is
// real here.
type host struct {
	t        *testing.T
	cluster  *kfake.Cluster // nil on Apache Kafka
	addrs    []string       // of the brokers, for members
	topic    string         // of four partitions
	group    string
	producer *kgo.Client
	admin    *kadm.Client
	stream   *firehosetest.Service
	server   *httptest.Server // in front of stream
	url      string
	callers  callers // of the embedded Kafka
	judge    *judge
	produced int
}

// newHost has an embedded Kafka of a single broker.
func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, judge: newJudge(), topic: "in", group: group}
	h.cluster = kfake.MustCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0", "group.consumer.session.timeout.ms": "3000", "group.consumer.heartbeat.interval.ms": "500"}),
		kfake.ListenFn(func(network, addr string) (net.Listener, error) {
			l, err := net.Listen(network, addr)
			return overheard{l, h.judge.hear, &h.callers}, err
		}))
	t.Cleanup(h.cluster.Close)
	h.addrs = h.cluster.ListenAddrs()
	h.equip(h.addrs)
	return h
}

// equip adds what is the same for all brokers, which are found at addrs.
func (h *host) equip(addrs []string) {
	t := h.t
	t.Helper()
	var err error
	h.producer, err = kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.producer.Close)
	h.admin = kadm.NewClient(h.producer)
	made, err := h.admin.CreateTopic(t.Context(), 4, -1, nil, h.topic)
	if err != nil {
		t.Fatal(err)
	}
	h.judge.name(made.ID, h.topic)
	h.stream = firehosetest.New(firehosetest.Options{
		Streams:     []firehosetest.Stream{{Name: "s"}},
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Latency:     firehosetest.Fixed(20 * time.Millisecond),
		OnStored:    h.judge.stored,
	})
	h.server = httptest.NewServer(h.stream)
	t.Cleanup(h.server.Close)
	t.Cleanup(h.stream.ClearFaults) // before that: nothing may hang
	h.url = h.server.URL
}

// produce writes the next n numbers and waits until Kafka has them.
func (h *host) produce(n int) {
	h.t.Helper()
	h.produceWith(n, func(i int) []byte { return fmt.Appendf(nil, "%d", i) })
}

func (h *host) produceWith(n int, value func(i int) []byte) {
	h.t.Helper()
	for i := h.produced; i < h.produced+n; i++ {
		h.producer.Produce(context.Background(), &kgo.Record{Topic: h.topic, Partition: int32(i % 4), Value: value(i)}, func(r *kgo.Record, err error) {
			if err != nil {
				h.t.Errorf("produce: %v", err)
				return
			}
			h.judge.produced(r)
		})
	}
	h.produced += n
	if err := h.producer.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

// child is the connector as a process of its own.
type child struct {
	*exec.Cmd
	log lockedBuffer
}

// environ is how a member is configured here, with what a test adds.
func (h *host) environ(env ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"),
		"KAFKA_BROKERS=" + strings.Join(h.addrs, ","), "KAFKA_TOPICS=" + h.topic, "KAFKA_GROUP_ID=" + h.group,
		"KAFKA_SESSION_TIMEOUT=1s", "KAFKA_REBALANCE_TIMEOUT=3s", "KAFKA_REVOKE_DRAIN_TIMEOUT=500ms", "KAFKA_COMMIT_INTERVAL=100ms",
		"FIREHOSE_STREAM=s", "FIREHOSE_STARTUP_CHECK=false", "FIREHOSE_BATCH_LINGER=50ms",
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_FIREHOSE=" + h.url, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
		"HTTP_ADDR=127.0.0.1:0",
	}, env...)
}

// start runs a member with a log that is kept.
func (h *host) start(env ...string) *child {
	h.t.Helper()
	c := &child{Cmd: exec.Command(h.binary())}
	c.Env = h.environ(env...)
	c.Stderr = &c.log
	h.run(c)
	h.until(c, "it runs", func() bool { return strings.Contains(c.log.String(), "serving metrics") })
	return c
}

// run starts a process that does not outlive the test.
func (h *host) run(c *child) {
	h.t.Helper()
	childtest.DieWithParent(c.Cmd)
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
}

// until waits for something that a process does.
func (h *host) until(c *child, what string, done func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain until %s\n%s", what, c.log.tail())
		}
	}
}

// untilSent waits until Firehose has taken more than it had before.
func (h *host) untilSent(c *child, before int) {
	h.t.Helper()
	h.until(c, "something is delivered", func() bool { return h.sent() > before })
}

// sent is how many records Firehose has. Whoever waits for more asks before there is
// anything to send: a process can be done before the producer is.
func (h *host) sent() int { return h.stream.Stats().Streams["s"].Records }

// drain asks for a drain and fails the test unless it was clean.
func (h *host) drain(c *child) {
	h.t.Helper()
	h.drainBy(c, syscall.SIGTERM)
}

func (h *host) drainBy(c *child, s syscall.Signal) {
	h.t.Helper()
	_ = c.Process.Signal(s)
	if err := c.Wait(); err != nil {
		h.t.Errorf("after %v: %v\n%s", s, err, c.log.tail())
	}
	if strings.Contains(c.log.String(), secretKey) {
		h.t.Error("the secret key is in the log")
	}
}

// delivered waits until everything produced is committed. It fails when nothing is committed for
// the given time: a busy machine may be slow, a process that stands still is not waited for.
func (h *host) delivered(patience time.Duration) {
	h.t.Helper()
	h.untilAt("records are committed", int64(h.produced), patience, func() (sum int64) {
		if offsets, err := h.admin.FetchOffsets(context.Background(), h.group); err == nil {
			offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
		}
		return sum
	})
}

// untilAt waits until a count has reached a goal. It fails when the count has not changed for the
// given time.
func (h *host) untilAt(counted string, goal int64, patience time.Duration, count func() int64) {
	h.t.Helper()
	last := int64(-1)
	for changed := time.Now(); ; {
		now := count()
		if now == goal {
			return
		}
		if now != last {
			last, changed = now, time.Now()
		}
		if time.Since(changed) > patience {
			h.t.Fatalf("%d of %d %s, and for %v no more of them", now, goal, counted, patience)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// wantAll fails unless everything produced was stored, with at most so many copies
// too many, and no rule was broken. It returns how many copies there were.
func (h *host) wantAll(most int) (copies int) {
	h.t.Helper()
	lost, copies := h.judge.count(h.produced)
	if lost > 0 || copies > most {
		h.t.Errorf("of %d records %d are lost and %d came twice, want 0 and at most %d", h.produced, lost, copies, most)
	}
	h.judge.verdict(h.t)
	return copies
}
