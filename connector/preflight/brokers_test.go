package preflight

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/metrics"
)

// TestInspectBrokers: names are resolved, and beside the brokers that the settings name those
// that they advertise are tried, of which one here is at an address that nothing listens at.
func TestInspectBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		cluster := kfake.MustCluster(kfake.NumBrokers(2), kfake.Ports(9092, 9093), kfake.ListenFn(network.Listen), kfake.SeedTopics(2, "orders"))
		defer cluster.Close()
		cfg := kafka.Config{Brokers: []string{"nowhere:9092", "localhost:9092"}, Topics: []string{"orders"}, GroupID: "g"}
		dial := func(ctx context.Context, nw, addr string) (net.Conn, error) {
			if strings.HasSuffix(addr, ":9093") {
				return nil, errors.New("no way there")
			}
			return network.DialContext(ctx, nw, addr)
		}
		connection, err := cfg.NewConnection(dial, slog.New(slog.DiscardHandler), metrics.New(prometheus.NewRegistry()).Kafka)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := inspectCluster(t.Context(), cfg, clusterOptions{
			Connection: connection,
			Lookup: func(_ context.Context, host string) ([]string, error) {
				if host == "nowhere" {
					return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
				}
				return []string{"10.0.0.1", "10.0.0.2"}, nil
			},
			StreamFor: func(string) (string, bool) { return "s", true },
		})
		for _, want := range []check.Finding{
			{Severity: check.Warning, Name: "nowhere:9092", Found: "its name does not resolve: lookup nowhere: no such host"},
			{Severity: check.OK, Name: "localhost:9092", Found: "at 10.0.0.1 and 10.0.0.2, not encrypted, no login"},
			{Severity: check.Error, Name: "1 at localhost:9093", Found: "unable to dial: no way there"},
		} {
			found := false
			for _, f := range got {
				found = found || f.Kind == check.Broker && f.Severity == want.Severity && f.Name == want.Name && f.Found == want.Found
			}
			if !found {
				t.Errorf("no finding is %+v: %+v", want, got)
			}
		}
	})
}
