package avro

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"

	"kafka-firehose/connector/convert/jsontext"
)

// compileText compiles text and what it refers to.
func compileText(t testing.TB, text string, refs ...string) *Schema {
	t.Helper()
	var references []Reference
	for _, r := range refs {
		references = append(references, Reference{Name: "a reference", Text: r})
	}
	s, err := Compile(text, references, true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encodeAvro encodes a value with the library.
func encodeAvro(t testing.TB, text string, value any) []byte {
	t.Helper()
	b, err := avro.MustParse(text).Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const everything = `{"type":"record","name":"Everything","namespace":"a.b","fields":[
 {"name":"null","type":"null"},{"name":"boolean","type":"boolean"},{"name":"int","type":"int"},{"name":"long","type":"long"},
 {"name":"float","type":"float"},{"name":"double","type":"double"},{"name":"bytes","type":"bytes"},{"name":"string","type":"string"},
 {"name":"fixed","type":{"type":"fixed","name":"F","size":2}},{"name":"again","type":"F"},
 {"name":"enum","type":{"type":"enum","name":"E","symbols":["A","B"]}},
 {"name":"array","type":{"type":"array","items":"int"}},{"name":"map","type":{"type":"map","values":"long"}},
 {"name":"union","type":["null","string","E"],"default":null},{"name":"none","type":{"type":"array","items":"int"}},
 {"name":"nested","type":{"type":"record","name":"N","fields":[{"name":"empty","type":{"type":"record","name":"Z","fields":[]}}]}},
 {"name":"list","type":["null",{"type":"record","name":"List","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","List"]}]}]}]}`

func TestAvro(t *testing.T) {
	b := encodeAvro(t, everything, map[string]any{
		"null": nil, "boolean": true, "int": int32(-7), "long": int64(math.MaxInt64), "float": float32(1.5), "double": math.Pi,
		"bytes": []byte{0xff}, "string": "said \"nö\"\n", "fixed": []byte{0, 1}, "again": []byte{2, 3}, "enum": "B",
		"array": []int32{1, 2, 3}, "map": map[string]int64{"k\"": 5}, "union": "E?", "none": []int32{},
		"nested": map[string]any{"empty": map[string]any{}},
		"list":   map[string]any{"v": int32(1), "next": map[string]any{"v": int32(2), "next": nil}},
	})
	const want = `{"null":null,"boolean":true,"int":-7,"long":9223372036854775807,"float":1.5,"double":3.141592653589793,` +
		`"bytes":"/w==","string":"said \"nö\"\n","fixed":"AAE=","again":"AgM=","enum":"B","array":[1,2,3],"map":{"k\"":5},` +
		`"union":"E?","none":[],"nested":{"empty":{}},"list":{"v":1,"next":{"v":2,"next":null}}}`
	got, err := compileText(t, everything).AppendJSON([]byte("before "), b, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("before "+want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// varint is n as Avro writes numbers.
func varint(n ...int64) (b []byte) {
	for _, n := range n {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func TestAvroLogical(t *testing.T) {
	at := time.Date(2026, 1, 31, 8, 0, 0, 123_456_789, time.UTC)
	day := int64(20484) // of at
	f := func(schema string, payload []byte, want string) {
		t.Helper()
		got, err := compileText(t, schema).AppendJSON(nil, payload, 1000)
		if err != nil || string(got) != want {
			t.Errorf("%s: %s %v, want %s", schema, got, err, want)
		}
	}
	f(`{"type":"int","logicalType":"date"}`, varint(day), `"2026-01-31"`)
	f(`{"type":"int","logicalType":"date"}`, varint(-1), `"1969-12-31"`)
	f(`{"type":"int","logicalType":"date"}`, varint(math.MaxInt32), `2147483647`)
	f(`{"type":"int","logicalType":"time-millis"}`, varint(28_800_123), `"08:00:00.123"`)
	f(`{"type":"int","logicalType":"time-millis"}`, varint(86_400_000), `86400000`)
	f(`{"type":"int","logicalType":"time-millis"}`, varint(-1), `-1`)
	f(`{"type":"long","logicalType":"time-micros"}`, varint(86_399_999_999), `"23:59:59.999999"`)
	f(`{"type":"long","logicalType":"timestamp-millis"}`, varint(at.UnixMilli()), `"2026-01-31T08:00:00.123Z"`)
	f(`{"type":"long","logicalType":"timestamp-millis"}`, varint(math.MaxInt64), `9223372036854775807`)
	f(`{"type":"long","logicalType":"timestamp-millis"}`, varint(math.MinInt64), `-9223372036854775808`)
	f(`{"type":"long","logicalType":"timestamp-micros"}`, varint(at.UnixMicro()), `"2026-01-31T08:00:00.123456Z"`)
	f(`{"type":"long","logicalType":"timestamp-nanos"}`, varint(at.UnixNano()), `"2026-01-31T08:00:00.123456789Z"`)
	f(`{"type":"long","logicalType":"local-timestamp-millis"}`, varint(at.UnixMilli()), `"2026-01-31 08:00:00.123"`)
	f(`{"type":"long","logicalType":"local-timestamp-micros"}`, varint(at.UnixMicro()), `"2026-01-31 08:00:00.123456"`)
	f(`{"type":"long","logicalType":"local-timestamp-nanos"}`, varint(at.UnixNano()), `"2026-01-31 08:00:00.123456789"`)
	f(`{"type":"long","logicalType":"of-the-future"}`, varint(5), `5`)
	f(`{"type":"string","logicalType":"timestamp-millis"}`, append(varint(1), 'a'), `"a"`)
	f(`{"type":"string","logicalType":"uuid"}`, append(varint(3), "a-b"...), `"a-b"`)
	f(`{"type":"fixed","name":"U","size":16,"logicalType":"uuid"}`, []byte("0123456789abcdef"), `"30313233-3435-3637-3839-616263646566"`)
	f(`{"type":"fixed","name":"D","size":12,"logicalType":"duration"}`, []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0}, `{"months":1,"days":4294967295,"milliseconds":256}`)
	decimal := func(precision, scale string) string {
		return `{"type":"bytes","logicalType":"decimal","precision":` + precision + `,"scale":` + scale + `}`
	}
	f(decimal("9", "2"), append(varint(2), 0x04, 0xe2), `12.50`)
	f(decimal("9", "2"), append(varint(1), 0xff), `-0.01`)
	f(decimal("9", "0"), append(varint(1), 0x80), `-128`)
	f(decimal("9", "5"), append(varint(1), 0x01), `0.00001`)
	f(decimal("9", "2"), varint(0), `0.00`)
	f(decimal("40", "2"), append(varint(9), 0xff, 0, 0, 0, 0, 0, 0, 0, 0), `-184467440737095516.16`)
	f(decimal("40", "2"), append(varint(9), 0x01, 0, 0, 0, 0, 0, 0, 0, 1), `184467440737095516.17`)
	f(decimal("19", "0"), append(varint(8), 0x80, 0, 0, 0, 0, 0, 0, 0), `-9223372036854775808`)
	f(`{"type":"fixed","name":"M","size":3,"logicalType":"decimal","precision":6,"scale":3}`, []byte{0xff, 0xff, 0x38}, `-0.200`)
	f(`"double"`, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN())), `"NaN"`)
	f(`"double"`, binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.Inf(-1))), `"-Infinity"`)
	f(`"float"`, binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(1)))), `"Infinity"`)
	f(`"double"`, binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e300)), `1e+300`)
	f(`"float"`, binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.1)), `0.1`)
	f(`{"type":"array","items":"int"}`, append(varint(-2, 2), varint(1, 2, 1, 3, 0)...), `[1,2,3]`)
}

