package protobufjson

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"kafka-firehose/connector/convert/jsontest"
	"kafka-firehose/connector/convert/protobuf"
	"kafka-firehose/connector/longtest"
)

// kindsProto has every kind of field in every kind of message. LABEL is that of what may
// be left out.
const kindsProto = `
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";
message M {
  enum E { option allow_alias = true; ZERO = 0; ONE = 1; UN = 1; LESS = -1; }
  LABEL M m = 1;
  repeated M ms = 2;
  map<string, M> by = 3;
  map<int64, E> es = 4;
  map<bool, bytes> bs = 5;
  map<sint32, double> ds = 6;
  LABEL google.protobuf.Timestamp at = 7;
  repeated google.protobuf.Timestamp ats = 8;
  LABEL google.protobuf.Empty empty = 9;
  LABEL google.protobuf.Duration d = 10;
  repeated google.protobuf.Int64Value longs = 11;
  repeated google.protobuf.BoolValue bools = 12;
  LABEL google.protobuf.StringValue text = 13;
  LABEL google.protobuf.Value any_json = 14;
  LABEL google.protobuf.Any any = 15;
  map<string, google.protobuf.BytesValue> wrapped = 16;
  LABEL google.protobuf.FloatValue f = 17;
  optional int32 maybe = 18;
  repeated google.protobuf.NullValue nulls = 19;
  oneof o { M o_m = 150; int32 o_i = 151; string o_s = 152; }
`

// kindsText is it with a field and a list of each scalar, numbered from 20 on.
func kindsText(syntax string) string {
	label, end := "", "}"
	if syntax == "proto2" {
		label, end = "optional", "optional group G = 200 { optional int32 n = 1; } extensions 300 to 400; } extend M { optional int32 x = 300; }"
	}
	text := fmt.Sprintf("syntax = %q;", syntax) + strings.ReplaceAll(kindsProto, "LABEL", label)
	for i, kind := range strings.Fields("E double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool string bytes") {
		text += fmt.Sprintf("%s %s one_%s = %d; repeated %s many_%s = %d;\n", label, kind, kind, 20+2*i, kind, kind, 21+2*i)
	}
	return text + end
}

// compileText compiles a file, for JSON in these forms.
func compileText(t testing.TB, text string, forms Forms) *Converter {
	t.Helper()
	file, err := protobuf.CompileFile(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return New(file, forms)
}

// kinds compiles it, for JSON in these forms.
func kinds(t testing.TB, syntax string, forms Forms) (*Converter, protoreflect.MessageDescriptor) {
	t.Helper()
	s := compileText(t, kindsText(syntax), forms)
	m, _, err := s.file.MessagesAt([]int32{0})
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

// read is what protoReader makes of a payload.
func (c *Converter) read(m protoreflect.MessageDescriptor, payload []byte) ([]byte, error) {
	r := protoReader{dst: []byte("x"), most: 10_000_000}
	err := r.readMessage(c.types.messages[m.FullName()], payload)
	return bytes.TrimPrefix(r.dst, []byte("x")), err
}

// compareRead fails unless what protoReader reads is what the library reads. It reports
// whether it has read anything.
func compareRead(t *testing.T, s *Converter, m protoreflect.MessageDescriptor, payload []byte) bool {
	t.Helper()
	got, err := s.read(m, payload)
	if errors.Is(err, errLibrary) {
		return false
	}
	if err != nil {
		t.Fatalf("%x: %v", payload, err)
	}
	want, err := s.appendByLibrary(nil, payload, m, 10_000_000)
	if err != nil {
		t.Fatalf("%x: read as %s, and the library says %v", payload, got, err)
	}
	if diff := cmp.Diff(parsed(t, want), parsed(t, got)); diff != "" {
		t.Fatalf("%x: %s", payload, diff)
	}
	return true
}

// parsed is the value of a JSON text. No name may come twice.
func parsed(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsontest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// writer writes messages at random, as serializers do and, if it is odd, now and then as
// none does.
type writer struct {
	*rand.Rand
	odd bool
}

// oddly is true now and then.
func (w writer) oddly() bool { return w.odd && w.IntN(200) == 0 }

// rare are types that the library reads.
var rare = []protoreflect.FullName{"google.protobuf.Any", "M.G"}

func (w writer) message(m protoreflect.MessageDescriptor, depth int) (b []byte) {
	if m.FullName() == "google.protobuf.Value" && !w.oddly() {
		f := m.Fields().Get(w.IntN(6))
		if depth > 4 {
			f = m.Fields().Get(w.IntN(4)) // no object, no list
		}
		return w.value(protowire.AppendTag(nil, f.Number(), protoWire(f.Kind())), f, depth)
	}
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		o := f.ContainingOneof()
		switch {
		case !m.IsMapEntry() && (w.IntN(4) > 0 || depth > 3 && f.Message() != nil),
			(!w.odd || w.IntN(4) > 0) && (f.Message() != nil && slices.Contains(rare, f.Message().FullName()) || f.Name() == "nulls" || o != nil && !o.IsSynthetic() && f.Index()%3 != depth%3):
			continue
		}
		n := 1
		if f.IsList() {
			n = w.IntN(4)
		}
		if w.oddly() {
			n++ // what comes once comes twice
		}
		if f.IsList() && protoWire(f.Kind()) != protowire.BytesType && f.Kind() != protoreflect.GroupKind && f.IsPacked() != w.oddly() {
			var packed []byte
			for range n {
				packed = w.value(packed, f, depth)
			}
			b = protowire.AppendBytes(protowire.AppendTag(b, f.Number(), protowire.BytesType), packed)
			continue
		}
		for range n {
			b = protowire.AppendTag(b, f.Number(), protoWire(f.Kind()))
			b = w.value(b, f, depth)
			if w.oddly() {
				b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number([]int{300, 1 + w.IntN(500)}[w.IntN(2)]), protowire.VarintType), 7)
			}
		}
	}
	return b
}

