package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Member is what one process has answered.
type Member struct {
	Addr     string // host:port
	Snapshot Snapshot
	Err      error // why there is no snapshot, else nil
}

// listedPartitions is how many partitions a text lists of each member: those with the largest lag.
const listedPartitions = 10

// WriteText prints members side by side, for a terminal or a file. Control characters in names and messages are
// replaced.
func WriteText(w io.Writer, members []Member) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEMBER\tSTATE\tGROUP\tPARTITIONS\tLAG\tBAD RECORDS\tMEMORY")
	for _, m := range members {
		if m.Err != nil {
			fmt.Fprintf(table, "%s\tno answer: %s\t\t\t\t\t\n", plainText(m.Addr), plainText(m.Err.Error()))
			continue
		}
		v := pageViewOf(m.Snapshot)
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%s of %s\n", plainText(m.Addr), memberState(v.Snapshot), plainText(v.Group.ID), v.Owned, v.Lag, v.BadRecords.Records, FormatBytes(v.Memory.Buffered), FormatBytes(v.Memory.Limit))
	}
	fmt.Fprintln(table, "\nSTREAM\tMEMBER\tSTATE\tRECORDS/S\tBYTES/S\tPEAK\tLIMIT\tQUOTA\tREFUSED\tLAG\tLAST ACCEPTED")
	for _, m := range members {
		for _, s := range m.Snapshot.Streams {
			now := Second{}
			if n := len(s.History); n > 0 {
				now = s.History[n-1]
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%.0f\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", plainText(s.Name), plainText(m.Addr), plainText(s.State), now.AcceptedRecords, FormatBytes(now.AcceptedBytes),
				FormatBytes(s.PeakSecond.AcceptedBytes), orNone(s.RateBytes), orNone(s.QuotaBytes), formatPercent(s.RefusedShare), s.Lag, formatAgo(m.Snapshot.At, s.LastAccepted))
		}
	}
	fmt.Fprintln(table, "\nTOPIC\tPARTITION\tMEMBER\tLAG\tOLDEST\tCOMMITTED\tSTATE")
	for _, m := range members {
		parts := pageViewOf(m.Snapshot).Partitions
		for _, p := range parts[:min(len(parts), listedPartitions)] {
			fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%s\t%d\t%s\n", plainText(p.Topic), p.Partition, plainText(m.Addr), p.Lag, secondsText(p.OldestAge), p.Committed, plainText(p.why()))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := writeCredentials(&text, members); err != nil {
		return err
	}
	writeDropped(&text, members)
	writeRuntime(&text, members)
	writeFaults(&text, members)
	_, err := io.WriteString(w, text.String())
	return err
}

// writeDropped lists what Firehose has dropped, each outage once for the members that say the same of it.
func writeDropped(w io.Writer, members []Member) {
	const day = "2006-01-02 15:04"
	seen := map[string]bool{}
	for _, m := range members {
		for _, s := range m.Snapshot.Streams {
			if s.Destination == nil {
				continue
			}
			for _, d := range s.Destination.Dropped {
				line := fmt.Sprintf("stream %s: Firehose has probably dropped records that it accepted from %s to %s UTC", plainText(s.Name), d.From.UTC().Format(day), d.Until.UTC().Format(day))
				if d.Replay != "" {
					line += "; unless it was done, run " + plainText(d.Replay)
				}
				if !seen[line] {
					fmt.Fprint(w, "\n"+line+"\n")
				}
				seen[line] = true
			}
		}
	}
}

// writeCredentials lists the credentials of each member. Streams whose credentials look the same share a line.
func writeCredentials(w io.Writer, members []Member) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "\nCREDENTIALS\tMEMBER\tSOURCE\tROLE\tVALID"
	for _, m := range members {
		uses := map[Credentials]int{}
		for _, c := range m.Snapshot.Credentials {
			c.For = ""
			uses[c]++
		}
		for _, c := range m.Snapshot.Credentials {
			same := c
			same.For = ""
			more := uses[same] - 1
			delete(uses, same)
			if more < 0 {
				continue // listed with the first
			}
			if more > 0 {
				c.For += fmt.Sprintf(" and %d more", more)
			}
			if head != "" {
				fmt.Fprintln(table, head)
				head = ""
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", plainText(c.For), plainText(m.Addr), plainText(cmp.Or(c.Source, "not fetched yet")), plainText(cmp.Or(c.Role, "none")), validity(m.Snapshot.At, c))
		}
	}
	return table.Flush()
}

// validity says how long credentials are valid, and why they are not renewed.
func validity(now time.Time, c Credentials) string {
	text := "without end"
	switch {
	case !c.Expires.IsZero():
		text = left(now, c.Expires)
	case c.Source == "":
		text = ""
	}
	if c.Failure != "" {
		text += "; can't be renewed: " + plainText(c.Failure)
	}
	return strings.TrimPrefix(text, "; ")
}

func writeFaults(w io.Writer, members []Member) {
	head := "\nWHAT KEEPS RECORDS BACK\n"
	for _, m := range members {
		for _, f := range m.Snapshot.Faults {
			fmt.Fprint(w, head)
			head = ""
			lasts := ""
			if !f.Since.IsZero() {
				lasts = ", for " + m.Snapshot.At.Sub(f.Since).Round(time.Second).String()
			}
			fmt.Fprintf(w, "%s%s: %s\n", plainText(m.Addr), lasts, plainText(f.Reason))
		}
	}
}

func memberState(s Snapshot) string {
	switch {
	case !s.Live:
		return "not live"
	case s.Phase != "running":
		return plainText(s.Phase)
	case !s.Ready:
		return "not ready"
	}
	return "ready"
}

func orNone(rate float64) string {
	if rate == 0 {
		return "none"
	}
	return FormatBytes(rate) + "/s"
}

// plainText replaces control characters, which could move the cursor of a terminal or turn the direction of its text.
func plainText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || unicode.Is(unicode.Bidi_Control, r) {
			return '·'
		}
		return r
	}, text)
}
