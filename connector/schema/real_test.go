package schema

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector/convert"
	"kafka-firehose/metrics"
)

// TestRealRegistry runs against the registry at SCHEMA_REGISTRY_TEST_URL, which it
// leaves subjects in: references, evolution, the three formats, what is unknown and what
// was deleted.
func TestRealRegistry(t *testing.T) {
	url := os.Getenv("SCHEMA_REGISTRY_TEST_URL")
	if url == "" {
		t.Skip("SCHEMA_REGISTRY_TEST_URL names no registry; .ci/run formats starts one")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	admin, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"avro", "protobuf", "json-schema"} {
		t.Run(format, func(t *testing.T) {
			r, err := New(Config{URLs: []string{url}}, Options{
				Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
				Compile: func(d convert.SchemaDefinition) (convert.Schema, error) {
					return convert.CompileFor(convert.Config{Format: format, Validated: format == "json-schema"}, []string{format}, d)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			realRegistry(ctx, t, r, admin, format)
		})
	}
}

// evolution is a schema that is referred to, and two versions of one that does so.
type evolution struct {
	kind               sr.SchemaType
	name, base         string // of the reference, and its text
	first, second      string
	payload1, payload2 []byte
	want1, want2       string
}

func evolutions() map[string]evolution {
	return map[string]evolution{
		"avro": {
			sr.TypeAvro, "people.Address", `{"type":"record","name":"Address","namespace":"people","fields":[{"name":"city","type":"string"}]}`,
			`{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"to","type":"people.Address"}]}`,
			`{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"to","type":"people.Address"},{"name":"n","type":["null","long"],"default":null}]}`,
			[]byte("\x08Bonn"), []byte("\x08Bonn\x02\x0e"), `{"to":{"city":"Bonn"}}`, `{"to":{"city":"Bonn"},"n":7}`,
		},
		"protobuf": {
			sr.TypeProtobuf, "people/address.proto", `syntax = "proto3"; package people; message Address { string city = 1; }`,
			`syntax = "proto3"; package shop; import "people/address.proto"; message Order { people.Address to = 1; }`,
			`syntax = "proto3"; package shop; import "people/address.proto"; message Order { people.Address to = 1; int32 n = 2; }`,
			[]byte("\x0a\x06\x0a\x04Bonn"), []byte("\x0a\x06\x0a\x04Bonn\x10\x07"), `{"to":{"city":"Bonn"}}`, `{"to":{"city":"Bonn"},"n":7}`,
		},
		"json-schema": {
			sr.TypeJSON, "address.json", `{"type":"object","properties":{"city":{"type":"string"}},"additionalProperties":false}`,
			`{"type":"object","properties":{"to":{"$ref":"address.json"}},"additionalProperties":false}`,
			`{"type":"object","properties":{"to":{"$ref":"address.json"},"n":{"type":"integer"}},"additionalProperties":false}`,
			[]byte(`{"to": {"city": "Bonn"}}`), []byte(`{"to":{"city":"Bonn"},"n":7}`), `{"to":{"city":"Bonn"}}`, `{"to":{"city":"Bonn"},"n":7}`,
		},
	}
}

func realRegistry(ctx context.Context, t *testing.T, r *Registry, admin *sr.Client, format string) {
	t.Helper()
	e := evolutions()[format]
	subject := "kafka-firehose-test-" + format + "-" + time.Now().Format("150405.000")
	base, err := admin.CreateSchema(ctx, subject+"-base", sr.Schema{Type: e.kind, Schema: e.base})
	if err != nil {
		t.Fatal(err)
	}
	// A test may not be the first to register this text: then it has other versions.
	refs := []sr.SchemaReference{{Name: e.name, Subject: subject + "-base", Version: base.Version}}
	for i, v := range []struct {
		text    string
		payload []byte
		want    string
	}{{e.first, e.payload1, e.want1}, {e.second, e.payload2, e.want2}} {
		// The two versions are not compatible with one another for every format; that is
		// for producers.
		admin.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, subject)
		s, err := admin.CreateSchema(ctx, subject, sr.Schema{Type: e.kind, Schema: v.text, References: refs})
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeWith(ctx, r, convert.SchemaRef{ID: uint64(s.ID)}, v.payload)
		if err != nil || got != v.want {
			t.Errorf("version %d, id %d: %s %v, want %s", i+1, s.ID, got, err, v.want)
		}
	}
	_, err = decodeWith(ctx, r, convert.SchemaRef{ID: 2_000_000_000}, nil)
	wantReject(t, "an id of nothing", err, convert.UnknownSchema, "does not have it")
	if trouble := r.CurrentOutage(); trouble != nil {
		t.Errorf("%+v", trouble)
	}
}

// decodeWith waits for a schema and reads payload with it.
func decodeWith(ctx context.Context, r *Registry, ref convert.SchemaRef, payload []byte) (string, error) {
	for {
		s, err := r.LookupSchema(ref)
		if _, missing := errors.AsType[*convert.MissingSchema](err); missing {
			select {
			case <-r.FetchFor(ctx, ref, time.Now()):
				continue
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		if err != nil {
			return "", err
		}
		out, err := s.AppendJSON(nil, payload, convert.FirstMessage, 1000)
		return string(out), err
	}
}
