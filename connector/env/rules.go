package env

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Rule says which values a setting accepts, as far as that depends on no other setting. It is for
// tools that check settings before the process reads them.
type Rule struct {
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

// ruleLimits are the arguments of CheckRange, AtLeast and OneOf for a setting.
type ruleLimits struct {
	words     []string
	low, high *int64
}

// widenTo makes l accept every value that other accepts, too.
func (l *ruleLimits) widenTo(other ruleLimits) {
	for _, w := range other.words {
		if !slices.Contains(l.words, w) {
			l.words = append(slices.Clone(l.words), w)
		}
	}
	if l.low != nil && (other.low == nil || *other.low < *l.low) {
		l.low = other.low
	}
	if l.high != nil && (other.high == nil || *other.high > *l.high) {
		l.high = other.high
	}
}

// ListRules lists the rules of cfg, a pointer to a struct of settings, in the order of the table. It
// finds limits by setting each field to a value that no rule can accept and reading which rule
// Validate says is broken. Where a limit depends on a switch or a word elsewhere, the widest counts.
func ListRules(cfg interface{ Validate() error }) []Rule {
	SetDefaults(cfg)
	all := configFields(reflect.ValueOf(cfg).Elem())
	found := make([]ruleLimits, len(all))
	for i, f := range all {
		found[i] = f.breakRule(cfg)
	}
	for i, f := range all {
		held := reflect.ValueOf(f.value.Interface())
		for _, v := range f.knownValues(found[i].words) {
			f.value.Set(v)
			for j, other := range all {
				if other.value.Kind() == reflect.Int || other.value.Kind() == reflect.Int64 || found[j].words != nil {
					found[j].widenTo(other.breakRule(cfg))
				}
			}
		}
		f.value.Set(held)
	}
	var rules []Rule
	for i, f := range all {
		rules = append(rules, f.combineRule(found[i]))
		if f.isSecret() {
			rules = append(rules, Rule{Name: f.name + twin, Kind: "file"})
		}
	}
	return rules
}

// breakRule sets the field to a value that no rule accepts and returns the rule that it breaks, or the
// zero value if the field has none.
func (f configField) breakRule(cfg interface{ Validate() error }) (broken ruleLimits) {
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
	for _, fault := range FaultsOf(cfg.Validate()) {
		if fault.Variable == f.name && (fault.rule.low != nil || fault.rule.words != nil) {
			return fault.rule
		}
	}
	return broken
}

// knownValues are the values of a switch, or those of a setting with words.
func (f configField) knownValues(words []string) (all []reflect.Value) {
	if f.value.Kind() == reflect.Bool {
		return []reflect.Value{reflect.ValueOf(true), reflect.ValueOf(false)}
	}
	for _, w := range words {
		all = append(all, reflect.ValueOf(w).Convert(f.value.Type()))
	}
	return all
}

// combineRule combines the type of the field with its limits.
func (f configField) combineRule(l ruleLimits) Rule {
	r := Rule{Name: f.name, Kind: "text", Words: l.words, Low: l.low, High: l.high}
	switch f.value.Interface().(type) {
	case Secret:
		r.Kind = "secret"
		return r
	case bool:
		r.Kind = "switch"
	case time.Duration:
		r.Kind = "duration"
	case Bytes:
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
		r.Kind, r.Want = "words", "want "+JoinOr(r.Words)
	case r.Kind == "text" && strings.HasSuffix(f.name, twin):
		r.Kind = "file"
	case r.Kind != "text" && r.Kind != "list" && r.Kind != "any":
		r.Want, r.WantKind = f.describeLimits(l), f.wantedForm(errBytes)
	}
	return r
}

// describeLimits describes the limits.
func (f configField) describeLimits(l ruleLimits) string {
	if l.low == nil {
		return ""
	}
	show := func(n int64) string {
		v := reflect.New(f.value.Type()).Elem()
		v.SetInt(n)
		return valueText(v.Interface())
	}
	if l.high == nil {
		return "want " + show(*l.low) + " or more"
	}
	return "want " + show(*l.low) + " to " + show(*l.high)
}