func (w writer) value(b []byte, f protoreflect.FieldDescriptor, depth int) []byte {
	switch protoWire(f.Kind()) {
	case protowire.Fixed32Type:
		return protowire.AppendFixed32(b, []uint32{0, w.Uint32(), 1 << 31, math.Float32bits(1.5), math.Float32bits(1e-7)}[w.IntN(5)])
	case protowire.Fixed64Type:
		if w.oddly() {
			return protowire.AppendFixed64(b, math.Float64bits(math.NaN()))
		}
		return protowire.AppendFixed64(b, []uint64{0, w.Uint64(), 1 << 63, math.Float64bits(1e-7), math.Float64bits(12.5)}[w.IntN(5)])
	case protowire.VarintType:
		switch {
		case f.Enum() != nil && f.Enum().FullName() == "google.protobuf.NullValue" && !w.oddly():
			return append(b, 0)
		case f.Enum() != nil && !w.odd:
			return protowire.AppendVarint(b, w.Uint64N(2))
		case w.oddly():
			return protowire.AppendVarint(b, []uint64{1 << 32, w.Uint64()}[w.IntN(2)])
		}
		return protowire.AppendVarint(b, []uint64{0, 1, w.Uint64N(100), w.Uint64N(1 << 31), math.MaxUint64, math.MaxUint64 - 5}[w.IntN(6)])
	case protowire.StartGroupType:
		return protowire.AppendTag(append(b, w.message(f.Message(), depth+1)...), f.Number(), protowire.EndGroupType)
	default:
		return w.sized(b, f, depth)
	}
}

func (w writer) sized(b []byte, f protoreflect.FieldDescriptor, depth int) []byte {
	switch {
	case f.Message() == nil:
		if w.oddly() {
			return protowire.AppendString(b, "\xff")
		}
		return protowire.AppendString(b, []string{"", "a", "q\"\\\n\x01é", "a longer one"}[w.IntN(4)])
	case f.Message().FullName() == "google.protobuf.Duration" && !w.oddly():
		sign := []int{1, -1}[w.IntN(2)]
		return protowire.AppendBytes(b, wire(1, sign*[]int{0, 1, 60, 315_576_000_000}[w.IntN(4)], 2, sign*[]int{0, 7_000_000, 7_000, 999_999_999}[w.IntN(4)]))
	case f.Message().FullName() == "google.protobuf.Timestamp" && !w.oddly():
		seconds := []int{0, 1_769_846_400, 253402300799, -62135596800}[w.IntN(4)]
		return protowire.AppendBytes(b, wire(1, seconds, 2, []int{0, 7_000_000, 7_000, 7}[w.IntN(4)]))
	default:
		return protowire.AppendBytes(b, w.message(f.Message(), depth+1))
	}
}