// TestAvroReferences: types of other subjects, which refer to others in turn.
func TestAvroReferences(t *testing.T) {
	s := compileText(t, `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"by","type":"people.Customer"},{"name":"to","type":["null","people.Address"]},{"name":"also","type":"people.Customer"}]}`,
		`{"type":"record","name":"Address","namespace":"people","fields":[{"name":"city","type":"string"}]}`,
		`{"type":"record","name":"Customer","namespace":"people","fields":[{"name":"at","type":"Address"},{"name":"friends","type":{"type":"array","items":"Customer"}}]}`)
	bonn, none := append(varint(4), "Bonn"...), varint(0)
	customer := append(append(append(append([]byte{}, bonn...), varint(1)...), append(append([]byte{}, bonn...), none...)...), none...)
	payload := append(append(append([]byte{}, customer...), append(varint(1), bonn...)...), append(append([]byte{}, bonn...), none...)...)
	got, err := s.AppendJSON(nil, payload, 1000)
	const want = `{"by":{"at":{"city":"Bonn"},"friends":[{"at":{"city":"Bonn"},"friends":[]}]},"to":{"city":"Bonn"},"also":{"at":{"city":"Bonn"},"friends":[]}}`
	if err != nil || string(got) != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}

func TestAvroRefuses(t *testing.T) {
	const list = `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`
	f := func(schema string, payload []byte, want error, text string) {
		t.Helper()
		got, err := compileText(t, schema).AppendJSON([]byte("x"), payload, 10_000)
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) || string(got) != "x" {
			t.Errorf("%s: %s %v, want %v %s", schema, got, err, want, text)
		}
	}
	f(`"int"`, nil, errCut, "")
	f(`"int"`, []byte{0x80}, errCut, "")
	f(`"int"`, varint(1<<31), errInt, "")
	f(`"long"`, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, errVarint, "")
	f(`"int"`, varint(1, 2), nil, "1 bytes are left")
	f(`"boolean"`, []byte{2}, errBoolean, "")
	f(`"string"`, append(varint(2), 0xff, 'a'), errNotUTF8, "")
	f(`"string"`, varint(5), errCut, "")
	f(`"string"`, varint(-5), errLength, "")
	f(`"string"`, varint(math.MaxInt64), errCut, "")
	f(`"bytes"`, varint(1<<40), errCut, "")
	f(`"double"`, []byte{1, 2, 3}, errCut, "")
	f(`["null","int"]`, varint(2), nil, "a union of 2 types has no type 2")
	f(`["null","int"]`, varint(-1), nil, "has no type -1")
	f(`{"type":"enum","name":"E","symbols":["A"]}`, varint(1), nil, "an enum of 1 symbols has no symbol 1")
	f(`{"type":"array","items":"null"}`, varint(math.MaxInt64), jsontext.ErrTooLong, "")
	f(`{"type":"array","items":"null"}`, varint(math.MinInt64), errLength, "")
	f(`{"type":"array","items":{"type":"record","name":"Z","fields":[]}}`, varint(-1<<40, 0), jsontext.ErrTooLong, "")
	f(`{"type":"map","values":"null"}`, append(varint(1<<40), make([]byte, 9_999)...), jsontext.ErrTooLong, "")
	f(list, varint(make([]int64, 0)...), errCut, "next: ")
	f(list, append(bytes.Repeat(varint(1), 2*jsontext.MaxDepth), varint(0)...), jsontext.ErrDeep, "")
	f(`{"type":"bytes","logicalType":"decimal","precision":9}`, append(varint(2000), make([]byte, 2000)...), errLongDecimal, "")
}

func TestAvroCompileRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{`: "", `"nothing"`: "", `{"type":"record","name":"R","fields":[{"name":"a","type":"x.Y"}]}`: "x.Y",
		strings.Repeat(`{"type":"array","items":`, 600) + `"int"` + strings.Repeat("}", 600): "too deep",
	} {
		if _, err := Compile(text, nil, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

// TestReaderAllocates nothing, whatever is in the payload.
func TestReaderAllocates(t *testing.T) {
	payload := encodeAvro(t, everything, map[string]any{
		"null": nil, "boolean": true, "int": int32(-7), "long": int64(7), "float": float32(1.5), "double": math.Pi, "bytes": []byte{0xff}, "string": "text",
		"fixed": []byte{0, 1}, "again": []byte{2, 3}, "enum": "B", "array": []int32{1, 2, 3}, "map": map[string]int64{"k": 5}, "union": "E?", "none": []int32{},
		"nested": map[string]any{"empty": map[string]any{}}, "list": map[string]any{"v": int32(1), "next": nil},
	})
	s, buf := compileText(t, everything), make([]byte, 0, 4<<10)
	if n := testing.AllocsPerRun(100, func() { buf, _ = s.AppendJSON(buf[:0], payload, 4<<10) }); n != 0 || len(buf) == 0 {
		t.Errorf("%v allocations for each value", n)
	}
}

// FuzzAvro: whatever the bytes, there is no panic, no more than was asked for, and
// what comes out is JSON.
func FuzzAvro(f *testing.F) {
	schemas := []*Schema{
		compileText(f, everything),
		compileText(f, `{"type":"array","items":["null",{"type":"map","values":{"type":"array","items":"null"}},{"type":"record","name":"Z","fields":[]},"boolean"]}`),
		compileText(f, `{"type":"record","name":"T","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":900,"scale":2}},{"name":"b","type":{"type":"int","logicalType":"date"}},
			{"name":"c","type":{"type":"long","logicalType":"timestamp-nanos"}},{"name":"d","type":{"type":"long","logicalType":"time-micros"}},{"name":"n","type":["null","T"]}]}`),
	}
	f.Add(uint8(0), []byte{})
	f.Add(uint8(0), []byte("\x01\x02\x03\x04"))
	f.Add(uint8(1), varint(1, 1, 1, 2, 'a', 1<<50))
	f.Add(uint8(1), varint(-3, 2, 0, 2, 3, 1, 0))
	f.Add(uint8(2), append(varint(3), "\xff\xff\x00\x02\x04\x06\x00"...))
	f.Fuzz(func(t *testing.T, which uint8, payload []byte) {
		const most = 5000
		got, err := schemas[int(which)%len(schemas)].AppendJSON([]byte("["), payload, most)
		if err != nil {
			if string(got) != "[" || cap(got) > 4*most {
				t.Fatalf("%q, capacity %d after %v", got, cap(got), err)
			}
			return
		}
		if len(got) > most+100 {
			t.Fatalf("%d bytes, asked for %d", len(got), most)
		}
		if !json.Valid(append(got, ']')) {
			t.Fatalf("not JSON: %s", got)
		}
	})
}
