package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/kafka/auth"
)

// TestAccess: what is refused counts until it is granted, or as long as the client
// asks for it.
func TestAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := newAccess(Config{GroupID: "g", SASL: auth.SASLConfig{Mechanism: "PLAIN", Username: "u"}}, func() {}, slog.New(slog.NewTextHandler(&log, nil)))
		one, two := kgo.BrokerMetadata{Host: "one", Port: 9092}, kgo.BrokerMetadata{Host: "two", Port: 9092}
		counts := func(step string, want ...int) {
			t.Helper()
			got := []int{a.countRefusals("connection"), a.countRefusals("login"), a.countRefusals("group"), a.countRefusals("topic"), a.countRefusals("commit")}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", step, got, want)
			}
			sum := 0
			for _, n := range want {
				sum += n
			}
			if err := a.lastError(); (err != nil) != (sum > 0) || err != nil && strings.Count(err.Error(), "refused at") != sum {
				t.Errorf("%s: %v, want %d refusals", step, err, sum)
			}
		}
		counts("at first", 0, 0, 0, 0, 0)
		a.OnBrokerConnect(one, 0, nil, kerr.SaslAuthenticationFailed)
		a.OnBrokerConnect(two, 0, nil, kerr.SaslAuthenticationFailed)
		a.OnGroupManageError(kerr.GroupAuthorizationFailed)
		a.OnGroupManageError(kerr.SaslAuthenticationFailed) // is the broker's, and told
		a.OnGroupManageError(kerr.UnknownMemberID)          // is none of access
		a.OnBrokerConnect(one, 0, nil, io.ErrUnexpectedEOF)
		a.noteRefused("t", kerr.TopicAuthorizationFailed)
		a.noteCommit(fmt.Errorf("topic t: %w", kerr.TopicAuthorizationFailed))
		counts("all", 0, 2, 1, 1, 1)
		a.OnBrokerE2E(one, int16(kmsg.ApiVersions), kgo.BrokerE2E{})
		counts("a broker says what it speaks", 0, 2, 1, 1, 1)
		a.OnBrokerE2E(one, int16(kmsg.Metadata), kgo.BrokerE2E{})
		counts("a broker answers", 0, 1, 1, 1, 1)
		time.Sleep(refusedFor - time.Second)
		a.noteRefused("t", kerr.TopicAuthorizationFailed)
		time.Sleep(time.Second)
		counts("a broker is not asked any more", 0, 0, 1, 1, 1)
		time.Sleep(refusedFor)
		counts("nor the topic", 0, 0, 1, 0, 1)
		a.noteGranted("group", "group g")
		a.noteCommit(nil)
		counts("at last", 0, 0, 0, 0, 0)
		if got := strings.Count(log.String(), "access to Kafka is there again"); got != 3 {
			t.Errorf("%d lines say that it goes on, want 3:\n%s", got, &log)
		}
		a.OnBrokerE2E(two, int16(kmsg.Fetch), kgo.BrokerE2E{ReadErr: io.EOF})
		counts("a broker that has answered hangs up", 0, 0, 0, 0, 0)
	})
}

// TestDiagnose: every hint names a variable or what an ACL has to name.
func TestDiagnose(t *testing.T) {
	for _, test := range []struct {
		cfg     Config
		err     error
		refused string // empty if it is none of access
		hint    string
	}{
		{Config{}, nil, "", ""},
		{Config{}, io.EOF, "", ""},
		{Config{}, kerr.NotCoordinator, "", ""},
		{Config{}, &net.OpError{Op: "dial", Err: errors.New("connection refused")}, "", ""},
		{Config{}, &net.DNSError{Name: "kafka", IsNotFound: true}, "", ""},
		{Config{SASL: auth.SASLConfig{Mechanism: "PLAIN"}}, &kgo.ErrGroupSession{Err: kerr.SaslAuthenticationFailed}, "login", "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"},
		{Config{SASL: auth.SASLConfig{Username: "u"}}, kerr.TopicAuthorizationFailed, "topic", "principal User:u needs the operations READ and DESCRIBE on the topic"},
		{Config{TLS: auth.TLSConfig{CertFile: "c.pem"}}, kerr.TopicAuthorizationFailed, "topic", "principal of the certificate in KAFKA_TLS_CERT_FILE"},
		{Config{GroupID: "g"}, fmt.Errorf("join: %w", kerr.GroupAuthorizationFailed), "group", "User:ANONYMOUS (there is no login) needs the operations READ and DESCRIBE on group g"},
		{Config{}, kerr.ClusterAuthorizationFailed, "group", "on the cluster"},
		{Config{GroupID: "g"}, kerr.InconsistentGroupProtocol, "group", "this process offers cooperative-sticky alone: stop them first, or choose another KAFKA_GROUP_ID"},
		{Config{GroupID: "g", GroupProtocol: "consumer"}, kerr.InconsistentGroupProtocol, "group", "speak the protocol classic, and KAFKA_GROUP_PROTOCOL is consumer"},
		{Config{GroupID: "g"}, kerr.GroupMaxSizeReached, "group", "raise group.max.size"},
		{Config{GroupID: "g", GroupProtocol: "consumer"}, kerr.GroupMaxSizeReached, "group", "raise group.consumer.max.size"},
		{Config{SessionTimeout: 2 * time.Second}, kerr.InvalidSessionTimeout, "group", "KAFKA_SESSION_TIMEOUT=2s: set it between their group.min.session.timeout.ms and group.max.session.timeout.ms"},
		{Config{GroupID: "g"}, kerr.InvalidGroupID, "group", `a group of the name "g": change KAFKA_GROUP_ID`},
		{Config{GroupProtocol: "consumer"}, kerr.UnsupportedAssignor, "group", "group.consumer.assignors"},
	} {
		d, ok := test.cfg.DiagnoseError(test.err)
		if d.Refused != test.refused || ok != (test.refused != "") || !strings.Contains(d.Hint, test.hint) {
			t.Errorf("%v: %+v, want %s and %q", test.err, d, test.refused, test.hint)
		}
	}
}

