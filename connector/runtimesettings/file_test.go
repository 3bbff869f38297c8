package runtimesettings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFile goes through what may become of the file: the last good settings stay, and only a good content replaces them.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	write := func(text string) func() error {
		return func() error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	remove := func() error { return os.Remove(path) }
	a, b := `{"paused_topics": ["a"]}`, `{"paused_topics": ["b"]}`
	if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), "RUNTIME_SETTINGS_FILE holds ") || !strings.Contains(err.Error(), "the file can't be read: no such file or directory") {
		t.Errorf("a missing file at the start: %v", err)
	}
	if err := write(`{"x": 1}`)(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "x is no setting") {
		t.Errorf("a bad file at the start: %v", err)
	}
	if err := write(a)(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name    string
		do      func() error
		changed bool
		topic   string
		fault   string
	}{
		{"the same", func() error { return nil }, false, "a", ""},
		{"written again", write(a), false, "a", ""},
		{"half written", write(b[:9]), false, "a", "is not JSON"},
		{"complete", write(b), true, "b", ""},
		{"missing", remove, false, "b", "no such file"},
		{"a directory", func() error { return os.Mkdir(path, 0o700) }, false, "b", "it is not a file"},
		{"a pipe that nobody writes to", func() error { _ = remove(); return syscall.Mkfifo(path, 0o600) }, false, "b", "it is not a file"},
		{"the same again", func() error { _ = remove(); return write(b)() }, true, "b", ""},
		{"too large", write(`{"paused_topics": []` + strings.Repeat(" ", 1<<20) + "}"), false, "b", "larger than 1MiB"},
		{"another", write(a), true, "a", ""},
		{"bad", write(`{"paused_topics": null}`), false, "a", "paused_topics holds"},
		{"the last good one", write(a), true, "a", ""},
	} {
		if err := step.do(); err != nil {
			t.Fatal(step.name, err)
		}
		changed := f.RefreshSettings()
		fault := ""
		if f.Err() != nil {
			fault = f.Err().Error()
		}
		if changed != step.changed || fmt.Sprint(f.Settings().PausedTopics) != "["+step.topic+"]" || (fault == "") != (step.fault == "") || !strings.Contains(fault, step.fault) {
			t.Errorf("%s: changed %v, %q, fault %q; want %v, %s, %q", step.name, changed, f.Settings().PausedTopics, fault, step.changed, step.topic, step.fault)
		}
	}
}
