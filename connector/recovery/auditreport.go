package recovery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Result is the verdict of an audit.
type Result string

// The results.
const (
	Complete   Result = "complete"   // every record of the range is there, once
	Pending    Result = "pending"    // nothing is wrong, but some records are not sent, or not due yet
	Incomplete Result = "incomplete" // something is missing, there twice, in the error output, not expected, or behind an open transaction
	Unknown    Result = "unknown"    // an object could not be read
)

// AuditReport is the outcome of an audit.
type AuditReport struct {
	Result     Result            `json:"result"`
	From       time.Time         `json:"from"`
	To         time.Time         `json:"to"`
	At         time.Time         `json:"at"` // when the audit began
	Took       float64           `json:"took_seconds"`
	Cluster    string            `json:"cluster"`
	Total      Totals            `json:"total"`
	Partitions []PartitionReport `json:"partitions"`
	Objects    ObjectsReport     `json:"objects"`
	// Messages are of Firehose: why records are in the error output, the first of each code.
	Messages map[string]string `json:"error_messages"`
	Notes    []string          `json:"notes"`
}

// Totals are the sums over all partitions.
type Totals struct {
	Expected   int64 `json:"expected"`
	Once       int64 `json:"delivered_once"`
	Twice      int64 `json:"delivered_twice"`
	Copies     int64 `json:"copies"`
	Refused    int64 `json:"in_error_output"`
	NotSent    int64 `json:"not_sent"`
	NotDue     int64 `json:"not_due"`
	Missing    int64 `json:"missing"`
	Unexpected int64 `json:"not_expected"`
	Gaps       int64 `json:"gaps"` // among offsets that retention has removed from Kafka
	// HeldBack is of offsets of the range that were not compared: a transaction before them is open.
	HeldBack int64 `json:"behind_transactions"`
}

// ObjectsReport describes the objects that were read.
type ObjectsReport struct {
	Place          string       `json:"place"`
	Errors         string       `json:"errors_place,omitempty"`
	From           time.Time    `json:"window_from"` // objects were searched from here
	Until          time.Time    `json:"window_until"`
	Read           int64        `json:"read"`
	Bytes          int64        `json:"bytes"` // as they are stored
	Documents      int64        `json:"documents"`
	WithoutID      int64        `json:"documents_without_id"`
	Foreign        int64        `json:"not_json"`      // pieces that are no JSON object, or are cut off
	Others         int64        `json:"other_topics"`  // ids of topics and partitions that were not audited
	Outside        int64        `json:"outside_range"` // ids of other times
	ErrorDocuments int64        `json:"error_documents"`
	Unreadable     []Unreadable `json:"unreadable"`
	UnreadableAll  int64        `json:"unreadable_objects"`
}

func (a *auditor) buildReport(cluster string) AuditReport {
	c := &a.counts
	window := a.objectWindow()
	r := AuditReport{
		From: a.From.UTC(), To: a.To.UTC(), At: a.now.UTC(), Cluster: cluster, Messages: a.messages, Notes: a.notes,
		Objects: ObjectsReport{
			Place: a.objects.String(), From: window.From.UTC(), Until: window.Until.UTC(),
			Read: c.objects.Load(), Bytes: c.bytes.Load(), Documents: c.documents.Load(), WithoutID: c.withoutID.Load(),
			Foreign: c.foreign.Load(), Others: c.others.Load(), Outside: c.outside.Load(), ErrorDocuments: c.errorDocuments.Load(),
			Unreadable: slices.SortedFunc(slices.Values(a.unreadable), func(x, y Unreadable) int { return cmp.Compare(x.Object, y.Object) }), UnreadableAll: a.unread,
		},
	}
	if a.errors != nil {
		r.Objects.Errors = a.errors.String()
	}
	for _, p := range a.all {
		r.Partitions = append(r.Partitions, p.buildReport())
		r.Total.addPartition(r.Partitions[len(r.Partitions)-1])
	}
	r.Notes = append(r.Notes, a.reportRemarks(r)...)
	r.Result = r.judgeResult()
	r.Took = float64(time.Since(a.now).Milliseconds()) / 1000
	return r
}

