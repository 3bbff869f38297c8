package e2e_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

// glueValue is a value that AWS's own serializer has written.
type glueValue struct {
	Format string // as RECORD_FORMAT has it
	Value  string // in hexadecimal digits
	Want   string // what it is, as JSON
}

// glueValues has AWS's own serializer write values in each format, with each compression, and register their
// schemas with moto. GLUE_SERIALIZER is the directory with its jars; .ci/run moto fetches them.
func (m *moto) glueValues(each string) (all []glueValue) {
	m.t.Helper()
	dir := os.Getenv("GLUE_SERIALIZER")
	if dir == "" {
		m.t.Skip("GLUE_SERIALIZER names no directory; .ci/run moto fetches AWS's serializer")
	}
	java := exec.CommandContext(m.t.Context(), "java", "-Dfile.encoding=UTF-8", "-cp", filepath.Join(dir, "*"), filepath.Join("testdata", "GlueValues.java"), m.url, each)
	java.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "LC_ALL=C.UTF-8")
	var said bytes.Buffer
	java.Stderr = &said
	out, err := java.Output()
	if err != nil {
		m.t.Fatalf("%v: %s", err, said.String())
	}
	for line := range bytes.Lines(out) {
		var v glueValue
		if err := json.Unmarshal(line, &v); err != nil {
			m.t.Fatalf("%v: %s", err, line)
		}
		all = append(all, v)
	}
	return all
}

// TestMotoGlue: values that AWS's own serializer has written, with schemas that it has registered with
// moto's Glue, arrive as what they are. Both are other code than ours, in Java and in Python.
func TestMotoGlue(t *testing.T) {
	m := startMoto(t)
	const each = 500
	values := m.glueValues("500")
	want, compressed := map[string]int{}, 0
	for _, v := range values {
		want[canonical(t, v.Want)]++
		if strings.HasPrefix(v.Value, "0305") {
			compressed++
		}
	}
	formats := []string{"avro", "json-schema", "protobuf"}
	if len(values) != 2*each*len(formats) || compressed != each*len(formats) {
		t.Fatalf("%d values were written, %d of them compressed", len(values), compressed)
	}
	for _, format := range formats {
		h := newHost(t)
		of := slices.DeleteFunc(slices.Clone(values), func(v glueValue) bool { return v.Format != format })
		h.produceAll(of)
		env := []string{"AWS_ENDPOINT_URL_FIREHOSE=" + m.url, "AWS_ENDPOINT_URL_GLUE=" + m.url, "RECORD_FORMAT=" + format, "SCHEMA_REGISTRY_TYPE=glue"}
		if format == "json-schema" {
			env = append(env, "RECORD_SCHEMA_VALIDATE=true")
		}
		p := h.start(env...)
		h.delivered(time.Minute)
		h.drain(p)
	}
	lines, _ := m.delivered()
	got, sum := map[string]int{}, 0
	for line, n := range lines {
		got[canonical(t, line)] += n
		sum += n
	}
	wrong := 0
	for value, n := range want {
		if got[value] != n {
			if wrong++; wrong <= 5 {
				t.Errorf("%.300q came %d times, want %d", value, got[value], n)
			}
		}
	}
	for value, n := range got {
		if want[value] == 0 && n > 0 {
			if wrong++; wrong <= 10 {
				t.Errorf("%.300q came and was not written", value)
			}
		}
	}
	t.Logf("%d values compared, %d of them compressed, %d differences", sum, compressed, wrong)
}

// produceAll produces values as they are.
func (h *host) produceAll(values []glueValue) {
	h.t.Helper()
	for i, v := range values {
		b, err := hex.DecodeString(v.Value)
		if err != nil {
			h.t.Fatal(err)
		}
		h.producer.Produce(context.Background(), &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: b}, func(_ *kgo.Record, err error) {
			if err != nil {
				h.t.Errorf("produce: %v", err)
			}
		})
	}
	h.produced += len(values)
	if err := h.producer.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

// canonical is JSON with its members in order and numbers by their value.
func canonical(t *testing.T, text string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %.200q", err, text)
	}
	out, err := json.Marshal(byValue(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func byValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = byValue(v[k])
		}
	case []any:
		for i := range v {
			v[i] = byValue(v[i])
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(string(v), ".eE") {
			return f
		}
	}
	return v
}

// TestMotoGlueUnknown: moto's Glue says of a version that there is none, as the service does; a record of it
// is bad half a minute later, and the log has the id.
func TestMotoGlueUnknown(t *testing.T) {
	m := startMoto(t)
	client := glue.New(glue.Options{
		Region: "us-east-1", BaseEndpoint: &m.url, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	made, err := client.CreateSchema(t.Context(), &glue.CreateSchemaInput{
		SchemaName: aws.String("s"), DataFormat: types.DataFormatAvro, Compatibility: types.CompatibilityNone, SchemaDefinition: aws.String(`"long"`),
	})
	if err != nil {
		t.Fatal(err)
	}
	known := strings.ReplaceAll(aws.ToString(made.SchemaVersionId), "-", "")
	h := newHost(t)
	h.produceAll([]glueValue{{Value: "0300" + known + "02"}, {Value: "0300" + strings.Repeat("ab", 16) + "02"}})
	p := h.start("AWS_ENDPOINT_URL_FIREHOSE="+m.url, "AWS_ENDPOINT_URL_GLUE="+m.url, "RECORD_FORMAT=avro", "SCHEMA_REGISTRY_TYPE=glue", "BAD_RECORD_POLICY=skip")
	begin := time.Now()
	h.delivered(2 * time.Minute)
	if took := time.Since(begin); took < 25*time.Second {
		t.Errorf("the verdict took %v", took)
	}
	h.drain(p)
	if len(p.lines("abababab-abab-abab-abab-abababababab: AWS Glue in us-east-1 does not have it (EntityNotFoundException)")) == 0 {
		t.Errorf("nobody was told the id of the version\n%s", p.log.String())
	}
	if got, _ := m.delivered(); got["1"] != 1 {
		t.Errorf("delivered %v", got)
	}
}
