package e2e_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awsglue "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema"
	"kafka-firehose/metrics"
)

// generatedValue is a value of a random schema.
type generatedValue struct {
	Format, Name string
	Want         json.RawMessage
}

// serializedValue is the same as a serializer has written it, or the serializer's error.
type serializedValue struct {
	Value, ID, Error string
	Headers          map[string]string
}

// serialize makes values of random schemas, ten of each, and has a program in testdata write them with the serializers of the jars in a
// directory, which register the schemas at url. FORMATS_PYTHON is where the packages are that make the schemas.
func serialize(t *testing.T, schemas, which, program, jars, url string) (values []generatedValue, written []serializedValue) {
	t.Helper()
	packages := os.Getenv("FORMATS_PYTHON")
	if packages == "" || jars == "" {
		t.Skip("needs the serializers and what makes random schemas: .ci/run moto and .ci/run formats fetch them")
	}
	python := exec.CommandContext(t.Context(), "python3", filepath.Join("..", "convert", "testdata", "serializer_inputs.py"), schemas, which)
	python.Env = append(os.Environ(), "PYTHONPATH="+packages, "PYTHONDONTWRITEBYTECODE=1")
	python.Stderr = t.Output()
	input, err := python.Output()
	if err != nil {
		t.Fatal(err)
	}
	java := exec.CommandContext(t.Context(), "java", "-Dfile.encoding=UTF-8", "-cp", filepath.Join(jars, "*"), filepath.Join("testdata", program), url)
	java.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "LC_ALL=C.UTF-8")
	java.Stdin = bytes.NewReader(input)
	var said bytes.Buffer
	java.Stderr = &said
	output, err := java.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	return linesOf[generatedValue](t, input), linesOf[serializedValue](t, output)
}

func linesOf[T any](t *testing.T, text []byte) (all []T) {
	t.Helper()
	for line := range bytes.Lines(text) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, v)
	}
	return all
}

// comparison converts what serializers have written, and counts.
type comparison struct {
	t        *testing.T
	readers  map[string]func(*kgo.Record) ([]byte, error) // :: format and kind of id -> converter
	compared map[string]int                               // :: format -> values
	refused  map[string]int                               // :: format -> values that the serializer itself could not write
	schemas  map[string]bool                              // that are compared
}

// compareValues fails for each difference between the JSON that is promised and got. Of Protobuf, both serializers describe a file as text by
// code that they share, and that fails for some names of fields with an underscore in front: they write no record of such a schema.
func (c *comparison) compareValues(values []generatedValue, written []serializedValue) {
	c.t.Helper()
	if len(values) != len(written) {
		c.t.Fatalf("%d of %d values were written", len(written), len(values))
	}
	differences := 0
	for i, v := range values {
		w := written[i]
		if w.Error != "" {
			if v.Format != "protobuf" || !strings.HasPrefix(w.Error, "java.lang.StringIndexOutOfBoundsException: begin 0, end 1, length 0") {
				c.t.Errorf("the serializer refuses a value of %s: %s", v.Name, w.Error)
			}
			c.refused[v.Format]++
			continue
		}
		got, err := c.readers[v.Format+w.ID](w.record(c.t))
		diff := ""
		if err == nil {
			diff = cmp.Diff(byExactValue(c.t, v.Want), byExactValue(c.t, got))
		}
		if err != nil || diff != "" {
			if differences++; differences <= 5 {
				c.t.Errorf("%s: %v\n%s\n%s", v.Name, err, w.Value, diff)
			}
		}
		c.compared[v.Format]++
		c.schemas[v.Name] = true
	}
	c.t.Logf("values compared: %v, of %d schemas; %d differences; the serializer wrote none of %v", c.compared, len(c.schemas), differences, c.refused)
}

func newComparison(t *testing.T) *comparison {
	t.Helper()
	return &comparison{t, map[string]func(*kgo.Record) ([]byte, error){}, map[string]int{}, map[string]int{}, map[string]bool{}}
}

