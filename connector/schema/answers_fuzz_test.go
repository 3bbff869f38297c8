package schema

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awsglue "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/metrics"
)

// hostile answers each request with what it is given.
type hostile struct {
	status     int
	header     http.Header
	body       []byte
	references []byte // the answer for lists of references
	endless    bool   // body repeats without an end
	requests   int
	read       int
}

func (h *hostile) RoundTrip(r *http.Request) (*http.Response, error) {
	h.requests++
	resp := &http.Response{StatusCode: h.status, Header: h.header, Request: r, ContentLength: -1}
	body := h.body
	if h.references != nil && strings.HasSuffix(r.URL.Path, "/references") {
		resp.StatusCode, body = http.StatusOK, h.references
	}
	resp.Body = io.NopCloser(&countedReader{h, body, 0})
	return resp, nil
}

// Do implements the HTTP client of the AWS SDK.
func (h *hostile) Do(r *http.Request) (*http.Response, error) { return h.RoundTrip(r) }

type countedReader struct {
	h    *hostile
	body []byte
	at   int
}

func (c *countedReader) Read(p []byte) (int, error) {
	if c.at == len(c.body) {
		if !c.h.endless || len(c.body) == 0 {
			return 0, io.EOF
		}
		c.at = 0
	}
	n := copy(p, c.body[c.at:])
	c.at += n
	c.h.read += n
	return n, nil
}

