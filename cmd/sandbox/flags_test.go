package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUsageNamesEachFlagAndPreset(t *testing.T) {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	new(options).register(f)
	f.VisitAll(func(f *flag.Flag) {
		if !strings.Contains(usage, "\n  -"+f.Name+" ") {
			t.Errorf("the usage text does not explain -%s", f.Name)
		}
		if d := f.DefValue; len(d) > 1 && d != "false" && d != "-1" && !strings.Contains(usage, d) && f.Name != "for" && f.Name != "patience" {
			t.Errorf("the usage text does not have the default of -%s, %s", f.Name, d)
		}
	})
	for name := range presets {
		if !strings.Contains(usage, "                        "+name+" ") {
			t.Errorf("the usage text does not explain -faults %s", name)
		}
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if code := (world{stdout: &out, stderr: io.Discard}).run(t.Context(), []string{"-h"}); code != exitProved || out.String() != usage {
		t.Errorf("exit code %d, output %q", code, out.String())
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
	f(`-topic is "a/b"`, "-topic", "a/b")
	f(`-topic is "__x"`, "-topic", "__x")
	f("-partitions is 0", "-partitions", "0")
	f(`-compression is "rar"; want one of gzip, lz4, none, snappy, zstd`, "-compression", "rar")
	f(`-kafka is "9092"; want host:port`, "-kafka", "9092")
	f(`-http is "localhost:http"; want host:port`, "-http", "localhost:http")
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
		o, err := parse(args)
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