// addReader adds a converter of records whose schemas are in a registry. It waits for each schema.
func (c *comparison) addReader(format, id string, cfg schema.Config, glue ...func(*awsglue.Options)) {
	c.t.Helper()
	record := convert.Config{Format: format, Validated: format == "json-schema"}
	r, err := schema.New(cfg, schema.Options{
		Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(prometheus.NewRegistry()).Schema, Glue: glue,
		Compile: func(d convert.SchemaDefinition) (convert.Schema, error) {
			return convert.CompileFor(record, record.SchemaFormats(), d)
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	made := convert.New(record, r.LookupSchema)
	made.SetFraming(cfg.Framing(), cfg.ByContent())
	c.readers[format+id] = func(record *kgo.Record) ([]byte, error) {
		for {
			out, err := made.Append(nil, record)
			missing, ok := errors.AsType[*convert.MissingSchema](err)
			if !ok {
				return out, err
			}
			<-r.FetchFor(c.t.Context(), missing.Ref, time.Now())
			if outage := r.CurrentOutage(); outage != nil {
				return nil, outage.Err
			}
		}
	}
}

// record is the value as a record.
func (w serializedValue) record(t *testing.T) *kgo.Record {
	t.Helper()
	bytesOf := func(digits string) []byte {
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	r := &kgo.Record{Value: bytesOf(w.Value)}
	for name, value := range w.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: bytesOf(value)})
	}
	return r
}

// byExactValue reads JSON with numbers as they are, however they are written. A decimal is {"decimal":"1.50"} where it is promised.
func byExactValue(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.200q", err, text)
	}
	return exactValue(v)
}

func exactValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if d, ok := v["decimal"].(string); ok && len(v) == 1 {
			return exactValue(json.Number(d))
		}
		for k := range v {
			v[k] = exactValue(v[k])
		}
	case []any:
		for i := range v {
			v[i] = exactValue(v[i])
		}
	case json.Number:
		if r, ok := new(big.Rat).SetString(string(v)); ok {
			return json.Number(r.RatString())
		}
	}
	return v
}

// TestMotoGlueGenerated: values of random schemas that AWS's own serializer has written, with and without compression, and whose schemas it has
// registered with moto's Glue, are what another implementation of each format says that they are.
func TestMotoGlueGenerated(t *testing.T) {
	m := startMoto(t)
	values, written := serialize(t, "200", "alone", "GlueSerialize.java", os.Getenv("GLUE_SERIALIZER"), m.url)
	c := newComparison(t)
	for _, format := range []string{"avro", "json-schema", "protobuf"} {
		c.addReader(format, "", schema.Config{Type: "glue", Region: "us-east-1"}, func(o *awsglue.Options) {
			o.BaseEndpoint, o.Credentials = &m.url, credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
		})
	}
	c.compareValues(values, written)
	compressed := 0
	for _, w := range written {
		if strings.HasPrefix(w.Value, "0305") {
			compressed++
		}
	}
	if compressed < 2000 || c.compared["avro"] != 2000 || c.compared["json-schema"] != 2000 || c.compared["protobuf"] < 1200 {
		t.Errorf("compared: %v, %d of them compressed", c.compared, compressed)
	}
}

// TestApicurioGenerated is the same for Apicurio's own serializers and registry: each kind of id, before the data and in headers, and files
// of Protobuf that import others.
func TestApicurioGenerated(t *testing.T) {
	url := os.Getenv("APICURIO_TEST_URL")
	if url == "" {
		t.Skip("APICURIO_TEST_URL names no registry; .ci/run formats starts one")
	}
	values, written := serialize(t, "200", "all", "ApicurioSerialize.java", os.Getenv("APICURIO_SERIALIZERS"), url)
	c := newComparison(t)
	forms := map[string]int{}
	for _, format := range []string{"avro", "json-schema", "protobuf"} {
		for _, id := range []string{"globalId", "contentId"} {
			c.addReader(format, id, schema.Config{Type: "apicurio", URLs: []string{url}, ApicurioID: id})
		}
	}
	c.compareValues(values, written)
	for _, w := range written {
		if w.Error == "" {
			forms[w.ID+strings.Repeat(" in headers", min(len(w.Headers), 1))]++
		}
	}
	if len(forms) < 3 || c.compared["avro"] != 2000 || c.compared["json-schema"] != 2000 || c.compared["protobuf"] < 1200 {
		t.Errorf("compared: %v, %v", c.compared, maps.Collect(maps.All(forms)))
	}
}