// oracle is the library's own reading of messages, compiled by a compiler that knows nothing of what
// registries return.
func oracle(t testing.TB, text string, forms Forms) func(payload []byte) ([]byte, error) {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"m.proto": text})})}
	compiled, err := compiler.Compile(t.Context(), "m.proto")
	if err != nil {
		t.Fatal(err)
	}
	all := new(protoregistry.Files)
	var register func(f protoreflect.FileDescriptor)
	register = func(f protoreflect.FileDescriptor) {
		for i := range f.Imports().Len() {
			register(f.Imports().Get(i).FileDescriptor)
		}
		if _, err := all.FindFileByPath(f.Path()); err != nil {
			if err := all.RegisterFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	register(compiled[0])
	types := dynamicpb.NewTypes(all)
	write := protojson.MarshalOptions{AllowPartial: true, Resolver: types, UseProtoNames: forms.Names, EmitDefaultValues: forms.Defaults}
	return func(payload []byte) ([]byte, error) {
		m := dynamicpb.NewMessage(compiled[0].Messages().Get(0))
		if err := (proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true, RecursionLimit: 100, Resolver: types}).Unmarshal(payload, m); err != nil {
			return nil, err
		}
		return write.Marshal(m)
	}
}

// TestProtoWrite: all that is read, with or without the library, is written as the library writes it.
func TestProtoWrite(t *testing.T) {
	t.Parallel()
	n := longtest.Pick(60, 3000)
	for _, syntax := range []string{"proto2", "proto3"} {
		for _, forms := range []Forms{{}, {Names: true}, {Defaults: true}, {Names: true, Defaults: true}} {
			s, m := kinds(t, syntax, forms)
			want := oracle(t, kindsText(syntax), forms)
			compared, refused := 0, 0
			for seed := range uint64(n) {
				payload := writer{rand.New(rand.NewPCG(seed, 8)), true}.message(m, 1)
				got, err := s.AppendMessage(nil, payload, m, 10_000_000)
				other, otherErr := want(payload)
				switch {
				case err == nil && otherErr == nil:
					if diff := cmp.Diff(parsed(t, bytes.ReplaceAll(other, []byte(`"G":`), []byte(`"g":`))), parsed(t, got)); diff != "" {
						t.Fatalf("%s %v %x: %s", syntax, forms, payload, diff)
					}
					compared++
				case err != nil && otherErr == nil:
					t.Fatalf("%s %v %x: %v, and the library has %s", syntax, forms, payload, err, other)
				default:
					refused++
				}
			}
			t.Logf("%s %v: %d the same, %d that the library refuses", syntax, forms, compared, refused)
			if compared < n/3 {
				t.Errorf("%s %v: only %d compared", syntax, forms, compared)
			}
		}
	}
}

// TestProtobufJSON are the forms of RECORD_PROTOBUF_JSON, of what is read with the library and without.
func TestProtobufJSON(t *testing.T) {
	t.Parallel()
	const text = `syntax = "proto3"; enum E { ZERO = 0; ONE = 1; } message A {
	  int64 big_one = 1; uint64 u = 2; fixed64 f = 3; sint64 s = 4; repeated int64 l = 5 [json_name = "list"]; map<int64, uint64> m = 6; google.protobuf.Int64Value w = 7;
	  E e = 8; optional int32 may_be = 9; A a = 10; oneof o { int64 x = 11; string y = 12; } bool b = 13; bytes c = 14; google.protobuf.Any any = 15; double d = 16; google.protobuf.NullValue n = 17; }`
	values := wire(1, 1<<60, 2, -1, 4, 3, 5, []byte{1, 2}, 6, wire(1, 5, 2, 6), 7, wire(1, 8), 10, wire(9, 0), 11, 0)
	for name, c := range map[string]struct {
		forms   Forms
		payload []byte
		want    string
	}{
		"canonical":               {Forms{}, values, `{"bigOne":"1152921504606846976","u":"18446744073709551615","s":"-2","list":["1","2"],"m":{"5":"6"},"w":"8","a":{"mayBe":0},"x":"0"}`},
		"names":                   {Forms{Names: true}, values, `{"big_one":"1152921504606846976","u":"18446744073709551615","s":"-2","l":["1","2"],"m":{"5":"6"},"w":"8","a":{"may_be":0},"x":"0"}`},
		"numbers":                 {Forms{Numbers: true}, values, `{"bigOne":1152921504606846976,"u":18446744073709551615,"s":-2,"list":[1,2],"m":{"5":6},"w":8,"a":{"mayBe":0},"x":0}`},
		"defaults":                {Forms{Defaults: true}, nil, `{"bigOne":"0","u":"0","f":"0","s":"0","list":[],"m":{},"e":"ZERO","b":false,"c":"","d":0,"n":null}`},
		"defaults that are there": {Forms{Defaults: true}, wire(8, 0, 5, "", 1, 0, 4, 1), `{"e":"ZERO","list":[],"bigOne":"0","s":"-1","u":"0","f":"0","m":{},"b":false,"c":"","d":0,"n":null}`},
		"all":                     {Forms{Names: true, Defaults: true, Numbers: true}, wire(8, 1, 10, ""), `{"e":"ONE","a":{"big_one":0,"u":0,"f":0,"s":0,"l":[],"m":{},"e":"ZERO","b":false,"c":"","d":0,"n":null},"big_one":0,"u":0,"f":0,"s":0,"l":[],"m":{},"b":false,"c":"","d":0,"n":null}`},
		"in an Any":               {Forms{Names: true, Defaults: true, Numbers: true}, wire(15, wire(1, "x/A", 2, wire(1, 5))), `{"big_one":0,"u":0,"f":0,"s":0,"l":[],"m":{},"e":"ZERO","b":false,"c":"","any":{"@type":"x/A","big_one":5,"u":0,"f":0,"s":0,"l":[],"m":{},"e":"ZERO","b":false,"c":"","d":0,"n":null},"d":0,"n":null}`},
	} {
		s := compileText(t, text, c.forms)
		m, _, err := s.file.MessagesAt([]int32{0})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.AppendMessage(nil, c.payload, m, 1000)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		other, err := s.appendByLibrary(nil, c.payload, m, 1000)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(parsed(t, got), parsed(t, other)); diff != "" {
			t.Errorf("%s, by the library: %s", name, diff)
		}
	}
}

