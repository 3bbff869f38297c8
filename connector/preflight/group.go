package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/preflight/check"
)

// lookAtGroup asks for the state of the group, and whether this process could join.
func (i *clusterInspector) lookAtGroup(ctx context.Context) {
	before := len(i.found)
	text := i.askGroup(ctx)
	i.lookAtLimits(ctx)
	if i.cfg.GroupProtocol == "consumer" && !i.versions.HasKey(int16(kmsg.ConsumerGroupHeartbeat)) {
		i.found.AddWarning(check.Group, i.cfg.GroupID, "the brokers don't speak the protocol consumer, so that the service goes on with classic", "set KAFKA_GROUP_PROTOCOL=classic")
	}
	if len(i.found) == before {
		i.found.AddOK(check.Group, i.cfg.GroupID, text)
	}
}

// askGroup returns the state of the group in words, or an empty text if it has added an error.
// A group has one of two protocols. Each has a request of its own, which does not describe groups of the other.
func (i *clusterInspector) askGroup(ctx context.Context) (text string) {
	name := i.cfg.GroupID
	if i.versions.HasKey(int16(kmsg.ConsumerGroupDescribe)) {
		described, err := i.admin.DescribeConsumerGroups(ctx, name)
		if g := described[name]; err == nil && g.Err == nil && g.State != "Dead" {
			return i.consumerGroup(g)
		}
	}
	g, err := kafka.RetryPatiently(ctx, func() (kadm.DescribedGroup, error) {
		described, err := i.admin.DescribeGroups(ctx, name)
		if err == nil {
			err = described[name].Err
		}
		return described[name], err
	})
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		return "does not exist yet; the first member makes it"
	case err != nil:
		found, advice := i.explainRefused(err, "look at the cluster: the group has no coordinator")
		i.found.AddError(check.Group, name, found, advice)
		return ""
	}
	i.checkJoining(g.AuthorizedOperations)
	return i.classicGroup(g)
}

// countMembers counts a member of the group.
func (i *clusterInspector) countMembers(instance *string) {
	i.members++
	i.named = i.named || instance != nil && *instance != "" && *instance == i.cfg.GroupInstanceID
}

// checkJoining adds that the group may not be joined.
func (i *clusterInspector) checkJoining(allowed []kadm.ACLOperation) {
	if len(allowed) > 0 && !slices.Contains(allowed, kadm.OpRead) {
		i.found.AddError(check.Group, i.cfg.GroupID, "may be looked at and not joined", fmt.Sprintf("%s needs the operation READ on the group (KAFKA_GROUP_ID)", i.cfg.Auth().Principal()))
	}
}

func (i *clusterInspector) classicGroup(g kadm.DescribedGroup) string {
	members := check.CountNoun(len(g.Members), "member")
	for _, m := range g.Members {
		i.countMembers(m.InstanceID)
	}
	if g.ProtocolType != "" && g.ProtocolType != "consumer" {
		i.found.AddError(check.Group, g.Group, fmt.Sprintf("belongs to something else: its type is %s", g.ProtocolType), "choose another KAFKA_GROUP_ID")
		return ""
	}
	if len(g.Members) == 0 {
		if g.State == "Dead" {
			return "does not exist yet; the first member makes it"
		}
		return g.State + ", no members"
	}
	switch {
	case i.cfg.GroupProtocol == "consumer":
		i.found.AddWarning(check.Group, g.Group, "its members ("+strconv.Itoa(len(g.Members))+") speak the protocol classic, and KAFKA_GROUP_PROTOCOL is consumer", "brokers change a group over only where group.consumer.migration.policy allows it; else stop the members first")
	case g.Protocol != "" && g.Protocol != kafka.ClassicBalancer:
		i.found.AddError(check.Group, g.Group, fmt.Sprintf("its members (%d) share partitions by %s, and this process offers %s alone: it would not be let in", len(g.Members), g.Protocol, kafka.ClassicBalancer), "stop them first, or choose another KAFKA_GROUP_ID")
	}
	var topics [][]string
	for _, m := range g.Members {
		if joined, ok := m.Join.AsConsumer(); ok {
			topics = append(topics, joined.Topics)
		}
	}
	i.sameTopics(topics)
	return fmt.Sprintf("%s, %s, shared by %s", g.State, members, g.Protocol)
}

