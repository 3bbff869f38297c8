package e2e_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"kafka-firehose/connector"
	"kafka-firehose/connector/kafka/kafkatest"
)

// broker is where a world's Kafka comes from.
type broker struct {
	addrs  []string // to start from, as host:port
	dial   func(ctx context.Context, network, host string) (net.Conn, error)
	prefix string                  // of the names of topics and groups, where worlds share a cluster
	adapt  func(*connector.Config) // what a member needs there
	door   door

	cluster *kfake.Cluster     // nil where it is Apache's
	apache  *kafkatest.Cluster // nil where it is embedded
}

// bubble runs a case in a synctest bubble: no socket, virtual time, and a Kafka that
// is embedded. Its world has a topic "in" of four partitions and a stream "s". As a case
// keeps one core busy and shares nothing, it runs beside others.
func bubble(t *testing.T, body func(w *world)) {
	t.Helper()
	t.Parallel()
	guarded(t, func() door { return door{} }, body)
}

// guarded is bubble with a door, which is made inside.
func guarded(t *testing.T, open func() door, body func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		door := open()
		cluster := kfake.MustCluster(append([]kfake.Opt{
			kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen),
			kfake.BrokerConfigs(map[string]string{"message.max.bytes": "11000000"}),
		}, door.cluster...)...)
		defer cluster.Close()
		run(t, broker{
			addrs: cluster.ListenAddrs(), dial: network.DialContext, cluster: cluster,
			adapt: func(*connector.Config) {}, door: door,
		}, body)
		time.Sleep(10 * time.Minute) // a client that was cut off takes its time to end
	})
}

// apacheProperties are what the cases count on beyond the defaults of kafkatest.
var apacheProperties = map[string]string{
	"message.max.bytes":                 "11000000",
	"group.consumer.session.timeout.ms": "15000",
}

// startApache runs a cluster until the test is over.
func startApache(t *testing.T) *kafkatest.Cluster {
	t.Helper()
	begin := time.Now()
	c, err := kafkatest.Start(t.Context(), kafkatest.Options{Racks: true, Properties: apacheProperties})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	t.Logf("three brokers after %v", time.Since(begin).Round(time.Millisecond))
	return c
}

// worlds numbers those that share a cluster.
var worlds atomic.Int64

// onApache runs a case on a cluster of Apache's, in real time, with topics and a
// group of its own.
func onApache(t *testing.T, c *kafkatest.Cluster, body func(w *world)) {
	t.Helper()
	var dialer net.Dialer
	run(t, broker{
		addrs: c.Addrs("PLAINTEXT"), dial: dialer.DialContext, apache: c,
		prefix: fmt.Sprintf("w%d-", worlds.Add(1)),
		adapt:  hurry,
	}, body)
}

// hurry shortens what a case would only wait for. The session timeout is long
// enough for a machine that is busy with other things.
func hurry(c *connector.Config) {
	c.Kafka.SessionTimeout = 15 * time.Second
	c.Kafka.RevokeDrainTimeout = 5 * time.Second
	c.Kafka.CommitInterval = 200 * time.Millisecond
	c.Firehose.BatchLinger = 200 * time.Millisecond
}

func run(t *testing.T, b broker, body func(w *world)) {
	t.Helper()
	w := newWorld(t, b)
	defer w.close()
	defer w.judge.verdict(t) // also when the body has given up: here may be why
	body(w)
}
