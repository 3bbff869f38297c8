package e2e_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/kafka/auth"
	"kafka-firehose/connector/kafka/kafkatest"
	"kafka-firehose/connector/logging"
	"kafka-firehose/metrics"
)

// fortress is an Apache Kafka whose listeners want a login and whose authorizer lets
// nobody do anything that no ACL allows. The listener called PLAINTEXT is the test's
// own, with all rights. It is a single broker, whose test waits most of the time: such
// tests run beside one another.
type fortress struct {
	t         *testing.T
	cluster   *kafkatest.Cluster
	authority *kafkatest.Authority
	client    *kgo.Client
	admin     *kadm.Client
	dir       string
}

func startFortress(t *testing.T) *fortress {
	t.Helper()
	kafkatest.Require(t)
	t.Parallel()
	f := &fortress{t: t, authority: mustAuthority(t, "brokers and clients"), dir: t.TempDir()}
	ssl, err := mustIssue(t, f.authority, "broker").SSL(f.dir, f.authority)
	if err != nil {
		t.Fatal(err)
	}
	sasl := map[string]string{
		"sasl.enabled.mechanisms":        "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
		"plain.sasl.jaas.config":         `org.apache.kafka.common.security.plain.PlainLoginModule required user_bridge="` + password + `";`,
		"scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		// Tokens without a signature, whose times and scope count.
		"oauthbearer.sasl.jaas.config":                   `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker" unsecuredValidatorRequiredScope="kafka";`,
		"oauthbearer.sasl.server.callback.handler.class": "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
		"oauthbearer.connections.max.reauth.ms":          "60000",
	}
	both := map[string]string{}
	mutual := map[string]string{"ssl.client.auth": "required", "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/"}
	for k, v := range ssl {
		both[k], mutual[k] = v, v
	}
	maps.Copy(both, sasl)
	f.cluster, err = kafkatest.Start(t.Context(), kafkatest.Options{
		Brokers: 1,
		Listeners: []kafkatest.Listener{
			{Name: "LOGIN", Protocol: "SASL_PLAINTEXT", Properties: sasl},
			{Name: "SECURE", Protocol: "SASL_SSL", Properties: both},
			{Name: "MUTUAL", Protocol: "SSL", Properties: mutual},
		},
		Properties: map[string]string{
			"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"super.users":           "User:ANONYMOUS",

			"group.max.session.timeout.ms": "120000",
		},
		Scram: []kafkatest.ScramUser{{Name: "bridge", Password: password, Mechanism: "SCRAM-SHA-256"}, {Name: "bridge", Password: password, Mechanism: "SCRAM-SHA-512"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.cluster.Close)
	f.client, err = kgo.NewClient(kgo.SeedBrokers(f.cluster.Addrs("PLAINTEXT")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.client.Close)
	f.admin = kadm.NewClient(f.client)
	return f
}

// allow and deny add and remove what a bridge has to be allowed.
func (f *fortress) allow(user string, acls ...*kadm.ACLBuilder) {
	f.t.Helper()
	for _, b := range acls {
		if _, err := f.admin.CreateACLs(f.t.Context(), b.Allow("User:"+user).AllowHosts("*")); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fortress) deny(user string, acls ...*kadm.ACLBuilder) {
	f.t.Helper()
	for _, b := range acls {
		if _, err := f.admin.DeleteACLs(f.t.Context(), b.Allow("User:"+user).AllowHosts("*")); err != nil {
			f.t.Fatal(err)
		}
	}
}

func onTopic(topic string, ops ...kadm.ACLOperation) *kadm.ACLBuilder {
	return kadm.NewACLs().Topics(topic).Operations(ops...).ResourcePatternType(kmsg.ACLResourcePatternTypeLiteral)
}

func onGroup(group string, ops ...kadm.ACLOperation) *kadm.ACLBuilder {
	return kadm.NewACLs().Groups(group).Operations(ops...).ResourcePatternType(kmsg.ACLResourcePatternTypeLiteral)
}

// visitor is a bridge that tries to get in, with a topic of its own.
type visitor struct {
	f         *fortress
	topic     string
	connector *connector.Connector
	registry  *prometheus.Registry
	stream    *firehosetest.Service
	log       *lockedBuffer
	requests  requests
	judge     *judge
	cancel    context.CancelFunc
	done      chan error
	produced  int
}

// requests counts what a client asks of the brokers.
type requests struct{ logins, fetches, others atomic.Int64 }

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (r *requests) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, _ kgo.BrokerE2E) {
	switch kmsg.Key(key) {
	case kmsg.SASLAuthenticate:
		r.logins.Add(1)
	case kmsg.Fetch:
		r.fetches.Add(1)
	default:
		r.others.Add(1)
	}
}

// visit starts a bridge for a new topic and group of the name.
func (f *fortress) visit(t *testing.T, name, listener string, change func(*connector.Config)) *visitor {
	t.Helper()
	f.t = t
	v := &visitor{f: f, topic: name, registry: prometheus.NewRegistry(), log: &lockedBuffer{}, done: make(chan error, 1), judge: newJudge()}
	if _, err := f.admin.CreateTopic(t.Context(), 2, 1, nil, name); err != nil {
		t.Fatal(err)
	}
	v.stream = firehosetest.New(firehosetest.Options{
		Streams:     []firehosetest.Stream{{Name: "s"}},
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		OnStored:    v.judge.stored,
	})
	cfg := connector.DefaultConfig()
	cfg.Kafka.Brokers, cfg.Kafka.Topics, cfg.Kafka.GroupID = f.cluster.Addrs(listener), []string{name}, name
	cfg.Kafka.CommitInterval = 200 * time.Millisecond
	cfg.Kafka.SessionTimeout, cfg.Kafka.RevokeDrainTimeout = 6*time.Second, time.Second
	cfg.Firehose.Stream, cfg.Firehose.StartupCheck, cfg.Firehose.BatchLinger = "s", false, 50*time.Millisecond
	change(&cfg)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	h := &httpWire{w: &world{stream: v.stream}}
	var err error
	v.connector, err = connector.New(t.Context(), cfg, connector.Options{
		Log:      slog.New(logging.LimitRepeats(slog.NewTextHandler(v.log, nil), time.Minute)),
		Metrics:  metrics.New(v.registry),
		Kafka:    []kgo.Opt{kgo.WithHooks(&v.requests)},
		Firehose: []func(*awsfirehose.Options){h.client},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, v.cancel = context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { v.done <- v.connector.Run(ctx) }()
	t.Cleanup(v.cancel)
	return v
}

func (v *visitor) produce(n int) {
	v.f.t.Helper()
	for range n {
		r := &kgo.Record{Topic: v.topic, Value: fmt.Appendf(nil, "%d", v.produced)}
		if err := v.f.client.ProduceSync(v.f.t.Context(), r).FirstErr(); err != nil {
			v.f.t.Fatal(err)
		}
		v.judge.produced(r)
		v.produced++
	}
}

func (v *visitor) delivered() int { return v.stream.Stats().Streams["s"].Records }

// until waits for a condition, or fails with the log.
func (v *visitor) until(what string, ok func() bool) {
	v.f.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			v.f.t.Fatalf("%s: not within a minute; ready: %v\n%s", what, v.connector.Ready(), v.log)
		}
	}
}

// gets waits until everything that was produced is delivered and committed.
func (v *visitor) gets() {
	v.f.t.Helper()
	v.until("everything is delivered", func() bool { return v.delivered() >= v.produced })
	v.until("everything is committed", func() bool {
		offsets, err := v.f.admin.FetchOffsets(v.f.t.Context(), v.topic)
		var sum int64
		offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
		return err == nil && int(sum) >= v.produced
	})
	v.until("it is ready", func() bool { return v.connector.Ready() == nil })
}

// isRefused waits until readiness says all of the words, and looks for one line for each
// thing that is refused, and none else that warns.
func (v *visitor) isRefused(words ...string) {
	v.f.t.Helper()
	v.until("refused: "+strings.Join(words, ", "), func() bool {
		err := v.connector.Ready()
		if err == nil {
			return false
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				return false
			}
		}
		return true
	})
	told := map[string]int{}
	for line := range strings.Lines(v.log.String()) {
		if strings.Contains(line, "level=INFO") {
			continue // what is granted again, among others
		}
		if _, after, ok := strings.Cut(line, " refused="); ok {
			what, _, _ := strings.Cut(after, " ")
			told[what]++
		} else if !strings.Contains(line, "partitions lost") && !strings.Contains(line, "the one from before is used to its end") {
			v.f.t.Errorf("it also says: %s", line)
		}
	}
	for what, n := range told {
		if n != 1 {
			v.f.t.Errorf("%d lines say that %s is refused, want 1:\n%s", n, what, v.log)
		}
	}
	if len(told) == 0 {
		v.f.t.Errorf("no line says what is refused:\n%s", v.log)
	}
}

// leaves ends the bridge, which must have repeated no more than is allowed and said no
// secret.
func (v *visitor) leaves(repeats int) {
	v.f.t.Helper()
	v.cancel()
	if err := <-v.done; err != nil {
		v.f.t.Errorf("the drain was not clean: %v\n%s", err, v.log)
	}
	if lost, copies := v.judge.count(v.produced); lost > 0 || copies > repeats {
		v.f.t.Errorf("%d records are lost and %d came twice, want at most %d", lost, copies, repeats)
	}
	if strings.Contains(v.log.String(), password) {
		v.f.t.Errorf("the password is in the log:\n%s", v.log)
	}
}

func TestApacheLogin(t *testing.T) { //nolint:tparallel // a fortress takes one visitor at a time
	f := startFortress(t)
	clientFiles := files(t, f.dir, f.authority)
	trusting := func(c *connector.Config) {
		c.Kafka.TLS.Enabled, c.Kafka.TLS.CAFile = true, filepath.Join(f.dir, "ca.pem")
	}
	f.allow("bridge", onTopic("*", kadm.OpRead, kadm.OpDescribe), onGroup("*", kadm.OpRead, kadm.OpDescribe))
	f.allow("client", onTopic("*", kadm.OpRead, kadm.OpDescribe), onGroup("*", kadm.OpRead, kadm.OpDescribe))
	for _, test := range []struct {
		name, listener string
		change         []func(*connector.Config)
	}{
		{"plain", "LOGIN", []func(*connector.Config){loginAs("PLAIN", "bridge", env.NewSecret(password))}},
		{"scram256", "LOGIN", []func(*connector.Config){loginAs("SCRAM-SHA-256", "bridge", env.NewSecret(password))}},
		{"scram512tls", "SECURE", []func(*connector.Config){trusting, loginAs("SCRAM-SHA-512", "bridge", env.NewSecret(password))}},
		{"plaintls", "SECURE", []func(*connector.Config){trusting, loginAs("PLAIN", "bridge", env.NewSecret(password))}},
		{"mutual", "MUTUAL", []func(*connector.Config){clientFiles}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := f.visit(t, test.name, test.listener, func(c *connector.Config) {
				for _, change := range test.change {
					change(c)
				}
			})
			v.produce(20)
			v.gets()
			v.leaves(0)
		})
	}
	for _, test := range []struct {
		name, listener string
		change         func(*connector.Config)
		want           []string
	}{
		{"wrongpassword", "LOGIN", loginAs("PLAIN", "bridge", env.NewSecret("x"+password)), []string{"KAFKA_SASL_PASSWORD"}},
		{"wrongscram", "LOGIN", loginAs("SCRAM-SHA-256", "bridge", env.NewSecret("x"+password)), []string{"KAFKA_SASL_PASSWORD"}},
		{"nologin", "LOGIN", func(*connector.Config) {}, []string{"KAFKA_SASL_MECHANISM"}},
		{"notls", "SECURE", loginAs("PLAIN", "bridge", env.NewSecret(password)), []string{"KAFKA_TLS_ENABLED"}},
		{"neither", "SECURE", func(*connector.Config) {}, []string{"KAFKA_TLS_ENABLED"}},
		{"tlstoplain", "LOGIN", func(c *connector.Config) { trusting(c); loginAs("PLAIN", "bridge", env.NewSecret(password))(c) }, []string{"KAFKA_TLS_ENABLED"}},
		{"notrust", "SECURE", func(c *connector.Config) {
			loginAs("PLAIN", "bridge", env.NewSecret(password))(c)
			c.Kafka.TLS.Enabled = true
		}, []string{"KAFKA_TLS_CA_FILE"}},
		{"wronghost", "SECURE", func(c *connector.Config) {
			trusting(c)
			loginAs("PLAIN", "bridge", env.NewSecret(password))(c)
			c.Kafka.TLS.ServerName = "other"
		}, []string{"KAFKA_TLS_SERVER_NAME"}},
		{"nocertificate", "MUTUAL", trusting, []string{"KAFKA_TLS_CERT_FILE"}},
		{"stranger", "MUTUAL", func(c *connector.Config) {
			dir := t.TempDir()
			files(t, dir, mustAuthority(t, "of somebody else"))(c)
			c.Kafka.TLS.CAFile = filepath.Join(f.dir, "ca.pem")
		}, []string{"may have expired or come from an authority that it does not trust", "KAFKA_TLS_CERT_FILE"}},
		{"nolistener", "MUTUAL", func(c *connector.Config) { clientFiles(c); loginAs("PLAIN", "bridge", env.NewSecret(password))(c) }, []string{"KAFKA_SASL_MECHANISM"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := f.visit(t, test.name, test.listener, test.change)
			v.isRefused(test.want...)
			v.leaves(0)
		})
	}
}

// TestApacheOAuth logs in with tokens: from an endpoint, whose tokens live for four
// seconds, and from a file; and with none, an old one and one for something else.
func TestApacheOAuth(t *testing.T) { //nolint:tparallel // the cases share the endpoint and the file of tokens
	f := startFortress(t)
	f.allow("bridge", onTopic("*", kadm.OpRead, kadm.OpDescribe), onGroup("*", kadm.OpRead, kadm.OpDescribe))
	token := func(life time.Duration, scope string) string {
		part := func(format string, args ...any) string {
			return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, format, args...))
		}
		now := time.Now()
		return part(`{"alg":"none"}`) + "." + part(`{"sub":"bridge","iat":%d,"exp":%d,"scope":%q}`, now.Add(-time.Hour).Unix(), now.Add(life).Unix(), scope) + "."
	}
	var down atomic.Bool
	var asked atomic.Int64
	endpoint := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if _, secret, _ := r.BasicAuth(); down.Load() || secret != password || r.FormValue("scope") != "kafka" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":4}`, token(4*time.Second, "kafka"))
	}))
	pair, err := mustIssue(t, f.authority, "endpoint").TLS()
	if err != nil {
		t.Fatal(err)
	}
	endpoint.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	endpoint.StartTLS()
	defer endpoint.Close()
	files(t, f.dir, f.authority)
	client := func(c *connector.Config) {
		c.Kafka.SASL.Mechanism = "OAUTHBEARER"
		c.Kafka.SASL.OAuth = auth.OAuthConfig{Endpoint: endpoint.URL, ClientID: "bridge", ClientSecret: env.NewSecret(password), Scope: "kafka", CAFile: filepath.Join(f.dir, "ca.pem")}
	}
	path := filepath.Join(f.dir, "token")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fromFile := func(c *connector.Config) {
		c.Kafka.SASL.Mechanism = "OAUTHBEARER"
		c.Kafka.SASL.OAuth.Token = env.NewSecretFile("KAFKA_SASL_OAUTH_TOKEN", path)
	}

	t.Run("endpoint", func(t *testing.T) {
		v := f.visit(t, "endpoint", "LOGIN", client)
		for begin := time.Now(); time.Since(begin) < 12*time.Second; time.Sleep(200 * time.Millisecond) {
			v.produce(1)
		}
		v.gets()
		if got := v.requests.logins.Load(); got < 4 || asked.Load() < 3 {
			t.Errorf("%d logins and %d tokens in 12 s, with tokens that live for 4", got, asked.Load())
		}
		down.Store(true)
		v.isRefused("login refused", "KAFKA_SASL_OAUTH_ENDPOINT", "401 Unauthorized", "invalid_client")
		v.produce(20)
		down.Store(false)
		v.gets()
		v.leaves(40)
	})
	t.Run("file", func(t *testing.T) {
		write(token(time.Minute, "kafka"))
		v := f.visit(t, "file", "LOGIN", fromFile)
		v.produce(20)
		v.gets()
		v.leaves(0)
	})
	for name, test := range map[string]struct{ text, want string }{
		"old":       {token(-time.Minute, "kafka"), "the token of KAFKA_SASL_OAUTH_TOKEN_FILE has expired"},
		"scope":     {token(time.Minute, "other"), "insufficient_scope"},
		"forged":    {token(time.Minute, "kafka") + "c2ln", "KAFKA_SASL_OAUTH_TOKEN_FILE"},
		"otherkind": {"opaque", "KAFKA_SASL_OAUTH_TOKEN_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			write(test.text)
			v := f.visit(t, name, "LOGIN", fromFile)
			v.produce(20)
			v.isRefused("login refused", test.want)
			write(token(time.Minute, "kafka"))
			v.gets()
			v.leaves(0)
		})
	}
}

