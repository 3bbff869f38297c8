package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/metrics"
)

// open makes a connector that need not come into being.
func (w *world) open(change ...func(*connector.Config)) error {
	w.t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	wire, way := &wire{w: w, dials: w.dial}, &httpWire{w: w}
	_, err := connector.New(context.Background(), cfg, connector.Options{
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()),
		KafkaDial: wire.dial,
		Firehose:  []func(*awsfirehose.Options){way.client},
	})
	return err
}

// TestDeadLetterTopicAtTheStart: what somebody has to repair ends the process before
// it is in the group, with what to do. The topic is not created by asking for it.
func TestDeadLetterTopicAtTheStart(t *testing.T) {
	letters := func(c *connector.Config) { c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "dead" }
	bubble(t, func(w *world) {
		err := w.open(letters)
		if want := `DEAD_LETTER_TOPIC holds "dead": the topic does not exist, and it is not created by itself: create it`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without the topic: %v, want %q", err, want)
		}
		if w.cluster.TopicInfo("dead") != nil {
			t.Error("the topic was created")
		}
		w.topic("dead", 1)
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "dead", Err: kerr.TopicAuthorizationFailed})
		err = w.open(letters)
		if want := `DEAD_LETTER_TOPIC holds "dead": Kafka refuses access: grant Describe and Write on the topic`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with a topic that may not be described: %v, want %q", err, want)
		}
		w.cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			req := r.(*kmsg.MetadataRequest)
			if len(req.Topics) != 1 || !req.IncludeTopicAuthorizedOperations {
				return nil, nil, false
			}
			w.cluster.DropControl()
			resp := req.ResponseKind().(*kmsg.MetadataResponse)
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.AuthorizedOperations = req.Topics[0].Topic, 1<<kmsg.ACLOperationDescribe|1<<kmsg.ACLOperationRead
			resp.Topics = append(resp.Topics, topic)
			return resp, nil, true
		})
		if err = w.open(letters); err == nil || !strings.Contains(err.Error(), "no permission to write") {
			t.Errorf("with a topic that may not be written to: %v", err)
		}
		if g := w.cluster.GroupInfo(w.group); g != nil && len(g.Members) > 0 {
			t.Error("it joined the group although its dead letters have nowhere to go")
		}
		w.judge.commits++ // there is none
	})
}

// TestStartWithoutKafka: an outage at the start is an outage like any other. The
// topic is looked at when there is a letter for it.
func TestStartWithoutKafka(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(1_048_588)
		p.mixed(40)
		var down atomic.Bool
		down.Store(true)
		w.cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			return nil, net.ErrClosed, down.Load()
		})
		m := w.start(policy)
		time.Sleep(time.Minute)
		if !strings.Contains(w.log.String(), "could not check the dead-letter topic") {
			t.Error("nobody was told")
		}
		down.Store(false)
		time.Sleep(time.Minute)
		p.want(0)
		w.wantExactly(720)
		m.mustStop()
	})
}

// TestPatternLeavesDeadLettersAlone: a pattern that matches the dead-letter topic, too,
// would send every letter round for ever.
func TestPatternLeavesDeadLettersAlone(t *testing.T) { bubble(t, patternLeavesDeadLettersAlone) }

func patternLeavesDeadLettersAlone(w *world) {
	p, policy := w.post(1_048_588)
	similar := w.name("deadly")
	w.topic(similar, 1)
	p.mixed(10)
	m := w.start(policy, func(c *connector.Config) { c.Kafka.Topics, c.Kafka.TopicPattern = nil, w.name("")+".*" })
	w.produceWith(180, 190, func(i int) *kgo.Record { return &kgo.Record{Topic: similar, Value: []byte(strconv.Itoa(i))} })
	w.untilCommitted(200)
	time.Sleep(either(w, 2*time.Minute, 20*time.Second)) // longer than a topic waits to be found
	if got := m.metric("kafka_records_consumed_total", fmt.Sprintf("value:%q", similar)); got != 10 {
		w.t.Errorf("%v records of a topic with a similar name were read, want 10", got)
	}
	if got := m.metric("kafka_records_consumed_total", fmt.Sprintf("value:%q", p.topic)); got != 0 {
		w.t.Errorf("%v dead letters were read again", got)
	}
	// A topic that only the pattern names counts from its assignment on, before its first letter.
	if sum, n := m.series("dead_letters_total", fmt.Sprintf("value:%q", similar)); sum != 0 || n != len(metrics.DeadLetterReasons) {
		w.t.Errorf("%d series of letters of a topic that had none, with %v in them; want %d at 0", n, sum, len(metrics.DeadLetterReasons))
	}
	m.mustStop()
	p.want(0)
	w.wantExactly(190)
}

// TestDeadLettersLogIn: their client gets into the cluster as the other one does.
func TestDeadLettersLogIn(t *testing.T) {
	guarded(t, func() door { return locked(kfake.Superuser("SCRAM-SHA-512", "bridge", password)) }, func(w *world) {
		p, policy := w.post(1_048_588)
		p.mixed(10)
		m := w.start(policy, loginAs("SCRAM-SHA-512", "bridge", env.NewSecret(password)))
		w.untilCommitted(190)
		m.mustStop()
		p.want(0)
		w.wantNoSecret(m)
	})
}
