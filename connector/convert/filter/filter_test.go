package filter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert/jsontext"
)

// sample is a Source of a record with a JSON value.
type sample struct {
	record *kgo.Record
	key    string // as JSON, empty for keys without schemas
	err    error
	reads  int
}

func (s *sample) Record() *kgo.Record  { return s.record }
func (s *sample) Key() ([]byte, error) { return []byte(s.key), s.err }
func (s *sample) SchemaKeys() bool     { return s.key != "" }
func (s *sample) Value() ([]byte, error) {
	if s.reads++; s.record.Value == nil {
		return nil, s.err
	}
	return jsontext.TrimSpace(s.record.Value), s.err
}

func mustCompile(t testing.TB, expression string) Filter {
	t.Helper()
	f, err := CompileFilter(expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return f
}

func paid() *sample {
	return &sample{record: &kgo.Record{
		Topic: "orders", Partition: 3, Offset: 42, Timestamp: time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC), Key: []byte("k-7"),
		Headers: []kgo.RecordHeader{{Key: "type", Value: []byte("old")}, {Key: "type", Value: []byte("order")}, {Key: "none"}, {Key: "raw", Value: []byte{0xff}}},
		Value:   []byte(` {"status":"p\u0061id","total":12.5,"count":3,"id":9007199254740993,"user":{"name":"Ann","tags":["a","b"]},"lines":[{"sku":"x","n":1},{"sku":"y","n":2}],"none":null,"big":18446744073709551616,"dup":1,"dup":2} `),
	}}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		`true`:                          true,
		`topic == "orders"`:             true,
		`partition == 3 && offset > 41`: true,
		`timestamp < timestamp("2026-02-01T00:00:00Z")`:     true,
		`timestamp.getHours() == 8`:                         true,
		`headers.type == "order"`:                           true,
		`headers["none"] == null`:                           true,
		`headers.raw == b"\xff"`:                            true,
		`"gone" in headers`:                                 false,
		`key == "k-7"`:                                      true,
		`key.startsWith("k-")`:                              true,
		`size > 100`:                                        true,
		`value.status == "paid"`:                            true,
		`value["status"] != "paid"`:                         false,
		`value.total > 12 && value.total < 12.6`:            true,
		`value.count % 2 == 1`:                              true,
		`value.id == 9007199254740993`:                      true,
		`value.id == 9007199254740992`:                      false,
		`value.big > 1.8e19`:                                true,
		`value.dup == 2`:                                    true,
		`value.none == null`:                                true,
		`has(value.user.name)`:                              true,
		`has(value.user.mail)`:                              false,
		`"b" in value.user.tags`:                            true,
		`value.user.tags == ["a", "b"]`:                     true,
		`value.user.tags + ["c"] == ["a", "b", "c"]`:        true,
		`value.user == {"name": "Ann", "tags": ["a", "b"]}`: true,
		`value.user.tags[1] == "b"`:                         true,
		`size(value.lines) == 2 && size(value.user) == 2`:   true,
		`value.lines.exists(l, l.sku == "y" && l.n > 1)`:    true,
		`value.lines.all(l, l.n > 1)`:                       false,
		`value.user.exists(k, k == "tags")`:                 true,
		`value.lines.map(l, l.n) == [1, 2]`:                 true,
		`value.status.matches("^pa.d$")`:                    true,
		`matches(value.status, "x")`:                        false,
		`type(value) == map && type(value.lines) == list`:   true,
		`value.gone == 1 || true`:                           true,
		`double(value.count) * 1.5 == 4.5`:                  true,
	} {
		if got, err := mustCompile(t, expression).MatchesRecord(paid()); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", expression, got, err, want)
		}
	}
}

// TestNull: a record without key and value.
func TestNull(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{`value == null`, `key == null`, `size == 0`, `value != null && value.a == 1 || true`} {
		if got, err := mustCompile(t, expression).MatchesRecord(&sample{record: &kgo.Record{}}); err != nil || !got {
			t.Errorf("%s: %v, %v", expression, got, err)
		}
	}
}

// TestSchemaKeys: a key that was decoded is a JSON value, and not its bytes.
func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	s := &sample{record: &kgo.Record{Key: []byte{0, 1}}, key: `{"id":7}`}
	if got, err := mustCompile(t, `key.id == 7`).MatchesRecord(s); err != nil || !got {
		t.Errorf("%v, %v", got, err)
	}
}