func (t *Totals) addPartition(p PartitionReport) {
	t.Expected += p.Expected
	t.Once += p.Once
	t.Twice += p.Twice
	t.Copies += p.Copies
	t.Refused += p.Refused
	t.NotSent += p.NotSent
	t.NotDue += p.NotDue
	t.Missing += p.Missing
	t.Unexpected += p.Unexpected
	t.HeldBack += p.HeldBack
	if p.Expired != nil {
		t.Gaps += p.Expired.Gaps
		t.Copies += p.Expired.Copies
	}
}

func (r *AuditReport) judgeResult() Result {
	t := r.Total
	unexpected := func(p PartitionReport) bool { return p.Unexpected > 0 && !p.Compacted }
	switch {
	case r.Objects.UnreadableAll > 0:
		return Unknown
	case t.Missing+t.Twice+t.Copies+t.Refused+t.Gaps+t.HeldBack > 0, slices.ContainsFunc(r.Partitions, unexpected):
		return Incomplete
	case t.NotSent+t.NotDue > 0:
		return Pending
	}
	return Complete
}

// reportRemarks are the notes that explain the figures.
func (a *auditor) reportRemarks(r AuditReport) (notes []string) {
	add := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if a.isEmptyRange() {
		add("Kafka has no record of this range, so nothing was compared: look at -from, -to and -topic")
	}
	if r.Objects.Read == 0 && a.unread == 0 {
		add("%s has objects, but none was delivered between %s and %s", a.objects, formatTime(a.objectWindow().From), formatTime(a.objectWindow().Until))
	}
	if r.Total.Missing+r.Total.Gaps > 0 && r.leavesObjects() {
		add("objects that begin after %s were not read, and may hold records that seem to be missing; without -late they are read", formatTime(r.Objects.Until))
	}
	if n := r.Objects.WithoutID; n > 0 {
		add("%d documents have no id in their member %q; the first is in %s", n, a.id, a.withoutID)
	}
	if n := r.Objects.Foreign; n > 0 {
		add("%d pieces of objects are no JSON object, or are cut off", n)
	}
	if n := a.counts.errorsOther.Load(); n > 0 {
		add("%d documents of the error output have no record with an id", n)
	}
	if r.Total.NotSent > 0 {
		add("group %s has not committed %d records yet; some of those it sent in the last %s may count as missing: run the audit again when it has caught up", a.service.Group, r.Total.NotSent, a.Due)
	}
	uncommitted, removed := 0, map[string]int64{} // :: compacted topic -> records
	for i, p := range a.all {
		if p.compacted {
			removed[p.Topic] += r.Partitions[i].Unexpected
		}
		if p.committed < 0 && r.Partitions[i].Expected > 0 {
			uncommitted++
		}
		if p.HeldBack > 0 {
			add("topic %s partition %d: a transaction is open at offset %d, so %d offsets of the range, from there on, were not compared: run the audit again when the transaction has ended, or abort it if it hangs (kafka-transactions.sh find-hanging)",
				p.Topic, p.Partition, p.OpenTransaction, p.HeldBack)
		}
		notes = append(notes, a.expiredRemark(p, r.Partitions[i])...)
	}
	for _, topic := range slices.Sorted(maps.Keys(removed)) {
		add("topic %s is compacted: the %d records of it that are not expected were most likely removed since they were delivered, and are no fault", topic, removed[topic])
	}
	if uncommitted > 0 {
		add("group %s has committed nothing in %d partitions: look at KAFKA_GROUP_ID if it should have", a.service.Group, uncommitted)
	}
	return notes
}

// leavesObjects reports whether objects were not read because they began too late.
func (r *AuditReport) leavesObjects() bool { return r.Objects.Until.Before(r.At) }

// isEmptyRange reports whether no partition has an offset of the range, or has had one that retention has removed.
func (a *auditor) isEmptyRange() bool {
	return !slices.ContainsFunc(a.all, func(p *partitionAudit) bool { return p.End > p.Begin || p.Expired || p.HeldBack > 0 })
}

