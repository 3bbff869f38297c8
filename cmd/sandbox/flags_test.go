package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHelpNamesEachFlagAndPreset(t *testing.T) {
	var out strings.Builder
	if code := (world{stdout: &out, stderr: io.Discard}).run(t.Context(), []string{"-h"}); code != exitProved {
		t.Errorf("exit code %d", code)
	}
	new(options).flagSet().VisitAll(func(f *flag.Flag) {
		if !strings.Contains(out.String(), "\n  -"+f.Name) || f.Usage == "" {
			t.Errorf("the help does not explain -%s", f.Name)
		}
		if d := f.DefValue; len(d) > 1 && !strings.Contains(out.String(), d) && f.Name != "for" && f.Name != "patience" && d != "false" {
			t.Errorf("the help does not have the default of -%s, %s", f.Name, d)
		}
	})
	for name, preset := range presets {
		if !regexp.MustCompile(`\n +\t +` + name + ` +` + regexp.QuoteMeta(preset.text) + `\n`).MatchString(out.String()) {
			t.Errorf("the help does not explain -faults %s", name)
		}
	}
	if t.Failed() {
		t.Logf("%s", out.String())
	}
}

func TestWrongFlags(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "object"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "script.json")
	if err := os.WriteFile(script, []byte(`[{"effect": "sulk"}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	f := func(want string, args ...string) {
		t.Helper()
		var errs strings.Builder
		if !slices.Contains(args, "-dir") {
			args = append([]string{"-dir", filepath.Join(t.TempDir(), "out")}, args...)
		}
		code := world{stdout: io.Discard, stderr: &errs}.run(t.Context(), args)
		if code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%q: exit code %d, want %d and %q:\n%s", args, code, exitUsage, want, errs.String())
		}
	}
	f("flag provided but not defined: -nonsense", "-nonsense")
	f(`"file" is not a flag; a file to feed is -input FILE`, "file")
	f("-records is -2", "-records", "-2")
	f("-rate is -1", "-rate", "-1")
	f("-for is -1s", "-for", "-1s")
	f("-patience is 0s", "-patience", "0")
	f("-partitions is 0", "-partitions", "0")
	f("address 9092: missing port in address; choose another address with -kafka", "-kafka", "9092")
	f("address 99999: invalid port; choose another address with -http", "-kafka", "127.0.0.1:0", "-firehose", "127.0.0.1:0", "-http", "127.0.0.1:99999")
	f("no-such-file", "-input", "no-such-file")
	f("a directory; want a file", "-input", full)
	f("which is not empty", "-dir", full)
	f(`-faults is "storm"; want ambiguous, chaos, flaky, none, outage, throttle, or a file`, "-faults", "storm")
	f(`faults[0].effect is "sulk"`, "-faults", script)
	f("-rate is -1", "-faults", "storm", "-rate", "-1") // all at once
}

func TestWhatHasAnEndIsFedToIt(t *testing.T) {
	f := func(rate int, lasts time.Duration, args ...string) {
		t.Helper()
		o, err := parseFlags(args)
		if err != nil || o.rate != rate || o.lasts != lasts {
			t.Errorf("%q: rate %d, for %s, error %v; want %d and %s", args, o.rate, o.lasts, err, rate, lasts)
		}
	}
	f(4000, 20*time.Second)
	f(0, 0, "-input", "flags_test.go")
	f(7, time.Hour, "-input", "flags_test.go", "-rate", "7", "-for", "1h")
	f(4000, 0, "-records", "5")
	f(4000, 20*time.Second, "-records", "0")
	f(4000, 0, "-for", "0")
}
