package schema

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/metrics"
)

// TestApicurioValues reads values that Apicurio's own serializers have written, with schemas that they have registered
// at APICURIO_TEST_URL: each format, each kind of id, before the data and in headers. APICURIO_SERIALIZERS is the
// directory with their jars.
func TestApicurioValues(t *testing.T) {
	url, dir := os.Getenv("APICURIO_TEST_URL"), os.Getenv("APICURIO_SERIALIZERS")
	if url == "" || dir == "" {
		t.Skip("APICURIO_TEST_URL and APICURIO_SERIALIZERS name nothing; .ci/run formats starts a registry and fetches the serializers")
	}
	java := exec.CommandContext(t.Context(), "java", "-cp", filepath.Join(dir, "*"), filepath.Join("testdata", "ApicurioValues.java"), url, "100")
	var said bytes.Buffer
	java.Stderr = &said
	out, err := java.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	read := map[string]func(*kgo.Record) ([]byte, error){}
	for _, format := range []string{"avro", "json-schema", "protobuf"} {
		for _, id := range []string{globalID, contentID} {
			read[format+id] = apicurioReader(t, Config{Type: "apicurio", URLs: []string{url}, ApicurioID: id}, convert.Config{Format: format, Validated: format == "json-schema"})
		}
	}
	count := 0
	for line := range bytes.Lines(out) {
		var v struct {
			Format, ID, Value, Want string
			Headers                 map[string]string
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		r := &kgo.Record{Value: unhex(t, v.Value)}
		for name, value := range v.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: unhex(t, value)})
		}
		got, err := read[v.Format+v.ID](r)
		if err != nil || !reflect.DeepEqual(exactly(t, string(got)), exactly(t, v.Want)) {
			t.Fatalf("%s: %s %v", line, got, err)
		}
		count++
	}
	if count != 1200 {
		t.Errorf("%d values were written, want 1200", count)
	}
	t.Logf("%d values compared, no differences", count)
}

// TestApicurioReferences: a schema with all that it refers to, from a real registry.
func TestApicurioReferences(t *testing.T) {
	url := os.Getenv("APICURIO_TEST_URL")
	if url == "" {
		t.Skip("APICURIO_TEST_URL names no registry; .ci/run formats starts one")
	}
	register := func(artifact, text string, refs ...map[string]string) uint64 {
		t.Helper()
		body, err := json.Marshal(map[string]any{"content": text, "references": append([]map[string]string{}, refs...)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/groups/test/artifacts?ifExists=RETURN_OR_UPDATE", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/create.extended+json"}, "X-Registry-ArtifactId": {artifact}, "X-Registry-ArtifactType": {"AVRO"}}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var made struct{ GlobalID uint64 }
		if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.GlobalID == 0 {
			t.Fatalf("%s: %v", resp.Status, err)
		}
		return made.GlobalID
	}
	register("city", `{"type":"record","name":"City","namespace":"people","fields":[{"name":"name","type":"string"}]}`)
	register("the address", `{"type":"record","name":"Address","namespace":"people","fields":[{"name":"city","type":"people.City"}]}`,
		map[string]string{"groupId": "test", "artifactId": "city", "version": "1", "name": "people.City"})
	id := register("order", `{"type":"record","name":"Order","fields":[{"name":"to","type":"people.Address"}]}`,
		map[string]string{"groupId": "test", "artifactId": "the address", "version": "1", "name": "people.Address"})
	read := apicurioReader(t, Config{Type: "apicurio", URLs: []string{url}}, convert.Config{Format: "avro"})
	value := append(binary.BigEndian.AppendUint64([]byte{0}, id), "\x08Bonn"...)
	if got, err := read(&kgo.Record{Value: value}); err != nil || string(got) != `{"to":{"city":{"name":"Bonn"}}}` {
		t.Errorf("%s %v", got, err)
	}
}

// apicurioReader converts records, and waits for their schemas.
func apicurioReader(t *testing.T, cfg Config, record convert.Config) func(*kgo.Record) ([]byte, error) {
	t.Helper()
	r, err := New(cfg, Options{
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
		Compile: func(d convert.SchemaDefinition) (convert.Schema, error) {
			return convert.CompileFor(record, record.SchemaFormats(), d)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := convert.New(record, r.LookupSchema)
	c.SetFraming(cfg.Framing(), cfg.ByContent())
	return func(record *kgo.Record) ([]byte, error) {
		for {
			out, err := c.Append(nil, record)
			missing, ok := errors.AsType[*convert.MissingSchema](err)
			if !ok {
				return out, err
			}
			<-r.FetchFor(t.Context(), missing.Ref, time.Now())
			if trouble := r.CurrentOutage(); trouble != nil {
				return nil, trouble.Err
			}
		}
	}
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exactly reads JSON with the digits of its numbers.
func exactly(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}
