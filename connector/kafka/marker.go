package kafka

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// A marker travels as the metadata of every committed offset. It says which topic
// the offset belongs to and how the group began to read it, so that the next
// owner decides from facts and not from the memory of one process:
//
//   - Brokers before Kafka 4.2 store a commit under the topic's name. When a topic
//     is deleted and created again while records are in flight, the last offset of
//     the old topic can land in the new one. The next owner sees the old id in the
//     marker and ignores the offset.
//   - With KAFKA_AUTO_OFFSET_RESET=latest, a partition without a commit starts at its
//     end if it was there when the group first saw the topic, and at its beginning
//     if it was added later. The marker holds the number of partitions at that time.
//
// The zero marker is that of an offset that something else has committed: an
// operator's reset, another consumer, a tool that translates offsets.
type commitMarker struct {
	cluster      string   // id of the cluster, because a mirrored group keeps the metadata
	topic        [16]byte // id of the topic, zero where brokers have none
	subscription uint32   // of the process that first saw the topic, see subscriptionHash
	partitions   int      // number of partitions that have records from before the start; 0 if all partitions are read from their beginning
	since        int64    // when the group first saw the topic, in milliseconds of Unix time; 0 with partitions 0
}

const markerVersion = "kafka-firehose/1"

// String is the metadata of a commit. Its largest form has about 110 bytes; brokers
// take 4096 (offset.metadata.max.bytes).
func (m commitMarker) String() string {
	return fmt.Sprintf("%s cluster=%s topic=%s subscription=%08x partitions=%d since=%d",
		markerVersion, m.cluster, FormatTopicID(m.topic), m.subscription, m.partitions, m.since)
}

// parseMarker reads the metadata of a commit. It is not ok for metadata that no
// marker has written.
func parseMarker(metadata string) (m commitMarker, ok bool) {
	fields, found := strings.CutPrefix(metadata, markerVersion+" ")
	if !found {
		return commitMarker{}, false
	}
	for field := range strings.FieldsSeq(fields) {
		name, value, _ := strings.Cut(field, "=")
		var err error
		switch name {
		case "cluster":
			m.cluster = value
		case "topic":
			var ok bool
			if m.topic, ok = ParseTopicID(value); !ok {
				return commitMarker{}, false
			}
		case "subscription":
			_, err = fmt.Sscanf(value, "%08x", &m.subscription)
		case "partitions":
			_, err = fmt.Sscanf(value, "%d", &m.partitions)
		case "since":
			_, err = fmt.Sscanf(value, "%d", &m.since)
		}
		if err != nil {
			return commitMarker{}, false
		}
	}
	return m, true
}

// FormatTopicID returns the id of a topic as the metadata of commits has it.
func FormatTopicID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseTopicID reads the text of FormatTopicID.
func ParseTopicID(text string) (id [16]byte, ok bool) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(decoded) != len(id) {
		return id, false
	}
	return [16]byte(decoded), true
}

// isOf reports whether the marker belongs to the topic that has the id now. It is true
// where that can't be told: without ids, and for another cluster, whose offsets were
// translated for this one.
func (m commitMarker) isOf(cluster string, topic [16]byte) bool {
	return m.topic == topic || m.topic == [16]byte{} || topic == [16]byte{} || m.cluster != cluster
}

// subscriptionHash identifies the topics that a configuration subscribes to. A topic that
// appears under the same subscription is newer than the group; a topic that appears
// because the setting was changed is not.
func (c Config) subscriptionHash() uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(c.TopicPattern))
	if c.TopicExclude != "" {
		_, _ = h.Write([]byte("\x01" + c.TopicExclude))
	}
	for _, t := range slices.Sorted(slices.Values(c.Topics)) {
		_, _ = h.Write([]byte("\x00" + t))
	}
	return h.Sum32()
}