// TestProtoRead: whatever is read without the library is what the library reads, and
// that is nearly all of what serializers write.
func TestProtoRead(t *testing.T) {
	n := longtest.Pick(200, 1000)
	if testing.Short() {
		n = 100 // the race detector makes it slow, and there is nothing for it to see
	}
	for _, syntax := range []string{"proto2", "proto3"} {
		s, m := kinds(t, syntax, Forms{})
		others, _ := kinds(t, syntax, Forms{Names: true, Defaults: true, Numbers: true})
		for _, odd := range []bool{true, false} {
			read := 0
			for seed := range uint64(n) {
				w := writer{rand.New(rand.NewPCG(seed, 7)), odd}
				payload := w.message(m, 1)
				if compareRead(t, s, m, payload) {
					read++
				}
				compareRead(t, others, m, payload)
				if len(payload) > 0 && odd { // and what nobody writes at all
					compareRead(t, s, m, payload[:w.IntN(len(payload))])
					payload[w.IntN(len(payload))] = byte(w.IntN(256))
					compareRead(t, s, m, payload)
				}
			}
			t.Logf("%s, odd %v: %d of %d read", syntax, odd, read, n)
			if !odd && read < n*9/10 {
				t.Errorf("%s: %d of %d messages are read, the others are the library's", syntax, read, n)
			}
		}
	}
}

// TestProtoReadAll: a message as it is found in topics is read without the library, and
// nothing is allocated for it.
func TestProtoReadAll(t *testing.T) {
	s, m := kinds(t, "proto3", Forms{})
	item := wire(26, 1, 48, "text")
	payload := append(wire(1, item, 2, item, 2, item, 3, wire(1, "k", 2, item), 3, wire(1, "l", 2, item), 4, wire(1, 5, 2, 1), 7, wire(1, 1_769_846_400, 2, 7_000_000), 9, "",
		11, wire(1, 5), 11, "", 13, wire(1, "wrapped"), 16, wire(1, "k", 2, wire(1, []byte{1})), 18, 0, 20, 1, 21, []byte{0, 1, 99}, 26, -1, 27, []byte{1, 2}, 28, 1<<60), 0xfa, 0x3e, 0)
	got, err := s.read(m, payload)
	const want = `{"m":{"oneInt32":1,"oneString":"text"},"ms":[{"oneInt32":1,"oneString":"text"},{"oneInt32":1,"oneString":"text"}],"by":{"k":{"oneInt32":1,"oneString":"text"},"l":{"oneInt32":1,"oneString":"text"}},` +
		`"es":{"5":"ONE"},"at":"2026-01-31T08:00:00.007Z","empty":{},"longs":["5","0"],"text":"wrapped","wrapped":{"k":"AQ=="},"maybe":0,"oneE":"ONE","manyE":["ZERO","ONE",99],"oneInt32":-1,"manyInt32":[1,2],"oneInt64":"1152921504606846976"}`
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	buf := make([]byte, 0, 4<<10)
	if n := testing.AllocsPerRun(100, func() { buf, err = s.AppendMessage(buf[:0], payload, m, 1_000_000) }); n != 0 || err != nil {
		t.Errorf("%v allocations for each record, %v", n, err)
	}
}

