package schema

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/convert"
	"kafka-firehose/metrics"
)

// artifacts is Apicurio Registry: bodies by path. What is not there it says as the real one does.
type artifacts map[string]string

func (a artifacts) answer(r *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/apis/registry")
	body, ok := a[path]
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	switch _, version := a[strings.TrimSuffix(path, "/references")]; {
	case ok:
	case strings.HasSuffix(path, "/references") && version:
		body = "[]"
	case strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/v3/"):
		name := "ArtifactNotFoundException"
		if !strings.Contains(path, "/ids/") && !strings.Contains(path, "/groups/") {
			name = "NotFoundException"
		}
		resp.StatusCode, body = http.StatusNotFound, fmt.Sprintf(`{"error_code":404,"message":"it is not here","name":"%s"}`, name)
	default:
		resp.StatusCode = http.StatusNotFound
	}
	if kind, text, ok := strings.Cut(body, "|"); ok {
		resp.Header.Set("X-Registry-ArtifactType", kind)
		body = text
	}
	if strings.HasPrefix(body, "syntax") {
		resp.Header.Set("Content-Type", "application/x-protobuf")
	}
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp, nil
}

func apicurioBubble(t *testing.T, address string, a artifacts, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer synctest.Wait()
		defer cancel()
		w := &world{ctx: ctx}
		w.answers(a.answer)
		cfg := Config{Type: "apicurio", URLs: []string{address}}
		var err error
		w.Registry, err = New(cfg, Options{
			Transport: w, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
			Compile: func(d convert.SchemaDefinition) (convert.Schema, error) { return textOf(d), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		f(w)
	})
}

// TestApicurio: both versions of its API, both kinds of ids, and references of references.
func TestApicurio(t *testing.T) {
	for version, content := range map[string]string{"v2": "", "v3": "/content"} {
		a := artifacts{
			"/" + version + "/ids/globalIds/5":                                    `AVRO|"int"`,
			"/" + version + "/ids/globalIds/4294967301":                           `"int"`,
			"/" + version + "/ids/contentIds/7":                                   `syntax = "proto3";`,
			"/" + version + "/ids/contentIds/7/references":                        `[{"groupId":"a/b","artifactId":"c d","version":"1","name":"c.proto"}]`,
			"/" + version + "/groups/a%2Fb/artifacts/c%20d/versions/1" + content:  `one`,
			"/" + version + "/groups/a%2Fb/artifacts/c%20d/versions/1/references": `[{"groupId":null,"artifactId":"e","version":"2","name":"e.proto"}]`,
			"/" + version + "/groups/default/artifacts/e/versions/2" + content:    `two`,
			"/" + version + "/groups/default/artifacts/e/versions/2/references":   `[]`,
			"/" + version + "/ids/globalIds/6":                                    `JSON|{}`,
			"/" + version + "/ids/globalIds/6/references":                         `[{"artifactId":"gone","version":"1","name":"gone.json"}]`,
			"/" + version + "/ids/globalIds/8":                                    `GRAPHQL|x`,
		}
		apicurioBubble(t, "https://registry.example/apis/registry/"+version, a, func(w *world) {
			for ref, want := range map[convert.SchemaRef]text{
				{ID: 5}:                `avro "int"`,
				{ID: 1<<32 + 5}:        ` "int"`,
				{ID: 7, Content: true}: `protobuf syntax = "proto3"; e.proto=two c.proto=one`,
				{ID: 8}:                "of a type that is not known here x",
			} {
				if s, err := w.wait(ref, time.Minute); err != nil || s != want {
					t.Errorf("%s %v: %q %v, want %q", version, ref, s, err, want)
				}
			}
			_, err := w.wait(convert.SchemaRef{ID: 6}, 5*time.Minute)
			wantReject(t, version, err, convert.Undecodable, "its schema refers to gone version 1: the Schema Registry does not have it (ArtifactNotFoundException)")
			_, err = w.wait(convert.SchemaRef{ID: 9}, 5*time.Minute)
			wantReject(t, version, err, convert.UnknownSchema, "schema 9: the Schema Registry does not have it (ArtifactNotFoundException)")
		})
	}
}

// TestNoApicurio: only its own word about a schema makes records bad.
func TestNoApicurio(t *testing.T) {
	const base = "https://registry.example/apis/registry/v2"
	for name, test := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		want   string
	}{
		"404":           {status(404, "<html>"), "not the address of a Schema Registry: 404"},
		"another path":  {artifacts{}.answer, "has no schema at all"},
		"a login":       {status(401, `{"message":"who are you?"}`), "the login is refused: 401 Unauthorized: who are you?"},
		"a page":        {status(200, "<html>"), "its answer can't be read as JSON"},
		"a long one":    {status(200, strings.Repeat(" ", maxAnswer+1)), "more than 8MiB"},
		"not there":     {status(404, `{"error_code":404,"name":"NotFoundException","message":"RESTEASY003210"}`), "not the address of a Schema Registry"},
		"no connection": {refused, "connection refused"},
		"too many":      {status(429, ""), "429"},
	} {
		apicurioBubble(t, base, nil, func(w *world) {
			answer := test.answer
			if name == "another path" {
				answer = artifacts{"/v2/search/artifacts": `{"count":0}`}.answer
			}
			w.answers(answer)
			long := 10 * time.Minute
			if name == "a long one" {
				long = time.Second // it takes memory each time
			}
			_, err := w.wait(convert.SchemaRef{ID: 5}, long)
			if trouble := w.CurrentOutage(); !errors.Is(err, context.DeadlineExceeded) || trouble == nil || !strings.Contains(trouble.Err.Error(), test.want) {
				t.Errorf("%s: %v, trouble %+v, want %q", name, err, trouble, test.want)
			}
		})
	}
}

func TestTryApicurio(t *testing.T) {
	const base = "https://registry.example/apis/registry/v2"
	for name, test := range map[string]struct {
		transport http.RoundTripper
		answers   bool
	}{
		"it answers":   {tripper(artifacts{}.answer), true},
		"it is no one": {tripper(status(404, "")), false},
	} {
		err := TryAddress(t.Context(), Config{Type: "apicurio"}, base, Options{Transport: test.transport})
		if (err == nil) != test.answers {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
