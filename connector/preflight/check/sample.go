package check

import (
	"encoding/hex"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// Verdict is the result for a sample record. Programs compare it, so that a name never changes.
type Verdict string

// The verdicts.
const (
	Undecided       Verdict = "undecided"   // it could not be found out
	Sent            Verdict = "sent"        // to Firehose
	SentClaimCheck  Verdict = "claim-check" // its value to the bucket, and an envelope to Firehose
	LeftOut         Verdict = "left-out"    // the settings leave such records out: it is filtered, or a tombstone
	Skipped         Verdict = "skipped"     // it is bad, and left out and counted
	SentDeadLetter  Verdict = "dead-letter" // it is bad, and goes to the dead-letter topic
	StopsPartition  Verdict = "stop"        // it is bad, and its partition stops before it
	ExitsWithRecord Verdict = "exit"        // it is bad, and the process ends
)

// SampleReport is the result for a sample record, with its steps as findings.
type SampleReport struct {
	Report
	Topic, Stream string // empty while they are not known
	Verdict       Verdict
	Reason        string       // why the record is not sent as it is, in the words of the metrics; empty if it is
	Records       []SentRecord // that Firehose gets
}

// SentRecord is a record of Firehose.
type SentRecord struct {
	Data   []byte
	Billed int64 // the bytes that AWS bills
}

// WriteTable writes the steps as Report.WriteTable does, and then the data of each Firehose record: as it is if it is printable
// text, else as a dump in hexadecimal digits. Text ends with a line feed, with its own or with one more.
func (r SampleReport) WriteTable(w io.Writer, width int) error {
	if err := r.Report.WriteTable(w, width); err != nil {
		return err
	}
	for _, s := range r.Records {
		if err := s.write(w); err != nil {
			return err
		}
	}
	return nil
}

func (s SentRecord) write(w io.Writer) error {
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if !isPrintable(s.Data) {
		_, err := io.WriteString(w, hex.Dump(s.Data))
		return err
	}
	if _, err := w.Write(s.Data); err != nil || s.Data[len(s.Data)-1] == '\n' {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// isPrintable reports whether data shows its bytes on a terminal and does nothing else to it.
func isPrintable(data []byte) bool {
	for _, c := range string(data) {
		if !unicode.IsPrint(c) && c != '\n' && c != '\t' || c == utf8.RuneError {
			return false
		}
	}
	return len(data) > 0
}

// WriteJSON writes the object of Report.WriteJSON with the members topic, stream, verdict, reason and records. Each of records has
// bytes, billed_bytes, base64 and, if the data is text in UTF-8, text.
func (r SampleReport) WriteJSON(w io.Writer) error {
	type record struct {
		Bytes  int     `json:"bytes"`
		Billed int64   `json:"billed_bytes"`
		Base64 []byte  `json:"base64"`
		Text   *string `json:"text,omitempty"`
	}
	records := []record{}
	for _, s := range r.Records {
		one := record{Bytes: len(s.Data), Billed: s.Billed, Base64: s.Data}
		if utf8.Valid(s.Data) {
			one.Text = new(string(s.Data))
		}
		records = append(records, one)
	}
	return encodeIndented(w, struct {
		reportMembers

		Topic   string   `json:"topic"`
		Stream  string   `json:"stream"`
		Verdict Verdict  `json:"verdict"`
		Reason  string   `json:"reason"`
		Records []record `json:"records"`
	}{r.members(), r.Topic, r.Stream, r.Verdict, r.Reason, records})
}
