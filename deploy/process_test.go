package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"kafka-firehose/connector/childtest"
	"kafka-firehose/connector/logging/logtest"
)

// process is one that does not outlive the test.
type process struct {
	cmd *exec.Cmd
	log locked
}

func run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd}
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	childtest.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said at the end:\n%s", filepath.Base(cmd.Path), p.log.tail())
		}
	})
	return p
}

func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGKILL)
		_ = p.cmd.Wait()
	}
}

// says waits for a line, and returns what the expression's group matches in it.
func (p *process) says(t *testing.T, expression *regexp.Regexp) (found string) {
	t.Helper()
	waitFor(t, time.Minute, fmt.Sprintf("%s says %s", filepath.Base(p.cmd.Path), expression), func() bool {
		m := expression.FindStringSubmatch(p.log.String())
		if m != nil {
			found = m[1]
		}
		return m != nil
	})
	return found
}

type locked struct{ logtest.Buffer }

func (l *locked) tail() string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

func waitFor(t *testing.T, most time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !done(); <-time.After(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", most, what)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
