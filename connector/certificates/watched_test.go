package certificates

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestRotation goes through what whoever renews the files may do in between: nothing but
// a good pair is ever used, each state is told once, and what has not changed is the same.
func TestRotation(t *testing.T) {
	a, err := kafkatest.NewAuthority("an authority")
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string, life time.Duration) kafkatest.Pair {
		pair, err := a.Issue(kafkatest.Subject{Name: name, NotAfter: time.Now().Add(life)})
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	dir := t.TempDir()
	put := func(name string, text []byte) File {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return File{Variable: name, Path: path}
	}
	first, second := issue("first", time.Hour), issue("second", 2*time.Hour)
	var log bytes.Buffer
	var until time.Time
	w, err := WatchFiles(Files{put("ca.pem", a.PEM), put("cert.pem", first.Cert), put("key.pem", first.Key)},
		slog.New(slog.NewTextHandler(&log, nil)), func(end time.Time) { until = end })
	if err != nil {
		t.Fatal(err)
	}
	use := func(step, name string, lines int) {
		t.Helper()
		config := w.CurrentConfig()
		if got := config.Certificates[0].Leaf.Subject.CommonName; got != name || config.RootCAs == nil {
			t.Errorf("%s: the certificate is that of %s, want %s", step, got, name)
		}
		if w.CurrentConfig() != config {
			t.Errorf("%s: another configuration, although nothing has changed", step)
		}
		if got := strings.Count(log.String(), "\n"); got != lines {
			t.Errorf("%s: %d lines, want %d:\n%s", step, got, lines, &log)
		}
		log.Reset()
	}
	use("nothing has changed", "first", 0)
	put("cert.pem", second.Cert)
	use("half of the pair", "first", 1)
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	use("a file is gone", "first", 1)
	put("key.pem", second.Key[:40])
	use("half of a file", "first", 1)
	put("key.pem", second.Key)
	use("the pair is complete", "second", 1)
	if time.Until(until).Round(time.Minute) != 2*time.Hour {
		t.Errorf("told that it ends at %v", until)
	}
	put("ca.pem", nil)
	use("no authority", "second", 1)
	old := issue("third", -time.Minute)
	put("ca.pem", a.PEM)
	put("cert.pem", old.Cert)
	put("key.pem", old.Key)
	use("an expired pair", "second", 1)
}
