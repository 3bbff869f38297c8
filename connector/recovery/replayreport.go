package recovery

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// ReplayReport is the result of a replay.
type ReplayReport struct {
	Range      string // of the records, for people
	Group      string // that has the progress; empty in a dry run
	Shard      Shard
	Partitions int
	Records    int64            // that this start has sent, or would send
	Bytes      int64            // of these, as Firehose counts them
	Billed     int64            // bytes that Firehose bills for them
	LeftOut    map[string]int64 // :: reason -> records that the settings leave out
	Bad        map[string]int64 // :: reason -> records of this start that could not be delivered
	BadOffsets []BadOffsets     // of the records of this start that could not be delivered, by partition
	AllBad     int64            // records of all starts that could not be delivered
	Removed    int64            // offsets of the range that retention had removed, in all starts
	Empty      bool             // Kafka has no offset of the range
	Done       bool             // the whole range was read
	DryRun     bool
	Took       time.Duration
}

// ErrIncomplete says that everything was read, and that some records could not be delivered.
var ErrIncomplete = errors.New("some records could not be delivered")

// Err returns ErrIncomplete, with the number of records, unless all of the range was delivered.
func (r ReplayReport) Err() error {
	if r.AllBad == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of the range; the table has the offsets of each start, and BAD_RECORD_POLICY says where the service puts such records", ErrIncomplete, r.AllBad)
}

// WriteTable writes the report for people.
func (r ReplayReport) WriteTable(w io.Writer) error {
	verb := "sent"
	if r.DryRun {
		verb = "would be sent"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s; shard %s, %d partitions\n", r.Range, r.Shard, r.Partitions)
	fmt.Fprintf(&text, "%12d records %s, %d bytes, billed as %d bytes\n", r.Records, verb, r.Bytes, r.Billed)
	for _, reason := range slices.Sorted(maps.Keys(r.LeftOut)) {
		fmt.Fprintf(&text, "%12d records left out, as the settings ask: %s\n", r.LeftOut[reason], reason)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Bad)) {
		fmt.Fprintf(&text, "%12d records could not be delivered: %s\n", r.Bad[reason], reason)
	}
	for _, of := range r.BadOffsets {
		fmt.Fprintf(&text, "             could not be delivered: %s\n", of)
	}
	if earlier := r.AllBad - sumCounts(r.Bad); earlier > 0 {
		fmt.Fprintf(&text, "%12d records could not be delivered in earlier starts\n", earlier)
	}
	switch {
	case r.Partitions == 0:
		fmt.Fprintf(&text, "             shard %s has none of the partitions; the others have them\n", r.Shard)
	case r.Empty:
		fmt.Fprint(&text, "             Kafka has no record of this range: look at the time, the topics and the partitions\n")
	}
	if r.Removed > 0 {
		fmt.Fprintf(&text, "%12d offsets of the range are gone by retention\n", r.Removed)
	}
	state := "not complete"
	switch {
	case r.DryRun && r.Done:
		state = "dry run: nothing was sent"
	case r.Done && r.AllBad == 0:
		state = "complete"
	}
	fmt.Fprintf(&text, "%s, in %s\n", state, r.Took.Round(time.Millisecond))
	_, err := io.WriteString(w, text.String())
	return err
}

func sumCounts(counts map[string]int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
