package env_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

func TestFaultsTakesJoinedErrorsApart(t *testing.T) {
	a, b := env.MissingFault("A", "want a"), env.MissingFault("B", "want b").WithSettings("C")
	plain := errors.New("something else")
	got := env.FaultsOf(errors.Join(errors.Join(a, nil), errors.Join(errors.Join(b), plain)))
	if len(got) != 3 || got[0] != a || got[1] != b || got[2].Error() != "something else" || got[2].Variable != "" {
		t.Errorf("got %v", got)
	}
	if got := env.FaultsOf(nil); got != nil {
		t.Errorf("nothing wrong gives %v", got)
	}
	if diff := cmp.Diff([]string{"C"}, b.Others); diff != "" {
		t.Error(diff)
	}
}

func TestFaultText(t *testing.T) {
	tests := []struct {
		fault *env.Fault
		want  string
	}{
		{env.HoldsFault("A", "x\ny", "want z"), `A holds "x\ny": want z`},
		{env.HoldsFault("A", 7, "want 8"), `A holds "7": want 8`},
		{env.HoldsFault("MY_PASSWORD", "hunter2", "want none"), `MY_PASSWORD holds a secret: want none`},
		{env.MissingFault("A", "want z"), `A is not set: want z`},
		{env.UnsupportedFault("A_TOKEN", "logging in"), `A_TOKEN: logging in is not supported yet by this version; unset it`},
	}
	for _, test := range tests {
		if got := test.fault.Error(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestShow(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"A", "", `""`},
		{"A", strings.Repeat("x", 80), `"` + strings.Repeat("x", 80) + `"`},
		{"A", strings.Repeat("ä", 81), `"` + strings.Repeat("ä", 80) + `…" (cut, 81 characters)`},
		{"A", "a:1,user:pass,word@b:2", `"***@b:2"`},
		{"A", "\x1b[31m", `"\x1b[31m"`},
		{"KAFKA_SASL_PASSWORD_FILE", "/run/x", "a secret"},
	}
	for _, test := range tests {
		if got := env.ShowValue(test.name, test.value); got != test.want {
			t.Errorf("%s=%q shows as %s, want %s", test.name, test.value, got, test.want)
		}
	}
}

func TestHidden(t *testing.T) {
	for _, name := range []string{"X_PASSWORD", "X_SECRET", "X_TOKEN", "X_TOKEN_FILE", "x_password", "X_PASSPHRASE", "X_SECRETS", "X_PASSWORD_OLD", "TOKEN", "X_JAAS_CONFIG"} {
		if !env.IsHidden(name) {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
	for _, name := range []string{"KAFKA_BROKERS", "RECORD_FORMAT", "KAFKA_CLIENT_ID"} {
		if env.IsHidden(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		check func(*env.Check)
		want  string // empty if it passes
	}{
		{"below", func(c *env.Check) { env.CheckRange(c, "A", 0, 1, 5) }, `A holds "0": want 1 to 5`},
		{"lowest", func(c *env.Check) { env.CheckRange(c, "A", 1, 1, 5) }, ""},
		{"highest", func(c *env.Check) { env.CheckRange(c, "A", 5, 1, 5) }, ""},
		{"above", func(c *env.Check) { env.CheckRange(c, "A", 6, 1, 5) }, `A holds "6": want 1 to 5`},
		{"durations", func(c *env.Check) { env.CheckRange(c, "A", 2*time.Hour, time.Minute, time.Hour) }, `A holds "2h": want 1m to 1h`},
		{"odd durations", func(c *env.Check) { env.CheckRange(c, "A", 0, 90*time.Minute, 100*time.Second+time.Hour) }, `A holds "0s": want 1h30m to 1h1m40s`},
		{"sizes", func(c *env.Check) { env.CheckRange(c, "A", env.KiB, env.MiB, 4_000_000) }, `A holds "1KiB": want 1MiB to 4000000`},
		{"at least", func(c *env.Check) { env.AtLeast(c, "A", -1, 0) }, `A holds "-1": want 0 or more`},
		{"just enough", func(c *env.Check) { env.AtLeast(c, "A", 0, 0) }, ""},
		{"one of", func(c *env.Check) { c.OneOf("A", "b", []string{"a", "b"}) }, ""},
		{"none of two", func(c *env.Check) { c.OneOf("A", "B", []string{"a", "b"}) }, `A holds "B": want a or b`},
		{"none of three", func(c *env.Check) { c.OneOf("A", "", []string{"a", "b", "c"}) }, `A holds "": want a, b or c`},
		{"name", func(c *env.Check) { c.CheckName("A", "my group") }, ""},
		{"no name", func(c *env.Check) { c.CheckName("A", "") }, ""},
		{"blank after a name", func(c *env.Check) { c.CheckName("A", "g\n") }, `A holds "g\n": want no blanks around it and no control characters in it`},
		{"control character", func(c *env.Check) { c.CheckName("A", "a\x00b") }, `A holds "a\x00b": want no blanks around it and no control characters in it`},
		{"nil", func(c *env.Check) { c.AddFault(nil); c.JoinFaults(nil) }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c env.Check
			test.check(&c)
			got := ""
			if err := c.Err(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
