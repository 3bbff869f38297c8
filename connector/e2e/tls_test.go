package e2e_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"kafka-firehose/connector"
	"kafka-firehose/connector/kafka/kafkatest"
)

// locks are the brokers' side of mutual TLS, which can be changed.
type locks struct {
	t       *testing.T
	always  *kafkatest.Authority // whose clients are let in whatever happens: the producer of the test
	current atomic.Pointer[tls.Config]
}

// change gives the brokers a certificate of an authority and has them trust that
// authority's clients.
func (l *locks) change(a *kafkatest.Authority) {
	l.t.Helper()
	pair, err := mustIssue(l.t, a, "broker").TLS()
	if err != nil {
		l.t.Fatal(err)
	}
	trusted := a.Pool()
	trusted.AppendCertsFromPEM(l.always.PEM)
	l.current.Store(&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert})
}

func mustAuthority(t *testing.T, name string) *kafkatest.Authority {
	t.Helper()
	a, err := kafkatest.NewAuthority(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustIssue(t *testing.T, a *kafkatest.Authority, name string) kafkatest.Pair {
	t.Helper()
	pair, err := a.Issue(kafkatest.Subject{Name: name, Hosts: []string{"localhost", "127.0.0.1"}, NotAfter: time.Now().Add(240 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// mutual is a cluster that demands TLS with a client certificate of the authority.
// The producer of the test believes everything and shows what it has to.
func mutual(t *testing.T, l *locks, a *kafkatest.Authority) door {
	t.Helper()
	l.t, l.always = t, mustAuthority(t, "the test's")
	l.change(a)
	pair, err := mustIssue(t, l.always, "producer").TLS()
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return l.current.Load(), nil }}
	return door{
		cluster: []kfake.Opt{kfake.TLS(server)},
		tls:     &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}},
	}
}

// files writes what a client of the authority needs into dir and points the
// configuration at it.
func files(t *testing.T, dir string, a *kafkatest.Authority) func(*connector.Config) {
	t.Helper()
	pair := mustIssue(t, a, "client")
	for name, text := range map[string][]byte{"ca.pem": a.PEM, "cert.pem": pair.Cert, "key.pem": pair.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(c *connector.Config) {
		c.Kafka.TLS.Enabled = true
		c.Kafka.TLS.CAFile, c.Kafka.TLS.CertFile, c.Kafka.TLS.KeyFile = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	}
}

// TestTLSRotates: the brokers move to another authority, and the files follow a
// minute later. Until then there is no way in; then it goes on, in the same process.
func TestTLSRotates(t *testing.T) {
	var l locks
	var before *kafkatest.Authority
	dir := t.TempDir()
	guarded(t, func() door {
		before = mustAuthority(t, "before")
		return mutual(t, &l, before)
	}, func(w *world) {
		m := w.start(files(t, dir, before))
		w.produce(0, 100)
		time.Sleep(10 * time.Second)
		if got := w.committed(); got != 100 {
			t.Fatalf("committed %d of 100\n%s", got, w.log)
		}

		after := mustAuthority(t, "after")
		l.change(after)
		m.kafka.cut()
		m.kafka.mend()
		w.produce(100, 200)
		time.Sleep(time.Minute)
		if missing, _ := w.judge.count(200); missing != 100 {
			t.Fatalf("%d of 100 records were delivered although nobody lets it in", 100-missing)
		}
		files(t, dir, after)
		time.Sleep(time.Minute)
		m.mustStop()
		w.wantExactly(200)
		if strings.Contains(w.log.String(), "PRIVATE KEY") {
			t.Error("the key is in the log")
		}
	})
}
