package e2e_test

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"kafka-firehose/connector"
	"kafka-firehose/connector/kafka/kafkatest"
)

// TestApacheBrokers moves and kills what the members lean on, under load: one group
// of each protocol, with two members each. It has a cluster of its own, and one case
// after the other.
func TestApacheBrokers(t *testing.T) {
	kafkatest.Require(t)
	cluster := startApache(t)
	for _, c := range []struct {
		name    string
		trouble func(t *testing.T, c *kafkatest.Cluster, groups []*world)
	}{
		{"LeadersMove", leadersMove},
		{"CoordinatorsMove", coordinatorsMove},
		{"KilledAndBack", killedAndBack},
		{"RollingRestart", rollingRestart},
	} {
		t.Run(c.name, func(t *testing.T) {
			onApache(t, cluster, func(classic *world) {
				onApache(t, cluster, func(consumer *world) {
					underLoad(t, []*world{classic, consumer}, func() { c.trouble(t, cluster, []*world{classic, consumer}) })
				})
			})
		})
	}
}

// underLoad runs two members of each protocol while records come in, and trouble
// beside them. Afterwards nothing is lost, and what came twice was told beforehand.
func underLoad(t *testing.T, groups []*world, trouble func()) {
	t.Helper()
	var stops []func() int
	for i, w := range groups {
		proto := func(c *connector.Config) { c.Kafka.GroupProtocol = protocols[i] }
		stops = append(stops, w.load(0, 50, 50*time.Millisecond))
		w.untilShared(2, w.start(proto), w.start(proto))
	}
	untilProgress(groups)
	trouble()
	untilProgress(groups)
	for i, w := range groups {
		produced := stops[i]()
		w.untilCommitted(produced)
		for _, m := range w.members {
			m.mustStop()
		}
		again := w.toldAgain()
		_, copies := w.judge.count(produced)
		t.Logf("%s: %d records, %d twice, of which %d were told beforehand, %d rebalances with a loss", protocols[i], produced, copies, again, w.losses())
		w.wantAll(produced, again)
	}
}

// untilProgress waits until each group has committed a thousand records more.
func untilProgress(groups []*world) {
	for _, w := range groups {
		before := w.judge.progress()
		w.until("the group goes on", patience, func() bool { return w.judge.progress() >= before+1000 })
	}
}

var recordsAgain = regexp.MustCompile(`msg="partitions (?:revoked|lost).*records_again=(\d+)`)

// toldAgain is how many records the members have said will be delivered again, when
// they lost partitions or had to give them up too soon.
func (w *world) toldAgain() (n int) {
	for _, found := range recordsAgain.FindAllStringSubmatch(w.log.String(), -1) {
		again, err := strconv.Atoi(found[1])
		if err != nil {
			w.t.Fatal(err)
		}
		n += again
	}
	return n
}

func (w *world) losses() int { return strings.Count(w.log.String(), `msg="partitions lost`) }

// leadersMove: each partition is led by another broker, three times over.
func leadersMove(_ *testing.T, _ *kafkatest.Cluster, groups []*world) {
	for range 3 {
		for _, w := range groups {
			w.moveLeaders(w.in)
		}
		untilProgress(groups)
	}
}

// moveLeaders makes the second replica of each partition its leader.
func (w *world) moveLeaders(topic string) {
	w.t.Helper()
	ctx := context.Background()
	topics, err := w.admin.ListTopicsWithInternal(ctx, topic)
	if err != nil {
		w.t.Fatal(err)
	}
	var move kadm.AlterPartitionAssignmentsReq
	all := kadm.TopicsSet{}
	next := map[int32]int32{} // :: partition -> its leader to be
	for _, p := range topics[topic].Partitions {
		replicas := append(slices.Clone(p.Replicas[1:]), p.Replicas[0])
		next[p.Partition] = replicas[0]
		all.Add(topic, p.Partition)
		move.Assign(topic, p.Partition, replicas)
	}
	if _, err := w.admin.AlterPartitionAssignments(ctx, move); err != nil {
		w.t.Fatal(err)
	}
	w.until("the leaders of "+topic+" have moved", patience, func() bool {
		if _, err := w.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, all); err != nil {
			return false // the controller may be busy with the move itself
		}
		topics, err := w.admin.ListTopicsWithInternal(ctx, topic)
		if err != nil {
			return false
		}
		for _, p := range topics[topic].Partitions {
			if p.Leader != next[p.Partition] {
				return false
			}
		}
		return true
	})
}

// coordinatorsMove: the groups are in the care of another broker, three times over.
func coordinatorsMove(_ *testing.T, _ *kafkatest.Cluster, groups []*world) {
	for range 3 {
		before := []int32{groups[0].coordinator(), groups[1].coordinator()}
		groups[0].moveLeaders("__consumer_offsets")
		for i, w := range groups {
			w.until("the group has another coordinator", patience, func() bool { return w.coordinator() != before[i] })
		}
		untilProgress(groups)
	}
}

// coordinator is the node that the group is in the care of.
func (w *world) coordinator() (node int32) {
	w.t.Helper()
	w.until("the group has a coordinator", patience, func() bool {
		found := w.admin.FindGroupCoordinators(context.Background(), w.group)[w.group]
		node = found.NodeID
		return found.Err == nil
	})
	return node
}

// killedAndBack: the coordinator of a group, which leads partitions as well, gets a
// SIGKILL, and comes back after the others have taken over.
func killedAndBack(t *testing.T, c *kafkatest.Cluster, groups []*world) {
	t.Helper()
	for _, w := range groups {
		n := int(w.coordinator() - c.NodeID(0))
		if err := c.Kill(n); err != nil {
			t.Fatal(err)
		}
		untilProgress(groups)
		if err := c.Launch(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		untilProgress(groups)
		w.untilInSync()
	}
}

// untilInSync waits until no replica is behind, so that a broker may be missed.
func (w *world) untilInSync() {
	w.t.Helper()
	w.until("all replicas are in sync", patience, func() bool {
		topics, err := w.admin.ListTopicsWithInternal(context.Background())
		if err != nil {
			return false
		}
		for _, topic := range topics {
			for _, p := range topic.Partitions {
				if len(p.ISR) < len(p.Replicas) {
					return false
				}
			}
		}
		return true
	})
}

// rollingRestart: an upgrade, or a change of the brokers' configuration.
func rollingRestart(t *testing.T, c *kafkatest.Cluster, groups []*world) {
	t.Helper()
	for n := range 3 {
		begin := time.Now()
		if err := c.Stop(n); err != nil {
			t.Fatal(err)
		}
		if err := c.Launch(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		groups[0].untilInSync()
		t.Logf("broker %d was away for %v", n, time.Since(begin).Round(time.Millisecond))
	}
}
