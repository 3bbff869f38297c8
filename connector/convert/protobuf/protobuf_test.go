package protobuf

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// imported has the name that Compile gives to what has none.
const imported = `syntax = "proto3"; message Imported { string text = 1; }`

// byIndex is AppendJSON of the message that an index leads to.
func (f *File) byIndex(dst, payload []byte, index []int32) ([]byte, error) {
	m, err := f.Message(index)
	if err != nil {
		return dst, err
	}
	return f.AppendJSON(dst, payload, m)
}

func tree(t *testing.T) *File {
	t.Helper()
	f, err := Compile(treeProto, map[string]string{"schema.proto": imported})
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
		{[]int32{0, 2}, "no message 2 at depth 2"},
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

// TestRefused: what can't become JSON is one of two errors, neither of which repeats
// what the payload held, and leaves what was there.
func TestRefused(t *testing.T) {
	t.Parallel()
	f := tree(t)
	deep := field(1, "secret")
	for range mostDepth {
		deep = field(2, string(deep))
	}
	year10000 := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 253402300800)
	for name, c := range map[string]struct {
		payload []byte
		want    error
	}{
		"cut":          {field(1, "secret")[:4], errWire},
		"not UTF-8":    {field(1, "secret\xff"), errWire},
		"too deep":     {deep, errWire},
		"time":         {field(3, string(year10000)), errJSON},
		"unknown type": {field(4, string(field(1, "example.com/secret.Type"))), errJSON},
	} {
		out, err := f.byIndex([]byte("before"), c.payload, []int32{1})
		if !errors.Is(err, c.want) || string(out) != "before" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v; want what was there and %v", name, out, err, c.want)
		}
	}
	nearly := field(1, "x")
	for range mostDepth - 1 {
		nearly = field(2, string(nearly))
	}
	if _, err := f.byIndex(nil, nearly, []int32{1}); err != nil {
		t.Errorf("%d deep: %v", mostDepth, err)
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
		`syntax = "proto3"; enum E { A = 0; }`:                       "no message",
		`syntax = "proto3"; import "absent.proto"; message M {}`:     "absent.proto",
		`syntax = "proto3"; message M { Absent a = 1; }`:             "Absent",
		`syntax = "proto3"; message M { string a = 1; int32 b = 1 }`: "schema.proto:1",
		``: "no message",
	} {
		if _, err := Compile(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
