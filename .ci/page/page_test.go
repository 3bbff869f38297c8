// Package page_test shows the status page in Chromium. It is a module of its own, so that nothing that is delivered
// depends on the library that drives the browser.
package page_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/status"
)

const (
	maxPageBytes = 200_000
	// outageShown bounds the wait until the page names an outage: the process waits half a minute before it counts as one.
	outageShown = 90 * time.Second
)

// TestPage: under load, in an outage and with hostile names, on a phone and on a wide screen, light and dark, the page
// reports no error, asks no other host, fits the screen, and is readable without JavaScript.
func TestPage(t *testing.T) {
	if os.Getenv("CHROMIUM") == "" {
		t.Skip("CHROMIUM names no browser; .ci/run page sets it")
	}
	b := startBrowser(t)
	for _, scene := range []struct {
		name    string
		address func(*testing.T) string
		wants   []string
	}{
		{"load", loadedPage, []string{"ready", "Delivery streams", "events", "Peak second", "Credentials", "keys of the program's own"}},
		{"outage", outagePage, []string{"not ready", "What keeps records back", "nothing was accepted for", "failing", "Newest events"}},
		{"hostile", hostilePage, []string{"<script>alert(1)</script>", "not a member", "2\u202f000 partitions"}},
	} {
		t.Run(scene.name, func(t *testing.T) {
			address := scene.address(t)
			wantSmall(t, address)
			for _, s := range screens {
				b.visit(t, scene.name, address, s, scene.wants)
			}
		})
	}
}

// wantSmall fails if the page has more bytes than a slow line loads in a moment.
func wantSmall(t *testing.T, address string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || len(text) > maxPageBytes {
		t.Errorf("the page answers %s with %d bytes (%v), want %d at most", resp.Status, len(text), err, maxPageBytes)
	}
	t.Logf("the page has %d bytes", len(text))
}

// sandbox starts the whole bridge, with an embedded Kafka and an emulated Firehose, and returns the address of its page
// once its status is as wanted.
func sandbox(t *testing.T, faults, until string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sandbox")
	build := exec.Command("go", "build", "-o", binary, "./cmd/sandbox")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(binary, "-for", "0", "-rate", "2000", "-partitions", "12", "-faults", faults, "-dir", filepath.Join(t.TempDir(), "objects"), "-patience", "1h",
		"-kafka", "127.0.0.1:0", "-firehose", "127.0.0.1:0", "-http", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	address := ""
	for address == "" && lines.Scan() {
		if m := regexp.MustCompile(`(http://\S+/) is its status page`).FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	want := regexp.MustCompile(until)
	for end := time.Now().Add(outageShown); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if resp, err := http.Get(address + "status"); err == nil {
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if want.Match(text) {
				return address
			}
		}
	}
	t.Fatalf("%s/status has no %s within %s", address, until, outageShown)
	return ""
}

// loadedPage is the page of a bridge with half a minute of traffic.
func loadedPage(t *testing.T) string {
	t.Helper()
	return sandbox(t, "none", `"accepted_records":([6-9][0-9]{4}|[1-9][0-9]{5})`)
}

// outagePage is the page of a bridge whose Firehose has answered nothing for half a minute.
func outagePage(t *testing.T) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(script, []byte(`[{"effect": "outage", "after": "20s"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	return sandbox(t, script, "nothing was accepted for")
}

// hostilePage serves names and messages that attack a page, and as much as the page ever shows.
func hostilePage(t *testing.T) string {
	t.Helper()
	evil := `"><script>alert(1)</script><img src="http://192.0.2.1/x" onerror=alert(1)>'` + "</style><style>body{display:none}\u202e"
	long := strings.Repeat("topic-without-a-break.", 11)
	now := time.Now()
	s := status.EmptySnapshot(now, evil)
	s.BadRecords, s.Registry = status.BadRecords{Policy: evil, Records: 1 << 40}, &status.Registry{Type: evil, Failure: evil + long, Since: now}
	s.Faults = []status.Fault{{What: evil, Reason: strings.Repeat(evil, 20), Since: now.Add(-time.Hour), Failures: 1 << 30}, {What: long, Reason: long}}
	s.Events = []status.Event{{At: now, Level: "ERROR", Text: evil}, {At: now, Level: evil, Text: long}}
	for i := range 2000 {
		s.Partitions = append(s.Partitions, status.Partition{Topic: evil + long, Partition: int32(i), Lag: 1 << 60, Committed: 1 << 60, Uncommitted: 1 << 60, State: "waiting for a schema"})
	}
	for i := range 20 {
		one := status.Stream{Name: fmt.Sprintf("%s%s%d", evil, long, i), State: evil, Reason: evil, QuotaBytes: 1 << 20, AcceptedBytes: 1 << 60}
		for j := range 120 {
			one.History = append(one.History, status.Second{AcceptedBytes: float64(j * j)})
		}
		s.Streams = append(s.Streams, one)
		s.Credentials = append(s.Credentials, status.Credentials{For: "stream " + one.Name, CredentialState: status.CredentialState{Source: evil, Role: "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 500), Expires: now, Failure: evil}})
	}
	server := httptest.NewServer(status.PageHandler(func() status.Snapshot { return s }, http.NotFoundHandler()))
	t.Cleanup(server.Close)
	return server.URL + "/"
}
