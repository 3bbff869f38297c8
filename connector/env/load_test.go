package env_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

// picky is a type with a decoder of its own.
type picky struct{ word string }

func (p *picky) Decode(s string) error {
	if s == "bad" {
		return errors.New("want anything but bad")
	}
	p.word = s
	return nil
}

type inner struct {
	List []string  `envconfig:"T_LIST" unset:"required" desc:"A list."`
	Size env.Bytes `envconfig:"T_SIZE" default:"1KiB" desc:"A size."`
}

type config struct {
	Inner  inner
	Wait   time.Duration `envconfig:"T_WAIT" default:"1s" desc:"A | time."`
	Count  int           `envconfig:"T_COUNT" default:"7" desc:"A count."`
	On     bool          `envconfig:"T_ON" default:"true" desc:"A switch."`
	Level  slog.Level    `envconfig:"T_LEVEL" default:"warn" desc:"A level."`
	Picky  picky         `envconfig:"T_PICKY" default:"\\n" desc:"A word, or \\n."`
	Text   string        `envconfig:"T_TEXT" unset:"none" want:"unused" desc:"A text."`
	Other  string        // not a setting
	hidden inner         //nolint:unused // unexported: not settings either
}

func defaults() config {
	return config{Inner: inner{Size: 1024}, Wait: time.Second, Count: 7, On: true, Level: slog.LevelWarn, Picky: picky{`\n`}}
}

func diff(want, got config) string {
	return cmp.Diff(want, got, cmp.AllowUnexported(config{}, picky{}))
}

func TestLoad(t *testing.T) {
	for name, value := range map[string]string{
		"T_LIST": " a,b , c", "T_SIZE": "2MiB", "T_WAIT": "1m30s", "T_COUNT": "-3", "T_ON": "false", "T_LEVEL": "debug",
		"T_PICKY": "fine", "T_TEXT": " as it is ", "OTHER": "x", "VALUE": "x", "INNER": "x",
	} {
		t.Setenv(name, value)
	}
	var got config
	if err := env.Load(&got); err != nil {
		t.Fatal(err)
	}
	want := config{Inner: inner{[]string{"a", "b", "c"}, 2 << 20}, Wait: 90 * time.Second, Count: -3, Level: slog.LevelDebug, Picky: picky{"fine"}, Text: " as it is "}
	if d := diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLoadTakesEmptyForUnset(t *testing.T) {
	for _, name := range []string{"T_LIST", "T_SIZE", "T_WAIT", "T_COUNT", "T_ON", "T_LEVEL", "T_PICKY", "T_TEXT"} {
		t.Setenv(name, "")
	}
	var got config
	if err := env.Load(&got); err != nil {
		t.Fatal(err)
	}
	if d := diff(defaults(), got); d != "" {
		t.Error(d)
	}
}

func TestLoadReportsAllFaults(t *testing.T) {
	for name, value := range map[string]string{
		"T_SIZE": "1MB", "T_WAIT": "10", "T_COUNT": "010", "T_ON": "yes", "T_LEVEL": "loud", "T_PICKY": "bad",
	} {
		t.Setenv(name, value)
	}
	var got config
	err := env.Load(&got)
	want := []string{
		`T_SIZE holds "1MB": want a size: plain bytes such as 4000000, or KiB, MiB or GiB such as 256MiB`,
		`T_WAIT holds "10": want a duration such as 500ms, 10s or 2m`,
		`T_COUNT holds "010": want a whole number`,
		`T_ON holds "yes": want true or false`,
		`T_LEVEL holds "loud": want debug, info, warn or error`,
		`T_PICKY holds "bad": want anything but bad`,
	}
	if err == nil {
		t.Fatal("no fault")
	}
	if d := cmp.Diff(want, strings.Split(err.Error(), "\n")); d != "" {
		t.Error(d)
	}
	if d := diff(defaults(), got); d != "" {
		t.Errorf("a field that could not be read has lost its default: %s", d)
	}
}

func TestLoadRefusesNumbersThatReadTwoWays(t *testing.T) {
	for _, value := range []string{"0x10", "010", "+1", "1_000", "1.0", " 1", "99999999999999999999"} {
		t.Setenv("T_COUNT", value)
		if err := env.Load(new(config)); err == nil {
			t.Errorf("%q is taken for a number", value)
		}
	}
}

func TestDefaultsReadsNoVariable(t *testing.T) {
	for _, name := range []string{"T_COUNT", "COUNT", "VALUE", "_VALUE"} {
		t.Setenv(name, "9")
	}
	var got config
	env.SetDefaults(&got)
	if d := diff(defaults(), got); d != "" {
		t.Error(d)
	}
}

func TestDefaultsPanicsOnABadTag(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "T_BAD") {
			t.Errorf("recovered %q", s)
		}
	}()
	env.SetDefaults(&struct {
		Bad int `envconfig:"T_BAD" default:"x"`
	}{})
}

func TestTables(t *testing.T) {
	type short struct {
		Picky picky         `envconfig:"T_PICKY" default:"\\n" desc:"A word, or \\n."`
		Wait  time.Duration `envconfig:"T_WAIT" unset:"a|b" desc:"A | time."`
	}
	var got bytes.Buffer
	if err := env.WriteUsage(&got, new(short)); err != nil {
		t.Fatal(err)
	}
	const usage = "VARIABLE  DEFAULT  MEANING\nT_PICKY   \\n       A word, or \\n.\nT_WAIT    (a|b)    A | time.\n"
	if d := cmp.Diff(usage, got.String()); d != "" {
		t.Error(d)
	}
}

// TestSet reads a text as the environment's, whatever the environment holds.
func TestSet(t *testing.T) {
	t.Setenv("T_COUNT", "7")
	var c struct {
		Count int      `envconfig:"T_COUNT" default:"1" desc:"A number."`
		List  []string `envconfig:"T_LIST" default:"x" desc:"A list."`
		Text  string   `envconfig:"T_TEXT" default:"x" desc:"A text."`
	}
	env.SetDefaults(&c)
	for name, value := range map[string]string{"T_COUNT": "3", "T_LIST": "a, b", "T_TEXT": "\t\n\"\\"} {
		if f := env.Set(&c, name, value); f != nil {
			t.Error(f)
		}
	}
	if c.Count != 3 || len(c.List) != 2 || c.List[1] != "b" || c.Text != "\t\n\"\\" {
		t.Errorf("%+v", c)
	}
	if f := env.Set(&c, "T_COUNT", "010"); f == nil || f.Error() != `T_COUNT holds "010": want a whole number` || c.Count != 3 {
		t.Errorf("%v, %d", f, c.Count)
	}
}
