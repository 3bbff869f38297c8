package e2e_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/preflight/check"
)

// TestSampleIsDelivered: what check shows of each record is what the service delivers of it, byte by byte: in an envelope, decoded,
// masked, filtered, in aggregated and compressed records, and with a claim check.
func TestSampleIsDelivered(t *testing.T) {
	t.Parallel()
	const n = 200
	at := time.Date(2026, 1, 31, 8, 0, 0, 123e6, time.UTC)
	large := strings.Repeat("x", 1_030_000)
	value := func(i int) []byte { return fmt.Appendf(nil, `{"n": %d, "user": {"email": "ann"}}`, i) }
	avro := func(i int) []byte { return binary.AppendVarint([]byte{0, 0, 0, 0, byte(1 + i%2)}, int64(i)) }
	for name, test := range map[string]struct {
		value  func(i int) []byte
		change []func(*connector.Config)
	}{
		"raw": {value, nil},
		"unwrap": {func(i int) []byte { return changeEvent("", i/5*5+i%5%4).Value }, []func(*connector.Config){
			masking(t, "email=sha256"), filtering(t, `value.__op != "delete"`), func(c *connector.Config) { c.Record.Format, c.Record.Unwrap = "json", "debezium" },
		}},
		"envelope":  {value, []func(*connector.Config){func(c *connector.Config) { c.Record.Format = "json" }, filtering(t, "value.n % 3 != 0"), masking(t, "user.email=sha256")}},
		"avro":      {avro, []func(*connector.Config){avroFormat, func(c *connector.Config) { c.Record.Envelope = true }}},
		"aggregate": {value, []func(*connector.Config){masking(t, "user=drop"), func(c *connector.Config) { c.Record.Aggregate, c.Record.Compression = true, "gzip" }}},
		"claims": {func(i int) []byte {
			if i%50 == 0 {
				return append(value(i), large...)
			}
			return value(i)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				change := test.change
				switch name {
				case "avro":
					w.registry = newRegistry()
				case "claims":
					_, policy := w.claims()
					change = append(change, policy)
				}
				cfg := w.config()
				for _, c := range change {
					c(&cfg)
				}
				var sent []string
				var leftOut []place
				w.judge.read = func(line string) string { return line }
				w.judge.made = func(r *kgo.Record) string {
					s := connector.InspectSample(w.t.Context(), cfg, nil, nil, sampleOf(r), connector.Options{Registry: w.registry})
					if s.Verdict == check.LeftOut {
						leftOut = append(leftOut, place{part{r.Topic, r.Partition}, r.Offset})
						return fmt.Sprint("left out ", r.Partition, " ", r.Offset)
					}
					if len(s.Records) != 1 {
						w.t.Errorf("the sample at %d/%d is not sent: %s", r.Partition, r.Offset, s.Verdict)
						return string(r.Value)
					}
					sent = append(sent, strings.TrimSuffix(string(unzipped(s.Records[0].Data)), "\n"))
					return sent[len(sent)-1]
				}
				w.produceWith(0, n, func(i int) *kgo.Record {
					return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Key: []byte("k"), Value: test.value(i), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{0xff}}}}
				})
				for _, at := range leftOut {
					w.judge.allow(at)
				}
				m := w.start(change...)
				w.untilCommitted(n)
				m.mustStop()
				if filters := cfg.Record.Filter.IsSet(); len(sent)+len(leftOut) != n || filters != (len(leftOut) > 0) {
					t.Errorf("%d samples are sent and %d left out, of %d", len(sent), len(leftOut), n)
				}
				for _, line := range sent {
					if got := w.judge.copiesOf(line); got != 1 {
						t.Fatalf("%.300q was delivered %d times, want once", line, got)
					}
				}
			})
		})
	}
}

func sampleOf(r *kgo.Record) connector.Sample {
	s := connector.Sample{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		s.Headers = append(s.Headers, connector.SampleHeader{Name: h.Key, Value: h.Value})
	}
	return s
}
