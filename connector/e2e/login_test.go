package e2e_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/kafka/kafkatest"
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
				w.level.Set(slog.LevelDebug)
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

// TestLoginMSK: the brokers verify the signature of each connection's login. The keys are
// changed there first, and then in the file that the bridge has them from.
func TestLoginMSK(t *testing.T) {
	var l locks
	var a *kafkatest.Authority
	dir := t.TempDir()
	keys := filepath.Join(dir, "credentials")
	write := func(key string) {
		if err := os.WriteFile(keys, []byte("[default]\naws_access_key_id="+key+"\naws_secret_access_key="+password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("AKIDFIRST")
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SHARED_CREDENTIALS_FILE": keys, "AWS_CONFIG_FILE": "/nowhere", "AWS_REGION": "us-east-1"} {
		t.Setenv(name, value)
	}
	judge := kafkatest.MSKIAM{Region: "eu-west-1", Keys: map[string]string{"AKIDFIRST": password}}
	guarded(t, func() door {
		a = mustAuthority(t, "an authority")
		return mutual(t, &l, a)
	}, func(w *world) {
		var verified, refused atomic.Int64
		var mu sync.Mutex
		w.cluster.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			return r.ResponseKind(), nil, true
		})
		w.cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
			if _, err := judge.Verify(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes, "localhost"); err != nil {
				refused.Add(1)
				resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, new("Access denied: "+err.Error())
				return resp, nil, true
			}
			verified.Add(1)
			resp.SASLAuthBytes = []byte(`{"version":"2020_10_22","request-id":"r"}`)
			return resp, nil, true
		})
		w.level.Set(slog.LevelDebug)
		m := w.start(files(t, dir, a), func(c *connector.Config) {
			c.Kafka.SASL.Mechanism, c.Kafka.SASL.AWS.Region = "AWS_MSK_IAM", "eu-west-1"
		})
		w.produce(0, 100)
		time.Sleep(10 * time.Second)
		if missing, _ := w.judge.count(100); missing > 0 || verified.Load() == 0 || refused.Load() > 0 {
			t.Fatalf("%d missing after %d logins, %d refused\n%s", missing, verified.Load(), refused.Load(), w.log)
		}
		mu.Lock()
		judge.Keys = map[string]string{"AKIDSECOND": password}
		mu.Unlock()
		m.kafka.cut()
		m.kafka.mend()
		w.produce(100, 200)
		time.Sleep(time.Minute)
		m.notReady("login", "KAFKA_SASL_AWS_ROLE_ARN", "kafka-cluster:Connect", "nobody has the access key")
		write("AKIDSECOND")
		time.Sleep(time.Minute)
		m.ready()
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
