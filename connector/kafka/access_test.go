package kafka

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
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
			got := []int{a.count("connection"), a.count("login"), a.count("group"), a.count("topic"), a.count("commit")}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %v, want %v", step, got, want)
			}
			sum := 0
			for _, n := range want {
				sum += n
			}
			if err := a.err(); (err != nil) != (sum > 0) || err != nil && strings.Count(err.Error(), "refused at") != sum {
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
		a.refused("t", kerr.TopicAuthorizationFailed)
		a.committed(fmt.Errorf("topic t: %w", kerr.TopicAuthorizationFailed))
		counts("all", 0, 2, 1, 1, 1)
		a.OnBrokerE2E(one, int16(kmsg.ApiVersions), kgo.BrokerE2E{})
		counts("a broker says what it speaks", 0, 2, 1, 1, 1)
		a.OnBrokerE2E(one, int16(kmsg.Metadata), kgo.BrokerE2E{})
		counts("a broker answers", 0, 1, 1, 1, 1)
		time.Sleep(refusedFor - time.Second)
		a.refused("t", kerr.TopicAuthorizationFailed)
		time.Sleep(time.Second)
		counts("a broker is not asked any more", 0, 0, 1, 1, 1)
		time.Sleep(refusedFor)
		counts("nor the topic", 0, 0, 1, 0, 1)
		a.granted("group", "group g")
		a.committed(nil)
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
	} {
		d, ok := test.cfg.diagnose(test.err)
		if d.refused != test.refused || ok != (test.refused != "") || !strings.Contains(d.hint, test.hint) {
			t.Errorf("%v: %+v, want %s and %q", test.err, d, test.refused, test.hint)
		}
	}
}
