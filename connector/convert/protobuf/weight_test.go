package protobuf

import (
	"bytes"
	"encoding/base64"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const heavyProto = `syntax = "proto2";
import "google/protobuf/any.proto";
message M {
  message Item { optional int32 n = 1; }
  enum State { OPEN = 0; PAID = 1; }
  repeated M all = 1;
  repeated Item items = 2;
  repeated double ratios = 3 [packed = true];
  repeated State states = 4 [packed = true];
  repeated group Each = 5 { optional int32 n = 1; }
  map<int32, Item> by = 6;
  optional google.protobuf.Any any = 7;
  optional bytes raw = 8;
  repeated string texts = 9;
  repeated int64 ids = 10;
  extensions 100 to 200;
}
extend M { repeated M.Item more = 100; }`

func heavy(t testing.TB) *File {
	t.Helper()
	f, err := CompileFile(heavyProto, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// allocated is how many bytes f allocates, which is more than it ever holds at once.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// nothing is an Any with an M in it that is empty.
func nothing() []byte { return append(field(1, "type.googleapis.com/M"), field(2, "")...) }

// chain is a field with an Any in an Any, n times.
func chain(n int) []byte {
	content := nothing()
	for range n {
		content = append(field(1, "type.googleapis.com/google.protobuf.Any"), field(2, string(content))...)
	}
	return field(7, string(content))
}

// TestMemory: what takes little on the wire and much in memory is refused before it is
// there. What fits into Firehose is not, however small its parts are.
func TestMemory(t *testing.T) {
	f := heavy(t)
	many := func(n int, part []byte) []byte { return bytes.Repeat(part, n) }
	number := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 7)
	group := append(append(protowire.AppendTag(nil, 5, protowire.StartGroupType), number...), protowire.AppendTag(nil, 5, protowire.EndGroupType)...)
	for name, c := range map[string]struct {
		payload []byte
		want    error
	}{
		"messages of nothing":            {many(500_000, field(1, "")), errHeavy},
		"messages in messages":           {field(1, string(field(1, string(many(500_000, field(1, "")))))), errHeavy},
		"groups":                         {many(300_000, group), errHeavy},
		"entries of a map":               {many(300_000, field(6, "")), errHeavy},
		"an extension":                   {many(300_000, field(100, "")), errHeavy},
		"enums":                          {field(4, strings.Repeat("\x01", 1_000_000)), errHeavy},
		"an Any in an Any, far too deep": {chain(1600), errWire},
		"a few of them":                  {append(chain(10), many(10_000, field(2, string(number)))...), nil},
		"as many messages as fit":        {many(1_024_000/len(`{"n":7},`), field(2, string(number))), nil},
		"as many numbers as fit":         {field(3, strings.Repeat("\x00", 8*500_000)), nil},
		"bytes":                          {field(8, strings.Repeat("\xff", 750_000)), nil},
		"what the schema does not know":  {many(500_000, field(99, "")), nil},
		"cut":                            {append(many(100_000, field(2, string(number))), 0x0a, 0x7f), errWire},
	} {
		var err error
		took := allocated(func() { _, err = f.byIndex(nil, c.payload, []int32{0}) }) >> 20
		t.Logf("%s: %d bytes took %d MiB", name, len(c.payload), took)
		if !errors.Is(err, c.want) || took > 2*maxWeight>>20 {
			t.Errorf("%s: %v after %d MiB; want %v", name, err, took, c.want)
		}
	}
}

// FuzzWeight: to read a message takes no more memory than twice its weight, and a little.
func FuzzWeight(f *testing.F) {
	file := heavy(f)
	f.Add(bytes.Repeat(field(1, ""), 100))
	f.Add(bytes.Repeat(field(6, ""), 100))
	f.Add(field(4, strings.Repeat("\x01", 100)))
	f.Add(append(chain(5), field(9, strings.Repeat("\x01", 1000))...))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := messageScale{types: file.types}
		if s.weighMessage(file.messages[0].typ, payload, 1) != nil {
			return
		}
		took := allocated(func() { _, _ = file.byIndex(nil, payload, []int32{0}) })
		// What is left out is garbage at once: a little for each field, of three bytes or more.
		if garbage := 48 * len(payload); took > 2*s.weight+64<<10+garbage {
			t.Errorf("%d bytes took %d and weigh %d", len(payload), took, s.weight)
		}
	})
}

// TestCompileMemory: what is within the bound takes about as much memory to compile, however its parts are
// chosen, and a time that does not grow with their square.
func TestCompileMemory(t *testing.T) {
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(strings.ReplaceAll(format, "#", strconv.Itoa(i)), "@", strconv.Itoa(i+1)))
		}
		return b.String()
	}
	inside := func(n protowire.Number, parts ...[]byte) []byte { return field(n, string(bytes.Join(parts, nil))) }
	named := func(i int) []byte { return inside(4, field(1, "M"+strconv.Itoa(i))) }
	var messages []byte
	for i := range 18_000 {
		messages = append(messages, named(i)...)
	}
	for name, text := range map[string]string{
		"maps":       `syntax="proto3"; message M{` + numbered(11_000, "map<string,M>a#=@;") + "}",
		"oneofs":     `syntax="proto3"; message M{` + numbered(5_000, "oneof o#{int32 a#=@;}") + "}",
		"optional":   `syntax="proto3"; message M{` + numbered(13_000, "optional int32 a#=@;") + "}",
		"no types":   `syntax="proto3"; message M{` + numbered(14_000, "X a#=@;") + "}",
		"groups":     `message M{` + numbered(5_000, "optional group G#=@{}") + "}",
		"descriptor": base64.StdEncoding.EncodeToString(messages),
	} {
		var err error
		begin := time.Now()
		took := allocated(func() { _, err = CompileFile(text, nil) }) >> 20
		t.Logf("%s: %d bytes took %d MiB", name, len(text), took)
		if took > 2*maxCompileBytes>>20 || time.Since(begin) > 10*time.Second || err != nil {
			t.Errorf("%s: %d MiB and %v to compile it, %v", name, took, time.Since(begin), err)
		}
	}
}
