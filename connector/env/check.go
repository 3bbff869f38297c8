package env

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Check collects the faults that a Validate method finds; its zero value is ready.
type Check struct{ faults []error }

// AddFault keeps a fault; nil is ignored.
func (c *Check) AddFault(f *Fault) {
	if f != nil {
		c.faults = append(c.faults, f)
	}
}

// JoinFaults keeps all faults of another Validate.
func (c *Check) JoinFaults(err error) {
	for _, f := range FaultsOf(err) {
		c.AddFault(f)
	}
}

// Err returns all faults together, or nil.
func (c *Check) Err() error { return errors.Join(c.faults...) }

// CheckRange wants v within [low, high].
func CheckRange[T int | Bytes | time.Duration](c *Check, name string, v, low, high T) {
	if v < low || v > high {
		c.addBroken(name, valueText(v), Limits{Low: new(int64(low)), High: new(int64(high))}, fmt.Sprintf("want %s to %s", valueText(low), valueText(high)))
	}
}

// AtLeast wants v to be low or more.
func AtLeast[T int | Bytes | time.Duration](c *Check, name string, v, low T) {
	if v < low {
		c.addBroken(name, valueText(v), Limits{Low: new(int64(low))}, fmt.Sprintf("want %s or more", valueText(low)))
	}
}

// OneOf wants v to be one of the words.
func (c *Check) OneOf(name, v string, words []string) {
	if !slices.Contains(words, v) {
		c.addBroken(name, v, Limits{Words: words}, "want "+JoinOr(words))
	}
}

// addBroken adds the fault of a rule with limits.
func (c *Check) addBroken(name, held string, limits Limits, problem string) {
	f := HoldsFault(name, held, problem)
	f.Limits = limits
	c.AddFault(f)
}

// CheckName wants v, if set, to be free of blanks around it and of control characters in it: both come
// from a file or a template, and make an invisible difference between two names.
func (c *Check) CheckName(name, v string) {
	if v != strings.TrimSpace(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		c.AddFault(HoldsFault(name, v, "want no blanks around it and no control characters in it"))
	}
}

// JoinOr lists words as a sentence does.
func JoinOr(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// valueText prints a limit the way one would write it.
func valueText(v any) string {
	if d, ok := v.(time.Duration); ok {
		return ShortDuration(d)
	}
	return fmt.Sprint(v)
}

// ShortDuration prints a duration the way one would write it: 30m, not 30m0s.
func ShortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
