package kafka

import (
	"log/slog"
	"net"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/metrics"
)

// Connection is how every client of this process gets to the cluster, that of the
// dead letters too: where it is, who we are, TLS and the login. dial makes the
// connections under TLS; nil is for the network. The error is about the TLS files.
func (c Config) Connection(dial DialFunc, log *slog.Logger, m *metrics.Kafka) ([]kgo.Opt, error) {
	d := dialer{dial: dial}
	if dial == nil {
		d.dial = new(net.Dialer).DialContext
	}
	if c.TLS.Enabled {
		certs, err := newCertificates(c.TLS, log, m)
		if err != nil {
			return nil, err
		}
		d.certs = certs
	}
	o := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.SoftwareNameAndVersion("kafka-firehose", "1"),
		kgo.Dialer(d.connect),
	}
	if m := c.SASL.mechanism(); m != nil {
		o = append(o, kgo.SASL(m))
	}
	return o, nil
}
