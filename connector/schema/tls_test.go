package schema

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/kafka/kafkatest"
)

// issuer is an authority of the registry and of its clients.
type issuer struct {
	*kafkatest.Authority
	server, client kafkatest.Pair
}

func newIssuer(t *testing.T, name string) *issuer {
	t.Helper()
	a, err := kafkatest.NewAuthority(name)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string) kafkatest.Pair {
		pair, err := a.Issue(kafkatest.Subject{Name: name, Hosts: []string{"127.0.0.1"}})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	return &issuer{a, issue("registry"), issue("a client of " + name)}
}

// TestNewAuthority: the registry gets another authority, and its clients with it. The
// files are replaced one after the other, under the process as it runs. Nothing but the
// next request is needed then, and no schema is bad in between.
func TestNewAuthority(t *testing.T) {
	before, after := newIssuer(t, "before"), newIssuer(t, "after")
	var now atomic.Pointer[issuer]
	now.Store(before)
	var peer atomic.Value
	registry := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer.Store(r.TLS.PeerCertificates[0].Subject.CommonName)
		_, _ = w.Write([]byte(`{"schema":"\"int\""}`))
	}))
	registry.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	registry.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		i := now.Load()
		pair, err := i.server.TLS()
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: i.Pool(), ClientAuth: tls.RequireAndVerifyClientCert}, err
	}}
	registry.StartTLS()
	defer registry.Close()

	dir := t.TempDir()
	put := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cfg := Config{
		URLs:   []string{registry.URL},
		CAFile: put("ca.pem", before.PEM), CertFile: put("cert.pem", before.client.Cert), KeyFile: put("key.pem", before.client.Key),
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c, err := newClient(cfg, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(step, want string) {
		t.Helper()
		_, err := c.fetchDefinition(t.Context(), convert.SchemaRef{ID: 1}, nil)
		if want == "" && (err == nil || !isTrouble(err)) || want != "" && (err != nil || peer.Load() != want) {
			t.Errorf("%s: %v as %v, want %q", step, err, peer.Load(), want)
		}
	}
	fetch("at first", "a client of before")
	now.Store(after)
	registry.CloseClientConnections()
	fetch("it has changed, we have not", "")
	put("ca.pem", append(append([]byte{}, before.PEM...), after.PEM...))
	fetch("it is trusted, we are not", "")
	put("cert.pem", after.client.Cert)
	fetch("half of a pair", "")
	put("key.pem", after.client.Key)
	fetch("all is there", "a client of after")
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want one for each change:\n%s", n, &log)
	}
}

func isTrouble(err error) bool {
	_, ok := err.(*nodeError) //nolint:errorlint // as it is returned
	return ok
}

// TestHeaderIsBounded: an answer whose header is longer than any registry's is not read.
func TestHeaderIsBounded(t *testing.T) {
	var size atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", int(size.Load())))
		_, _ = w.Write([]byte(`{"schema":"x"}`))
	}))
	defer server.Close()
	c, err := newClient(Config{URLs: []string{server.URL}}, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{maxHeader / 2: true, 2 * maxHeader: false} {
		size.Store(int64(n))
		if _, err := c.fetchDefinition(t.Context(), convert.SchemaRef{ID: 1}, nil); (err == nil) != want {
			t.Errorf("a header of %d bytes: %v", n, err)
		}
	}
}
