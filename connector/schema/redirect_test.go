package schema_test

import (
	"context"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/oauthtoken/oauthtest"
	"kafka-firehose/connector/schema"
	"kafka-firehose/metrics"
)

// TestLoginStaysAtTheRegistry: a login goes to no other scheme, host or port, and a redirect to the registry's own is
// followed with it.
func TestLoginStaysAtTheRegistry(t *testing.T) {
	got := ""
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = "asked with " + r.Header.Get("Authorization") + r.Header.Get("X-Key")
		_, _ = w.Write([]byte(`{"schema":"\"long\""}`))
	}))
	defer other.Close()
	login := httptest.NewServer(&oauthtest.Server{ClientID: "c", Secret: "s", Life: time.Hour})
	defer login.Close()
	to := ""
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/moved") && r.Header.Get("Authorization")+r.Header.Get("X-Key") != "" {
			_, _ = w.Write([]byte(`{"schema":"\"long\""}`))
			return
		}
		http.Redirect(w, r, to+"/moved"+r.URL.Path+"?key=s3cret", http.StatusMovedPermanently)
	}))
	defer secure.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, login := range map[string]schema.Config{
		"basic":  {Username: "u", Password: env.NewSecret("hunter2")},
		"bearer": {Token: env.NewSecret("hunter2")},
		"header": {Headers: env.NewSecret("X-Key=hunter2")},
		"oauth":  {OAuth: schema.OAuthConfig{Endpoint: login.URL, ClientID: "c", ClientSecret: env.NewSecret("s")}},
	} {
		for _, to = range []string{"", other.URL} {
			cfg := login
			cfg.URLs, cfg.CAFile = []string{secure.URL}, ca
			r, err := schema.New(cfg, schema.Options{
				Compile: func(d convert.SchemaDefinition) (convert.Schema, error) {
					return convert.CompileFor(convert.Config{Format: "avro"}, []string{"avro"}, d)
				},
				Log: slog.New(slog.DiscardHandler), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			select {
			case <-r.FetchFor(ctx, convert.SchemaRef{ID: 1}, time.Now()):
			case <-time.After(300 * time.Millisecond): // it is tried again, as the registry may be mended
			}
			cancel()
			_, err = r.LookupSchema(convert.SchemaRef{ID: 1})
			if to == "" && err != nil {
				t.Errorf("%s, to the same origin: %v", name, err)
			}
			if to != "" && err == nil || got != "" {
				t.Errorf("%s: %v; another origin was %s", name, err, got)
			}
		}
	}
}
