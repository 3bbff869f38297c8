package recovery

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// RedriveRequest describes one redrive.
type RedriveRequest struct {
	// LetterFilter selects letters by the topic of their record and by their reason.
	LetterFilter
	// Since selects letters that were written at this time or later; zero for all.
	Since time.Time
	// Max is how many letters are sent at most; 0 is all.
	Max int64
	// DryRun reads and converts the letters, and sends and commits nothing.
	DryRun bool
	// Progress gets a line now and then; Terminal has each take the place of the one before.
	Progress io.Writer
	Terminal bool
}

// Validate returns the first fault of the request, as of now. Reasons are those that a letter may have.
func (r RedriveRequest) Validate(now time.Time, reasons []string) error {
	switch {
	case r.Reason != "" && !slices.Contains(reasons, r.Reason):
		return fmt.Errorf("-reason is %q; want one of %s", r.Reason, strings.Join(reasons, ", "))
	case r.Max < 0:
		return fmt.Errorf("-max is %d; want 1 or more, or 0 for all", r.Max)
	case r.Since.After(now):
		return fmt.Errorf("-since is %s, and it is %s now; want a time that is over", formatTime(r.Since), formatTime(now))
	}
	return nil
}

// LetterCounts are the results of the letters of one reason.
type LetterCounts struct{ Sent, FailedAgain, Gone int64 }

// StoppedPartition is a partition of the dead-letter topic of which not all letters were tried: those that failed again lie
// between so many others that the progress can't hold more of them.
type StoppedPartition struct {
	Partition int32
	Offset    int64 // of the first letter that was not tried
}

// RedriveReport is the result of a redrive.
type RedriveReport struct {
	Topic    string                   // of the dead letters
	Letters  map[string]*LetterCounts // by the reason of the letter
	Failures map[string]int64         // :: why letters failed again -> how many
	LeftOut  int64                    // letters of records that the settings leave out now
	Foreign  int64                    // records of the topic that are letters of other groups, or none at all
	Stopped  []StoppedPartition       // by partition
	Done     bool                     // all letters up to the end of the topic at the start were looked at, or Max were sent
	DryRun   bool
	Took     time.Duration
}

// Err returns ErrIncomplete unless all letters were sent.
func (r RedriveReport) Err() error {
	var failed, gone int64
	for _, c := range r.Letters {
		failed += c.FailedAgain
		gone += c.Gone
	}
	if failed+gone == 0 && len(r.Stopped) == 0 {
		return nil
	}
	stopped := ""
	if n := len(r.Stopped); n > 0 {
		stopped = fmt.Sprintf(", and %d partitions were not read to their ends", n)
	}
	return fmt.Errorf("%w: %d letters failed again and stay in topic %s, and the records of %d digests are gone%s", ErrIncomplete, failed, r.Topic, gone, stopped)
}

// WriteTable writes the report for people.
func (r RedriveReport) WriteTable(w io.Writer) error {
	sent := "sent"
	if r.DryRun {
		sent = "would send"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%-16s %12s %12s %12s\n", "reason", sent, "failed again", "gone")
	var all LetterCounts
	row := func(name string, c LetterCounts) {
		fmt.Fprintf(&text, "%-16s %12d %12d %12d\n", name, c.Sent, c.FailedAgain, c.Gone)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Letters)) {
		c := *r.Letters[reason]
		row(reason, c)
		all.Sent, all.FailedAgain, all.Gone = all.Sent+c.Sent, all.FailedAgain+c.FailedAgain, all.Gone+c.Gone
	}
	row("all", all)
	for _, why := range slices.Sorted(maps.Keys(r.Failures)) {
		fmt.Fprintf(&text, "failed again, %s: %d\n", why, r.Failures[why])
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(&text, "%d records are left out, as the settings ask\n", r.LeftOut)
	}
	if r.Foreign > 0 {
		fmt.Fprintf(&text, "%d records of the topic are letters of other groups, or no letters\n", r.Foreign)
	}
	for _, p := range r.Stopped {
		fmt.Fprintf(&text, "partition %d: stopped before offset %d: too many letters that failed again lie between others. Repair what makes them fail, or have the settings leave them out, and run redrive again; or choose others with -reason or -topic\n", p.Partition, p.Offset)
	}
	state := "not complete"
	if r.Done {
		state = "complete"
	}
	if r.DryRun {
		state += "; dry run: nothing was sent"
	}
	fmt.Fprintf(&text, "%s: topic %s, in %s\n", state, r.Topic, r.Took.Round(time.Millisecond))
	_, err := io.WriteString(w, text.String())
	return err
}
