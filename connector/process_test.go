package connector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/firehose/firehosetest"
)

// host is what a real process needs around it: a Kafka and a Firehose on loopback
// ports, and the judge. Time is real here.
type host struct {
	t        *testing.T
	binary   string
	cluster  *kfake.Cluster
	producer *kgo.Client
	stream   *firehosetest.Service
	url      string
	judge    *judge
	produced int
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, judge: newJudge(), binary: filepath.Join(t.TempDir(), "kafka-firehose")}
	if out, err := exec.Command("go", "build", "-o", h.binary, "../cmd/kafka-firehose").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	h.cluster = kfake.MustCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "in"), kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	t.Cleanup(h.cluster.Close)
	h.judge.name(h.cluster.TopicInfo("in").TopicID, "in")
	h.listen()
	var err error
	h.producer, err = kgo.NewClient(kgo.SeedBrokers(h.cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.producer.Close)
	h.stream = firehosetest.New(firehosetest.Options{
		Streams:     []firehosetest.Stream{{Name: "s"}},
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Latency:     firehosetest.Fixed(20 * time.Millisecond),
		OnStored:    h.judge.stored,
	})
	server := httptest.NewServer(h.stream)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// listen has the judge listen in the broker. A commit of a static member that was killed
// may still be on its way when the next process has taken its place: that is refused, and
// not looked at.
func (h *host) listen() {
	member, replaced := "", map[string]bool{}
	control := func(key kmsg.Key, hear func(kmsg.Request)) {
		h.cluster.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			h.cluster.KeepControl()
			hear(r)
			return nil, nil, false
		})
	}
	control(kmsg.JoinGroup, func(r kmsg.Request) {
		if join := r.(*kmsg.JoinGroupRequest); join.InstanceID != nil && join.MemberID == "" {
			replaced[member] = true
		}
	})
	control(kmsg.SyncGroup, func(r kmsg.Request) { member = r.(*kmsg.SyncGroupRequest).MemberID })
	control(kmsg.OffsetCommit, func(r kmsg.Request) {
		if commit := r.(*kmsg.OffsetCommitRequest); !replaced[commit.MemberID] {
			h.judge.commit(commit)(nil)
		}
	})
}

// produce writes the next n numbers and waits until Kafka has them.
func (h *host) produce(n int) {
	h.t.Helper()
	for i := h.produced; i < h.produced+n; i++ {
		h.producer.Produce(context.Background(), &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d", i)}, func(r *kgo.Record, err error) {
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

func (h *host) start(env ...string) *child {
	h.t.Helper()
	c := &child{Cmd: exec.Command(h.binary)}
	c.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"KAFKA_BROKERS=" + strings.Join(h.cluster.ListenAddrs(), ","), "KAFKA_TOPICS=in", "KAFKA_GROUP_ID=" + group,
		"KAFKA_SESSION_TIMEOUT=1s", "KAFKA_REBALANCE_TIMEOUT=3s", "KAFKA_REVOKE_DRAIN_TIMEOUT=500ms", "KAFKA_COMMIT_INTERVAL=100ms",
		"FIREHOSE_STREAM=s", "FIREHOSE_STARTUP_CHECK=false", "FIREHOSE_BATCH_LINGER=50ms",
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_FIREHOSE=" + h.url, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
		"HTTP_ADDR=127.0.0.1:0",
	}, env...)
	c.Stderr = &c.log
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.until(c, "it runs", func() bool { return strings.Contains(c.log.String(), "serving metrics") })
	return c
}

// until waits for something that a process does.
func (h *host) until(c *child, what string, done func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain until %s\n%s", what, c.log.String())
		}
	}
}

// drain asks for a drain and fails the test unless it was clean.
func (h *host) drain(c *child) {
	h.t.Helper()
	_ = c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		h.t.Errorf("after SIGTERM: %v\n%s", err, c.log.String())
	}
	if strings.Contains(c.log.String(), secretKey) {
		h.t.Error("the secret key is in the log")
	}
}

// delivered waits until everything produced is committed.
func (h *host) delivered(within time.Duration) {
	h.t.Helper()
	admin := kadm.NewClient(h.producer)
	for deadline := time.Now().Add(within); ; {
		var sum int64
		if offsets, err := admin.FetchOffsets(context.Background(), group); err == nil {
			offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
		}
		if sum == int64(h.produced) {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d of %d records are committed", sum, h.produced)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// TestSIGKILL kills the process twenty times under load, at any instant, half of
// the time as a static member, which comes back at once. Nothing is lost, and no
// commit is ever ahead of what Firehose has.
func TestSIGKILL(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.1})
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 20 {
		var env []string
		if i >= 5 {
			env = append(env, "KAFKA_GROUP_INSTANCE_ID=one")
		}
		before := h.stream.Stats().Streams["s"].Records
		c := h.start(env...)
		h.produce(4000)
		h.until(c, "something is delivered", func() bool { return h.stream.Stats().Streams["s"].Records > before })
		<-time.After(time.Duration(rng.IntN(250)) * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	c := h.start("KAFKA_GROUP_INSTANCE_ID=one")
	h.delivered(time.Minute)
	h.drain(c)
	lost, copies := h.judge.count(h.produced)
	if lost > 0 {
		t.Errorf("%d of %d records are lost", lost, h.produced)
	}
	t.Logf("%d records, %d lost, %d delivered again after 20 kills", h.produced, lost, copies)
	h.judge.verdict(t)
}

// TestSIGTERM under load, and a restart: nothing is lost and nothing comes twice.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for range 5 {
		c := h.start()
		h.produce(10000)
		<-time.After(300 * time.Millisecond)
		h.drain(c)
	}
	c := h.start()
	h.delivered(time.Minute)
	h.drain(c)
	if lost, copies := h.judge.count(h.produced); lost > 0 || copies > 0 {
		t.Errorf("of %d records %d are lost and %d came twice", h.produced, lost, copies)
	}
	h.judge.verdict(t)
}

// TestSecondSignal ends a drain that would wait for a stream that hangs.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Hang})
	h.produce(100)
	c := h.start()
	h.until(c, "something is sent", func() bool { return h.stream.Stats().InFlight > 0 })
	_ = c.Process.Signal(syscall.SIGTERM)
	<-time.After(200 * time.Millisecond)
	begin := time.Now()
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code <= 0 || time.Since(begin) > 2*time.Second {
		t.Errorf("exit code %d after %v, want one above 0 at once\n%s", code, time.Since(begin), c.log.String())
	}
	h.stream.ClearFaults()
}

// TestDrainTooLate: the stream hangs until the time for a drain is over; the line
// that says so holds the number of records.
func TestDrainTooLate(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Hang})
	h.produce(100)
	c := h.start("SHUTDOWN_TIMEOUT=4s")
	h.until(c, "something is sent", func() bool { return h.stream.Stats().InFlight > 0 })
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(c.log.String(), "100 records will be delivered again") {
		t.Errorf("exit code %d, want 1 and the number of records\n%s", code, c.log.String())
	}
	h.stream.ClearFaults()
}

// TestMissingStream: the check at the start ends the process and names the
// stream, before anything is read.
func TestMissingStream(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.produce(10)
	c := h.start("FIREHOSE_STREAM=absent", "FIREHOSE_STARTUP_CHECK=true")
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(c.log.String(), "absent") {
		t.Errorf("exit code %d, want 1 and the name of the stream\n%s", code, c.log.String())
	}
	if g := h.cluster.GroupInfo(group); g != nil && len(g.Members) > 0 {
		t.Error("it joined the group although its stream does not exist")
	}
}
