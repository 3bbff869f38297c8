// Package iamtest evaluates policies of IAM for tests: whether the requests that a client makes are allowed by a policy that is
// printed in the documentation, and whether all of that policy is needed. It is strict: a policy that has anything it does not
// know is an error, and a request that it does not know is refused.
package iamtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Grant is one action on one resource that a policy allows. Both may have the wildcards * and ?.
type Grant struct{ Action, Resource string }

// Policy is what a role may do.
type Policy []Grant

// Call is one action on one resource that a request needs.
type Call struct{ Action, Resource string }

// list is a string or a list of them.
type list []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *list) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

type statement struct {
	Sid, Effect      string
	Action, Resource list
}

// Parse reads a policy, or one statement of a policy, in JSON. names replaces placeholders such as REGION.
func Parse(text string, names map[string]string) (Policy, error) {
	var p struct {
		Version   string
		Statement []statement
	}
	if !strings.Contains(text, `"Statement"`) {
		text = `{"Version": "2012-10-17", "Statement": [` + text + "]}"
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	if p.Version != "2012-10-17" || len(p.Statement) == 0 {
		return nil, fmt.Errorf("the version is %q and there are %d statements", p.Version, len(p.Statement))
	}
	var all Policy
	for _, s := range p.Statement {
		if s.Effect != "Allow" || len(s.Action) == 0 || len(s.Resource) == 0 {
			return nil, fmt.Errorf("the statement %+v has no action or resource, or another effect than Allow", s)
		}
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				all = append(all, Grant{action, fillNames(resource, names)})
			}
		}
	}
	return all, nil
}

// fillNames replaces placeholders, which are words in capitals.
func fillNames(text string, names map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		if value, ok := names[name]; ok {
			return value
		}
		return name
	})
}

var (
	placeholder = regexp.MustCompile(`[A-Z]{3,}`)
	hclBlock    = regexp.MustCompile(`(?s)actions\s*=\s*\[(.*?)\]\s*resources\s*=\s*(\[.*?\]|[\w.]+)`)
	hclText     = regexp.MustCompile(`"[^"]*"|[\w.]+`)
	hclInner    = regexp.MustCompile(`\$\{([^}]*)\}`)
)

// ParseTerraform reads the data source aws_iam_policy_document of a name, with all its dynamic statements. values are those of the
// expressions in it; an expression without one is an error.
func ParseTerraform(text, name string, values map[string][]string) (all Policy, err error) {
	_, text, found := strings.Cut(text, "\ndata \"aws_iam_policy_document\" \""+name+"\" {\n")
	text, _, closed := strings.Cut(text, "\n}\n")
	if !found || !closed {
		return nil, fmt.Errorf("there is no policy document %s", name)
	}
	blocks := hclBlock.FindAllStringSubmatch(text, -1)
	if n := strings.Count(text, "actions"); n != len(blocks) || n == 0 || strings.Contains(text, "effect") || strings.Contains(text, "not_") || strings.Contains(text, "condition") {
		return nil, fmt.Errorf("the document %s has %d lists of actions, and %d statements could be read", name, n, len(blocks))
	}
	for _, b := range blocks {
		var resources []string
		for _, expression := range hclText.FindAllString(b[2], -1) {
			values, err := evaluateText(expression, values)
			if err != nil {
				return nil, err
			}
			resources = append(resources, values...)
		}
		for _, action := range hclText.FindAllString(b[1], -1) {
			for _, resource := range resources {
				all = append(all, Grant{strings.Trim(action, `"`), resource})
			}
		}
	}
	return all, nil
}

// evaluateText returns the values of a text with references in it, or of a reference alone.
func evaluateText(expression string, values map[string][]string) (texts []string, err error) {
	if !strings.HasPrefix(expression, `"`) {
		if texts = values[expression]; texts == nil {
			err = fmt.Errorf("the expression %s has no value", expression)
		}
		return texts, err
	}
	text := hclInner.ReplaceAllStringFunc(strings.Trim(expression, `"`), func(inner string) string {
		value := values[inner[len("${"):len(inner)-len("}")]]
		if len(value) != 1 {
			err = fmt.Errorf("the expression %s has the values %q", inner, value)
			return inner
		}
		return value[0]
	})
	return []string{text}, err
}

// matching returns the grants that allow a call.
func (p Policy) matching(c Call) (grants []Grant) {
	for _, g := range p {
		if matchesPattern(strings.ToLower(g.Action), strings.ToLower(c.Action)) && matchesPattern(g.Resource, c.Resource) {
			grants = append(grants, g)
		}
	}
	return grants
}

// Allows reports whether a call is allowed.
func (p Policy) Allows(c Call) bool { return len(p.matching(c)) > 0 }

// matchesPattern matches the whole of a text. * stands for any characters, and ? for one.
func matchesPattern(pattern, text string) bool {
	var e bytes.Buffer
	for _, c := range pattern {
		switch c {
		case '*':
			e.WriteString(".*")
		case '?':
			e.WriteByte('.')
		default:
			e.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return regexp.MustCompile(`(?s)\A` + e.String() + `\z`).MatchString(text)
}

// Unused returns the grants that none of the calls needs. A call that two grants allow needs neither.
func (p Policy) Unused(calls []Call) []Grant {
	needed := map[Grant]bool{}
	for _, c := range calls {
		if grants := p.matching(c); len(grants) == 1 {
			needed[grants[0]] = true
		}
	}
	unused := map[Grant]bool{}
	for _, g := range p {
		if !needed[g] {
			unused[g] = true
		}
	}
	return slices.SortedFunc(maps.Keys(unused), func(a, b Grant) int { return strings.Compare(a.Action+a.Resource, b.Action+b.Resource) })
}
