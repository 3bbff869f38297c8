package recovery

import (
	"fmt"
	"strings"
	"time"

	"kafka-firehose/connector/kafka"
)

// replayMarker is the metadata of the commits of a partition's progress. A later start, on any machine, reads from it
// which records the replay is of, where the range ends, and how many records were left out before the offset.
type replayMarker struct {
	key        string   // of the request, see ReplayRequest.rangeKey
	topic      [16]byte // id of the topic, zero where brokers have none
	begin, end int64    // of the range, fixed at the first start
	bad        int64    // records that could not be delivered
	expired    int64    // offsets that retention had removed
	from, to   time.Time
}

const replayMarkerVersion = "kafka-firehose-replay/1"

// String is the metadata of a commit. Its largest form has about 230 bytes; brokers take 4096.
func (m replayMarker) String() string {
	return fmt.Sprintf("%s key=%s topic=%s begin=%d end=%d bad=%d expired=%d from=%d to=%d",
		replayMarkerVersion, m.key, kafka.FormatTopicID(m.topic), m.begin, m.end, m.bad, m.expired, m.from.UnixMilli(), m.to.UnixMilli())
}

// parseReplayMarker reads the metadata of a commit. It is not ok for metadata that no replay has written.
func parseReplayMarker(metadata string) (m replayMarker, ok bool) {
	var topic string
	var from, to int64
	n, err := fmt.Sscanf(strings.TrimPrefix(metadata, replayMarkerVersion), " key=%s topic=%s begin=%d end=%d bad=%d expired=%d from=%d to=%d",
		&m.key, &topic, &m.begin, &m.end, &m.bad, &m.expired, &from, &to)
	id, legal := kafka.ParseTopicID(topic)
	if err != nil || !legal || n != 8 || !strings.HasPrefix(metadata, replayMarkerVersion+" ") {
		return replayMarker{}, false
	}
	m.topic, m.from, m.to = id, time.UnixMilli(from), time.UnixMilli(to)
	return m, true
}
