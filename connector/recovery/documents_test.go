package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// scanned reads the ids and timestamps of a text, in pieces of n bytes.
func scanned(t interface{ Fatal(...any) }, text string, n int) (found []string, documents, foreign int64) {
	s := &documentScanner{id: "id", timestamp: "ts", visit: func(d document) error {
		found = append(found, string(d.id)+" "+strings.TrimSpace(string(d.timestamp)))
		return nil
	}}
	if err := s.readAll(strings.NewReader(text), make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	return found, s.documents, s.foreign
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text      string
		want      []string
		documents int64
		foreign   int64
	}{
		"lines":                  {`{"id":"a-0-1","ts":1}` + "\n" + `{"id":"a-0-2","ts":"x"}` + "\n", []string{`"a-0-1" 1`, `"a-0-2" "x"`}, 2, 0},
		"nothing between":        {`{"id":"a-0-1"}{"id":"a-0-2"}`, []string{`"a-0-1" `, `"a-0-2" `}, 2, 0},
		"control characters":     {"{\"id\":\"a-0-1\"}\x00{\"id\":\"a-0-2\"}\x1e", []string{`"a-0-1" `, `"a-0-2" `}, 2, 0},
		"over several lines":     {"{\n  \"ts\" : 7 ,\n  \"id\" :\n  \"a-0-1\"\n}\n", []string{`"a-0-1" 7`}, 1, 0},
		"id in a value":          {`{"value":{"id":"no","ts":0},"list":[{"id":"no"}],"id":"a-0-1"}`, []string{`"a-0-1" `}, 1, 0},
		"id as a value":          {`{"key":"id","value":"\"id\":\"no\"","id":"a-0-1"}`, []string{`"a-0-1" `}, 1, 0},
		"braces in strings":      {`{"value":"}{][\\","id":"a-0-1"}`, []string{`"a-0-1" `}, 1, 0},
		"escapes":                {`{"\u0069d":"a\u002d0-1"}`, []string{`"a\u002d0-1" `}, 1, 0},
		"the first of two":       {`{"id":"a-0-1","id":"a-0-2"}`, []string{`"a-0-1" `}, 1, 0},
		"no id":                  {`{}{"a":1}`, []string{" ", " "}, 2, 0},
		"an id that is none":     {`{"id":{"id":"no"}}{"id":[1,2]}{"id":null}{"id":true,"ts":1.5e3}`, []string{" ", " ", "null ", "true 1.5e3"}, 4, 0},
		"an id that is too long": {`{"id":"` + strings.Repeat("x", 600) + `"}`, []string{" "}, 1, 0},
		"long names":             {`{"` + strings.Repeat("x", 600) + `":1,"id":"a-0-1"}`, []string{`"a-0-1" `}, 1, 0},
		"text":                   {"id,name\n1,a\n" + `{"id":"a-0-1"}`, []string{`"a-0-1" `}, 1, 2},
		"text at the end":        {`{"id":"a-0-1"}` + "\nnope", []string{`"a-0-1" `}, 1, 1},
		"numbers and lists":      {"1\n[{\"id\":\"no\"}]\nnull\n", nil, 0, 3},
		"cut off":                {`{"id":"a-0-1"}` + "\n" + `{"id":"a-0-2","value":"abc`, []string{`"a-0-1" `}, 1, 1},
		"cut off, and goes on":   {`{"id":"a-0-1","value":"abc` + "\n" + `{"id":"a-0-2"}`, []string{`"a-0-2" `}, 1, 1},
		"cut behind a name":      {`{"id":"a-0-1","v"` + "\n" + `{"id":"a-0-2"}` + "\n" + `{"id":"a-0-3"}`, []string{`"a-0-2" `, `"a-0-3" `}, 2, 1},
		"cut in a number":        {`{"id":"a-0-1","v":12` + "\n" + `{"id":"a-0-2"}` + "\n" + `{"id":"a-0-3"}`, []string{`"a-0-2" `, `"a-0-3" `}, 2, 1},
		"cut behind a comma":     {`{"id":"a-0-1",` + "\n" + `{"id":"a-0-2"}` + "\n" + `{"id":"a-0-3"}`, []string{`"a-0-2" `, `"a-0-3" `}, 2, 1},
		"cut behind a text":      {`{"id":"a-0-1"` + "\n" + `{"id":"a-0-2"}`, []string{`"a-0-2" `}, 1, 1},
		"cut inside":             {`{"id":"a-0-1","v":{"a":[[1,{"b":2}` + "\n" + `{"id":"a-0-2"}`, []string{`"a-0-2" `}, 1, 1},
		"a lone brace":           {"{\n" + `{"id":"a-0-2"}`, []string{`"a-0-2" `}, 1, 1},
		"cut behind a colon":     {`{"id":"a-0-1","v":` + "\n" + `{"id":"a-0-2"}` + "\n" + `{"id":"a-0-3"}`, []string{`"a-0-3" `}, 1, 1},
		"a bracket too many":     {`{"id":"a-0-1"]}` + "\n" + `{"id":"a-0-2"}`, []string{`"a-0-2" `}, 1, 1},
		"empty":                  {"", nil, 0, 0},
	} {
		for _, n := range []int{1, 2, 3, 7, 4096} {
			got, documents, foreign := scanned(t, test.text, n)
			if diff := cmp.Diff(test.want, got); diff != "" || documents != test.documents || foreign != test.foreign {
				t.Errorf("%s in pieces of %d: %d documents, %d foreign, want %d and %d\n%s", name, n, documents, foreign, test.documents, test.foreign, diff)
			}
		}
	}
}

