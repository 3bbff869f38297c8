package convert

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"kafka-firehose/connector/batch"
)

// version is the id of a schema version in AWS Glue.
var version = [16]byte{0xb7, 0xb4, 0xa7, 0xf0, 0x9c, 0x96, 0x4e, 0x4a, 0xa6, 0x87, 0xfb, 0x5d, 0xe9, 0xef, 0x0c, 0x63}

// glued is data as AWS Glue's serializers frame it.
func glued(t testing.TB, compression byte, data []byte) []byte {
	t.Helper()
	framed := append([]byte{magicGlue, compression}, version[:]...)
	if compression != glueZlib {
		return append(framed, data...)
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(framed, b.Bytes()...)
}

// apicurioID is what Apicurio's serializers put before data.
func apicurioID(id uint64, data []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{magicID}, id), data...)
}

// apicurioName is what they put before a Protobuf message.
func apicurioName(name string, data []byte) []byte {
	ref := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	return append(protowire.AppendBytes(nil, ref), data...)
}

// refs finds schemas by what names them, and keeps what it was asked for.
type refs struct {
	schema Schema
	asked  []SchemaRef
}

func (r *refs) lookup(ref SchemaRef) (Schema, error) {
	r.asked = append(r.asked, ref)
	return r.schema, nil
}

const store = `syntax = "proto3"; package shop;
message B { message C {} message A { message D { string d = 1; } string a = 1; } map<string, string> labels = 2; string b = 3; }
message Order { string id = 1; }`

