package filter

import (
	"fmt"
	"regexp"
	"strings"
)

// slip is a spelling of other languages that CEL does not have.
type slip struct {
	before, at *regexp.Regexp // of the text that ends where CEL stops reading, and of the text from there on
	meant      string
}

func newSlip(before, at, meant string) slip {
	return slip{regexp.MustCompile(before), regexp.MustCompile(at), meant}
}

// slips are looked for where CEL says that there is a syntax error, so that none is found in a text in quotes. The first that matches counts.
var slips = []slip{
	newSlip(`!=$`, `^=`, `!=`),
	newSlip(`=$`, `^=`, `==`),
	newSlip(``, `^=~`, `matches, as in value.name.matches("^a")`),
	newSlip(``, `^=`, `==`),
	newSlip(`<$`, `^>`, `!=`),
	newSlip(``, `^&`, `&&`),
	newSlip(``, `^\|`, `||`),
	newSlip(``, `^(?i:and)\b`, `&&`),
	newSlip(``, `^(?i:or)\b`, `||`),
	newSlip(`\b(?i:not)\s*$`, ``, `!`),
	newSlip(``, `^(?i:not\s+in)\b`, `!(... in ...)`),
	newSlip(``, `^IN\b`, `in`),
	newSlip(``, `^(?i:is\s+not)\b`, `!=`),
	newSlip(``, `^(?i:is)\b`, `==`),
	newSlip(``, `^(?i:i?like)\b`, `contains, startsWith or matches, as in value.name.startsWith("a")`),
	newSlip(``, `^[“”„]`, `"`),
	newSlip(``, `^[‘’‚]`, `'`),
}

// otherNames are names that other languages have for something of CEL.
var otherNames = map[string]string{
	"null": "null", "none": "null", "nil": "null", "true": "true", "false": "false",
	"len": "size, as in size(value.lines)", "length": "size, as in size(value.lines)", "count": "size, as in size(value.lines)",
	"lower": "", "upper": "", // CEL has no such functions, and a member of that name is not meant
}

// methods are the functions that CEL has only in the form TEXT.FUNCTION(TEXT).
var methods = regexp.MustCompile(`^found no matching overload for '(contains|startsWith|endsWith|matches)' applied to '\(`)

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '(\w+)'$`)
	mixed      = regexp.MustCompile(`^found no matching overload for '_[=!<>]+_' applied to '\((?:(int|timestamp), string|string, (int|timestamp))\)'`)
)

// hintOf says what was most likely meant where CEL finds a fault, empty if it can't be told. CEL itself names variables and functions
// that are spelled almost alike. column counts characters from 0.
func hintOf(expression, message string, line, column int) string {
	meant := ""
	before, at := splitAt(expression, line, column)
	switch name, compared := undeclared.FindStringSubmatch(message), mixed.FindStringSubmatch(message); {
	case strings.HasPrefix(message, "Syntax error"):
		meant = slipAt(before, at)
	case name != nil:
		meant = meantName(name[1], at)
	case compared != nil && compared[1]+compared[2] == "int":
		meant = "a number without quotes, or a text in quotes"
	case compared != nil:
		meant = `a time, as in timestamp("2026-01-31T00:00:00Z")`
	case methods.MatchString(message):
		name := methods.FindStringSubmatch(message)[1]
		meant = fmt.Sprintf(`%s after the text, as in value.name.%s("a")`, name, name)
	}
	if meant == "" {
		return ""
	}
	return "; did you mean " + meant + "?"
}

// slipAt is the meaning of a spelling that CEL does not have, empty if it is none of those.
func slipAt(before, at string) string {
	for _, s := range slips {
		if s.before.MatchString(before) && s.at.MatchString(at) {
			return s.meant
		}
	}
	return ""
}

// meantName is for a name that CEL does not have.
func meantName(name, at string) string {
	if meant, ok := otherNames[strings.ToLower(name)]; ok {
		return meant
	}
	if strings.HasPrefix(at, "(") { // CEL places an unknown function at its parenthesis
		return ""
	}
	return fmt.Sprintf("value.%s, or the text %q", name, name)
}

// splitAt splits a line of the expression.
func splitAt(expression string, line, column int) (before, at string) {
	lines := strings.Split(expression, "\n")
	if line < 1 || line > len(lines) || column < 0 {
		return "", ""
	}
	characters := []rune(lines[line-1])
	column = min(column, len(characters))
	return string(characters[:column]), string(characters[column:])
}
