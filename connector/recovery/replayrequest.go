package recovery

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
)

// ReplayRequest describes one replay.
type ReplayRequest struct {
	// From and To are the range, by the records' timestamps: From belongs to it and To does not. Both are zero with Offsets.
	From, To time.Time
	// Offsets are the offsets to replay in the place of a range of time; nil for none.
	Offsets *OffsetFile
	// Topics are a part of those that the service reads, and Partitions a part of theirs; empty for all.
	Topics     []string
	Partitions []int32
	// Stream gets the records in the place of the streams that the service sends them to; empty for those.
	Stream string
	// Name is the name of the progress; empty for one that follows from the range.
	Name string
	// Shard is the part of the partitions that this process replays.
	Shard Shard
	// MaxBytesPerSecond is the limit of each stream for all shards together; 0 is a quarter of its quota.
	MaxBytesPerSecond int64
	// AllowGaps has the replay continue if retention has removed some of the range.
	AllowGaps bool
	// DryRun reads and converts the range, and sends and commits nothing.
	DryRun bool
	// Progress gets a line now and then; Terminal has each take the place of the one before.
	Progress io.Writer
	Terminal bool
}

// legalName is the form of a -name. Brokers take group names of any length, but people read them.
var legalName = regexp.MustCompile(`\A[a-zA-Z0-9._-]{1,100}\z`)

// Validate returns the first fault of the request, as of now.
func (r ReplayRequest) Validate(now time.Time) error {
	switch {
	case r.Offsets != nil && !(r.From.IsZero() && r.To.IsZero()):
		return errors.New("-offsets names the records; want it without -from and -to")
	case r.Name != "" && !legalName.MatchString(r.Name):
		return fmt.Errorf("-name is %q; want 1 to 100 of a-z A-Z 0-9 . _ -", r.Name)
	case r.MaxBytesPerSecond < 0:
		return fmt.Errorf("-max-bytes-per-second is %d; want 1 or more", r.MaxBytesPerSecond)
	case r.Offsets == nil:
		return validateRange(r.From, r.To, now)
	}
	return nil
}

// validateRange returns the fault of a range of time, nil if it has none.
func validateRange(from, to, now time.Time) error {
	switch {
	case from.IsZero() || to.IsZero():
		return errors.New("-from and -to are both needed: want RFC 3339 times such as 2026-01-31T00:00:00Z, or an age such as 24h")
	case !from.Before(to):
		return fmt.Errorf("the range is empty: -from is %s and -to is %s; want -from before -to", formatTime(from), formatTime(to))
	case to.After(now):
		return fmt.Errorf("the range is in the future: -to is %s and it is %s now; want a range that is over", formatTime(to), formatTime(now))
	}
	return nil
}

// rangeKey identifies the records of the replay and the stream that gets them. Two requests with the same key may
// share their progress.
func (r ReplayRequest) rangeKey() string {
	key := struct {
		From, To   int64
		Topics     []string
		Partitions []int32
		Stream     string
		Offsets    []byte
	}{Topics: slices.Sorted(slices.Values(r.Topics)), Partitions: slices.Sorted(slices.Values(r.Partitions)), Stream: r.Stream}
	if r.Offsets != nil {
		key.Offsets = r.Offsets.digest[:]
	} else {
		key.From, key.To = r.From.UnixMilli(), r.To.UnixMilli()
	}
	text, _ := json.Marshal(key) // it has nothing that can't be written
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// ProgressName is the name that the progress is kept under.
func (r ReplayRequest) ProgressName() string {
	return cmp.Or(r.Name, r.rangeKey())
}

// ProgressGroup is the group that the progress is committed to, of a service with the given group.
func (r ReplayRequest) ProgressGroup(service string) string {
	return service + ".replay." + r.ProgressName()
}

// String says which records are replayed.
func (r ReplayRequest) String() string {
	if r.Offsets != nil {
		return fmt.Sprintf("the offsets of -offsets in %d partitions", len(r.Offsets.Partitions))
	}
	return formatTime(r.From) + " to " + formatTime(r.To)
}

// wantsPartition reports whether the request names the partition.
func (r ReplayRequest) wantsPartition(topic string, partition int32) bool {
	return r.Shard.HoldsPartition(topic, partition) &&
		(len(r.Partitions) == 0 || slices.Contains(r.Partitions, partition)) &&
		(r.Offsets == nil || r.Offsets.partitionOf(topic, partition) != nil)
}
