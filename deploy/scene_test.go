package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/firehose/firehosetest"
)

// scene is what is watched: connectors as processes, between an embedded Kafka and an
// emulated Firehose.
type scene struct {
	t        *testing.T
	binary   string
	brokers  string
	producer *kgo.Client
	admin    *kadm.Client
	firehose *firehosetest.Service
	endpoint string
	registry string // URL of a Schema Registry that is down
	metrics  *firehosetest.CloudWatch
	watched  string // its URL
}

const (
	accessKey, secretKey = "AKIDEXAMPLE", "wJalrXUtnFEMI"
	deadLetters          = "dead-letters"
)

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, binary: filepath.Join(t.TempDir(), "kafka-firehose")}
	if out, err := exec.Command("go", "build", "-o", s.binary, "../cmd/kafka-firehose").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cluster := kfake.MustCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{
		"group.initial.rebalance.delay.ms": "0", "message.max.bytes": "8000000",
	}))
	t.Cleanup(cluster.Close)
	s.brokers = strings.Join(cluster.ListenAddrs(), ",")
	var err error
	if s.producer, err = kgo.NewClient(kgo.SeedBrokers(s.brokers), kgo.ProducerBatchMaxBytes(4<<20)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.producer.Close)
	s.admin = kadm.NewClient(s.producer)
	for _, topic := range []string{"orders", "clicks", "events"} {
		if _, err := s.admin.CreateTopic(t.Context(), 2, -1, nil, topic); err != nil {
			t.Fatal(err)
		}
	}
	s.createDeadLetters()
	s.firehose = firehosetest.New(firehosetest.Options{
		Streams:     []firehosetest.Stream{{Name: "orders"}, {Name: "clicks"}, {Name: "events"}},
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Latency:     firehosetest.Fixed(20 * time.Millisecond),
		Keep:        firehosetest.KeepCounts, KeepRequests: 1000,
	})
	front := httptest.NewServer(s.firehose)
	t.Cleanup(front.Close)
	t.Cleanup(s.firehose.ClearFaults)
	s.endpoint = front.URL
	s.metrics = firehosetest.NewCloudWatch(firehosetest.CloudWatchOptions{Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}}})
	s.destinationsAre(30)
	watched := httptest.NewServer(s.metrics)
	t.Cleanup(watched.Close)
	s.watched = watched.URL
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(down.Close)
	s.registry = down.URL
	return s
}

// destinationsAre publishes how late the destinations are, in seconds.
func (s *scene) destinationsAre(late float64) {
	for _, stream := range []string{"orders", "clicks"} {
		s.metrics.Publish(stream, "DeliveryToS3.DataFreshness", time.Now(), late)
		s.metrics.Publish(stream, "DeliveryToS3.Success", time.Now(), 1)
	}
}

// destinationsCatchUp publishes that they are not late, and waits until a connector has asked for it.
func (s *scene) destinationsCatchUp() {
	s.t.Helper()
	<-time.After(time.Minute) // the values are those of a minute, and the newest comes first
	s.destinationsAre(30)
	asked := len(s.metrics.Calls())
	waitFor(s.t, 2*time.Minute, "the connector has asked CloudWatch", func() bool { return len(s.metrics.Calls()) > asked })
}

// createDeadLetters makes their topic, whose letters may be a little larger than what
// Firehose takes.
func (s *scene) createDeadLetters() {
	s.t.Helper()
	most := "1100000"
	if _, err := s.admin.CreateTopic(s.t.Context(), 1, -1, map[string]*string{"max.message.bytes": &most}, deadLetters); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) deleteDeadLetters() {
	s.t.Helper()
	if _, err := s.admin.DeleteTopic(s.t.Context(), deadLetters); err != nil {
		s.t.Fatal(err)
	}
}

var servesAt = regexp.MustCompile(`"serving metrics and probes".*"addr":"([^"]+)"`)

// start runs a connector, and returns where its metrics are.
func (s *scene) start(group string, env ...string) (p *process, addr string) {
	s.t.Helper()
	cmd := exec.Command(s.binary)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HTTP_ADDR=127.0.0.1:0",
		"KAFKA_BROKERS=" + s.brokers, "KAFKA_GROUP_ID=" + group,
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_FIREHOSE=" + s.endpoint, "AWS_ENDPOINT_URL_CLOUDWATCH=" + s.watched, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
	}, env...)
	p = run(s.t, cmd)
	return p, p.says(s.t, servesAt)
}

// load writes 300 orders and 100 clicks of 2 KiB, times a factor, in each second until the test ends.
func (s *scene) load(factor int) {
	value := bytes.Repeat([]byte("0123456789abcdef"), 128)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; s.t.Context().Err() == nil; <-tick.C {
		for n := range 20 * factor {
			topic := "orders"
			if n%4 == 0 {
				topic = "clicks"
			}
			s.produce(topic, fmt.Appendf(nil, "%d", n), value)
		}
	}
}

func (s *scene) produce(topic string, key, value []byte) {
	s.producer.Produce(context.Background(), &kgo.Record{Topic: topic, Key: key, Value: value}, nil)
}

// lockedBrokers are those of another cluster, which lets nobody in. They say so as Kafka's do;
// the embedded ones would only hang up.
func (s *scene) lockedBrokers() string {
	cluster := kfake.MustCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", "right"))
	s.t.Cleanup(cluster.Close)
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer, ok := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		if ok {
			answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
		}
		return answer, nil, ok
	})
	return strings.Join(cluster.ListenAddrs(), ",")
}

// expire has Kafka remove all that is in a topic, as retention would.
func (s *scene) expire(topic string) {
	s.t.Helper()
	ends, err := s.admin.ListEndOffsets(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	gone, err := s.admin.DeleteRecords(s.t.Context(), ends.Offsets())
	if err == nil {
		err = gone.Error()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
