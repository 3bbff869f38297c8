package kafka

import (
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/kafka/auth"
	"kafka-firehose/connector/kafka/fetch"
	"kafka-firehose/metrics"
)

// Connection is how every client of this process gets to the cluster, that of the
// dead letters too: where it is, who we are, TLS and the login. They share what TLS
// and the login read from files and elsewhere.
type Connection struct {
	options []kgo.Opt
	dial    auth.DialFunc // with TLS
	login   *auth.Login
}

// Credentials returns the state of the AWS credentials that log in to the brokers, and false if the login uses none.
func (c *Connection) Credentials() (awsconfig.CredentialState, bool) { return c.login.Credentials() }

// SoftwareName and SoftwareVersion are how brokers know what kind of client this is.
const (
	SoftwareName    = "kafka-firehose"
	SoftwareVersion = "1"
)

// ClientOptions are what a client needs of it.
func (c *Connection) ClientOptions() []kgo.Opt { return slices.Clone(c.options) }

// FetchOptions are Options for a client that reads a few records beside the source. Their
// memory has the bounds of bytes.
func (c *Connection) FetchOptions(bytes fetch.Bytes) []kgo.Opt {
	return append(c.ClientOptions(), fetch.NewBudget(bytes).ClientOptions(c.dial, fetch.Pool{})...)
}

// NewConnection prepares the connections to the cluster and makes none. dial is for those
// under TLS; nil is for the network. The error is about files and AWS's configuration.
func (c Config) NewConnection(dial auth.DialFunc, log *slog.Logger, m *metrics.Kafka) (*Connection, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	dialBroker, err := c.Auth().NewDialer(dial, log, func(until time.Time) { m.CertificateExpiry.Set(float64(until.Unix())) })
	if err != nil {
		return nil, err
	}
	login, err := c.Auth().NewLogin(dial, log)
	if err != nil {
		return nil, err
	}
	conn := &Connection{login: login, dial: dialBroker, options: []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.SoftwareNameAndVersion(SoftwareName, SoftwareVersion),
		kgo.Dialer(dialBroker),
		kgo.WithHooks(throttleHook{m.Throttled}),
	}}
	if login.Mechanism != nil {
		conn.options = append(conn.options, kgo.SASL(login.Mechanism))
	}
	return conn, nil
}

// throttleHook counts the time for which brokers have their clients wait for exceeding a quota.
type throttleHook struct{ seconds prometheus.Counter }

// OnBrokerThrottle implements kgo.HookBrokerThrottle.
func (t throttleHook) OnBrokerThrottle(_ kgo.BrokerMetadata, interval time.Duration, _ bool) {
	t.seconds.Add(max(interval, 0).Seconds())
}
