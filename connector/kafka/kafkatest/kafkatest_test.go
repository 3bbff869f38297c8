package kafkatest_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestApacheCluster writes through the death of a broker, and has it back.
func TestApacheCluster(t *testing.T) {
	kafkatest.Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	begin := time.Now()
	c, err := kafkatest.Start(ctx, kafkatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Logf("three brokers after %v", time.Since(begin).Round(time.Millisecond))

	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs("PLAINTEXT")...), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 3, -1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	produce := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if err := client.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(0, 10)
	if err := c.Kill(1); err != nil {
		t.Fatal(err)
	}
	produce(10, 20)
	if err := c.Launch(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(2); err != nil {
		t.Fatal(err)
	}
	produce(20, 30)
	sum, err := recordCount(ctx, client, "t")
	for err != nil && ctx.Err() == nil { // a leader that the client knows may be the broker that has just ended
		<-time.After(100 * time.Millisecond)
		sum, err = recordCount(ctx, client, "t")
	}
	if sum != 30 || err != nil {
		t.Errorf("%d records in the topic, want 30: %v", sum, err)
	}
	if log, err := os.ReadFile(c.LogFile(0)); err != nil || len(log) == 0 {
		t.Errorf("broker 0 has logged nothing: %v", err)
	}
}

// recordCount sums the end offsets of the topic's partitions.
func recordCount(ctx context.Context, client *kgo.Client, topic string) (int64, error) {
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	var sum int64
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, ends.Error()
}