// TestApacheACL takes away, one by one, what a bridge has to be allowed.
func TestApacheACL(t *testing.T) { //nolint:tparallel // the cases share the ACLs
	f := startFortress(t)
	read, describe := kadm.OpRead, kadm.OpDescribe
	login := loginAs("SCRAM-SHA-256", "bridge", env.NewSecret(password))
	for _, test := range []struct {
		name    string
		before  []*kadm.ACLBuilder // what is allowed at first
		missing *kadm.ACLBuilder   // and what comes later
		want    []string
	}{
		{"group", []*kadm.ACLBuilder{onTopic("group", read, describe)}, onGroup("group", read, describe), []string{"group refused", "principal User:bridge needs", "group group (KAFKA_GROUP_ID)"}},
		{"read", []*kadm.ACLBuilder{onTopic("read", describe), onGroup("read", read)}, onTopic("read", read), []string{"topic refused at read", "principal User:bridge needs"}},
		{"topic", []*kadm.ACLBuilder{onGroup("topic", read)}, onTopic("topic", read), []string{"topic refused at topic", "principal User:bridge needs"}},
	} {
		t.Run("from the start: "+test.name, func(t *testing.T) {
			f.t = t
			f.allow("bridge", test.before...)
			v := f.visit(t, test.name, "LOGIN", login)
			v.produce(20)
			v.isRefused(test.want...)
			f.allow("bridge", test.missing)
			v.gets()
			v.leaves(0)
		})
	}
	for _, test := range []struct {
		name    string
		missing *kadm.ACLBuilder
		repeats int // what is delivered while it may not be committed
		want    []string
	}{
		{"latertopic", onTopic("latertopic", read, describe), 0, []string{"topic refused at latertopic"}},
		{"latergroup", onGroup("latergroup", read), 20, []string{"group refused"}},
	} {
		t.Run("while it runs: "+test.name, func(t *testing.T) {
			f.t = t
			f.allow("bridge", onTopic(test.name, read, describe), onGroup(test.name, read))
			v := f.visit(t, test.name, "LOGIN", login)
			v.produce(20)
			v.gets()
			f.deny("bridge", test.missing)
			v.produce(20)
			v.isRefused(test.want...)
			f.allow("bridge", test.missing)
			v.gets()
			v.leaves(test.repeats)
		})
	}
}
