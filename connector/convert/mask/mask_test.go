package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"kafka-firehose/connector/convert/jsontext"
)

func mustDecode(t testing.TB, s string) (rules Rules) {
	t.Helper()
	if err := rules.Decode(s); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return rules
}

func digestOf(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(text))
	return `"` + hex.EncodeToString(h.Sum(nil)) + `"`
}

func TestAppend(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef"
	for _, test := range []struct{ rules, value, want string }{
		{"a=drop", `{ "a" : 1 , "b" : [ 2 ] }`, `{"b":[2]}`},
		{"a=drop", `{"b":1,"a":2}`, `{"b":1}`},
		{"a=drop", `{"a":1}`, `{}`},
		{"a=drop", `{}`, `{}`},
		{"a=drop", `{"a":1,"\u0061":2,"a":{"b":3}}`, `{}`},
		{"a=redact", `{"a":"x"}`, `{"a":"***"}`},
		{"a=redact", `{"a":{"b":[1]}}`, `{"a":"***"}`},
		{"a=redact", `{"a":[1,"x",null,{"b":1},[true]]}`, `{"a":["***","***",null,"***",["***"]]}`},
		{"a=redact", `{"a":null,"b":{"a":1}}`, `{"a":null,"b":{"a":1}}`},
		{"a=redact", `{"\u0061":1,"A":2}`, `{"\u0061":"***","A":2}`},
		{"a.b=drop", `{"a":{"b":1,"c":2},"b":3}`, `{"a":{"c":2},"b":3}`},
		{"a.b=redact", `{"a":[{"b":1},[{"b":2}],3,{"c":{"b":4}}]}`, `{"a":[{"b":"***"},[{"b":"***"}],3,{"c":{"b":4}}]}`},
		{"a.b=redact", `{"a":"x"}`, `{"a":"x"}`},
		{"b=redact", `[{"b":1},{"b":[]}]`, `[{"b":"***"},{"b":[]}]`},
		{"a=drop", `"a"`, `"a"`},
		{`a\.b=drop,c\,d=drop,e\=f=drop,g\\h=drop`, `{"a.b":1,"c,d":2,"e=f":3,"g\\h":4,"i":5}`, `{"i":5}`},
		{"a=sha256", `{"a":"x\u0079"}`, `{"a":` + digestOf(key, "xy") + `}`},
		{"a=sha256", `{"a":[12.50,{ "b" : 1 }]}`, `{"a":[` + digestOf(key, "12.50") + `,` + digestOf(key, `{"b":1}`) + `]}`},
		{"a=sha256,b=redact,c.d=drop", `{"c":{"d":1},"b":2,"a":true}`, `{"c":{},"b":"***","a":` + digestOf(key, "true") + `}`},
	} {
		m := New(mustDecode(t, test.rules), key)
		for range 2 {
			got, err := m.AppendMasked([]byte("before "), []byte(test.value), 1000)
			if err != nil || string(got) != "before "+test.want {
				t.Errorf("%s of %s: %s, %v; want %s", test.rules, test.value, got, err, test.want)
			}
		}
	}
}

// TestCountMasked: a rule counts its members where and only where AppendMasked changes them.
func TestCountMasked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rules, value string
		want         []int
	}{
		{"a=drop,b=redact,c=sha256", `{"a":null,"b":null,"c":null}`, []int{1, 0, 0}},
		{"a=drop,b=redact,c=sha256", `{"c":1,"b":"x","a":{"b":1}}`, []int{1, 1, 1}},
		{"a=drop,b=redact", `{"A":1,"d":{"a":1}}`, []int{0, 0}},
		{"a.b=redact", `{"a":[{"b":[1,2,null]},[{"b":3}],4]}`, []int{3}},
		{"a.b=drop", `{"a":[{"b":[1,2,null]},[{"b":3}],4]}`, []int{2}},
		{"a=redact", `{"a":1,"\u0061":2}`, []int{2}},
		{"a=redact", `"a"`, []int{0}},
	} {
		m := New(mustDecode(t, test.rules), "k")
		got, err := m.CountMasked([]byte(test.value))
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s of %s: %v, %v; want %v", test.rules, test.value, got, err, test.want)
		}
		out, _ := m.AppendMasked(nil, []byte(test.value), 1000)
		if changed := string(out) != test.value; changed != slices.ContainsFunc(test.want, func(n int) bool { return n > 0 }) {
			t.Errorf("%s of %s is %s, and %v are counted", test.rules, test.value, out, test.want)
		}
	}
}

