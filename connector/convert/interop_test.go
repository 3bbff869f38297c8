package convert

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/jsontest"
	"kafka-firehose/connector/convert/jsontext"
)

// TestAvroInterop reads what the Avro project's own Python package has written: its
// schema for interoperability, and some more. AVRO_INTEROP is where the package is
// unpacked; .ci/run formats fetches it.
func TestAvroInterop(t *testing.T) {
	dir := os.Getenv("AVRO_INTEROP")
	if dir == "" {
		t.Skip("AVRO_INTEROP names no directory; .ci/run formats fetches the package")
	}
	compareAvro(t, 1200, pythonLines(t, dir, "interop.py", filepath.Join(dir, "avro", "interop.avsc")))
}

// TestFastavroInterop reads values of random schemas that fastavro has written. The schemas are as registries
// may have them: with defaults that don't fit, logical types that are none, keywords of other types.
// FORMATS_PYTHON is where the package is installed; .ci/run formats does it.
func TestFastavroInterop(t *testing.T) {
	compareAvro(t, 5000, pythonLines(t, formatsPython(t), "fastavro_values.py", "500"))
}

// TestJSONFormatInterop reads messages of random schemas that Protobuf's Python package has written, and compares
// them with its json_format. The schemas are as registries may have them: a descriptor in base64, a text
// that no compiler takes, and one with the entries of maps as messages. FORMATS_PYTHON is as above.
func TestJSONFormatInterop(t *testing.T) {
	compared := 0
	var last string
	compiled := map[string][]Schema{}
	for line := range bytes.Lines(pythonLines(t, formatsPython(t), "protobuf_values.py", "300")) {
		var c struct {
			Schemas []string
			Index   []int32
			Payload string
			Want    map[string]json.RawMessage
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		payload, err := hex.DecodeString(c.Payload)
		if err != nil {
			t.Fatal(err)
		}
		index := MessageIndex{depth: len(c.Index)}
		copy(index.at[:], c.Index)
		if c.Schemas[0] != last {
			last, compiled = c.Schemas[0], map[string][]Schema{}
		}
		for form, want := range c.Want {
			for i, text := range c.Schemas {
				if len(compiled[form]) == i {
					s, err := compileSchema(Config{Format: "protobuf", ProtobufJSON: []string{form}, ProtobufIndex: indexDescriptor}, SchemaDefinition{Kind: "protobuf", Text: text})
					if err != nil {
						t.Fatalf("%v: %s", err, text)
					}
					compiled[form] = append(compiled[form], s)
				}
				got, err := compiled[form][i].AppendJSON(nil, payload, index, batch.MaxRecordBytes)
				if err != nil {
					t.Fatalf("%v: %v of %x by %s", err, index, payload, text)
				}
				if diff := cmp.Diff(parsed(t, want), parsed(t, got)); diff != "" {
					t.Fatalf("%s, %v of %x by %s: %s", form, index, payload, text, diff)
				}
				compared++
			}
		}
	}
	if compared < 27_000 {
		t.Errorf("%d messages were compared, want 27,000", compared)
	}
	t.Logf("%d messages compared, no differences", compared)
}

// parsed is the value of a JSON text. No name may come twice.
func parsed(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsontest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// formatsPython is the directory of the Python packages.
func formatsPython(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("FORMATS_PYTHON")
	if dir == "" {
		t.Skip("FORMATS_PYTHON names no directory; .ci/run formats installs the packages")
	}
	return dir
}

// pythonLines is what a script in testdata writes, with the packages of dir.
func pythonLines(t *testing.T, dir, script string, args ...string) []byte {
	t.Helper()
	python := exec.CommandContext(t.Context(), "python3", append([]string{filepath.Join("testdata", script)}, args...)...)
	python.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
	python.Stderr = t.Output()
	out, err := python.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// compareAvro reads values, one a line, and compares them with the JSON that is promised.
func compareAvro(t *testing.T, atLeast int, lines []byte) {
	t.Helper()
	schemas, passed := map[string]Schema{}, 0
	for line := range bytes.Lines(lines) {
		var c struct {
			Schema, Payload string
			Want            json.RawMessage
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if schemas[c.Schema] == nil {
			schemas[c.Schema] = avroText(t, c.Schema)
		}
		payload, err := hex.DecodeString(c.Payload)
		if err != nil {
			t.Fatal(err)
		}
		got, err := schemas[c.Schema].AppendJSON(nil, payload, MessageIndex{}, batch.MaxRecordBytes)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if diff := cmp.Diff(exact(t, c.Want), exact(t, got)); diff != "" {
			t.Fatalf("%s: %s", line, diff)
		}
		passed++
	}
	if passed < atLeast {
		t.Errorf("%d values were written, want %d", passed, atLeast)
	}
	t.Logf("%d values of %d schemas compared, no differences", passed, len(schemas))
}

// exact reads JSON so that numbers are compared by their value, and decimals, which the
// script writes as {"decimal":"1.50"}, by their digits.
func exact(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return plain(v)
}

func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if d, ok := v["decimal"].(string); ok && len(v) == 1 {
			return json.Number(d)
		}
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case json.Number:
		// Whole floats: 12.0 there, 12 here.
		if f, err := v.Float64(); err == nil && bytes.HasSuffix([]byte(v), []byte(".0")) {
			return json.Number(string(jsontext.AppendFloat(nil, f, 64)))
		}
	}
	return v
}

// confluentRecord is a record that a serializer of confluent-kafka has written, with its schema.
type confluentRecord struct {
	Kind, Value, GUID, Text string
	Headers                 map[string]string
	ID                      uint64
	References              []SchemaReference
	Want                    json.RawMessage
}

// TestConfluentInterop reads what the serializers of confluent-kafka have written of random schemas, some of which refer to others: Avro, JSON
// Schema and Protobuf, nested messages too, with the schema's id in front of the value and with its GUID in a header. The schemas are as the
// serializers register them, those of Protobuf as descriptors in base64. Message indexes are read as Python's serializers count them, and again
// with RECORD_PROTOBUF_INDEX=auto, which refuses what could be either of two messages and takes none for the other. FORMATS_PYTHON is as above.
func TestConfluentInterop(t *testing.T) {
	configs := map[string]Config{
		formatAvro: {Format: formatAvro}, formatJSONSchema: {Format: formatJSONSchema, Validated: true},
		formatProtobuf: {Format: formatProtobuf, ProtobufIndex: indexDescriptor}, indexAuto: {Format: formatProtobuf, ProtobufIndex: indexAuto},
	}
	compared, ambiguous := map[string]int{}, 0
	for line := range bytes.Lines(pythonLines(t, formatsPython(t), "confluent_values.py", "200")) {
		var v confluentRecord
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		for name, cfg := range configs {
			if cfg.Format != v.Kind {
				continue
			}
			got, err := v.convert(t, cfg)
			if name == indexAuto && err != nil && strings.Contains(err.Error(), "set RECORD_PROTOBUF_INDEX to text or to descriptor") {
				ambiguous++
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v: %s", name, err, line)
			}
			if diff := v.compareJSON(t, got); diff != "" {
				t.Fatalf("%s: %s: %s", name, line, diff)
			}
			compared[name]++
		}
	}
	want := map[string]int{formatAvro: 2000, formatJSONSchema: 2000, formatProtobuf: 2000, indexAuto: 1998}
	if diff := cmp.Diff(want, compared); diff != "" || ambiguous != 2 {
		t.Errorf("%d are ambiguous, want 2; records compared: %s", ambiguous, diff)
	}
	t.Logf("records compared: %v, no differences", compared)
}

// convert converts the record with the schema that it names.
func (v confluentRecord) convert(t *testing.T, cfg Config) ([]byte, error) {
	t.Helper()
	s, err := compileSchema(cfg, SchemaDefinition{Kind: v.Kind, Text: v.Text, References: v.References})
	if err != nil {
		return nil, err
	}
	r := &kgo.Record{Value: fromHex(t, v.Value)}
	for name, value := range v.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: fromHex(t, value)})
	}
	return New(cfg, func(ref SchemaRef) (Schema, error) {
		if ref != (SchemaRef{ID: v.ID}) && ref != (SchemaRef{GUID: [16]byte(fromHex(t, v.GUID))}) {
			return nil, &MissingSchema{Ref: ref}
		}
		return s, nil
	}).Append(nil, r)
}

// compareJSON returns the differences between the JSON that is promised and got.
func (v confluentRecord) compareJSON(t *testing.T, got []byte) string {
	t.Helper()
	switch v.Kind {
	case formatProtobuf:
		return cmp.Diff(parsed(t, v.Want), parsed(t, got))
	case formatJSONSchema: // in a string: the text as it was written
		var text string
		if err := json.Unmarshal(v.Want, &text); err != nil {
			t.Fatal(err)
		}
		return cmp.Diff(text, string(got))
	}
	return cmp.Diff(exact(t, v.Want), exact(t, got))
}

func fromHex(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
