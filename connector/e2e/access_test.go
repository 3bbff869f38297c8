package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
)

// refusals counts the lines that say that something is refused.
func (w *world) refusals(what string) int {
	n := 0
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "no access to Kafka") && strings.Contains(line, "refused="+what) {
			n++
		}
	}
	return n
}

// count counts the requests of a kind from now on.
func (w *world) count(key kmsg.Key) *atomic.Int64 {
	n := new(atomic.Int64)
	w.cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		n.Add(1)
		return nil, nil, false
	})
	return n
}

// notReady fails unless readiness says all of the words and the metric counts it.
func (m *member) notReady(what string, words ...string) {
	m.w.t.Helper()
	err := m.connector.Ready()
	if err == nil {
		m.w.t.Errorf("ready although refused: %s\n%s", what, m.w.log)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			m.w.t.Errorf("readiness does not say %q: %v", word, err)
		}
	}
	if got := m.metric("kafka_refused", `value:"`+what+`"`); got == 0 {
		m.w.t.Errorf("the metric says that %s is not refused", what)
	}
}

// ready fails unless everything is granted.
func (m *member) ready() {
	m.w.t.Helper()
	if err := m.connector.Ready(); err != nil {
		m.w.t.Errorf("not ready: %v\n%s", err, m.w.log)
	}
	if got := m.metric("kafka_refused"); got != 0 {
		m.w.t.Errorf("the metric counts %v refusals", got)
	}
}

// refuseLogins has the brokers refuse the bridge's, and count them, while wrong is true.
func (w *world) refuseLogins(wrong *atomic.Bool) (refused *atomic.Int64) {
	refused = new(atomic.Int64)
	w.cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		req := r.(*kmsg.SASLAuthenticateRequest)
		if !strings.Contains(string(req.SASLAuthBytes), "\x00bridge\x00") || !wrong.Load() {
			return nil, nil, false
		}
		refused.Add(1)
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, new("Authentication failed: Invalid username or password")
		return resp, nil, true
	})
	return refused
}

// goesOn checks that a member whose login is accepted again delivers n records in all, each
// once, and that nobody but the bridge has said what was wrong.
func (w *world) goesOn(m *member, n int) {
	w.t.Helper()
	if strings.Contains(w.log.String(), "kafka client:") {
		w.t.Errorf("the client says it too:\n%s", w.log)
	}
	time.Sleep(time.Minute)
	m.ready()
	m.mustStop()
	w.wantExactly(n)
	w.wantNoSecret(m)
}

// TestLoginRefusedLater: the password of a member that runs is changed at the brokers,
// and its connections end. It asks in a while, and not in a loop, says why, and goes on
// when the password is known again; what was delivered was committed, so nothing comes
// twice.
func TestLoginRefusedLater(t *testing.T) {
	guarded(t, func() door { return locked(kfake.Superuser("PLAIN", "bridge", password)) }, func(w *world) {
		var wrong atomic.Bool
		refused := w.refuseLogins(&wrong)
		m := w.start(loginAs("PLAIN", "bridge", env.NewSecret(password)))
		w.produce(0, 100)
		time.Sleep(10 * time.Second)
		wrong.Store(true)
		m.kafka.cut()
		m.kafka.mend()
		w.produce(100, 200)
		time.Sleep(time.Minute)
		if got := refused.Load(); got < 5 || got > 100 {
			t.Errorf("%d logins in the first minute", got)
		}
		time.Sleep(time.Hour)
		m.notReady("login", "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD", "Invalid username or password")
		if got := refused.Load(); got < 100 || got > 3000 {
			t.Errorf("%d logins in an hour", got)
		}
		wrong.Store(false)
		w.goesOn(m, 200)
	})
}

