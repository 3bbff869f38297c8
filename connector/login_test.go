package connector_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
)

// password is what the users of these tests log in with; it must not come out.
const password = "planted-password-0123456789"

// locked is a cluster that wants a login. The producer of the test has its own.
func locked(users ...kfake.Opt) door {
	return door{
		cluster: append([]kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "producer", password)}, users...),
		client:  []kgo.Opt{kgo.SASL(scram.Auth{User: "producer", Pass: password}.AsSha256Mechanism())},
	}
}

func loginAs(mechanism, user string, secret env.Secret) func(*connector.Config) {
	return func(c *connector.Config) {
		c.Kafka.SASL.Mechanism, c.Kafka.SASL.Username, c.Kafka.SASL.Password = mechanism, user, secret
	}
}

// TestLogin delivers through each mechanism that needs a password.
func TestLogin(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			guarded(t, func() door { return locked(kfake.Superuser(mechanism, "bridge=,", password)) }, func(w *world) {
				m := w.start(loginAs(mechanism, "bridge=,", env.NewSecret(password)))
				w.produce(0, 100)
				time.Sleep(10 * time.Second)
				m.mustStop()
				w.wantExactly(100)
				w.wantNoSecret(m)
			})
		})
	}
}

// TestPasswordRotates: the file gets a password that the brokers don't know, and then
// the right one again, while connections break; the process stays and loses nothing.
func TestPasswordRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(password)
	guarded(t, func() door { return locked(kfake.Superuser("SCRAM-SHA-512", "bridge", password)) }, func(w *world) {
		m := w.start(loginAs("SCRAM-SHA-512", "bridge", env.NewSecretFile("KAFKA_SASL_PASSWORD", path)))
		w.produce(0, 100)
		time.Sleep(10 * time.Second)
		write("another-" + password)
		m.kafka.cut()
		m.kafka.mend()
		w.produce(100, 200)
		time.Sleep(time.Minute)
		if missing, _ := w.judge.count(200); missing != 100 {
			t.Fatalf("%d of 100 records were delivered with a wrong password", 100-missing)
		}
		write(password)
		time.Sleep(time.Minute)
		m.mustStop()
		w.wantExactly(200)
		w.wantNoSecret(m)
	})
}

// wantNoSecret looks through the log, what the probes say and the metrics.
func (w *world) wantNoSecret(m *member) {
	w.t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	text := w.log.String()
	for _, f := range families {
		text += f.String()
	}
	for _, err := range []error{m.connector.Ready(), m.connector.Live()} {
		if err != nil {
			text += err.Error()
		}
	}
	for _, secret := range []string{password, secretKey, "PRIVATE KEY"} {
		if strings.Contains(text, secret) {
			w.t.Errorf("a secret came out:\n%s", text)
		}
	}
}