// expiredRemark says how the part was judged that retention has taken.
func (a *auditor) expiredRemark(p *partitionAudit, r PartitionReport) []string {
	switch {
	case !p.Expired:
		return nil
	case r.Expired == nil:
		return []string{fmt.Sprintf("topic %s partition %d: retention has removed the records before offset %d, and no id of them is in the objects: it is not known whether any was in the range", p.Topic, p.Partition, p.LogStart)}
	}
	edge := ""
	if a.service.Timestamp == "" {
		edge = "; without a timestamp in RECORD_FIELDS, those at its beginning may be older than the range"
	}
	return []string{fmt.Sprintf("topic %s partition %d: retention has removed the records before offset %d. Offsets %d to %d are judged by the gaps in the delivered ids alone: %d are in no object. They may be lost records, and may be offsets without a record to send: markers of transactions, aborted or compacted records, tombstones%s",
		p.Topic, p.Partition, p.LogStart, r.Expired.Begin, r.Expired.End-1, r.Expired.Gaps, edge)}
}

// WriteJSON writes the report as one object. Members are added to it and neither renamed nor removed.
func (r AuditReport) WriteJSON(w io.Writer) error {
	if r.Notes == nil {
		r.Notes = []string{}
	}
	if r.Objects.Unreadable == nil {
		r.Objects.Unreadable = []Unreadable{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// shownRanges of a partition are in the table.
const shownRanges = 10

// WriteTable writes the report for people.
func (r AuditReport) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "partition\texpected\tonce\ttwice\tmissing\tin errors\tnot sent\tnot due\tnot expected\t")
	row := func(name string, numbers ...int64) {
		fmt.Fprint(t, name)
		for _, n := range numbers {
			fmt.Fprintf(t, "\t%d", n)
		}
		fmt.Fprintln(t, "\t")
	}
	for _, p := range r.Partitions {
		row(fmt.Sprintf("%s/%d", p.Topic, p.Partition), p.Expected, p.Once, p.Twice, p.Missing, p.Refused, p.NotSent, p.NotDue, p.Unexpected)
	}
	s := r.Total
	row("all", s.Expected, s.Once, s.Twice, s.Missing, s.Refused, s.NotSent, s.NotDue, s.Unexpected)
	if err := t.Flush(); err != nil {
		return err
	}
	r.writeDetails(w)
	_, err := fmt.Fprintf(w, "%s: %s to %s; %d objects, %d documents, %.1f MB in %.1f s\n", r.Result, formatTime(r.From), formatTime(r.To),
		r.Objects.Read, r.Objects.Documents, float64(r.Objects.Bytes)/1e6, r.Took)
	return err
}

// writeDetails are the lines below the table.
func (r AuditReport) writeDetails(w io.Writer) {
	for _, p := range r.Partitions {
		name := fmt.Sprintf("%s/%d", p.Topic, p.Partition)
		for _, l := range []struct {
			what string
			list OffsetList
		}{
			{"missing offsets", p.MissingOffsets},
			{"delivered twice: offsets", p.TwiceOffsets},
			{"in the error output: offsets", p.RefusedOffsets},
			{"not expected: offsets", p.UnexpectedOffsets},
		} {
			if len(l.list.Ranges) > 0 {
				fmt.Fprintf(w, "%s: %s %s\n", name, l.what, formatRanges(l.list))
			}
		}
		if p.Expired != nil && p.Expired.Gaps > 0 {
			fmt.Fprintf(w, "%s: gaps in the delivered ids: offsets %s\n", name, formatRanges(p.Expired.Offsets))
		}
		for _, reason := range slices.Sorted(maps.Keys(p.LeftOut)) {
			fmt.Fprintf(w, "%s: not sent by the service's policy: %d records, %s\n", name, p.LeftOut[reason], reason)
		}
		for _, code := range slices.Sorted(maps.Keys(p.Codes)) {
			fmt.Fprintf(w, "%s: in the error output: %d records, %s: %s\n", name, p.Codes[code], code, r.Messages[code])
		}
	}
	for _, u := range r.Objects.Unreadable {
		fmt.Fprintf(w, "can't be read: %s: %s\n", u.Object, u.Error)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
}

func formatRanges(list OffsetList) string {
	var parts []string
	for _, r := range list.Ranges[:min(len(list.Ranges), shownRanges)] {
		if r[0] == r[1] {
			parts = append(parts, fmt.Sprint(r[0]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", r[0], r[1]))
		}
	}
	if list.Cut || len(list.Ranges) > shownRanges {
		parts = append(parts, fmt.Sprintf("and more (-o json lists %d, -missing FILE all that are missing)", maxRanges))
	}
	return strings.Join(parts, ", ")
}
