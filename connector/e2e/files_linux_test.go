package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"kafka-firehose/connector/longtest"
)

// TestNoFileDescriptors: the process may open nothing more, first on the way to
// Firehose, then on the way to Kafka, when its connections break. It waits, says so
// once in a while, does not spin, and goes on when there is something to open again.
func TestNoFileDescriptors(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	h := newHost(t)
	c := h.start("KAFKA_SESSION_TIMEOUT=15s")
	h.until(c, "it is in the group", func() bool { return strings.Contains(c.log.String(), "partitions assigned") })
	for _, trouble := range []struct {
		name  string
		begin func()
	}{
		{"to Firehose", func() { h.server.CloseClientConnections() }},
		{"to Kafka", h.callers.cut},
	} {
		before := c.limitFiles(t, 3) // the standard ones
		busy, lines := c.busy(t), strings.Count(c.log.String(), "\n")
		trouble.begin()
		h.produce(1000)
		c.knock()
		<-time.After(4 * time.Second)
		if used := c.busy(t) - busy; used > 2*time.Second {
			t.Errorf("%s: %v of processor time in 4 s", trouble.name, used)
		}
		if n := strings.Count(c.log.String(), "\n") - lines; n == 0 || n > 30 {
			t.Errorf("%s: %d lines in 4 s, want some and not many\n%s", trouble.name, n, c.log.tail())
		}
		if !strings.Contains(c.log.String(), "too many open files") {
			t.Errorf("%s: nobody was told\n%s", trouble.name, c.log.tail())
		}
		c.limitFiles(t, before)
		h.delivered(time.Minute)
	}
	if status, body := c.probe(t, "/readyz"); status != http.StatusOK {
		t.Errorf("readyz says %d: %s", status, body)
	}
	h.drain(c)
	h.wantAll(0)
	for line := range strings.Lines(c.log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line is not the log's: %s", line)
		}
	}
}

// limitFiles sets how many file descriptors the process may have, which is a limit for
// new ones, and returns what the limit was.
func (c *child) limitFiles(t *testing.T, n uint64) (before uint64) {
	t.Helper()
	var old syscall.Rlimit
	c.prlimit(t, nil, &old)
	limit := syscall.Rlimit{Cur: n, Max: old.Max}
	c.prlimit(t, &limit, nil)
	return old.Cur
}

func (c *child) prlimit(t *testing.T, limit, old *syscall.Rlimit) {
	t.Helper()
	_, _, err := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(c.Process.Pid), syscall.RLIMIT_NOFILE,
		uintptr(unsafe.Pointer(limit)), uintptr(unsafe.Pointer(old)), 0, 0)
	if err != 0 {
		t.Fatalf("prlimit: %v", err)
	}
}

// busy is the processor time that the process has used.
func (c *child) busy(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	// Behind the name, which is in brackets, user and system time are fields 12 and 13,
	// in hundredths of a second.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// knock asks whether the process lives. To answer takes a file descriptor, so that there
// is none is no reason to fail.
func (c *child) knock() {
	client := http.Client{Timeout: 500 * time.Millisecond}
	if resp, err := client.Get("http://" + listening.FindStringSubmatch(c.log.String())[1] + "/livez"); err == nil {
		_ = resp.Body.Close()
	}
}
