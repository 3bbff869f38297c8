package deploy_test

import (
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestPrometheusThrottle: the quota of a stream is AWS's, and a little more comes in than it takes. The connector's rate
// follows the quota, so that few records are refused and none is late at first. The alert fires within fifteen
// minutes of Prometheus, ends when the quota is raised, and does not fire in fair weather. A minute is four seconds here, as the lag is
// measured every fifteen.
func TestPrometheusThrottle(t *testing.T) {
	t.Parallel()
	const minute, alert = 4 * time.Second, "bridge/KafkaFirehoseThrottled"
	server := startServer(t, prometheus(t), hastened(t, minute))
	go server.watch()
	w := newScene(t)
	quota := func(region string) {
		if !w.firehose.SetQuota("orders", firehosetest.DefaultQuota(region)) {
			t.Fatal("there is no stream orders")
		}
	}
	quota("us-east-1")
	_, addr := w.start("bridge", "KAFKA_TOPICS=orders,clicks", "FIREHOSE_ROUTES=orders=orders,clicks=clicks")
	server.scrape("bridge", addr)
	go w.load(2) // 1.2 MB of orders a second
	waitFor(t, time.Minute, "no alert fires any more", func() bool { return len(server.firing()) == 0 })
	for end := time.Now().Add(15 * minute); time.Now().Before(end); <-time.After(time.Second) {
		if names := server.firing(); len(names) > 0 {
			t.Fatalf("the quota is large enough, and there fire %q", names)
		}
	}

	quota("eu-west-3")
	begin := time.Now()
	waitFor(t, 15*minute, "the alert fires", func() bool { return server.fires(alert) })
	t.Logf("it fires after %.1f minutes", float64(time.Since(begin))/float64(minute))
	refused, err := server.over(`sum(rate(kafka_firehose_records_retried_total{stream="orders"}[30s])) / (sum(rate(kafka_firehose_records_retried_total{stream="orders"}[30s])) + sum(rate(kafka_firehose_records_accepted_total{stream="orders"}[30s])))`, time.Now(), time.Now())
	if err != nil || len(refused) != 1 || refused[0].values[0] > 0.05 {
		t.Errorf("refused %v (%v), want less than a twentieth: the alert has to fire for the rate", refused, err)
	}
	for _, name := range server.firing() {
		if strings.HasSuffix(name, "Late") || strings.HasSuffix(name, "LagGrowing") {
			t.Errorf("%s fires before the alert that names the quota", name)
		}
	}
	quota("us-east-1")
	waitFor(t, 15*minute, "the alert ends", func() bool { return !server.fires(alert) })
}
