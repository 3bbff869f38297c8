package deadletter

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/offset"
)

// Letter is a record that can't be delivered, and why.
type Letter struct {
	// Record is the record in Kafka, or the part of it that is left. SendLetter copies it.
	Record *kgo.Record
	Reason string // one of metrics.DeadLetterReasons
	Stage  string // where it was found out, one of the Stages
	Error  string // the whole story, without any payload
	Values int    // Kafka records that were packed into this one; 0 and 1 for none
	// Leases are the assignments that it belongs to. When all of them have ended it
	// is dropped: it is for the next owners of the partitions then.
	Leases []*offset.Lease
	// Done is called once: when Kafka has acknowledged the letter, or when it is
	// given up. It must not block.
	Done func(acknowledged bool)
}

// The stages, in the words of Kafka Connect.
const (
	StageConvert = "VALUE_CONVERTER" // it can't be made into something that Firehose takes
	StagePut     = "TASK_PUT"        // Firehose does not take it
)

// The headers that a letter has after those of its record. Where Kafka Connect has
// a name, it is that; tools for its dead letters know it. All values are text.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerName      = "__connect.errors.connector.name" // the consumer group
	headerStage     = "__connect.errors.stage"
	headerReason    = "__connect.errors.exception.class.name"
	headerError     = "__connect.errors.exception.message"
	headerTimestamp = "kafka-firehose.timestamp"    // of the record, RFC 3339
	headerTime      = "kafka-firehose.time"         // when it became a dead letter, RFC 3339
	headerValues    = "kafka-firehose.values"       // only where several records are in one
	headerDigest    = "kafka-firehose.value.sha256" // these only where the value is too large
	headerSize      = "kafka-firehose.value.bytes"
	headerKeyDigest = "kafka-firehose.key.sha256" // these only where key or headers are, too
	headerKeySize   = "kafka-firehose.key.bytes"
	headerHeaders   = "kafka-firehose.headers.bytes"
)

// maxError is how much of an error's text is kept, in bytes.
const maxError = 1000

// queuedLetter is a Letter in the writer's queue. It is Run's while it is in flight, else under the
// Writer's mu.
type queuedLetter struct {
	Letter
	record *kgo.Record // the record that is written
	own    int         // headers of the original in record
	weight int64
	since  time.Time // when it was sent
	single bool      // was refused with others for their size: goes alone now

	refusals  int       // for its size, alone, as it is now
	refusedAt time.Time // the first of them
}

// newLetter copies what Kafka is to store. The record's own bytes belong to a fetch
// of perhaps many megabytes, which must not stay for one of them.
func newLetter(l Letter, group string, now time.Time) *queuedLetter {
	r := l.Record
	buf := make([]byte, 0, recordSize(r))
	keep := func(b []byte) []byte {
		if b == nil { // which is not the same as empty
			return nil
		}
		from := len(buf)
		buf = append(buf, b...)
		return buf[from:len(buf):len(buf)]
	}
	// There is no timestamp, so the client takes the time of the attempt, from which it
	// also counts how long that takes. With the record's own, the topic's retention would
	// at once take the letter of an old record away.
	c := &kgo.Record{Key: keep(r.Key), Value: keep(r.Value)}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, kgo.RecordHeader{Key: strings.Clone(h.Key), Value: keep(h.Value)})
	}
	own := len(c.Headers)
	add := func(name, value string) {
		c.Headers = append(c.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(headerTopic, r.Topic)
	add(headerPartition, strconv.Itoa(int(r.Partition)))
	add(headerOffset, strconv.FormatInt(r.Offset, 10))
	add(headerName, group)
	add(headerStage, l.Stage)
	add(headerReason, l.Reason)
	add(headerError, cutText(l.Error))
	if !r.Timestamp.IsZero() {
		add(headerTimestamp, formatTime(r.Timestamp))
	}
	add(headerTime, formatTime(now))
	if l.Values > 1 {
		add(headerValues, strconv.Itoa(l.Values))
	}
	weight := RecordWeight(r)
	l.Record = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	return &queuedLetter{Letter: l, record: c, own: own, weight: weight, since: now}
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func cutText(text string) string {
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}

// isRevoked reports whether the letter belongs to another member now.
func (l *queuedLetter) isRevoked() bool {
	return !slices.ContainsFunc(l.Leases, func(lease *offset.Lease) bool { return !lease.Closed() })
}

// holdsLease reports whether the letter keeps the lease from settling.
func (l *queuedLetter) holdsLease(lease *offset.Lease) bool { return slices.Contains(l.Leases, lease) }
