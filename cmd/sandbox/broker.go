package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic = "events"
	group = "sandbox"
	// maxBatch lets lines into the topic that are larger than a record of Firehose, so that the sandbox can show what
	// becomes of them.
	maxBatch = 2 << 20
)

// broker is the embedded Kafka with its one topic.
type broker struct {
	cluster *kfake.Cluster
	addr    string
	admin   *kadm.Client
}

// offsets are positions in the topic, by partition. One that is not there is at its start, 0.
type offsets map[int32]int64

func (o offsets) sum() (n int64) {
	for _, at := range o {
		n += at
	}
	return n
}

// reaches reports that o is at or past target in every partition.
func (o offsets) reaches(target offsets) bool {
	for p, at := range target {
		if o[p] < at {
			return false
		}
	}
	return true
}

func openBroker(o options) (*broker, error) {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return o.listen(network, o.kafka, "kafka") }),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": strconv.Itoa(4 * maxBatch)}),
		kfake.SeedTopics(int32(o.partitions), topic),
	)
	if err != nil {
		return nil, fmt.Errorf("start the embedded Kafka: %w", err)
	}
	b := &broker{cluster: cluster, addr: cluster.ListenAddrs()[0]}
	if b.admin, err = kadm.NewOptClient(kgo.SeedBrokers(b.addr)); err != nil {
		cluster.Close()
		return nil, fmt.Errorf("connect to the embedded Kafka: %w", err)
	}
	return b, nil
}

func (b *broker) close() {
	b.admin.Close()
	b.cluster.Close()
}

// ends are the offsets after the last record of each partition.
func (b *broker) ends(ctx context.Context) (offsets, error) {
	listed, err := b.admin.ListEndOffsets(ctx, topic)
	if err = errors.Join(err, listed.Error()); err != nil {
		return nil, fmt.Errorf("ask for the end of the topic: %w", err)
	}
	at := offsets{}
	listed.Each(func(o kadm.ListedOffset) { at[o.Partition] = o.Offset })
	return at, nil
}

// committed are the offsets from which the connector would go on.
func (b *broker) committed(ctx context.Context) (offsets, error) {
	found, err := b.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("ask for the committed offsets: %w", err)
	}
	at := offsets{}
	for p, o := range found[topic] {
		if o.Err == nil && o.At >= 0 {
			at[p] = o.At
		}
	}
	return at, nil
}

// listen takes another port when that of a default is in use, and names the flag that helps when it was chosen.
func (o options) listen(network, addr, flag string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	if errors.Is(err, syscall.EADDRINUSE) && !o.given[flag] {
		host, _, _ := net.SplitHostPort(addr)
		l, err = net.Listen(network, net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with -%s, such as -%s 127.0.0.1:0 for a port that is free", err, flag, flag)
	}
	return l, nil
}