func (i *clusterInspector) consumerGroup(g kadm.DescribedConsumerGroup) string {
	i.checkJoining(g.AuthorizedOperations)
	for _, m := range g.Members {
		i.countMembers(m.InstanceID)
	}
	members := check.CountNoun(len(g.Members), "member")
	if len(g.Members) > 0 && i.cfg.GroupProtocol != "consumer" {
		i.found.AddWarning(check.Group, g.Group, "its members ("+strconv.Itoa(len(g.Members))+") speak the protocol consumer, and KAFKA_GROUP_PROTOCOL is classic", "set KAFKA_GROUP_PROTOCOL=consumer, unless they are to be replaced")
	}
	var topics [][]string
	for _, m := range g.Members {
		topics = append(topics, m.SubscribedTopics)
	}
	i.sameTopics(topics)
	return fmt.Sprintf("%s, %s, shared by %s (protocol consumer)", g.State, members, g.AssignorName)
}

// sameTopics adds that members read other topics than this process would. Then two
// installations share a group, and each gets partitions that it does not want.
func (i *clusterInspector) sameTopics(members [][]string) {
	if i.cfg.TopicPattern != "" || i.o.SkipTopics {
		return // it would take the metadata of each member's moment to know
	}
	ours := slices.Sorted(slices.Values(i.cfg.Topics))
	for _, theirs := range members {
		if theirs = slices.Sorted(slices.Values(theirs)); len(theirs) > 0 && !slices.Equal(ours, theirs) {
			i.found.AddWarning(check.Group, i.cfg.GroupID, "a member reads other topics: "+strings.Join(theirs, ", "), "give each installation a KAFKA_GROUP_ID of its own, unless this is a change of KAFKA_TOPICS")
			return
		}
	}
}

// lookAtLimits compares the session's timeout and the number of members with what the brokers allow, where this
// process may read that.
func (i *clusterInspector) lookAtLimits(ctx context.Context) {
	if len(i.brokers) == 0 {
		return
	}
	configs, _ := i.admin.DescribeBrokerConfigs(ctx, i.brokers[0].NodeID) // none where it may not
	limit := map[string]int{}
	for _, broker := range configs {
		for _, c := range broker.Configs {
			if n, err := strconv.Atoi(c.MaybeValue()); err == nil {
				limit[c.Key] = n
			}
		}
	}
	size := i.cfg.MaxSizeSetting()
	if most, ok := limit[size]; ok && i.members >= most && !i.named {
		i.found.AddError(check.Group, i.cfg.GroupID, fmt.Sprintf("has %s, and the brokers allow %d (%s): one more would not be let in", check.CountNoun(i.members, "member"), most, size), "run fewer processes, or raise "+size)
	}
	const minSession, maxSession = "group.min.session.timeout.ms", "group.max.session.timeout.ms"
	least, most := time.Duration(limit[minSession])*time.Millisecond, time.Duration(limit[maxSession])*time.Millisecond
	if i.cfg.GroupProtocol == "consumer" || most == 0 || i.cfg.SessionTimeout >= least && i.cfg.SessionTimeout <= most {
		return
	}
	change := maxSession
	if i.cfg.SessionTimeout < least {
		change = minSession
	}
	i.found.AddError(check.Group, i.cfg.GroupID, fmt.Sprintf("KAFKA_SESSION_TIMEOUT is %s, and the brokers take %s to %s", i.cfg.SessionTimeout, least, most), "set it to one of these, or change "+change)
}