// hostileRegistry is a registry whose answers are hostile.
func hostileRegistry(t testing.TB, cfg Config, h *hostile) *Registry {
	t.Helper()
	r, err := New(cfg, Options{
		Transport: h, Glue: inAnswers(h), Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
		Compile: func(convert.SchemaDefinition) (convert.Schema, error) { return text(""), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inAnswers are the options of a client of AWS Glue that gets h's answers.
func inAnswers(h *hostile) []glue.ClientOption {
	return []glue.ClientOption{func(o *awsglue.Options) {
		o.HTTPClient, o.Credentials = h, credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", "")
	}}
}

// checkAnswer fails unless an answer was read to its limit at most, in few requests, and its error is short and on one line. It returns whether
// the registry was taken to say that it has no such schema.
func checkAnswer(t *testing.T, h *hostile, err error, maxRequests int) (absent bool) {
	t.Helper()
	if h.requests > maxRequests {
		t.Errorf("%d requests, want %d at most", h.requests, maxRequests)
	}
	if limit := h.requests * (maxAnswer + 1<<20); h.read > limit {
		t.Errorf("%d bytes of the answers were read, want %d at most", h.read, limit)
	}
	if err == nil {
		return false
	}
	if said := err.Error(); len(said) > 2000 || strings.ContainsAny(said, "\r\n\x00\x1b") {
		t.Errorf("%d bytes say %.3000q", len(said), said)
	}
	bad, ok := errors.AsType[*unusableError](err)
	return ok && bad.absent
}

// TestEndlessAnswers: an answer without an end is given up at its limit, whatever it consists of.
func TestEndlessAnswers(t *testing.T) {
	pieces := []string{" ", "1", "[", "[1,", `"a`, `{"SchemaDefinition":`, `{"SchemaDefinition":"`, `{"__type":"EntityNotFoundException",`, `{"name":"ArtifactNotFoundException","a":"`}
	for name, cfg := range map[string]Config{
		"glue": {Type: "glue", Region: "eu-central-1"}, "apicurio": {Type: "apicurio", URLs: []string{"https://registry.example/apis/registry/v3"}},
	} {
		for _, piece := range pieces {
			for _, status := range []int{200, 400, 404, 500} {
				h := &hostile{status: status, header: http.Header{}, body: bytes.Repeat([]byte(piece), 200), endless: true}
				r := hostileRegistry(t, cfg, h)
				_, err := r.client.nodes[0].fetchDefinition(t.Context(), convert.SchemaRef{ID: 1, GUID: [16]byte{15: 1}})
				if absent := checkAnswer(t, h, err, 1); err == nil || absent || !strings.Contains(err.Error(), "more than 8MiB") && status != 500 {
					t.Errorf("%s, %d, %q: %v", name, status, piece, err)
				}
			}
		}
	}
}

// FuzzGlueAnswer: whatever answers in the place of AWS Glue, it takes bounded memory, and only AWS Glue's own word makes a version absent.
func FuzzGlueAnswer(f *testing.F) {
	f.Add(uint16(200), "", []byte(`{"DataFormat":"AVRO","SchemaDefinition":"\"int\"","SchemaVersionId":"x","Status":"AVAILABLE"}`))
	f.Add(uint16(400), "", []byte(`{"__type":"EntityNotFoundException","Message":"Schema is not found."}`))
	f.Add(uint16(400), "EntityNotFoundException", []byte(`{`))
	f.Add(uint16(404), "", []byte(`{"__type":"EntityNotFoundException"}`))
	f.Add(uint16(400), "", []byte(`{"__type":"ThrottlingException","message":"line\nline\u001b[2J"}`))
	f.Add(uint16(200), "", []byte(`{"SchemaDefinition":`+strings.Repeat("[", 20_000)))
	f.Add(uint16(200), "", []byte(`{"DataFormat":1e999,"SchemaDefinition":{"a":[null]}}`))
	f.Add(uint16(503), "", []byte("<html>"))
	f.Add(uint16(301), "", []byte(`{"__tYpe":"\u001B"}`))
	h := &hostile{}
	r := hostileRegistry(f, Config{Type: "glue", Region: "eu-central-1"}, h)
	f.Fuzz(func(t *testing.T, status uint16, kind string, body []byte) {
		*h = hostile{status: 200 + int(status)%400, header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, body: body}
		if kind != "" && !strings.ContainsFunc(kind, func(r rune) bool { return r < ' ' || r > '~' }) {
			h.header.Set("X-Amzn-ErrorType", kind)
		}
		d, err := r.client.nodes[0].fetchDefinition(t.Context(), byVersion(1))
		absent := checkAnswer(t, h, err, 1)
		if absent && (h.status != http.StatusBadRequest || !strings.Contains(kind+unescaped(body), "EntityNotFoundException")) {
			t.Errorf("%d %q: absent", h.status, body)
		}
		if err == nil && h.status/100 != 2 {
			t.Errorf("%d is taken for a schema: %q", h.status, d.Text)
		}
	})
}

// unescaped is a text in which no escape hides a letter.
func unescaped(body []byte) string {
	if bytes.Contains(body, []byte(`\u`)) {
		return "EntityNotFoundException" // it can't be told without a parser
	}
	return string(body)
}

// FuzzApicurioAnswers: whatever answers in the place of Apicurio, it takes bounded memory and few requests, only its own word makes a schema
// absent, and its schemas, which may be descriptors in base64, compile or are refused.
func FuzzApicurioAnswers(f *testing.F) {
	f.Add(uint16(0), "AVRO", []byte(`"int"`), []byte(`[]`))
	f.Add(uint16(0), "PROTOBUF", []byte("CgdhLnByb3RvEgFwIg8KAU0SCgoBYRgBIAEoBQ=="), []byte(`null`))
	f.Add(uint16(0), "PROTOBUF", []byte("CgdhLnByb3RvEgFwIg8KAU0SCgoBYRgBIAEo"), []byte(`[{"name":"b.proto","artifactId":"b","version":"1"},{"name":"c.proto","artifactId":"c","version":"1"}]`))
	f.Add(uint16(0), "JSON", []byte(`{"$ref":"#"}`), []byte(`[{"name":"a","artifactId":"../../x?y","groupId":"%2f","version":"1/2"}]`))
	f.Add(uint16(204), "", []byte(`{"name":"ArtifactNotFoundException","message":"no\nline"}`), []byte(`{`))
	f.Add(uint16(204), "", []byte(`{"name":"NotFoundException"}`), []byte(``))
	f.Add(uint16(0), "AVRO", []byte(`"int"`), []byte(`[`+strings.Repeat(`{},`, 5000)+`{}]`))
	h := &hostile{}
	r := hostileRegistry(f, Config{Type: "apicurio", URLs: []string{"https://registry.example/apis/registry/v2"}}, h)
	f.Fuzz(func(t *testing.T, status uint16, kind string, body, references []byte) {
		*h = hostile{status: 200 + int(status)%400, header: http.Header{}, body: body, references: references}
		if references == nil {
			h.references = []byte{}
		}
		h.header.Set("X-Registry-ArtifactType", kind)
		d, err := r.client.nodes[0].fetchDefinition(t.Context(), convert.SchemaRef{ID: 1})
		absent := checkAnswer(t, h, err, 2*convert.MaxReferences+4)
		names := []string{"ArtifactNotFoundException", "VersionNotFoundException", "ContentNotFoundException"}
		if absent && (h.status != http.StatusNotFound || !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(string(body), n) || bytes.Contains(body, []byte(`\u`)) })) {
			t.Errorf("%d %q: absent", h.status, body)
		}
		if err != nil {
			return
		}
		if h.status != http.StatusOK {
			t.Errorf("%d is taken for a schema: %q", h.status, d.Text)
		}
		for _, format := range []string{"avro", "protobuf", "json-schema"} {
			if d.Kind == format {
				_, _ = convert.CompileFor(convert.Config{Format: format, Validated: format == "json-schema"}, []string{format}, d)
			}
		}
	})
}