// TestDocumentsAsEncodingJSON: for any objects, whatever is between them, the scanner finds what encoding/json finds.
func TestDocumentsAsEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var value func(depth int) any
		value = func(depth int) any {
			kinds := 4
			if depth > 3 {
				kinds = 2
			}
			switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
			case 0:
				return rapid.String().Draw(t, "string")
			case 1:
				return rapid.Int().Draw(t, "number")
			case 2:
				list := []any{}
				for range rapid.IntRange(0, 3).Draw(t, "elements") {
					list = append(list, value(depth+1))
				}
				return list
			}
			object := map[string]any{}
			for range rapid.IntRange(0, 3).Draw(t, "members") {
				object[rapid.SampledFrom([]string{"id", "ts", `"`, "value", "a\nb", "{"}).Draw(t, "name")] = value(depth + 1)
			}
			return object
		}
		var text strings.Builder
		var want []string
		for range rapid.IntRange(0, 4).Draw(t, "documents") {
			object := map[string]any{"value": value(0), "z": value(0)}
			id := ""
			if rapid.Bool().Draw(t, "has an id") {
				object["id"] = rapid.StringN(0, 20, 40).Draw(t, "id")
				quoted, _ := json.Marshal(object["id"])
				id = string(quoted)
			}
			encoded, _ := json.Marshal(object)
			if rapid.Bool().Draw(t, "indented") {
				encoded, _ = json.MarshalIndent(object, " ", "\t")
			}
			text.Write(encoded)
			text.WriteString(rapid.SampledFrom([]string{"", "\n", "\x1e", " \r\n"}).Draw(t, "delimiter"))
			want = append(want, id+" ")
		}
		got, _, foreign := scanned(t, text.String(), rapid.IntRange(1, 50).Draw(t, "piece"))
		if diff := cmp.Diff(want, got); diff != "" || foreign != 0 {
			t.Fatalf("%d foreign in %q\n%s", foreign, text.String(), diff)
		}
	})
}

// TestDocumentsErrors: both errors come out as they are.
func TestDocumentsErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	s := &documentScanner{id: "id", visit: func(document) error { return broken }}
	if err := s.readAll(strings.NewReader("{}"), make([]byte, 10)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	s.visit = func(document) error { return nil }
	if err := s.readAll(io.MultiReader(strings.NewReader("{"), iotest.ErrReader(broken)), make([]byte, 10)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkDocuments(b *testing.B) {
	var text strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&text, `{"id":"orders-3-%d","topic":"orders","partition":3,"offset":%d,"timestamp":"2026-01-31T08:00:00.123Z","key":"k","headers":[],"value":{"name":%q,"list":[1,2,3]}}`+"\n", i, i, strings.Repeat("x", 800))
	}
	s := &documentScanner{id: "id", timestamp: "timestamp", visit: func(document) error { return nil }}
	buffer := make([]byte, 64<<10)
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if err := s.readAll(strings.NewReader(text.String()), buffer); err != nil {
			b.Fatal(err)
		}
	}
}