// TestFramings: each framing in each of its forms, for values of each format, alone and in an envelope.
func TestFramings(t *testing.T) {
	t.Parallel()
	schemas := map[string]Schema{}
	for format, text := range map[string]string{
		"avro": `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, "protobuf": store, "json-schema": `{"type":"object"}`,
	} {
		s, err := compileSchema(Config{Format: format, Validated: true}, SchemaDefinition{Kind: format, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		schemas[format] = s
	}
	header := func(name, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: name, Value: []byte(value)} }
	five := string(apicurioID(5, nil)[1:])
	field := func(n protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), value)
	}
	glue, long := SchemaRef{GUID: version}, strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		framing Framing
		format  string
		value   []byte
		headers []kgo.RecordHeader
		ref     SchemaRef
		want    string
	}{
		"glue":                        {Glue, "avro", glued(t, 0, []byte{2}), nil, glue, `{"a":1}`},
		"glue, zlib":                  {Glue, "avro", glued(t, 5, []byte{2}), nil, glue, `{"a":1}`},
		"glue, JSON":                  {Glue, "json-schema", glued(t, 0, []byte(`{"a": 1}`)), nil, glue, `{"a":1}`},
		"glue, JSON, zlib":            {Glue, "json-schema", glued(t, 5, []byte(`{"a": "`+long+`"}`)), nil, glue, `{"a":"` + long + `"}`},
		"glue, Protobuf, B":           {Glue, "protobuf", glued(t, 0, append([]byte{0}, field(3, "x")...)), nil, glue, `{"b":"x"}`},
		"glue, Protobuf, B.A":         {Glue, "protobuf", glued(t, 0, append([]byte{1}, field(1, "x")...)), nil, glue, `{"a":"x"}`},
		"glue, Protobuf, B.A.D, zlib": {Glue, "protobuf", glued(t, 5, append([]byte{2}, field(1, "x")...)), nil, glue, `{"d":"x"}`},
		"glue, Protobuf, Order":       {Glue, "protobuf", glued(t, 0, append([]byte{5}, field(1, "x")...)), nil, glue, `{"id":"x"}`},
		"apicurio":                    {Apicurio, "avro", apicurioID(5, []byte{2}), nil, SchemaRef{ID: 5}, `{"a":1}`},
		"apicurio, a large id":        {Apicurio, "avro", apicurioID(1<<40, []byte{2}), nil, SchemaRef{ID: 1 << 40}, `{"a":1}`},
		"apicurio, a header":          {Apicurio, "avro", []byte{2}, []kgo.RecordHeader{header("apicurio.value.globalId", five), header("apicurio.value.encoding", "BINARY")}, SchemaRef{ID: 5}, `{"a":1}`},
		"apicurio, a content id":      {Apicurio, "avro", []byte{2}, []kgo.RecordHeader{header("apicurio.value.contentId", five)}, SchemaRef{ID: 5, Content: true}, `{"a":1}`},
		"apicurio, the key's header":  {Apicurio, "avro", apicurioID(6, []byte{2}), []kgo.RecordHeader{header("apicurio.key.globalId", five)}, SchemaRef{ID: 6}, `{"a":1}`},
		"apicurio, JSON":              {Apicurio, "json-schema", apicurioID(5, []byte(`{"a": 1}`)), nil, SchemaRef{ID: 5}, `{"a":1}`},
		"apicurio, JSON in headers":   {Apicurio, "json-schema", []byte(`{"a": 1}`), []kgo.RecordHeader{header("apicurio.value.globalId", five)}, SchemaRef{ID: 5}, `{"a":1}`},
		"apicurio, Protobuf":          {Apicurio, "protobuf", apicurioID(5, apicurioName("Order", field(1, "x"))), nil, SchemaRef{ID: 5}, `{"id":"x"}`},
		"apicurio, Protobuf, headers": {Apicurio, "protobuf", field(3, "x"), []kgo.RecordHeader{header("apicurio.value.globalId", five), header("apicurio.protobuf.type", "B")}, SchemaRef{ID: 5}, `{"b":"x"}`},
		"apicurio, Protobuf, twice":   {Apicurio, "protobuf", apicurioName("B", field(3, "x")), []kgo.RecordHeader{header("apicurio.value.globalId", five), header("apicurio.protobuf.type", "B")}, SchemaRef{ID: 5}, `{"b":"x"}`},
		"confluent":                   {Confluent, "avro", confluent(5, []byte{2}), nil, SchemaRef{ID: 5}, `{"a":1}`},
		"confluent, others' headers":  {Confluent, "avro", confluent(5, []byte{2}), []kgo.RecordHeader{header("apicurio.value.globalId", five)}, SchemaRef{ID: 5}, `{"a":1}`},
	} {
		for _, envelope := range []bool{false, true} {
			found := &refs{schema: schemas[c.format]}
			converter := New(Config{Format: c.format, Envelope: envelope, Validated: true, Fields: Fields{{Source: "value", Name: "value", Form: "json"}}}, found.lookup)
			converter.SetFraming(c.framing, false)
			got, err := converter.Append(nil, &kgo.Record{Value: c.value, Headers: c.headers})
			want := c.want
			if envelope {
				want = `{"value":` + want + `}`
			}
			if err != nil || string(got) != want || found.asked[0] != c.ref {
				t.Errorf("%s: %s %v by %v, want %s by %v", name, got, err, found.asked, want, c.ref)
			}
		}
	}
}

// TestGlueKeys: key and value are compressed both, and need no registry where they are JSON.
func TestGlueKeys(t *testing.T) {
	t.Parallel()
	c := New(Config{Format: "json-schema", KeyFormat: "json-schema", Envelope: true}, nil)
	c.SetFraming(Glue, false)
	for range 3 { // with the buffers of those before
		got, err := c.Append(nil, &kgo.Record{Topic: "t", Key: glued(t, 5, []byte(`{"k": 1}`)), Value: glued(t, 5, []byte(`{"v": 2}`))})
		if err != nil || !strings.Contains(string(got), `"key":{"k":1},`) || !strings.Contains(string(got), `"value":{"v":2}`) {
			t.Errorf("%s %v", got, err)
		}
	}
}

// TestContentIDs: the setting decides which id is before the data, and a header says it itself.
func TestContentIDs(t *testing.T) {
	t.Parallel()
	found := &refs{schema: avroText(t, `"int"`)}
	c := New(Config{Format: "avro"}, found.lookup)
	c.SetFraming(Apicurio, true)
	for _, headers := range [][]kgo.RecordHeader{nil, {{Key: "apicurio.value.globalId", Value: apicurioID(5, nil)[1:]}}} {
		if _, err := c.Append(nil, &kgo.Record{Value: apicurioID(5, []byte{2}), Headers: headers}); err != nil && headers == nil {
			t.Error(err)
		}
	}
	if want := []SchemaRef{{ID: 5, Content: true}, {ID: 5}}; len(found.asked) != 2 || found.asked[0] != want[0] || found.asked[1] != want[1] {
		t.Errorf("asked for %v, want %v", found.asked, want)
	}
	if text := found.asked[0].String(); text != "of content 5" {
		t.Errorf("it is called %q", text)
	}
}

// TestWrongFraming: a value of other serializers names the setting that reads it, and no registry is
// asked for a schema that it does not name.
func TestWrongFraming(t *testing.T) {
	t.Parallel()
	id := func(names ...string) (all []kgo.RecordHeader) {
		for _, name := range names {
			all = append(all, kgo.RecordHeader{Key: name, Value: apicurioID(5, nil)[1:]})
		}
		return all
	}
	const wantGlue, wantApicurio, wantConfluent = "SCHEMA_REGISTRY_TYPE=glue", "SCHEMA_REGISTRY_TYPE=apicurio", "SCHEMA_REGISTRY_TYPE=confluent"
	guid := kgo.RecordHeader{Key: "__value_schema_id", Value: append([]byte{magicGUID}, version[:]...)}
	for name, c := range map[string]struct {
		framing Framing
		value   []byte
		headers []kgo.RecordHeader
		want    string
	}{
		"glue's":                    {Confluent, glued(t, 0, []byte{2}), nil, wantGlue},
		"glue's, zlib":              {Confluent, glued(t, 5, []byte{2}), nil, wantGlue},
		"apicurio's":                {Confluent, apicurioID(5, []byte{2}), nil, wantApicurio},
		"apicurio's header":         {Confluent, []byte{2}, id("apicurio.value.globalId", "apicurio.value.encoding"), wantApicurio},
		"apicurio's other header":   {Confluent, []byte{2}, id("apicurio.value.contentId"), wantApicurio},
		"confluent's, for glue":     {Glue, confluent(5, []byte{2}), nil, wantConfluent},
		"a GUID, for glue":          {Glue, []byte{2}, []kgo.RecordHeader{guid}, wantConfluent},
		"apicurio's, for glue":      {Glue, apicurioID(5, []byte{2}), nil, wantApicurio},
		"a header, for glue":        {Glue, []byte{2}, id("apicurio.value.contentId"), wantApicurio},
		"glue's, for apicurio":      {Apicurio, glued(t, 0, []byte{2}), nil, wantGlue},
		"confluent's, for apicurio": {Apicurio, confluent(5, []byte{2}), nil, wantConfluent},
		"a GUID, for apicurio":      {Apicurio, []byte{2}, []kgo.RecordHeader{guid}, wantConfluent},
		"a hash, for apicurio":      {Apicurio, []byte{2}, id("apicurio.value.contentHash"), "without an id; want apicurio.value.globalId or apicurio.value.contentId"},
		"nothing":                   {Glue, []byte("{}"), nil, "it does not begin as AWS Glue's serializers do"},
		"nothing of apicurio's":     {Apicurio, []byte("{}"), nil, "it does not begin as Apicurio's serializers do"},
		"empty":                     {Glue, []byte{}, nil, "it does not begin as AWS Glue's"},
		"a compression":             {Glue, glued(t, 7, []byte{2}), nil, "its compression is 7"},
		"no version":                {Glue, append([]byte{3, 0}, make([]byte, 17)...), nil, "all zeros"},
		"cut":                       {Glue, glued(t, 0, nil)[:17], nil, "it does not begin as AWS Glue's"},
		"no zlib":                   {Glue, append(glued(t, 0, nil)[:1:1], append([]byte{5}, append(version[:], "plain"...)...)...), nil, "not what zlib has compressed"},
		"cut zlib":                  {Glue, glued(t, 5, bytes.Repeat([]byte("ab"), 100))[:24], nil, "not what zlib has compressed"},
		"Avro's JSON":               {Apicurio, []byte(`{"a":1}`), append(id("apicurio.value.globalId"), kgo.RecordHeader{Key: "apicurio.value.encoding", Value: []byte("JSON")}), "only BINARY is read"},
		"a short header":            {Apicurio, []byte{2}, []kgo.RecordHeader{{Key: "apicurio.value.globalId", Value: []byte{0, 0, 0, 5}}}, "holds something else"},
	} {
		found := &refs{schema: avroText(t, `"int"`)}
		converter := New(Config{Format: "avro"}, found.lookup)
		converter.SetFraming(c.framing, false)
		_, err := converter.Append(nil, &kgo.Record{Value: c.value, Headers: c.headers})
		bad, ok := errors.AsType[*BadRecord](err)
		if !ok || bad.Reason != Undecodable || bad.Size != len(c.value) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if len(found.asked) > 0 {
			t.Errorf("%s: the registry is asked for %v", name, found.asked)
		}
	}
}

// TestUnknownSchemaOfOthers: a value whose first bytes are no id gets the advice with the verdict of the registry.
func TestUnknownSchemaOfOthers(t *testing.T) {
	t.Parallel()
	unknown := UnusableSchema(SchemaRef{ID: 2}, UnknownSchema, errors.New("schema 2: the Schema Registry does not have it"))
	for framing, r := range map[Framing]*kgo.Record{
		Confluent: {Value: []byte{0, 0, 0, 0, 2, 4}, Headers: []kgo.RecordHeader{{Key: "apicurio.value.globalId", Value: make([]byte, 8)}}},
		Apicurio:  {Value: confluent(2, []byte{0, 0, 0, 5})},
	} {
		c := New(Config{Format: "avro"}, func(SchemaRef) (Schema, error) { return nil, unknown })
		c.SetFraming(framing, false)
		_, err := c.Append(nil, r)
		if bad, ok := errors.AsType[*BadRecord](err); !ok || bad.Reason != UnknownSchema || !strings.Contains(err.Error(), "does not have it: it looks as if") || !errors.Is(err, unknown.err) {
			t.Errorf("%s: %v", framing, err)
		}
	}
}

// TestProtobufFramingRefuses: what names the message may be wrong, too.
func TestProtobufFramingRefuses(t *testing.T) {
	t.Parallel()
	schema, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Text: store})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		framing Framing
		value   []byte
		want    string
	}{
		"no number":         {Glue, glued(t, 0, nil), "message index"},
		"a large number":    {Glue, glued(t, 0, binary.AppendUvarint(nil, 1<<40)), "message index"},
		"beyond the file":   {Glue, glued(t, 0, []byte{6}), "has 6 messages by name, and no number 6"},
		"a map's entry":     {Glue, glued(t, 0, []byte{4}), "the entry of a map"},
		"no name":           {Apicurio, apicurioID(5, nil), "the name of its message is not there"},
		"an empty name":     {Apicurio, apicurioID(5, apicurioName("", nil)), "the name of its message is not there"},
		"an unknown name":   {Apicurio, apicurioID(5, apicurioName("Nobody", nil)), "no message of the name"},
		"a map's name":      {Apicurio, apicurioID(5, apicurioName("LabelsEntry", nil)), "no message of the name"},
		"a name that ends":  {Apicurio, apicurioID(5, []byte{200, 1, 'x'}), "the name of its message is not there"},
		"a map's full name": {Apicurio, apicurioID(5, apicurioName("shop.B.LabelsEntry", nil)), "the entry of a map"},
	} {
		converter := New(Config{Format: "protobuf"}, (&refs{schema: schema}).lookup)
		converter.SetFraming(c.framing, false)
		if _, err := converter.Append(nil, &kgo.Record{Value: c.value}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestApicurioNames: Apicurio's serializers write the last name of a message. It is enough if it can't be another message's.
func TestApicurioNames(t *testing.T) {
	t.Parallel()
	schema, err := compileSchema(Config{Format: "protobuf"}, SchemaDefinition{Text: `syntax = "proto3"; package p;
message B { message One { string one = 1; } message Two { string b = 1; } message Top { string inside = 1; } message p { string p = 1; } string b = 1; }
message C { message Two { string c = 1; } message Deep { message Two { string d = 1; } } }
message Top { string top = 1; } `})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"One": `{"one":"x"}`, "p.B.One": `{"one":"x"}`, "p.C.Deep.Two": `{"d":"x"}`, "Top": `{"top":"x"}`, "p.B.Top": `{"inside":"x"}`, "p": `{"p":"x"}`,
		"Two": "several messages of the name", "B.One": "no message of the name",
	} {
		c := New(Config{Format: "protobuf"}, (&refs{schema: schema}).lookup)
		c.SetFraming(Apicurio, false)
		got, err := c.Append(nil, &kgo.Record{Value: apicurioID(5, apicurioName(name, []byte("\x0a\x01x")))})
		if string(got) != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
}

// TestZlibBomb: a value that grows without end when it is decompressed is bad as soon as it is too large
// for Firehose, and takes no memory for the rest. One at the limit is not.
func TestZlibBomb(t *testing.T) {
	var levels bytes.Buffer
	w, err := zlib.NewWriterLevel(&levels, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 { // MiB
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := append(glued(t, 0, nil), levels.Bytes()...)
	bomb[1] = glueZlib
	for name, c := range map[string]*Converter{
		"plain": New(Config{Format: "json-schema"}, nil), "gzip": New(Config{Format: "json-schema", Compression: "gzip"}, nil),
		"unwrap": New(Config{Format: "json-schema", Unwrap: "debezium"}, nil),
	} {
		c.SetFraming(Glue, false)
		took := allocated(func() {
			_, err := c.Append(nil, &kgo.Record{Value: bomb})
			bad, ok := errors.AsType[*BadRecord](err)
			if want := fmt.Sprintf("that zlib makes more than %d of", c.maxDecoded()); !ok || bad.Reason != TooLarge || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		})
		// A buffer that doubles, twice with the race detector; 64 MiB take 268 MB.
		if most := uint64(8 * c.maxDecoded()); took > most {
			t.Errorf("%s: %d bytes took %d, want %d at most", name, len(bomb), took, most)
		}
	}
	c := New(Config{Format: "json-schema"}, nil)
	c.SetFraming(Glue, false)
	for size, good := range map[int]bool{batch.MaxRecordBytes: true, batch.MaxRecordBytes + 1: false} {
		value := []byte(`"` + strings.Repeat("x", size-2) + `"`)
		if _, err := c.Append(nil, &kgo.Record{Value: glued(t, 5, value)}); (err == nil) != good {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// BenchmarkFramings converts an order in Avro, with some 300 bytes as JSON, in each framing.
func BenchmarkFramings(b *testing.B) {
	schema, err := compileSchema(Config{Format: "avro"}, SchemaDefinition{Kind: "avro", Text: `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"},{"name":"note","type":"string"},{"name":"cents","type":{"type":"array","items":"long"}}]}`})
	if err != nil {
		b.Fatal(err)
	}
	data := append(varint(12), "order-000042"...)
	data = append(append(data, varint(200)...), strings.Repeat("note ", 40)...)
	data = append(append(data, varint(10)...), varint(1250, 1, 99999, 5, 17, 4200, 1, 2, 3, 4)...)
	data = append(data, 0)
	for name, c := range map[string]struct {
		framing Framing
		value   []byte
	}{
		"confluent": {Confluent, confluent(1, data)},
		"glue":      {Glue, glued(b, glueNone, data)},
		"glue-zlib": {Glue, glued(b, glueZlib, data)},
		"apicurio":  {Apicurio, apicurioID(1, data)},
	} {
		b.Run(name, func(b *testing.B) {
			converter := New(Config{Format: "avro", Delimiter: "\n"}, func(SchemaRef) (Schema, error) { return schema, nil })
			converter.SetFraming(c.framing, false)
			r, buf := &kgo.Record{Value: c.value}, make([]byte, 0, 4<<10)
			b.ReportAllocs()
			for b.Loop() {
				if buf, err = converter.Append(buf[:0], r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzFramings(f *testing.F) {
	for _, seed := range []string{
		"03000102030405060708090a0b0c0d0e0f1002", "03050102030405060708090a0b0c0d0e0f10789c010100feff02", "000000000000000502", "0000000005020a0141", "010102030405060708090a0b0c0d0e0f1002",
	} {
		b, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte{0, 0, 0, 0, 0, 0, 0, 5}, uint8(0))
	}
	f.Add(glued(f, glueZlib, []byte(`{"a":1}`)), []byte{}, uint8(4))
	schemas := map[string]Schema{"json-schema": plainJSON{}}
	for format, text := range map[string]string{"avro": `{"type":"record","name":"R","fields":[{"name":"a","type":"bytes"}]}`, "protobuf": store} {
		s, err := compileSchema(Config{Format: format}, SchemaDefinition{Kind: format, Text: text})
		if err != nil {
			f.Fatal(err)
		}
		schemas[format] = s
	}
	formats := []string{"avro", "protobuf", "json-schema"}
	f.Fuzz(func(t *testing.T, value, header []byte, how uint8) {
		format, framing := formats[how%3], Framings[how/3%3]
		c := New(Config{Format: format, Delimiter: "\n"}, func(SchemaRef) (Schema, error) { return schemas[format], nil })
		c.SetFraming(Framing(framing), how > 127)
		r := &kgo.Record{Value: value}
		if how/9%2 == 1 {
			r.Headers = []kgo.RecordHeader{{Key: "apicurio.value.globalId", Value: header}, {Key: "apicurio.protobuf.type", Value: []byte("B")}}
		}
		out, err := c.Append([]byte("x"), r)
		if err != nil {
			if _, ok := errors.AsType[*BadRecord](err); !ok || string(out) != "x" {
				t.Fatalf("%q %v", out, err)
			}
			return
		}
		if out[0] != 'x' || bytes.Count(out, []byte("\n")) != 1 || len(out) > batch.MaxRecordBytes+1 {
			t.Fatalf("%q", out)
		}
	})
}
