package convert

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// faulty panics with what it is given, and so do the schemas of it.
type faulty struct{}

func (faulty) AppendJSON(_, payload []byte, _ MessageIndex, _ int) ([]byte, error) {
	return payload[: len(payload)+1 : 0], nil
}

// TestPanics: a panic while a record or a schema is read makes that bad, and the error
// tells where it was, and nothing of what was read.
func TestPanics(t *testing.T) {
	s, err := guardedCompile(func(SchemaDefinition) (Schema, error) { return faulty{}, nil }, SchemaDefinition{Kind: "avro"})
	if err != nil {
		t.Fatal(err)
	}
	c := New(Config{Format: "avro", Delimiter: "\n"}, lookupOf(map[uint64]Schema{1: s}))
	out, err := c.Append([]byte("x"), &kgo.Record{Value: confluent(1, []byte("secret"))})
	wantFault(t, err, "faulty.AppendJSON, line ")
	if string(out) != "x" {
		t.Errorf("%q is left", out)
	}
	_, err = guardedCompile(func(d SchemaDefinition) (Schema, error) { panic(d.Text) }, SchemaDefinition{Text: "secret"})
	wantFault(t, err, "string in kafka-firehose/connector/convert.TestPanics.")
}

func wantFault(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "a fault of the program") || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v, want %q", err, text)
	}
}
