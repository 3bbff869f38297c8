package protobuf

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
)

const treeProto = `syntax = "proto3";
import "google/protobuf/any.proto";
import "google/protobuf/timestamp.proto";
import "schema.proto";
message First {
  map<string, string> labels = 1; // its entries are a message too, which nobody wrote
  message Inner { message Leaf { string leaf = 1; } string inner = 1; }
  message Other { string other = 1; }
}
message Second {
  string name = 1;
  Second next = 2;
  google.protobuf.Timestamp at = 3;
  google.protobuf.Any any = 4;
  Imported imported = 5;
}`

// imported has the name that CompileFile gives to what has none.
const imported = `syntax = "proto3"; message Imported { string text = 1; }`

// byIndex reads the message that an index leads to, and appends what the library makes of it.
func (f *File) byIndex(dst, payload []byte, index []int32) ([]byte, error) {
	typ, _, err := f.MessagesAt(index)
	if err != nil {
		return dst, err
	}
	m, err := f.ReadMessage(payload, typ)
	if err != nil {
		return dst, err
	}
	out, err := protojson.MarshalOptions{AllowPartial: true, Resolver: f.types}.MarshalAppend(dst, m.Interface())
	if err != nil {
		return dst, err
	}
	return out, nil
}

func tree(t *testing.T) *File {
	t.Helper()
	f, err := CompileFile(treeProto, map[string]string{"schema.proto": imported})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// field is a field that holds bytes.
func field(n protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), value)
}

// TestIndex: serializers count the messages of the source, those inside of a message
// from zero again.
func TestIndex(t *testing.T) {
	t.Parallel()
	f := tree(t)
	for _, c := range []struct {
		index []int32
		want  string // of a string in field 1, or part of the error
	}{
		{[]int32{0, 0}, `{"inner":"x"}`},
		{[]int32{0, 0, 0}, `{"leaf":"x"}`},
		{[]int32{0, 1}, `{"other":"x"}`},
		{[]int32{1}, `{"name":"x"}`},
		{[]int32{2}, "no message 2 at depth 1"},
		{[]int32{0, 2}, `{"other":"x"}`}, // where the entries of maps count
		{[]int32{0, 3}, "no message 3 at depth 2"},
		{[]int32{1, 0}, "no message 0 at depth 2"},
		{[]int32{-1}, "no message -1 at depth 1"},
		{[]int32{}, "index is empty"},
	} {
		out, err := f.byIndex([]byte("before"), field(1, "x"), c.index)
		switch {
		case err != nil && (!strings.Contains(err.Error(), c.want) || string(out) != "before"):
			t.Errorf("%v: %q, %v; want what was there and %q", c.index, out, err, c.want)
		case err == nil && compact(string(out)) != "before"+c.want:
			t.Errorf("%v: %s, want %s", c.index, out, c.want)
		}
	}
}

// compact takes out the blanks, which the library puts where it likes.
func compact(text string) string { return strings.ReplaceAll(text, " ", "") }

// TestRefused: errors repeat nothing of the payload, and leave what was there.
func TestRefused(t *testing.T) {
	t.Parallel()
	f := tree(t)
	deep := field(1, "secret")
	for range MaxDepth {
		deep = field(2, string(deep))
	}
	for name, payload := range map[string][]byte{
		"cut":       field(1, "secret")[:4],
		"not UTF-8": field(1, "secret\xff"),
		"too deep":  deep,
	} {
		out, err := f.byIndex([]byte("before"), payload, []int32{1})
		if !errors.Is(err, errWire) || string(out) != "before" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v; want what was there and %v", name, out, err, errWire)
		}
	}
	nearly := field(1, "x")
	for range MaxDepth - 1 {
		nearly = field(2, string(nearly))
	}
	if _, err := f.byIndex(nil, nearly, []int32{1}); err != nil {
		t.Errorf("%d deep: %v", MaxDepth, err)
	}
}

// TestImported: a file that is imported by the name that the schema would have had.
func TestImported(t *testing.T) {
	t.Parallel()
	out, err := tree(t).byIndex(nil, field(5, string(field(1, "x"))), []int32{1})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"imported":{"text":"x"}}`, compact(string(out))); diff != "" {
		t.Error(diff)
	}
}

// TestCompileRefuses: the error says what is missing, and where.
func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`syntax = "proto3"; enum E { A = 0; }`:                         "no message",
		`syntax = "proto3"; message M { string a = 1; string a = 2; }`: "already declared",
		`syntax = "proto3"; message M { string a = 1; int32 b = 1 }`:   "schema.proto:1",
		`syntax = "proto3"; message A { extensions 0[json_name,`:       "the parser fails",
		``: "no message",
	} {
		if _, err := CompileFile(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzCompile: no text and no descriptor makes the compiler panic, and blanks are all that is put in the place of what has no effect.
func FuzzCompile(f *testing.F) {
	f.Add([]byte(treeProto), false)
	f.Add([]byte(`syntax = "proto2"; message M { reserved 1 to 2; extensions 5 to 9; optional group G = 1 [(x) = {a: "}"}, json_name = "j"] { option map_entry = true; } oneof o { X x = 3; } } extend M { optional M y = 5; } service S { rpc A(B) returns (C) {} } enum E { option a = 1; A = 0; B = 0; }`), false)
	f.Add([]byte(`edition = "2023"; option features = {enum_type: CLOSED}; message A { repeated AbEntry ab = 1; message AbEntry { option map_entry = true; optional string k = 1; A v = 2; } }`), false)
	f.Add(append(field(1, "a.proto"), field(4, string(field(1, "M")))...), true)
	f.Fuzz(func(t *testing.T, b []byte, binary bool) {
		text := string(b)
		if binary {
			text = base64.StdEncoding.EncodeToString(b)
		} else if got := scrubText(text); len(got) != len(text) || strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Fatalf("%q is scrubbed to %q", text, got)
		}
		file, err := CompileFile(text, map[string]string{"schema.proto": imported})
		if err != nil {
			return
		}
		for i := range int32(3) {
			if _, err := file.byIndex(nil, b, []int32{i}); err != nil {
				continue
			}
		}
	})
}
