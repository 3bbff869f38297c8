package convert

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAvroInterop reads what the Avro project's own Python package has written: its
// schema for interoperability, and some more. AVRO_INTEROP is where the package is
// unpacked; .ci/run formats fetches it.
func TestAvroInterop(t *testing.T) {
	dir := os.Getenv("AVRO_INTEROP")
	if dir == "" {
		t.Skip("AVRO_INTEROP names no directory; .ci/run formats fetches the package")
	}
	python := exec.CommandContext(t.Context(), "python3", filepath.Join("testdata", "interop.py"), filepath.Join(dir, "avro", "interop.avsc"))
	python.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
	python.Stderr = t.Output()
	out, err := python.Output()
	if err != nil {
		t.Fatal(err)
	}
	schemas, passed := map[string]Schema{}, 0
	for line := range bytes.Lines(out) {
		var c struct {
			Schema, Payload string
			Want            json.RawMessage
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if schemas[c.Schema] == nil {
			schemas[c.Schema] = avroSchema(t, c.Schema)
		}
		payload, err := hex.DecodeString(c.Payload)
		if err != nil {
			t.Fatal(err)
		}
		got, err := schemas[c.Schema].Append(nil, payload, Index{}, MaxRecordBytes)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if diff := cmp.Diff(exact(t, c.Want), exact(t, got)); diff != "" {
			t.Fatalf("%s: %s", line, diff)
		}
		passed++
	}
	if passed < 1200 {
		t.Errorf("%d values were written, want 1,200", passed)
	}
	t.Logf("%d values of %d schemas", passed, len(schemas))
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
			return json.Number(string(appendFloat(nil, f, 64)))
		}
	}
	return v
}
