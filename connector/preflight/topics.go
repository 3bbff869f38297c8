package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/preflight/check"
)

// lookAtTopics asks for the topics that are named, or for all and keeps those that match.
func (i *clusterInspector) lookAtTopics(ctx context.Context) {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	if i.cfg.TopicPattern == "" {
		for _, name := range i.cfg.Topics {
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = &name
			req.Topics = append(req.Topics, topic)
		}
	}
	resp, err := req.RequestWith(ctx, i.client)
	if err != nil {
		found, advice := i.explainRefused(err, "")
		i.found.AddError(check.Topic, "", "can't be listed: "+found, advice)
		return
	}
	wanted := i.matchingTopics(resp.Topics)
	if len(wanted) == 0 {
		i.found.AddWarning(check.Topic, "", fmt.Sprintf("KAFKA_TOPIC_PATTERN matches none of the %s that this process may see", check.CountNoun(len(resp.Topics), "topic")), "correct it, or grant DESCRIBE on the topics; the service waits for some")
		return
	}
	for _, t := range wanted {
		i.lookAtTopic(t)
	}
	i.askLargest(ctx)
}

// matchingTopics are the topics that the service would read, by name.
func (i *clusterInspector) matchingTopics(all []kmsg.MetadataResponseTopic) []kmsg.MetadataResponseTopic {
	matches := i.cfg.TopicMatcher(i.o.Exclude)
	all = slices.DeleteFunc(all, func(t kmsg.MetadataResponseTopic) bool {
		return t.Topic == nil || i.cfg.TopicPattern != "" && !matches(*t.Topic)
	})
	slices.SortFunc(all, func(a, b kmsg.MetadataResponseTopic) int { return strings.Compare(*a.Topic, *b.Topic) })
	return all
}

func (i *clusterInspector) lookAtTopic(t kmsg.MetadataResponseTopic) {
	name := *t.Topic
	switch err := kerr.ErrorForCode(t.ErrorCode); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		i.found.AddError(check.Topic, name, "does not exist", "create it, or correct KAFKA_TOPICS; the service waits for it")
		return
	case err != nil:
		found, advice := i.explainRefused(err, "look at the cluster")
		i.found.AddError(check.Topic, name, found, advice)
		return
	}
	i.topics = append(i.topics, name)
	read, known := isAllowed(t.AuthorizedOperations, kmsg.ACLOperationRead)
	var leaderless []string
	for _, p := range t.Partitions {
		if p.Leader < 0 {
			leaderless = append(leaderless, strconv.Itoa(int(p.Partition)))
		}
	}
	text := check.CountNoun(len(t.Partitions), "partition")
	stream, routed := i.o.StreamFor(name)
	switch {
	case known && !read:
		i.found.AddError(check.Topic, name, text+", may not be read", i.cfg.Auth().Principal()+" needs the operation READ on the topic")
	case len(leaderless) > 0:
		i.found.AddWarning(check.Topic, name, fmt.Sprintf("%s, of which %s can't be read for want of a leader", text, strings.Join(leaderless, ", ")), "look at the cluster")
	case !routed:
		i.found.AddWarning(check.Topic, name, "no stream takes it, so that it is not read", "add it to FIREHOSE_ROUTES, or set FIREHOSE_STREAM for the rest")
	case !known:
		i.found.AddOK(check.Topic, name, text+", to stream "+stream+"; the broker does not tell whether they may be read")
	default:
		i.found.AddOK(check.Topic, name, text+", may be read, to stream "+stream)
	}
}

// askLargest finds out how large records can be, as far as this process may know it.
func (i *clusterInspector) askLargest(ctx context.Context) {
	configs, _ := i.admin.DescribeTopicConfigs(ctx, i.topics...) // those that it may
	for _, topic := range configs {
		for _, c := range topic.Configs {
			if n, err := strconv.Atoi(c.MaybeValue()); c.Key == "max.message.bytes" && err == nil {
				i.largest = max(i.largest, n)
			}
		}
	}
}
