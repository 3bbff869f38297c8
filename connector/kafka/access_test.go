package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
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

	"kafka-firehose/connector/env"
)

// TestAccess: what is refused counts until it is granted, or as long as the client
// asks for it.
func TestAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := newAccess(Config{GroupID: "g", SASL: SASLConfig{Mechanism: "PLAIN", Username: "u"}}, func() {}, slog.New(slog.NewTextHandler(&log, nil)))
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

// TestDiagnose: every hint names a variable or what an ACL has to name. Certificates
// and the errors of a real broker are in the tests of Apache Kafka.
func TestDiagnose(t *testing.T) {
	ended := &x509.Certificate{NotBefore: time.Unix(0, 0), NotAfter: time.Unix(86400, 0)}
	remote := &net.OpError{Op: "remote error", Err: errors.New("tls: expired certificate")}
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
		{Config{SASL: SASLConfig{Mechanism: "PLAIN"}}, &kgo.ErrGroupSession{Err: kerr.SaslAuthenticationFailed}, "login", "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"},
		{Config{SASL: SASLConfig{Mechanism: "PLAIN"}}, &credentialsError{"no such file"}, "login", "no valid credentials"},
		{Config{SASL: SASLConfig{Mechanism: "PLAIN"}}, kerr.UnsupportedSaslMechanism, "login", "does not offer PLAIN"},
		{Config{}, &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: ended, Reason: x509.Expired}}, "connection", "valid from 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z: renew it, or look at this machine's clock"},
		{Config{TLS: TLSConfig{CAFile: "ca.pem"}}, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "connection", "not signed by an authority in KAFKA_TLS_CA_FILE (ca.pem)"},
		{Config{SASL: SASLConfig{Mechanism: "OAUTHBEARER", OAuth: OAuthConfig{Token: env.NewSecretFile("T", "/t")}}}, &tokenRefused{"invalid"}, "login", "look at KAFKA_SASL_OAUTH_TOKEN_FILE"},
		{Config{SASL: SASLConfig{Mechanism: "OAUTHBEARER"}}, &credentialsError{"down"}, "login", "KAFKA_SASL_OAUTH_ENDPOINT, KAFKA_SASL_OAUTH_CLIENT_ID, KAFKA_SASL_OAUTH_CLIENT_SECRET"},
		{Config{SASL: SASLConfig{Mechanism: "AWS_MSK_IAM"}}, kerr.SaslAuthenticationFailed, "login", "whether they allow kafka-cluster:Connect"},
		{Config{TLS: TLSConfig{Enabled: true}}, remote, "connection", "set KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE"},
		{Config{TLS: TLSConfig{Enabled: true, CertFile: "c.pem"}}, remote, "connection", "may have expired or come from an authority that it does not trust: look at KAFKA_TLS_CERT_FILE (c.pem)"},
		{Config{SASL: SASLConfig{Username: "u"}}, kerr.TopicAuthorizationFailed, "topic", "principal User:u needs the operations READ and DESCRIBE on the topic"},
		{Config{TLS: TLSConfig{CertFile: "c.pem"}}, kerr.TopicAuthorizationFailed, "topic", "principal of the certificate in KAFKA_TLS_CERT_FILE"},
		{Config{GroupID: "g"}, fmt.Errorf("join: %w", kerr.GroupAuthorizationFailed), "group", "User:ANONYMOUS (there is no login) needs the operations READ and DESCRIBE on group g"},
		{Config{}, kerr.ClusterAuthorizationFailed, "group", "on the cluster"},
		{Config{GroupID: "g"}, kerr.InconsistentGroupProtocol, "group", "this process offers cooperative-sticky alone: stop them first, or choose another KAFKA_GROUP_ID"},
		{Config{GroupID: "g", GroupProtocol: "consumer"}, kerr.InconsistentGroupProtocol, "group", "speak the protocol classic, and KAFKA_GROUP_PROTOCOL is consumer"},
		{Config{GroupID: "g"}, kerr.GroupMaxSizeReached, "group", "raise group.max.size"},
		{Config{GroupID: "g", GroupProtocol: "consumer"}, kerr.GroupMaxSizeReached, "group", "raise group.consumer.max.size"},
		{Config{SessionTimeout: 2 * time.Second}, kerr.InvalidSessionTimeout, "group", "KAFKA_SESSION_TIMEOUT=2s: set it between their group.min.session.timeout.ms and group.max.session.timeout.ms"},
		{Config{GroupID: "g"}, kerr.InvalidGroupID, "group", `a group of the name "g": change KAFKA_GROUP_ID`},
		{Config{GroupProtocol: "consumer"}, kerr.UnsupportedAssignor, "group", "group.consumer.assignors"},
		{Config{}, &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: named("broker-1"), Host: "broker-1"}}, "connection", "has no subjectAltName, and its common name (broker-1) does not count"},
		{Config{}, &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: named("broker-1", "broker-2"), Host: "broker-1"}}, "connection", "is for another host"},
	} {
		d, ok := test.cfg.diagnoseError(test.err)
		if d.refused != test.refused || ok != (test.refused != "") || !strings.Contains(d.hint, test.hint) {
			t.Errorf("%v: %+v, want %s and %q", test.err, d, test.refused, test.hint)
		}
	}
}

