package kafka

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/oauthtoken"
	"kafka-firehose/metrics"
)

// Connection is how every client of this process gets to the cluster, that of the
// dead letters too: where it is, who we are, TLS and the login. They share what TLS
// and the login read from files and elsewhere.
type Connection struct {
	options []kgo.Opt
	dial    DialFunc             // with TLS
	forget  func()               // the credentials, which a broker has refused
	aws     *awsconfig.MSKSigner // nil unless the mechanism is AWS_MSK_IAM
}

// Credentials returns the state of the AWS credentials that log in to the brokers, and false if the login uses none.
func (c *Connection) Credentials() (awsconfig.CredentialState, bool) {
	if c.aws == nil {
		return awsconfig.CredentialState{}, false
	}
	return c.aws.Credentials(), true
}

// software is how brokers know what kind of client this is.
const software, softwareVersion = "kafka-firehose", "1"

// ClientOptions are what a client needs of it.
func (c *Connection) ClientOptions() []kgo.Opt { return slices.Clone(c.options) }

// FetchOptions are Options for a client that reads a few records beside the source. Their
// memory has the bounds of bytes.
func (c *Connection) FetchOptions(bytes FetchBytes) []kgo.Opt {
	return append(c.ClientOptions(), newFetchBudget(bytes).clientOptions(c.dial, clientPool{})...)
}

// NewConnection prepares the connections to the cluster and makes none. dial is for those
// under TLS; nil is for the network. The error is about files and AWS's configuration.
func (c Config) NewConnection(dial DialFunc, log *slog.Logger, m *metrics.Kafka) (*Connection, error) {
	d := brokerDialer{dial: dial}
	if dial == nil {
		d.dial = new(net.Dialer).DialContext
	}
	if c.TLS.Enabled {
		secure, err := newSecured(c.TLS, log, m)
		if err != nil {
			return nil, err
		}
		d.secure = secure
	}
	conn := &Connection{forget: func() {}, dial: d.dialBroker, options: []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.SoftwareNameAndVersion(software, softwareVersion),
		kgo.Dialer(d.dialBroker),
		kgo.WithHooks(throttleHook{m.Throttled}),
	}}
	return conn, conn.addLogin(c.SASL, d.dial, log)
}

// throttleHook counts the time for which brokers have their clients wait for exceeding a quota.
type throttleHook struct{ seconds prometheus.Counter }

// OnBrokerThrottle implements kgo.HookBrokerThrottle.
func (t throttleHook) OnBrokerThrottle(_ kgo.BrokerMetadata, interval time.Duration, _ bool) {
	t.seconds.Add(max(interval, 0).Seconds())
}

func (c *Connection) addLogin(cfg SASLConfig, dial DialFunc, log *slog.Logger) error {
	if cfg.Mechanism == "" {
		return nil
	}
	var msk loginSigner
	if cfg.Mechanism == mskIAMMechanism {
		var err error
		if c.aws, err = awsconfig.NewMSK(context.Background(), cfg.AWS.Region, cfg.AWS.assumedRole(), log); err != nil {
			return err
		}
		msk = c.aws
	}
	m, forget := newLogin(cfg, oauthtoken.New(cfg.OAuth.tokens(), oauthtoken.Options{Dial: dial, Log: log}), msk)
	c.forget = forget
	c.options = append(c.options, kgo.SASL(m))
	return nil
}