// TestAppendIsBounded: digests are longer than their values, and a value of them stops at the limit.
func TestAppendIsBounded(t *testing.T) {
	t.Parallel()
	m := New(mustDecode(t, "a=sha256"), "k")
	value := []byte(`{"a":[1` + strings.Repeat(",1", 1000) + "]}")
	if out, err := m.AppendMasked(nil, value, 10_000); !errors.Is(err, jsontext.ErrTooLong) || len(out) > 10_100 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if out, err := m.AppendMasked(nil, value, 100_000); err != nil || len(out) < 67_000 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

func TestRulesDecodeRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                  `entry 1: "" is no rule; want field=drop, field=redact or field=sha256`,
		"a":                 `"a" is no rule`,
		"a=drop,":           `entry 2: "" is no rule`,
		"a=hide":            `"hide" is no action; want drop, redact or sha256`,
		"a..b=drop":         "a name of a path is empty",
		`a\b=drop`:          `has a backslash that stands before none of . , = \`,
		"a=drop,a=redact":   "entry 2: a=drop and a=redact are for the same member, or for a part of it; want one of them",
		"a.b=drop,a=redact": "a.b=drop and a=redact are for the same member",
		"a=drop,a.b=redact": "for a part of it",
	} {
		got := Rules{{Path: []string{"x"}}}
		if err := got.Decode(in); err == nil || !strings.Contains(err.Error(), want) || len(got) != 1 {
			t.Errorf("%q: %v, %v; want %q", in, got, err, want)
		}
	}
	const all = `a\.b.c=drop, d=sha256`
	if got := mustDecode(t, all); mustDecode(t, got.String()).String() != got.String() || got.String() != `a\.b.c=drop,d=sha256` || !got.HasDigest() {
		t.Errorf("%s", got)
	}
}

// FuzzMask: the output is JSON, and holds nothing of a masked member, however the value is written.
func FuzzMask(f *testing.F) {
	for _, seed := range []string{`{"a":"planted","b":{"c":"planted"}}`, `[{"a":["planted",{"x":"planted"}]},{"b":[{"c":1}]}]`, `{"\u0061":"planted"}`, `{"b":"x","b":{"c":[["planted"]]}}`, `null`, `{"d":{"a":1}}`, `1E700`} {
		f.Add([]byte(seed))
	}
	rules := mustDecode(f, "a=redact,b.c=drop,e=sha256")
	m := New(rules, "k")
	f.Fuzz(func(t *testing.T, value []byte) {
		if _, ok := jsontext.ScanDocument(value); !ok {
			return
		}
		out, err := m.AppendMasked(nil, jsontext.TrimSpace(value), 1<<20)
		if err != nil {
			t.Skip()
		}
		var all any
		numbers := json.NewDecoder(bytes.NewReader(out))
		numbers.UseNumber() // JSON has numbers that no float64 holds
		if err := numbers.Decode(&all); err != nil || numbers.More() {
			t.Fatalf("%q: %v", out, err)
		}
		checkMasked(t, all)
		if again, err := m.AppendMasked(nil, out, 1<<20); err != nil || !bytes.Contains(value, []byte("e")) && !bytes.Contains(value, []byte(`\u`)) && !bytes.Equal(again, out) {
			t.Fatalf("%s becomes %s, %v", out, again, err)
		}
	})
}

// checkMasked fails if a member a at the top has another value than the mask, or b has a member c.
func checkMasked(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			checkMasked(t, e)
		}
	case map[string]any:
		onlyMasks(t, v["a"])
		withoutMember(t, v["b"])
	}
}

func onlyMasks(t *testing.T, v any) {
	t.Helper()
	if list, ok := v.([]any); ok {
		for _, e := range list {
			onlyMasks(t, e)
		}
	} else if v != nil && v != "***" {
		t.Fatalf("%v is not masked", v)
	}
}

func withoutMember(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			withoutMember(t, e)
		}
	case map[string]any:
		if c, ok := v["c"]; ok {
			t.Fatalf("%v is not dropped", c)
		}
	}
}
