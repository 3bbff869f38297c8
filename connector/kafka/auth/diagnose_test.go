package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/env"
)

// TestDiagnose: every hint names a variable. Certificates and the errors of a real broker are in the tests of Apache Kafka.
func TestDiagnose(t *testing.T) {
	ended := &x509.Certificate{NotBefore: time.Unix(0, 0), NotAfter: time.Unix(86400, 0)}
	remote := &net.OpError{Op: "remote error", Err: errors.New("tls: expired certificate")}
	for _, test := range []struct {
		cfg     Config
		err     error
		refused string // empty if it is neither TLS nor the login
		hint    string
	}{
		{Config{}, kerr.TopicAuthorizationFailed, "", ""},
		{Config{SASL: SASLConfig{Mechanism: "PLAIN"}}, &kgo.ErrGroupSession{Err: kerr.SaslAuthenticationFailed}, "login", "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"},
		{Config{SASL: SASLConfig{Mechanism: "PLAIN"}}, &CredentialsError{"no such file"}, "login", "no valid credentials"},
		{Config{SASL: SASLConfig{Mechanism: "PLAIN"}}, kerr.UnsupportedSaslMechanism, "login", "does not offer PLAIN"},
		{Config{}, &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: ended, Reason: x509.Expired}}, "connection", "valid from 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z: renew it, or look at this machine's clock"},
		{Config{TLS: TLSConfig{CAFile: "ca.pem"}}, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "connection", "not signed by an authority in KAFKA_TLS_CA_FILE (ca.pem)"},
		{Config{SASL: SASLConfig{Mechanism: "OAUTHBEARER", OAuth: OAuthConfig{Token: env.NewSecretFile("T", "/t")}}}, &tokenRefused{"invalid"}, "login", "look at KAFKA_SASL_OAUTH_TOKEN_FILE"},
		{Config{SASL: SASLConfig{Mechanism: "OAUTHBEARER"}}, &CredentialsError{"down"}, "login", "KAFKA_SASL_OAUTH_ENDPOINT, KAFKA_SASL_OAUTH_CLIENT_ID, KAFKA_SASL_OAUTH_CLIENT_SECRET"},
		{Config{SASL: SASLConfig{Mechanism: "AWS_MSK_IAM"}}, kerr.SaslAuthenticationFailed, "login", "whether they allow kafka-cluster:Connect"},
		{Config{TLS: TLSConfig{Enabled: true}}, remote, "connection", "set KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE"},
		{Config{TLS: TLSConfig{Enabled: true, CertFile: "c.pem"}}, remote, "connection", "may have expired or come from an authority that it does not trust: look at KAFKA_TLS_CERT_FILE (c.pem)"},
		{Config{}, &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: named("broker-1"), Host: "broker-1"}}, "connection", "has no subjectAltName, and its common name (broker-1) does not count"},
		{Config{}, &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: named("broker-1", "broker-2"), Host: "broker-1"}}, "connection", "is for another host"},
	} {
		d, ok := test.cfg.Diagnose(test.err)
		if d.Refused != test.refused || ok != (test.refused != "") || !strings.Contains(d.Hint, test.hint) {
			t.Errorf("%v: %+v, want %s and %q", test.err, d, test.refused, test.hint)
		}
	}
}

// named is a certificate of a common name and of alternative ones.
func named(common string, names ...string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: common}, DNSNames: names}
}

// TestDiagnoseConnection: each way in which a connection fails has a hint of its own, with the place where
// the address is to be corrected.
func TestDiagnoseConnection(t *testing.T) {
	const seed, advertised = "seed:9092", "broker-1:9092"
	dial := func(err error) error { return fmt.Errorf("unable to dial: %w", &DialError{Addr: seed, err: err}) }
	handshake := func(err error) error { return &DialError{Addr: seed, handshake: true, err: err} }
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
		{advertised, false, dial(errors.New("odd")), "connection", []string{"advertised.listeners"}},
	} {
		cfg, place := Config{}, map[string]string{seed: "look at KAFKA_BROKERS", advertised: "look at advertised.listeners"}
		if test.login {
			cfg.SASL.Mechanism = "PLAIN"
		}
		d := cfg.DiagnoseConnection(test.err, place[test.addr])
		for _, hint := range test.hints {
			if !strings.Contains(d.Hint, hint) || d.Refused != test.refused {
				t.Errorf("%s: %v: %+v, want %s and %q", test.addr, test.err, d, test.refused, hint)
			}
		}
	}
}
