package deadletter

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Restored is the record that a letter was made of.
type Restored struct {
	// Record has the place, the time, the key, the value and the headers that it had in its topic.
	Record *kgo.Record
	// Group is the consumer group that wrote the letter, and Reason one of metrics.DeadLetterReasons.
	Group, Reason string
	// Values is how many records are packed into one, which can't be taken apart; 0 and 1 for none.
	Values int

	valueDigest, keyDigest string // of a value, and of a key with headers, that the letter does not hold
}

// ErrNoLetter says that a record of the dead-letter topic is no letter of this program.
var ErrNoLetter = errors.New("the record is no dead letter of kafka-firehose")

// RestoreRecord returns the record that a letter was made of. The error wraps ErrNoLetter.
func RestoreRecord(letter *kgo.Record) (Restored, error) {
	own := len(letter.Headers)
	for i, h := range letter.Headers {
		if h.Key == headerTopic {
			own = i // the last one: the record may have been a letter itself
		}
	}
	ours := map[string]string{}
	for _, h := range letter.Headers[own:] {
		ours[h.Key] = string(h.Value)
	}
	partition, badPartition := strconv.ParseInt(ours[headerPartition], 10, 32)
	offset, badOffset := strconv.ParseInt(ours[headerOffset], 10, 64)
	if ours[headerTopic] == "" || badPartition != nil || badOffset != nil || partition < 0 || offset < 0 {
		return Restored{}, fmt.Errorf("%w: partition %d offset %d has no place in its headers", ErrNoLetter, letter.Partition, letter.Offset)
	}
	r := Restored{
		Group: ours[headerName], Reason: ours[headerReason], valueDigest: ours[headerDigest], keyDigest: ours[headerKeyDigest],
		Record: &kgo.Record{
			Topic: ours[headerTopic], Partition: int32(partition), Offset: offset, LeaderEpoch: -1,
			Key: letter.Key, Value: letter.Value, Headers: letter.Headers[:own:own],
		},
	}
	if at, err := time.Parse(time.RFC3339, ours[headerTimestamp]); err == nil {
		r.Record.Timestamp = at
	}
	r.Values, _ = strconv.Atoi(ours[headerValues])
	return r, nil
}

// IsDigest reports whether the record has parts that are only in its topic.
func (r Restored) IsDigest() bool { return r.valueDigest != "" || r.keyDigest != "" }

// IsOriginal reports whether a record of the source topic is the one that the digests are of.
func (r Restored) IsOriginal(record *kgo.Record) bool {
	return (r.valueDigest == "" || digestText(record.Value) == r.valueDigest) && (r.keyDigest == "" || digestText(record.Key) == r.keyDigest)
}
