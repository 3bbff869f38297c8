package schema

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/preflight/check"
)

// TestInspect: an address where nobody answers is an error unless another does; that a
// registry lacks the schema that it is asked for is an answer.
func TestInspect(t *testing.T) {
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error_code":40403,"message":"Schema 1 not found"}`))
	}))
	defer registry.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for name, test := range map[string]struct {
		urls     []string
		password string
		want     []check.Severity
	}{
		"it answers":             {[]string{registry.URL}, "right", []check.Severity{check.OK}},
		"it refuses the login":   {[]string{registry.URL}, "wrong", []check.Severity{check.Error}},
		"one of two answers":     {[]string{other.URL, registry.URL}, "right", []check.Severity{check.Warning, check.OK}},
		"it is no registry":      {[]string{other.URL}, "right", []check.Severity{check.Error}},
		"nobody is there":        {[]string{"http://127.0.0.1:1"}, "right", []check.Severity{check.Error}},
		"none of two lets us in": {[]string{other.URL, registry.URL}, "wrong", []check.Severity{check.Error, check.Error}},
	} {
		t.Run(name, func(t *testing.T) {
			found := Inspect(t.Context(), Config{URLs: test.urls, Username: "u", Password: env.NewSecret(test.password)}, Options{})
			if len(found) != len(test.want) {
				t.Fatalf("found %+v", found)
			}
			for i, f := range found {
				if f.Severity != test.want[i] || f.Name != test.urls[i] {
					t.Errorf("found %+v, want %s", f, test.want[i])
				}
			}
		})
	}
}