// named is a certificate of a common name and of alternative ones.
func named(common string, names ...string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: common}, DNSNames: names}
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
		if ok != (test.hint != "") || !strings.Contains(d.hint, test.hint) || ok && d.refused != "group" {
			t.Errorf("%v: %+v, want %q", test.err, d, test.hint)
		}
	}
}

// TestDiagnoseConnection: each way in which a connection fails has a hint of its own, with the setting that the
// address comes from.
func TestDiagnoseConnection(t *testing.T) {
	const seed, advertised = "seed:9092", "broker-1:9092"
	dial := func(err error) error { return fmt.Errorf("unable to dial: %w", &dialError{addr: seed, err: err}) }
	handshake := func(err error) error { return &dialError{addr: seed, handshake: true, err: err} }
	system := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
	}
	for _, test := range []struct {
		addr    string
		login   bool
		err     error
		refused string
		hints   []string
	}{
		{seed, false, dial(system(syscall.ECONNREFUSED)), "connection", []string{"nothing listens at this address", "KAFKA_BROKERS"}},
		{advertised, false, dial(system(syscall.ECONNREFUSED)), "connection", []string{"nothing listens at this address", "advertised.listeners"}},
		{advertised, false, dial(&net.DNSError{Name: "broker-1", IsNotFound: true}), "connection", []string{"does not resolve", "advertised.listeners"}},
		{seed, false, dial(&net.DNSError{Name: "seed", IsTimeout: true}), "connection", []string{"the name server does not answer"}},
		{seed, false, dial(system(syscall.EHOSTUNREACH)), "connection", []string{"no route"}},
		{seed, false, dial(system(syscall.ENETUNREACH)), "connection", []string{"no route"}},
		{seed, false, dial(system(syscall.EMFILE)), "connection", []string{"ulimit -n"}},
		{seed, false, dial(system(syscall.EPERM)), "connection", []string{"forbids the connection"}},
		{advertised, false, dial(context.DeadlineExceeded), "connection", []string{"no answer from this address within 10s", "security groups", "advertised.listeners"}},
		{seed, false, handshake(context.DeadlineExceeded), "connection", []string{"does not answer the TLS handshake", "KAFKA_TLS_ENABLED"}},
		{seed, false, handshake(system(syscall.ECONNRESET)), "connection", []string{"hangs up", "KAFKA_TLS_ENABLED"}},
		{seed, false, os.ErrDeadlineExceeded, "connection", []string{"takes the connection and does not answer"}},
		{seed, false, io.EOF, "connection", []string{"hangs up", "KAFKA_SASL_MECHANISM"}},
		{seed, true, io.EOF, "login", []string{"hangs up during the login", "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"}},
		{seed, true, dial(system(syscall.ECONNREFUSED)), "connection", []string{"nothing listens"}},
		{advertised, false, dial(errors.New("odd")), "connection", []string{"advertised.listeners that it is to be reached there: correct that, or open the way"}},
	} {
		cfg := Config{Brokers: []string{seed}}
		if test.login {
			cfg.SASL.Mechanism = "PLAIN"
		}
		d := cfg.diagnoseConnection(test.addr, test.err)
		for _, hint := range test.hints {
			if !strings.Contains(d.hint, hint) || d.refused != test.refused {
				t.Errorf("%s: %v: %+v, want %s and %q", test.addr, test.err, d, test.refused, hint)
			}
		}
	}
}

// TestUnreachedBroker: a broker that is restarted refuses nothing; one that stays away does, until it is reached.
func TestUnreachedBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := newAccess(Config{GroupID: "g"}, func() {}, slog.New(slog.NewTextHandler(&log, nil)))
		one := kgo.BrokerMetadata{Host: "one", Port: 9092}
		down := &dialError{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
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
