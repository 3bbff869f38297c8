// Package mask removes, blackens and digests members of JSON. It is pure.
package mask

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Action is the treatment of a member.
type Action string

// The actions.
const (
	Drop   Action = "drop"   // the member is left out
	Redact Action = "redact" // its value is "***"
	SHA256 Action = "sha256" // its value is the HMAC-SHA-256 in hexadecimal digits
)

// Rule is a path of names and the action for the members there.
type Rule struct {
	Path   []string
	Action Action
}

// Rules are those of a setting. None has a path that begins with that of another.
type Rules []Rule

// Decode reads path=action, comma separated; envconfig calls it. The names of a path are separated by dots. In a name, a
// backslash stands before a dot, a comma, an equals sign or a backslash.
func (rs *Rules) Decode(s string) error {
	var all Rules
	for i, entry := range splitEscaped(s, ',') {
		r, err := decodeRule(strings.TrimSpace(entry))
		if err == nil {
			err = all.checkOverlap(r)
		}
		if err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
		all = append(all, r)
	}
	*rs = all
	return nil
}

func decodeRule(entry string) (r Rule, err error) {
	parts := splitEscaped(entry, '=')
	if len(parts) != 2 {
		return r, fmt.Errorf("%q is no rule; want field=drop, field=redact or field=sha256, with dots between the names of a path", entry)
	}
	r.Action = Action(parts[1])
	if !slices.Contains([]Action{Drop, Redact, SHA256}, r.Action) {
		return r, fmt.Errorf("%q is no action; want drop, redact or sha256", parts[1])
	}
	for _, name := range splitEscaped(parts[0], '.') {
		if name, err = unescapeName(name); err != nil {
			return r, err
		}
		r.Path = append(r.Path, name)
	}
	return r, nil
}

// splitEscaped splits s at each separator that has no backslash before it.
func splitEscaped(s string, separator byte) (parts []string) {
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts, from = append(parts, s[from:i]), i+1
		}
	}
	return append(parts, s[from:])
}

func unescapeName(s string) (string, error) {
	var name strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || !strings.ContainsRune(`.,=\`, rune(s[i])) {
				return "", fmt.Errorf(`%q has a backslash that stands before none of . , = \`, s)
			}
		}
		name.WriteByte(s[i])
	}
	if name.Len() == 0 {
		return "", errors.New("a name of a path is empty")
	}
	return name.String(), nil
}

// checkOverlap refuses a rule for a member, or a part of one, that has a rule.
func (rs Rules) checkOverlap(r Rule) error {
	for _, other := range rs {
		if n := min(len(other.Path), len(r.Path)); slices.Equal(other.Path[:n], r.Path[:n]) {
			return fmt.Errorf("%s and %s are for the same member, or for a part of it; want one of them", other, r)
		}
	}
	return nil
}

// String returns the rule in a form that Decode reads.
func (r Rule) String() string {
	escape := strings.NewReplacer(`\`, `\\`, `.`, `\.`, `,`, `\,`, `=`, `\=`)
	names := make([]string, len(r.Path))
	for i, name := range r.Path {
		names[i] = escape.Replace(name)
	}
	return strings.Join(names, ".") + "=" + string(r.Action)
}

// String returns rs in a form that Decode reads.
func (rs Rules) String() string {
	all := make([]string, len(rs))
	for i, r := range rs {
		all[i] = r.String()
	}
	return strings.Join(all, ",")
}

// HasDigest reports whether one of the rules needs a key.
func (rs Rules) HasDigest() bool {
	return slices.ContainsFunc(rs, func(r Rule) bool { return r.Action == SHA256 })
}