// TestFailures: the error tells the place and the kind of the failure, and nothing of the record.
func TestFailures(t *testing.T) {
	t.Parallel()
	s := &sample{record: &kgo.Record{Topic: "t", Value: []byte(`{"secret":"s3cr3t","n":1,"list":[1],"s3cr3t":{}}`)}}
	for expression, want := range map[string]string{
		`value.gone == 1`: "line 1, column 6: the record has no such member; has(...) asks whether it is there",
		`topic == "t" &&` + "\n" + `value.a.b == 1`: "line 2, column 8: the record has no such member; has(...) asks whether it is there",
		`value.s3cr3t[value.secret] == 1`:           "the record has no such member",
		`int(value.secret) == 1`:                    "line 1, column 4: the value can't be converted to that type",
		`value.secret + 1 == 2`:                     "the operation does not exist for values of these types",
		`value.secret > 2`:                          "the operation does not exist for values of these types",
		`value.n / (value.n - 1) == 0`:              "division by zero",
		`value.list[3] == 1`:                        "the list is too short",
		`value.n + 9223372036854775807 == 0`:        "a number is out of range",
		`timestamp(value.secret) == timestamp`:      "the value can't be converted to that type",
		`value.n.matches("a")`:                      "the operation does not exist for values of these types",
		`headers.gone == "a"`:                       "the record has no such member",
		`value.secret.startsWith(value.n)`:          "the operation does not exist for values of these types",
		`value.n ? true : false`:                    "the operation does not exist for values of these types",
		`duration(value.secret) < duration("1s")`:   "the value can't be converted to that type",
	} {
		got, err := mustCompile(t, expression).MatchesRecord(s)
		if err == nil || got || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", expression, got, err, want)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error repeats the record: %v", expression, err)
		}
	}
}

// TestSourceErrors: an error of the source is returned as it is, also where the expression has a result without it.
func TestSourceErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("no schema yet")
	for _, expression := range []string{`value.a == 1`, `value.a == 1 || true`, `value.a == 1 && false`} {
		s := paid()
		s.err = cause
		_, err := mustCompile(t, expression).MatchesRecord(s)
		if _, ok := errors.AsType[*SourceError](err); !ok || !errors.Is(err, cause) {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

// TestValueIsReadLate: an expression that needs no value reads none, and one that does reads it once.
func TestValueIsReadLate(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]int{
		`topic == "orders"`:                         0,
		`topic == "other" && value.a == 1`:          0,
		`value.status != "" && value.status != "x"`: 1,
	} {
		s := paid()
		if _, err := mustCompile(t, expression).MatchesRecord(s); err != nil || s.reads != want {
			t.Errorf("%s: read %d times, want %d; %v", expression, s.reads, want, err)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`value.a ==`:                         "line 1, column 11: Syntax error",
		"true &&\n  valu.a == 1":             "line 2, column 3: undeclared reference to 'valu'",
		`topic == 1`:                         "line 1, column 7: found no matching overload for '_==_'",
		`value.a`:                            "its result is of type dyn; want a bool, with a comparison such as",
		`size`:                               "its result is of type int; want a bool",
		`topic.matches("(")`:                 "line 1, column 15: the regular expression of matches: error parsing regexp: missing closing )",
		`topic.matches(value.pattern)`:       "line 1, column 20: the regular expression of matches is no constant; want a string in quotes",
		`topic.matches("(a{1000}){1000}")`:   "the regular expression of matches: error parsing regexp: ",
		`topic.matches("(abcdefghij){900}")`: "it compiles to",
		strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200): "",
		strings.Repeat("true && ", 2000) + "true":                    "",
	} {
		f, err := CompileFilter(expression)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || f.IsSet() {
			t.Errorf("%.100s: %v; want %q", expression, err, want)
		}
	}
}

// TestHints: an error says what was most likely meant, where the fault is and not where a text in quotes only looks like it.
func TestHints(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		`value.status = "paid"`:                         "column 14: Syntax error: token recognition error at: '= '; did you mean ==?",
		`value.a === 1`:                                 "column 11: Syntax error: token recognition error at: '= '; did you mean ==?",
		`value.a !== 1`:                                 "column 11: Syntax error: token recognition error at: '= '; did you mean !=?",
		`value.a <> 1`:                                  "column 10: Syntax error: extraneous input '>'; did you mean !=?",
		`value.a =~ "x"`:                                `column 9: Syntax error: token recognition error at: '=~'; did you mean matches, as in value.name.matches("^a")?`,
		`value.band == 1 and value.order == 2`:          "column 17: Syntax error: mismatched input 'and'; did you mean &&?",
		`value.a == 1 OR value.b == 2`:                  "column 14: Syntax error: mismatched input 'OR'; did you mean ||?",
		`not value.paid`:                                "column 5: Syntax error: mismatched input 'value'; did you mean !?",
		`value.a == 1 & value.b == 1`:                   "column 14: Syntax error: token recognition error at: '& '; did you mean &&?",
		`value.a == 1 | value.b == 1`:                   "column 14: Syntax error: token recognition error at: '| '; did you mean ||?",
		`value.a IN ["x"]`:                              "column 9: Syntax error: mismatched input 'IN'; did you mean in?",
		`value.a is not null`:                           "column 9: Syntax error: mismatched input 'is'; did you mean !=?",
		`value.a is null`:                               "column 9: Syntax error: mismatched input 'is'; did you mean ==?",
		`value.a == “x”`:                                "column 12: Syntax error: token recognition error at: '“'; did you mean \"?",
		`vaule == 1`:                                    "column 1: undeclared reference to 'vaule' (did you mean 'value'?)",
		`Topic == "b"`:                                  "column 1: undeclared reference to 'Topic' (did you mean 'topic'?)",
		`topic == orders`:                               `column 10: undeclared reference to 'orders'; did you mean value.orders, or the text "orders"?`,
		`value.a == NULL`:                               "column 12: undeclared reference to 'NULL'; did you mean null?",
		`value.a == True`:                               "column 12: undeclared reference to 'True'; did you mean true?",
		`len(value.x) > 1`:                              "column 4: undeclared reference to 'len'; did you mean size, as in size(value.lines)?",
		`upper(value.x) == "A"`:                         "column 6: undeclared reference to 'upper'",
		`contains(value.x, "a")`:                        `column 9: found no matching overload for 'contains' applied to '(dyn, string)'; did you mean contains after the text, as in value.name.contains("a")?`,
		`partition == "3"`:                              "column 11: found no matching overload for '_==_' applied to '(int, string)'; did you mean a number without quotes, or a text in quotes?",
		`timestamp > "2026-01-01"`:                      `column 11: found no matching overload for '_>_' applied to '(timestamp, string)'; did you mean a time, as in timestamp("2026-01-31T00:00:00Z")?`,
		`value.x == "a = b and c" foo`:                  "column 26: Syntax error: extraneous input 'foo'",
		`value.ö == "ö" and value.b == 1`:               "column 7: Syntax error: token recognition error at: 'ö'",
		`value["ö"] == "öö" and value.b == 1`:           "column 20: Syntax error: mismatched input 'and'; did you mean &&?",
		"value.a == 1 &&\n  value.b = 2":                "line 2, column 11: Syntax error: token recognition error at: '= '; did you mean ==?",
		`value.items.exists(i, i.n = 1 and i.m == "x")`: "column 27: Syntax error: token recognition error at: '= '; did you mean ==?",
		" ": "column 2: Syntax error: mismatched input '<EOF>'",
	} {
		if !strings.HasPrefix(want, "line") {
			want = "line 1, " + want
		}
		if _, err := CompileFilter(expression); err == nil || err.Error() != want {
			t.Errorf("%s:\n\t%v, want\n\t%s", expression, err, want)
		}
	}
}

