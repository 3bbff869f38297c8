package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/logging/logtest"
)

func TestMain(m *testing.M) {
	forgetAWS()
	os.Exit(m.Run())
}

// result is what a run of the sandbox came to.
type result struct {
	code   int
	stdout string
	stderr string
}

// number is what follows a word at the beginning of a line of the report.
func (r result) number(t *testing.T, word string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^  ` + word + ` +([0-9,]+)`).FindStringSubmatch(r.stdout)
	if m == nil {
		t.Fatalf("the report has no %q:\n%s", word, r.stdout)
	}
	n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("the output has no %q", text)
		}
	}
	if t.Failed() {
		t.Logf("standard output:\n%s\nstandard error:\n%s", r.stdout, r.stderr)
	}
}

// start runs the whole sandbox on free ports; wait returns when it has ended.
func start(ctx context.Context, t *testing.T, w world, args ...string) (out *safeBuffer, wait func() result) {
	t.Helper()
	var stdout, stderr safeBuffer
	w.stdout, w.stderr = &stdout, &stderr
	args = append([]string{"-kafka", "127.0.0.1:0", "-firehose", "127.0.0.1:0", "-http", "127.0.0.1:0", "-dir", filepath.Join(t.TempDir(), "out"), "-patience", "20s"}, args...)
	ended := make(chan int, 1)
	go func() { ended <- w.run(ctx, args) }()
	return &stdout, func() result {
		select {
		case code := <-ended:
			return result{code, stdout.String(), stderr.String()}
		case <-time.After(90 * time.Second):
			t.Fatalf("the sandbox does not end:\n%s\n%s", stdout.String(), stderr.String())
			return result{}
		}
	}
}

func sandboxed(t *testing.T, w world, args ...string) result {
	t.Helper()
	_, wait := start(t.Context(), t, w, args...)
	return wait()
}

type safeBuffer struct{ logtest.Buffer }

// until waits for text in the output, and returns what the expression's group matched.
func (b *safeBuffer) until(t *testing.T, expression string) string {
	t.Helper()
	e := regexp.MustCompile(expression)
	for range 400 {
		if m := e.FindStringSubmatch(b.String()); m != nil {
			return m[len(m)-1]
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("the output never has %s:\n%s", expression, b.String())
	return ""
}

// text is a file of n lines, with the kinds that are easily lost among them: empty ones, repeated ones,
// one that fits into no buffer, a carriage return, and no newline at the end.
func text(n int) string {
	var b strings.Builder
	for i := range n - 1 {
		switch {
		case i%1000 == 1:
			b.WriteString("\n")
		case i%1000 == 2:
			b.WriteString("the same again\n")
		case i == 5003:
			b.WriteString(strings.Repeat("long ", 150_000) + "\n")
		case i%1000 == 4:
			fmt.Fprintf(&b, "line %d with a carriage return\r\n", i)
		default:
			fmt.Fprintf(&b, "line %d\n", i)
		}
	}
	b.WriteString("no newline at the end")
	return b.String()
}

func inFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func produce(t *testing.T, addr string, values ...[]byte) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("events"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, v := range values {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Value: v}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