// TestLoginRefusedForAnHour: the process stays, asks seldom, says why, and goes on
// when the password is known again.
func TestLoginRefusedForAnHour(t *testing.T) {
	guarded(t, func() door { return locked(kfake.Superuser("PLAIN", "bridge", password)) }, func(w *world) {
		var wrong atomic.Bool
		wrong.Store(true)
		logins := w.refuseLogins(&wrong)
		m := w.start(loginAs("PLAIN", "bridge", env.NewSecret(password)))
		w.produce(0, 100)
		time.Sleep(time.Hour)
		m.notReady("login", "not in the consumer group g", "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD", "Invalid username or password")
		if err := m.connector.Live(); err != nil {
			t.Errorf("a restart would not cure it, yet: %v", err)
		}
		if got := logins.Load(); got < 100 || got > 1000 {
			t.Errorf("%d logins in an hour", got)
		}
		wrong.Store(false)
		w.goesOn(m, 100)
	})
}

// TestTopicDeniedForAnHour: one topic must not be read any more. The other goes on,
// the brokers are not flooded, and nothing is missing when it may be read again.
func TestTopicDeniedForAnHour(t *testing.T) {
	allow := func(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
	}
	guarded(t, func() door {
		return locked(kfake.EnableACLs(), kfake.User("PLAIN", "bridge", password,
			allow(kmsg.ACLResourceTypeGroup, group, kmsg.ACLOperationRead),
			allow(kmsg.ACLResourceTypeTopic, "in", kmsg.ACLOperationRead),
			allow(kmsg.ACLResourceTypeTopic, "secret", kmsg.ACLOperationDescribe)))
	}, func(w *world) {
		w.topic("secret", 2)
		fetches, metadata := w.count(kmsg.Fetch), w.count(kmsg.Metadata)
		m := w.start(loginAs("PLAIN", "bridge", env.NewSecret(password)), func(c *connector.Config) { c.Kafka.Topics = []string{"in", "secret"} })
		w.produce(0, 100)
		w.produceWith(100, 200, func(i int) *kgo.Record {
			return &kgo.Record{Topic: "secret", Partition: int32(i % 2), Value: fmt.Appendf(nil, "%d", i)}
		})
		time.Sleep(time.Hour)
		if missing, _ := w.judge.count(200); missing != 100 {
			t.Errorf("%d of the 200 records are missing, want the 100 of the topic that must not be read", missing)
		}
		m.notReady("topic", "principal User:bridge needs the operations READ and DESCRIBE", "topic refused at secret")
		if got := w.refusals("topic"); got < 100 || got > 4000 {
			t.Errorf("%d refusals in an hour", got)
		}
		// A fetch waits five seconds for records; metadata is asked for every fifteen.
		if f, md := fetches.Load(), metadata.Load(); f > 4*720 || md > 4*720 {
			t.Errorf("%d fetches and %d metadata requests in an hour", f, md)
		}
		acl := kadm.NewACLs().Topics("secret").Operations(kadm.OpRead).ResourcePatternType(kmsg.ACLResourcePatternTypeLiteral).Allow("User:bridge").AllowHosts("*")
		if _, err := w.admin.CreateACLs(context.Background(), acl); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		m.ready()
		m.mustStop()
		w.wantExactly(200)
	})
}

// TestCommitDenied: records are delivered and their commits refused. What a crash
// would repeat stays bounded, and it is told.
func TestCommitDenied(t *testing.T) {
	bubble(t, func(w *world) {
		denied := w.refuseCommits(kerr.GroupAuthorizationFailed)
		const limit, n = 1000, 20000
		m := w.start(func(c *connector.Config) { c.Kafka.MaxUncommittedRecords = limit })
		for i := range n / 400 {
			w.produce(i*400, i*400+400)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		m.notReady("commit", "principal User:ANONYMOUS (there is no login) needs", "group g (KAFKA_GROUP_ID)")
		if got := m.metric("kafka_uncommitted_records"); got < 4*limit || got > 4*(limit+400) {
			t.Errorf("%v records are not committed, want %d and a poll for each of 4 partitions", got, limit)
		}
		if got := m.metric("kafka_paused_partitions"); got != 4 {
			t.Errorf("%v partitions paused, want 4", got)
		}
		denied.Store(false)
		time.Sleep(time.Minute)
		m.ready()
		m.mustStop()
		w.wantExactly(n)
		if got := w.committed(); got != n {
			t.Errorf("committed %d, want %d", got, n)
		}
	})
}
