package connector_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
)

// settingRule says which values a setting accepts, as far as that depends on no other setting. It is for
// tools that check settings before the process reads them.
type settingRule struct {
	Name string `json:"-"`
	// Kind is switch, number (a whole one), size, duration, words, list, text, secret, file (the path of one) or
	// any, which is text that may look like a number.
	Kind  string   `json:"kind"`
	Words []string `json:"words,omitempty"` // all that Kind words accepts
	// Low and High are the limits of a number, of a size in bytes and of a duration in nanoseconds; nil
	// for none.
	Low  *int64 `json:"low,omitempty"`
	High *int64 `json:"high,omitempty"`
	// Want describes the accepted values, where the kind is not enough; WantKind describes the kind.
	Want     string `json:"want,omitempty"`
	WantKind string `json:"wantKind,omitempty"`
}

// widenLimits makes l accept every value that other accepts, too.
func widenLimits(l *env.Limits, other env.Limits) {
	for _, w := range other.Words {
		if !slices.Contains(l.Words, w) {
			l.Words = append(slices.Clone(l.Words), w)
		}
	}
	if l.Low != nil && (other.Low == nil || *other.Low < *l.Low) {
		l.Low = other.Low
	}
	if l.High != nil && (other.High == nil || *other.High > *l.High) {
		l.High = other.High
	}
}

// ruledField is one setting of a tree of structs.
type ruledField struct {
	name  string // the variable
	tag   reflect.StructTag
	value reflect.Value
}

// ruledFields lists the settings of s in their order, going down into structs that aren't one themselves.
func ruledFields(s reflect.Value) (all []ruledField) {
	for t, v := range s.Fields() {
		switch name := t.Tag.Get("envconfig"); {
		case name != "":
			all = append(all, ruledField{name, t.Tag, v})
		case v.Kind() == reflect.Struct && t.IsExported():
			all = append(all, ruledFields(v)...)
		}
	}
	return all
}

// listRules lists the rules of cfg, a pointer to a struct of settings, in the order of the table. It
// finds limits by setting each field to a value that no rule can accept and reading which rule
// Validate says is broken. Where a limit depends on a switch or a word elsewhere, the widest counts.
func listRules(cfg interface{ Validate() error }) []settingRule {
	env.SetDefaults(cfg)
	all := ruledFields(reflect.ValueOf(cfg).Elem())
	found := make([]env.Limits, len(all))
	for i, f := range all {
		found[i] = f.breakRule(cfg)
	}
	for i, f := range all {
		held := reflect.ValueOf(f.value.Interface())
		for _, v := range f.knownValues(found[i].Words) {
			f.value.Set(v)
			for j, other := range all {
				if other.value.Kind() == reflect.Int || other.value.Kind() == reflect.Int64 || found[j].Words != nil {
					widenLimits(&found[j], other.breakRule(cfg))
				}
			}
		}
		f.value.Set(held)
	}
	var rules []settingRule
	for i, f := range all {
		rules = append(rules, f.combineRule(cfg, found[i]))
		if f.value.Type() == reflect.TypeFor[env.Secret]() {
			rules = append(rules, settingRule{Name: f.name + "_FILE", Kind: "file"})
		}
	}
	return rules
}

// breakRule sets the field to a value that no rule accepts and returns the rule that it breaks, or the
// zero value if the field has none.
func (f ruledField) breakRule(cfg interface{ Validate() error }) (broken env.Limits) {
	held := reflect.ValueOf(f.value.Interface())
	defer f.value.Set(held)
	switch f.value.Kind() {
	case reflect.Int, reflect.Int64:
		f.value.SetInt(math.MinInt64)
	case reflect.String:
		f.value.SetString("\x00")
	default:
		return broken
	}
	for _, fault := range env.FaultsOf(cfg.Validate()) {
		if fault.Variable == f.name && (fault.Limits.Low != nil || fault.Limits.Words != nil) {
			return fault.Limits
		}
	}
	return broken
}

// knownValues are the values of a switch, or those of a setting with words.
func (f ruledField) knownValues(words []string) (all []reflect.Value) {
	if f.value.Kind() == reflect.Bool {
		return []reflect.Value{reflect.ValueOf(true), reflect.ValueOf(false)}
	}
	for _, w := range words {
		all = append(all, reflect.ValueOf(w).Convert(f.value.Type()))
	}
	return all
}

// combineRule combines the type of the field with its limits.
func (f ruledField) combineRule(cfg any, l env.Limits) settingRule {
	r := settingRule{Name: f.name, Kind: "text", Words: l.Words, Low: l.Low, High: l.High}
	switch f.value.Interface().(type) {
	case env.Secret:
		r.Kind = "secret"
		return r
	case bool:
		r.Kind = "switch"
	case time.Duration:
		r.Kind = "duration"
	case env.Bytes:
		r.Kind = "size"
	case int:
		r.Kind = "number"
	case []string:
		r.Kind = "list"
	case float64:
		r.Kind = "any"
	default:
		if want := f.tag.Get("want"); want != "" {
			r.Want = "want " + want
		}
	}
	switch {
	case r.Words != nil:
		r.Kind, r.Want = "words", "want "+env.JoinOr(r.Words)
	case r.Kind == "text" && strings.HasSuffix(f.name, "_FILE"):
		r.Kind = "file"
	case r.Kind != "text" && r.Kind != "list" && r.Kind != "any":
		r.Want, r.WantKind = f.describeLimits(l), f.describeKind(cfg)
	}
	return r
}

// describeLimits describes the limits.
func (f ruledField) describeLimits(l env.Limits) string {
	if l.Low == nil {
		return ""
	}
	show := func(n int64) string {
		v := reflect.New(f.value.Type()).Elem()
		v.SetInt(n)
		if d, ok := reflect.TypeAssert[time.Duration](v); ok {
			return env.ShortDuration(d)
		}
		return fmt.Sprint(v.Interface())
	}
	if l.High == nil {
		return "want " + show(*l.Low) + " or more"
	}
	return "want " + show(*l.Low) + " to " + show(*l.High)
}

// describeKind describes the values that can be read.
func (f ruledField) describeKind(cfg any) string {
	_, want, _ := strings.Cut(env.Set(cfg, f.name, "?").Error(), `"?": `)
	return want
}

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
	c.OneOf("T_MODE", r.Mode, []string{"one", "many"})
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
	want := []settingRule{
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
	if d := cmp.Diff(want, listRules(cfg)); d != "" {
		t.Error(d)
	}
	if cfg.Mode != "one" || cfg.On || cfg.Count != 7 {
		t.Errorf("the settings are not as they were: %+v", cfg)
	}
}

func TestMarkdownTable(t *testing.T) {
	got := connector.MarkdownTable([]env.Variable{{Name: "T_PICKY", Default: `\n`, Desc: `A word, or \n.`}, {Name: "T_WAIT", Unset: "a|b", Desc: "A | time."}})
	const want = "| variable | default | meaning |\n|---|---|---|\n| `T_PICKY` | `\\n` | A word, or \\\\n. |\n| `T_WAIT` | a\\|b | A \\| time. |\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
