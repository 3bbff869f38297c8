package jsonschema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestEcmaPatterns: patterns match as those of ECMA 262 do, or say why they can't.
func TestEcmaPatterns(t *testing.T) {
	t.Parallel()
	for pattern, c := range map[string]struct{ yes, no []string }{
		`^(?=.*[0-9]).{8,}$`:                 {[]string{"passw0rds"}, []string{"passwords", "passw0r"}},
		`^(?=.*[a-z])(?=.*\d)(?!.*\s).{4,}$`: {[]string{"ab12"}, []string{"ab 12", "1234", "abcd"}},
		`^(?!foo-)[a-z]+$`:                   {[]string{"foobar", "bar"}, []string{"foo-", "foo-bar"}},
		`^(?!(?:con|prn)$)[a-z]+$`:           {[]string{"cons"}, []string{"con", "prn"}},
		`^(?=a|b)[a-c]$`:                     {[]string{"a", "b"}, []string{"c"}},
		`^[\u0041-\u005A]+$`:                 {[]string{"AZ"}, []string{"a", ""}},
		`^.{0,2000}$`:                        {[]string{"", strings.Repeat("é", 2000)}, []string{strings.Repeat("a", 2001), "a\nb"}},
		`^(ab){1500}$`:                       {[]string{strings.Repeat("ab", 1500)}, []string{strings.Repeat("ab", 1499), strings.Repeat("ab", 1501)}},
		`^a{1500,}$`:                         {[]string{strings.Repeat("a", 1500), strings.Repeat("a", 3000)}, []string{strings.Repeat("a", 1499)}},
		`^a{2,1500}?b$`:                      {[]string{"aab", strings.Repeat("a", 1500) + "b", strings.Repeat("a", 1001) + "b"}, []string{"ab", strings.Repeat("a", 1501) + "b"}},
		`^\uD83D\uDE00\u{1F600}$`:            {[]string{"\U0001F600\U0001F600"}, []string{"x"}},
		`^[\uD83D\uDE00-\uD83D\uDE02]$`:      {[]string{"\U0001F601"}, []string{"\U0001F603"}},
		`^\cJ\x41\0$`:                        {[]string{"\nA\x00"}, []string{"A"}},
		`^[^]$`:                              {[]string{"a", "\n"}, []string{""}},
		`[]`:                                 {nil, []string{"", "a"}},
		`^[a[]$`:                             {[]string{"a", "["}, []string{"b"}},
		`^[\w-.]+$`:                          {[]string{"a-b.c"}, []string{"a+b"}},
		`^[\b\d]$`:                           {[]string{"\b", "7"}, []string{"b"}},
		`^\s\S$`:                             {[]string{"\u00a0a", "\ufeffa"}, []string{"aa", "\u00a0\u2003"}},
		`^[^\S]$`:                            {[]string{"\u2003"}, []string{"a"}},
		`^.$`:                                {[]string{"a", "é"}, []string{"\n", "\u2028"}},
		`^(?<year>\d{4})-(?<month>\d\d)$`:    {[]string{"2026-11"}, []string{"2026-1"}},
		`^(?<a>x)(?<a>y)$`:                   {[]string{"xy"}, []string{"x"}},
		`^\p{Script=Greek}\p{gc=Lu}\p{Letter}\/$`: {[]string{"αAa/"}, []string{"aAa/"}},
		`^a{,3}{$`:      {[]string{"a{,3}{"}, []string{"aaa"}},
		`^\{"]}$`:       {[]string{`{"]}`}, []string{"{"}},
		`^(?i:abc)$`:    {[]string{"ABC"}, []string{"abd"}},
		`(?s)^a.b$`:     {[]string{"a\nb"}, []string{"ab"}},
		`\Aa\z`:         {[]string{"a"}, []string{"ab"}},
		`^\Qa.b\E$`:     {[]string{"a.b"}, []string{"axb"}},
		`^[[:alpha:]]$`: {[]string{"a"}, []string{"1"}},
	} {
		p := compilePattern(pattern)
		if p.refused != nil {
			t.Errorf("%s: %v", pattern, p.refused)
			continue
		}
		for _, s := range c.yes {
			if !p.MatchString(s) {
				t.Errorf("%s does not match %.50q", pattern, s)
			}
		}
		for _, s := range c.no {
			if p.MatchString(s) {
				t.Errorf("%s matches %.50q", pattern, s)
			}
		}
	}
	for _, pattern := range []string{`^(a)\1$`, `(?<a>x)\k<a>`, `a(?=b)`, `(?<!a)b`, `^((?!a).)*$`, `^(?=a)b|c`, `^(?=a)*b`, `(?>a)`} {
		if p := compilePattern(pattern); !errors.Is(p.refused, errNoForm) {
			t.Errorf("%s: %v, want %v", pattern, p.refused, errNoForm)
		}
	}
	for _, pattern := range []string{`(`, `^(?=a`, `[a`, `a**`, `[b-a]`, `\`, `[\`, `\p{Nothing}`, `a{3,2}`, `a{3000,2000}`, `(?<a`, `\p`, `\u{110000}`, `a{100000}`, `*`} {
		if p := compilePattern(pattern); p.refused == nil || errors.Is(p.refused, errNoForm) {
			t.Errorf("%s: %v, want it refused", pattern, p.refused)
		}
	}
}

// TestPatternIsNotNeeded: a pattern that can't be matched is an error of the documents that need it.
func TestPatternIsNotNeeded(t *testing.T) {
	t.Parallel()
	const reason = `it can't be compared with a part of its schema: the pattern "^(a)\\1$": it takes a regular expression that can need exponential time`
	for _, c := range []struct{ schema, doc, want string }{
		{`{"properties":{"pw":{"type":"string","pattern":"^(a)\\1$"}}}`, `{"a":1}`, ""},
		{`{"properties":{"pw":{"type":"string","pattern":"^(a)\\1$"}}}`, `{"pw":"aa"}`, reason},
		{`{"not":{"pattern":"^(a)\\1$"}}`, `"aa"`, reason},
		{`{"anyOf":[{"pattern":"^(a)\\1$"},{}]}`, `"aa"`, reason},
		{`{"patternProperties":{"^(a)\\1$":{}}}`, `{}`, ""},
		{`{"patternProperties":{"^(a)\\1$":{}}}`, `{"a":1}`, reason},
		{`{"pattern":"` + strings.Repeat("a", 5000) + `"}`, `"a"`, `it can't be compared with a part of its schema: the pattern "` + strings.Repeat("a", 100) + `": it has 5000 bytes, at most 4096 are taken`},
		{`{"pattern":"` + strings.Repeat("(a{1,900}b)", 6) + `"}`, `"a"`, `it can't be compared with a part of its schema: the pattern "` + strings.Repeat("(a{1,900}b)", 6) + `": it has 10817 instructions or more, at most 10000 are taken; want fewer repetitions`},
		{`{"properties":{"r":{"format":"regex"}}}`, `{"r":"^(a)\\1$"}`, ""},
		{`{"properties":{"r":{"format":"regex"}}}`, `{"r":"("}`, "it is not what its schema says at #/properties/r/format"},
	} {
		s, err := CompileSchema(c.schema, nil)
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		err = s.Validate([]byte(c.doc))
		if got := fmt.Sprint(err); err != nil && got != c.want || err == nil && c.want != "" {
			t.Errorf("%s %s: %v, want %q", c.schema, c.doc, err, c.want)
		}
		if err := s.Validate([]byte(`7`)); err != nil && !strings.Contains(c.schema, `"not"`) { // the next document is compared again
			t.Error(err)
		}
	}
}

// TestEcmaPatternsAreLinear: translated patterns take no more steps than others.
func TestEcmaPatternsAreLinear(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`^.{0,2000}$`, `^.{10,1900}$`, `^(?=.*[0-9])(?=.*[a-z])(?!.*\s).{8,}$`, `^(?=(a*)*b).*$`} {
		p := compilePattern(pattern)
		if p.refused != nil {
			t.Fatal(pattern, p.refused)
		}
		var m patternMatcher
		text := []byte(strings.Repeat("a1", 1000))
		if _, steps := m.matchText(p, text, 1<<40); steps > 60*len(text) {
			t.Errorf("%s takes %d steps for %d bytes", pattern, steps, len(text))
		}
	}
}
