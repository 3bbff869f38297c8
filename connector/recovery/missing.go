package recovery

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// missingVersion is that of the file's format. A reader refuses one that it does not know.
const missingVersion = 1

// WriteMissing writes the offsets of the missing records, all of them:
//
//	{"version": 1, "cluster": "…", "from": "2026-01-31T00:00:00Z", "to": "…", "partitions": [
//	{"topic": "orders", "topic_id": "…", "partition": 3, "records": 4, "offsets": [[17,19],[42,42]]}
//	]}
//
// A topic that was created again has another id: the offsets are not of its records. Brokers before Kafka 2.8 have no ids.
// A pair is the first and the last offset of a stretch, both of them missing. Pairs go up and neither touch nor overlap.
// Partitions without missing records are not in it, and neither are records in the error output, records that
// are not due, and gaps among expired offsets. A stretch may have any length, and a file any number of them: it is
// written piece by piece, one partition a line.
func (r AuditReport) WriteMissing(w io.Writer) error {
	if r.Result == Unknown {
		return errors.New("objects that can't be read may hold records that seem to be missing")
	}
	if r.Total.Missing > 0 && r.leavesObjects() {
		return fmt.Errorf("objects that begin after %s were not read, and may hold records that seem to be missing: want it without -late", formatTime(r.Objects.Until))
	}
	out := bufio.NewWriter(w)
	head, err := json.Marshal(map[string]any{"from": r.From, "to": r.To, "cluster": r.Cluster})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, `{"version":%d,%s,"partitions":[`, missingVersion, head[1:len(head)-1])
	separator := "\n"
	for _, p := range r.Partitions {
		if p.Missing == 0 {
			continue
		}
		id := ""
		if p.TopicID != "" {
			id = `"topic_id":"` + p.TopicID + `",`
		}
		// A topic's name needs no escaping: it is of a-z A-Z 0-9 . _ -
		fmt.Fprintf(out, `%s{"topic":"%s",%s"partition":%d,"records":%d,"offsets":[`, separator, p.Topic, id, p.Partition, p.Missing)
		comma := ""
		for pair := range rangesOf(p.missing) {
			fmt.Fprintf(out, "%s[%d,%d]", comma, pair[0], pair[1])
			comma = ","
		}
		fmt.Fprint(out, "]}")
		separator = ",\n"
	}
	fmt.Fprint(out, "\n]}\n")
	return out.Flush() // with the first error
}