// TestProtoReadLeaves to the library what only that may decide.
func TestProtoReadLeaves(t *testing.T) {
	s, m := kinds(t, "proto2", Forms{})
	nan := protowire.AppendFixed64(protowire.AppendTag(nil, 2, protowire.Fixed64Type), math.Float64bits(math.NaN()))
	entry := wire(1, "k", 2, wire(26, 1))
	var keys []byte
	for i := range maxKeys + 1 {
		keys = append(keys, wire(4, wire(1, i, 2, 1))...)
	}
	deep := wire(26, 1)
	for range readDepth {
		deep = wire(1, deep)
	}
	for name, payload := range map[string][]byte{
		"no number":              wire(14, nan),
		"a null that is one":     wire(14, wire(1, 1)),
		"no value":               wire(14, ""),
		"two values":             wire(14, wire(3, "a", 3, "b")),
		"two signs":              wire(10, wire(1, 5, 2, -5)),
		"two other signs":        wire(10, wire(1, -5, 2, 5)),
		"too long":               wire(10, wire(1, 315_576_000_001)),
		"before the year 1":      wire(7, wire(1, -62_135_596_801)),
		"after the year 9999":    wire(7, wire(1, 253_402_300_800)),
		"a second in nanos":      wire(7, wire(2, 1_000_000_000)),
		"an extension":           wire(300, 1),
		"an Any":                 wire(15, ""),
		"no wire format":         {0x0f},
		"another wire type":      wire(26, "text"),
		"cut":                    wire(1, "abc")[:3],
		"not UTF-8":              wire(48, "\xff"),
		"a number that is zero":  wire(26, 1<<32),
		"again":                  wire(26, 1, 26, 1),
		"again after another":    wire(27, 1, 26, 1, 27, 1),
		"two of a oneof":         wire(151, 1, 152, "a"),
		"an unknown symbol":      wire(20, 9),
		"a key that comes twice": wire(3, entry, 3, entry),
		"many keys":              keys,
		"an entry in disorder":   wire(3, wire(2, "", 1, "k")),
		"too deep":               deep,
	} {
		if out, err := s.read(m, payload); !errors.Is(err, errLibrary) {
			t.Errorf("%s: read as %s, %v", name, out, err)
		}
	}
}

func FuzzProtoRead(f *testing.F) {
	type schema struct {
		*Converter
		m protoreflect.MessageDescriptor
	}
	all := map[bool]schema{}
	for _, syntax := range []string{"proto2", "proto3"} {
		s, m := kinds(f, syntax, Forms{})
		all[syntax == "proto3"] = schema{s, m}
		for seed := range uint64(20) {
			f.Add(writer{rand.New(rand.NewPCG(seed, 9)), true}.message(m, 3), syntax == "proto3")
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, third bool) {
		compareRead(t, all[third].Converter, all[third].m, payload)
	})
}

// wire builds a message of fields; a value is a string, bytes or a number.
func wire(fields ...any) (b []byte) {
	for i := 0; i < len(fields); i += 2 {
		n := protowire.Number(fields[i].(int))
		switch v := fields[i+1].(type) {
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
		}
	}
	return b
}

// BenchmarkMessage is a message as it is found in topics, read here and by the library:
//
//	go test ./connector/convert/protobufjson -run '^$' -bench . -benchmem
func BenchmarkMessage(b *testing.B) {
	c, m := kinds(b, "proto3", Forms{})
	item := wire(26, 1, 48, "text")
	payload := wire(1, item, 2, item, 2, item, 3, wire(1, "k", 2, item), 7, wire(1, 1_769_846_400, 2, 7_000_000), 13, wire(1, "wrapped"), 20, 1, 28, 1<<60)
	buf := make([]byte, 0, 4<<10)
	for name, read := range map[string]func() ([]byte, error){
		"own":     func() ([]byte, error) { return c.AppendMessage(buf[:0], payload, m, 1_000_000) },
		"library": func() ([]byte, error) { return c.appendByLibrary(buf[:0], payload, m, 1_000_000) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				var err error
				if buf, err = read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