// TestDiagnoseSession: an error that ends the session of the group has a reason, unless the protocol means it.
func TestDiagnoseSession(t *testing.T) {
	classic, consumer := Config{GroupID: "g"}, Config{GroupID: "g", GroupProtocol: "consumer"}
	for _, test := range []struct {
		cfg  Config
		err  error
		hint string // empty for none
	}{
		{classic, kerr.CoordinatorNotAvailable, "group g has no coordinator: its partition of __consumer_offsets has no leader"},
		{classic, kerr.NotCoordinator, "group g has no coordinator"},
		{classic, kerr.CoordinatorLoadInProgress, "still reads its partition of __consumer_offsets"},
		{consumer, kerr.GroupIDNotFound, "set KAFKA_GROUP_PROTOCOL=classic"},
		{consumer, kerr.UnsupportedVersion, "the protocol consumer switched off: set KAFKA_GROUP_PROTOCOL=classic"},
		{classic, kerr.UnsupportedVersion, "they are too old"},
		{classic, fmt.Errorf("join: %w", kerr.UnknownServerError), "the group's coordinator answers UNKNOWN_SERVER_ERROR; its log says why"},
		{classic, kerr.GroupAuthorizationFailed, "needs the operations READ and DESCRIBE on group g"},
		{classic, kerr.UnknownMemberID, ""},
		{classic, kerr.RebalanceInProgress, ""},
		{consumer, kerr.FencedMemberEpoch, ""},
		{classic, io.EOF, ""},
		{classic, nil, ""},
	} {
		d, ok := test.cfg.diagnoseSession(test.err)
		if ok != (test.hint != "") || !strings.Contains(d.Hint, test.hint) || ok && d.Refused != "group" {
			t.Errorf("%v: %+v, want %q", test.err, d, test.hint)
		}
	}
}

// TestOriginHint: the hint for an address names the setting that it comes from.
func TestOriginHint(t *testing.T) {
	cfg := Config{Brokers: []string{"seed:9092"}}
	for addr, want := range map[string]string{"seed:9092": "KAFKA_BROKERS", "broker-1:9092": "advertised.listeners that it is to be reached there: correct that, or open the way"} {
		if d := cfg.DiagnoseConnection(addr, errors.New("odd")); d.Refused != "connection" || !strings.Contains(d.Hint, want) {
			t.Errorf("%s: %+v, want %q", addr, d, want)
		}
	}
}

// TestUnreachedBroker: a broker that is restarted refuses nothing; one that stays away does, until it is reached.
func TestUnreachedBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := newAccess(Config{GroupID: "g"}, func() {}, slog.New(slog.NewTextHandler(&log, nil)))
		one := kgo.BrokerMetadata{Host: "one", Port: 9092}
		down := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		want := func(step string, refused int) {
			t.Helper()
			if got := a.countRefusals("connection"); got != refused || (a.lastError() != nil) != (refused > 0) {
				t.Errorf("%s: %d refusals (%v), want %d", step, got, a.lastError(), refused)
			}
		}
		fail := func(d time.Duration) {
			for begin := time.Now(); time.Since(begin) < d; time.Sleep(time.Second) {
				a.OnBrokerConnect(one, 0, nil, down)
			}
		}
		fail(outageAfter)
		want("for a restart", 0)
		if !strings.Contains(log.String(), "nothing listens at this address") {
			t.Errorf("no line says why: %s", &log)
		}
		a.OnBrokerConnect(one, 0, nil, nil)
		fail(outageAfter)
		want("for another restart", 0)
		time.Sleep(refusedFor)
		fail(outageAfter)
		want("for a third one, much later", 0)
		fail(time.Minute)
		want("for a minute", 1)
		a.OnBrokerConnect(one, 0, nil, context.Canceled)
		a.OnBrokerConnect(one, 0, nil, nil)
		a.OnBrokerE2E(one, int16(kmsg.Metadata), kgo.BrokerE2E{})
		want("when it is back", 0)
	})
}
