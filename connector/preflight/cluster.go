package preflight

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/preflight/check"
)

// clusterTimeout bounds each step of an inspection, so that one that hangs leaves time
// for the others.
const clusterTimeout = 7 * time.Second

// clusterOptions are the options of a clusterInspector beside the configuration.
type clusterOptions struct {
	Connection *kafka.Connection
	// Lookup resolves the names of brokers, to show the addresses; nil leaves that to the connections.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// StreamFor returns where a topic goes to.
	StreamFor func(topic string) (stream string, ok bool)
	// Exclude is a topic that the pattern does not match; empty for none.
	Exclude string
	// SkipTopics and SkipGroup are for settings that can't be used: nothing is asked for that needs them.
	SkipTopics, SkipGroup bool
	// Client are further options for the clients, in tests.
	Client []kgo.Opt
}

// clusterInspector looks at one cluster.
type clusterInspector struct {
	cfg      kafka.Config
	o        clusterOptions
	found    check.Findings
	client   *kgo.Client
	admin    *kadm.Client
	versions *kversion.Versions // of the broker that answered first
	brokers  []kmsg.MetadataResponseBroker
	topics   []string // that may be described
	largest  int      // highest max.message.bytes of the topics, in bytes; 0 if it is not known
	members  int      // of the group
	named    bool     // one of them has this process's KAFKA_GROUP_INSTANCE_ID, and makes room for it
}

// inspectCluster looks at the cluster as a member of the group would see it: the brokers, the
// topics, the group and where it stands. largest is the highest max.message.bytes of the topics, 0 if it is not known.
func inspectCluster(ctx context.Context, cfg kafka.Config, o clusterOptions) (found check.Findings, largest int) {
	i := &clusterInspector{cfg: cfg, o: o}
	defer i.closeClient()
	if !i.meetBrokers(ctx) {
		const unseen = "not looked at, as no broker lets this process in"
		i.found.AddWarning(check.Topic, "", unseen, "")
		i.found.AddWarning(check.Group, cfg.GroupID, unseen, "")
		return i.found, 0
	}
	for _, step := range []struct {
		skip bool
		look func(context.Context)
	}{
		{o.SkipTopics, i.lookAtTopics},
		{o.SkipGroup, i.lookAtGroup},
		{o.SkipTopics || o.SkipGroup, i.lookAtOffsets},
	} {
		if step.skip {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, clusterTimeout)
		step.look(bounded)
		cancel()
	}
	return i.found, i.largest
}

// clientOptions are those of all clients of an inspection. The newest version of a request for
// groups returns nothing about a group that does not exist yet, nor its authorized operations.
func (i *clusterInspector) clientOptions(more ...kgo.Opt) []kgo.Opt {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.DescribeGroups), 5)
	return append(append(append(i.o.Connection.ClientOptions(), i.o.Client...), kgo.MaxVersions(versions)), more...)
}

// openClient makes the client that asks for everything but the brokers, by way of those that answer.
func (i *clusterInspector) openClient(seeds []string) error {
	client, err := kgo.NewClient(i.clientOptions(kgo.SeedBrokers(seeds...))...)
	if err == nil {
		i.client, i.admin = client, kadm.NewClient(client)
	}
	return err
}

func (i *clusterInspector) closeClient() {
	if i.client != nil {
		i.client.Close()
	}
}

// noAccess are the refusals of diagnosis in words.
var noAccess = map[string]string{"login": "the login is refused", "connection": "no connection", "topic": "not allowed", "group": "not allowed"}

// explainRefused puts an error into words: the finding, and the advice.
func (i *clusterInspector) explainRefused(err error, otherwise string) (found, advice string) {
	if shards, ok := errors.AsType[*kadm.ShardErrors](err); ok && len(shards.Errs) > 0 {
		err = shards.Errs[0].Err // that of the first broker; the rest is who was asked
	}
	found = awsconfig.CleanMessage(err.Error())
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
		found = "no answer in time: " + found
	}
	if d, ok := i.cfg.DiagnoseError(err); ok {
		return noAccess[d.Refused] + ": " + found, d.Hint
	}
	return found, otherwise
}

// isAllowed reports whether one of the operations that brokers say are allowed is this one.
// Those that don't tell leave the lowest number or nothing, and it is not known.
func isAllowed(allowed int32, op kmsg.ACLOperation) (yes, known bool) {
	return allowed&(1<<op) != 0, allowed > 0
}
