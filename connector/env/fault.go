package env

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with one variable.
type Fault struct {
	// Variable is the name of the one to change; reports are sorted by it.
	Variable string
	// Others are the names of variables that the broken rule read as well. When one of them could
	// not be parsed, the rule was applied to a value that was not configured.
	Others []string

	// Limits are those of the broken rule, where it is one of Check's.
	Limits Limits

	text string
}

// Limits are the arguments of CheckRange, AtLeast and OneOf: of a number, of a size in bytes, or of a duration in nanoseconds.
type Limits struct {
	Words     []string
	Low, High *int64 // nil for none
}

// HoldsFault returns the fault of a variable that is set to value; problem says why the value is wrong or
// which one is wanted instead.
func HoldsFault(name string, value any, problem string) *Fault {
	return &Fault{Variable: name, text: fmt.Sprintf("%s holds %s: %s", name, ShowValue(name, fmt.Sprint(value)), problem)}
}

// MissingFault returns the fault of a variable that has to be set and isn't.
func MissingFault(name, want string) *Fault {
	return &Fault{Variable: name, text: fmt.Sprintf("%s is not set: %s", name, want)}
}

// UnsupportedFault returns the fault of a variable that a later version will read. It never shows what
// the variable holds: user names, addresses with a password in them and keys all live among these.
func UnsupportedFault(name, what string) *Fault {
	return &Fault{Variable: name, text: fmt.Sprintf("%s: %s is not supported yet by this version; unset it", name, what)}
}

// UnknownFault returns the fault of a variable that is no setting, and names the intended one
// if that is known. It doesn't show the variable's value either.
func UnknownFault(name, meant string) *Fault {
	text := name + " is not a setting; "
	if meant == "" {
		return &Fault{Variable: name, text: text + "unset it"}
	}
	return &Fault{Variable: name, text: text + "did you mean " + meant + "?"}
}

// WithSettings adds the variables that the broken rule read besides the fault's own.
func (f *Fault) WithSettings(others ...string) *Fault {
	f.Others = append(f.Others, others...)
	return f
}

// Error is one line and names the variable, its value and the accepted values.
func (f *Fault) Error() string { return f.text }

// FaultsOf splits the errors that errors.Join put together, however deep.
// An error that is not a Fault is kept as one without a variable, so that nothing is lost.
func FaultsOf(err error) []*Fault {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Fault
		for _, e := range joined.Unwrap() {
			all = append(all, FaultsOf(e)...)
		}
		return all
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return []*Fault{f}
	}
	return []*Fault{{text: err.Error()}}
}

// shown is how many characters of a value a message repeats.
const shown = 80

// ShowValue quotes value for a message: cut when long, hidden when the name says that it is a secret,
// and without the part before an @, where an address carries its user and password.
func ShowValue(name, value string) string {
	if IsHidden(name) {
		return "a secret"
	}
	if i := strings.LastIndexByte(value, '@'); i >= 0 {
		value = "***" + value[i:]
	}
	if runes := []rune(value); len(runes) > shown {
		return fmt.Sprintf("%q (cut, %d characters)", string(runes[:shown])+"…", len(runes))
	}
	return fmt.Sprintf("%q", value)
}

// MaskValue is a value without its secrets. All of it is masked when the name says that it is a secret or
// an external id, which is shared by two parties, or when it holds such an id; else the part before an @.
func MaskValue(name, value string) string {
	const external = "external_id"
	if IsHidden(name) || strings.Contains(strings.ToLower(name), external) || strings.Contains(value, external) {
		return "***"
	}
	if i := strings.LastIndexByte(value, '@'); i >= 0 {
		return "***" + value[i:]
	}
	return value
}

// IsHidden reports whether the name says that the variable holds a secret, or the file of one. It
// rather hides too much: a name that only resembles one of ours can hold one too.
func IsHidden(name string) bool {
	words := strings.Split(strings.TrimSuffix(strings.ToUpper(name), "_FILE"), "_")
	return slices.ContainsFunc(words, func(w string) bool {
		return strings.Contains(w, "PASS") || strings.Contains(w, "SECRET") ||
			strings.Contains(w, "TOKEN") || w == "HEADERS" || strings.Contains(w, "CREDENTIAL") || strings.Contains(w, "JAAS")
	})
}
