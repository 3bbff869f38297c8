package env_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

// ruled has one setting of each kind. Many allows a larger Count.
type ruled struct {
	Mode     string        `envconfig:"T_MODE" default:"one" desc:"A word."`
	On       bool          `envconfig:"T_ON" default:"false" desc:"A switch."`
	Count    int           `envconfig:"T_COUNT" default:"7" desc:"A count."`
	Size     env.Bytes     `envconfig:"T_SIZE" default:"1KiB" desc:"A size."`
	Wait     time.Duration `envconfig:"T_WAIT" default:"1s" desc:"A time."`
	List     []string      `envconfig:"T_LIST" unset:"none" desc:"A list."`
	CAFile   string        `envconfig:"T_CA_FILE" unset:"none" desc:"A file."`
	Share    float64       `envconfig:"T_SHARE" default:"0.5" desc:"A share."`
	Password env.Secret    `envconfig:"T_PASSWORD" unset:"none" desc:"A password."`
}

func (r ruled) Validate() error {
	var c env.Check
	c.OneOf("T_MODE", r.Mode, []string{"one", "many"}, "later")
	high := 10
	if r.Mode == "many" && r.On {
		high = 50
	} else if r.Mode == "many" {
		high = 100
	}
	env.CheckRange(&c, "T_COUNT", r.Count, 1, high)
	env.AtLeast(&c, "T_SIZE", r.Size, 512)
	env.CheckRange(&c, "T_WAIT", r.Wait, time.Millisecond, time.Hour)
	return c.Err()
}

func TestRules(t *testing.T) {
	const size = "want a size: plain bytes such as 4000000, or KiB, MiB or GiB such as 256MiB"
	want := []env.Rule{
		{Name: "T_MODE", Kind: "words", Words: []string{"one", "many"}, Want: "want one or many"},
		{Name: "T_ON", Kind: "switch", WantKind: "want true or false"},
		{Name: "T_COUNT", Kind: "number", Low: new(int64(1)), High: new(int64(100)), Want: "want 1 to 100", WantKind: "want a whole number"}, // 100 with a mode
		{Name: "T_SIZE", Kind: "size", Low: new(int64(512)), Want: "want 512 or more", WantKind: size},
		{Name: "T_WAIT", Kind: "duration", Low: new(int64(1e6)), High: new(int64(36e11)), Want: "want 1ms to 1h", WantKind: "want a duration such as 500ms, 10s or 2m"},
		{Name: "T_LIST", Kind: "list"},
		{Name: "T_CA_FILE", Kind: "file"},
		{Name: "T_SHARE", Kind: "any"},
		{Name: "T_PASSWORD", Kind: "secret"},
		{Name: "T_PASSWORD_FILE", Kind: "file"},
	}
	cfg := new(ruled)
	if d := cmp.Diff(want, env.ListRules(cfg)); d != "" {
		t.Error(d)
	}
	if cfg.Mode != "one" || cfg.On || cfg.Count != 7 {
		t.Errorf("the settings are not as they were: %+v", cfg)
	}
}