// TestBombs: no expression takes long, whatever the record is.
func TestBombs(t *testing.T) {
	t.Parallel()
	var numbers, objects strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&numbers, ",%d", i)
		fmt.Fprintf(&objects, `,"k%d":%d`, i, i)
	}
	value := `{"list":[0` + numbers.String() + `],"object":{"k":1` + objects.String() + `},"text":"` + strings.Repeat("ab", 100_000) + `","short":[1,2,3,4,5,6,7,8,9,10]}`
	for _, expression := range []string{
		`value.list.all(a, value.list.all(b, a + b >= 0))`,
		`value.list.all(a, value.list[a] >= 0)`,
		`value.object.all(k, value.object[k] >= 0)`,
		`value.object == value.object && value.list == value.list && value.object == value.object`,
		`value.short.map(a, value.short.map(b, value.short.map(c, value.short.map(d, value.short.map(e, value.short.map(f, a)))))).size() == 10`,
		`[value.text].map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a)[0] == ""`,
		`value.text.matches("(a|b|ab)*(ab|a|b)*((a|b){30}){10}c")`,
		`value.list.map(a, value.text).map(a, a.contains("abc")).size() == 3`,
	} {
		f := mustCompile(t, expression)
		begin := time.Now()
		_, err := f.MatchesRecord(&sample{record: &kgo.Record{Value: []byte(value)}})
		if err == nil {
			t.Errorf("%s: no error", expression)
		}
		t.Logf("%s: %v: %v", time.Since(begin), expression, err)
	}
}

// FuzzFilter: no record and no expression makes the evaluation panic, and no error has a line end in it.
func FuzzFilter(f *testing.F) {
	for _, expression := range []string{`value.a == 1`, `value.a.exists(x, x > 1)`, `value.a + value.b == value.c`, `has(value.a.b) && value.a.b[0] == key`, `value.a.matches("a+")`, `headers.a == topic`, `string(value.a) == "1"`} {
		f.Add(expression, []byte(`{"a":{"b":[1,"x",null]},"c":1.5e3}`))
		f.Add(expression, []byte(`[{"a":"aaa"}]`))
	}
	f.Fuzz(func(t *testing.T, expression string, value []byte) {
		compiled, err := CompileFilter(expression)
		if err != nil {
			return
		}
		if _, ok := jsontext.ScanDocument(value); !ok {
			return
		}
		s := paid()
		s.record.Value = value
		if _, err := compiled.MatchesRecord(s); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	for _, expression := range []string{`topic == "orders"`, `value.status == "paid"`, `value.user.name == "Ann" && value.total > 10.0`, `value.lines.exists(l, l.sku == "y")`, `value.status.matches("^p")`} {
		b.Run(expression, func(b *testing.B) {
			f, s := mustCompile(b, expression), paid()
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := f.MatchesRecord(s); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
