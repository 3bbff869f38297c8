// Package avro reads values in Apache Avro's binary encoding and writes them as JSON, by the schema that they were written with. It knows no registry and
// no framing.
package avro

import (
	"errors"
	"fmt"

	"github.com/twmb/avro"

	"kafka-firehose/connector/convert/jsontext"
)

// typeKind is how a value is read and written. It is the type, or the logical type
// where that changes the output.
type typeKind uint8

const (
	kindNull typeKind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindFixed
	kindEnum
	kindRecord
	kindArray
	kindMap
	kindUnion

	kindDate
	kindTimeMillis
	kindTimeMicros
	kindTimestampMillis
	kindTimestampMicros
	kindTimestampNanos
	kindLocalMillis
	kindLocalMicros
	kindLocalNanos
	kindDecimal      // bytes
	kindDecimalFixed // fixed
	kindUUID         // fixed
	kindDuration     // fixed
)

var kinds = map[string]typeKind{
	"null": kindNull, "boolean": kindBoolean, "int": kindInt, "long": kindLong, "float": kindFloat, "double": kindDouble,
	"bytes": kindBytes, "string": kindString, "fixed": kindFixed, "enum": kindEnum, "record": kindRecord, "error": kindRecord,
	"array": kindArray, "map": kindMap, "union": kindUnion,
}

// logicalKinds are the logical types by the type they stand on. Others, and those on
// another type, are read as if they were not there, which is the specification's rule.
var logicalKinds = map[string]map[string]typeKind{
	"int": {"date": kindDate, "time-millis": kindTimeMillis},
	"long": {
		"time-micros": kindTimeMicros, "timestamp-millis": kindTimestampMillis, "timestamp-micros": kindTimestampMicros,
		"timestamp-nanos": kindTimestampNanos, "local-timestamp-millis": kindLocalMillis,
		"local-timestamp-micros": kindLocalMicros, "local-timestamp-nanos": kindLocalNanos,
	},
	"bytes": {"decimal": kindDecimal},
	"fixed": {"decimal": kindDecimalFixed, "uuid": kindUUID, "duration": kindDuration},
}

// schemaType is a node of a schema. Named types may be in it more than once, and in
// themselves.
type schemaType struct {
	kind    typeKind
	name    string
	fields  []schemaField
	items   *schemaType // of an array or a map
	options []*schemaType
	symbols []string // as JSON strings
	size    int      // of a fixed
	scale   int      // of a decimal
}

type schemaField struct {
	open string // {"name": or ,"name":
	name string
	typ  *schemaType
}

// Reference is a schema under the name by which others refer to it.
type Reference = struct{ Name, Text string }

// Compile reads a schema and those that it refers to, each of which comes after those that it refers to itself. sizedBytes says that a value whose schema is
// "bytes" begins with its length, as Avro has it; Confluent's serializers leave the length out. The error is about the texts; the library may repeat them in
// it, and it may panic on some.
func Compile(text string, references []Reference, sizedBytes bool) (*Schema, error) {
	var cache avro.SchemaCache
	// Names that the specification doesn't allow are in use, and do no harm here.
	lax := avro.WithLaxNames(func(string) error { return nil })
	var pruner textPruner
	var unread error // of a reference, which may not be needed
	for _, r := range references {
		text, err := pruner.pruneText(r.Text)
		if err != nil {
			return nil, fmt.Errorf("the schema that it refers to as %s: %w", r.Name, err)
		}
		if _, err := cache.Parse(text, lax); err != nil && unread == nil {
			unread = fmt.Errorf("the schema that it refers to as %s: %w", r.Name, err)
		}
	}
	pruned, err := pruner.pruneText(text)
	if err != nil {
		return nil, err
	}
	s, err := cache.Parse(pruned, lax)
	if err != nil {
		return nil, errors.Join(err, unread)
	}
	c := schemaCompiler{named: map[string]*schemaType{}}
	t, err := c.compileNode(s.Root(), 0)
	if err != nil {
		return nil, err
	}
	return &Schema{t, c.weight, !sizedBytes && (t.kind == kindBytes || t.kind == kindDecimal)}, nil
}

// Schema reads values that were written with one schema. It has no state and is safe for concurrent use.
type Schema struct {
	root   *schemaType
	weight int
	bare   bool // bytes that are all of a value, without their length
}

// AppendJSON appends payload as JSON without blanks, and no more than most bytes and a few. Errors carry no payload, and bytes appended with an error are
// to be discarded; jsontext.ErrTooLong says that most was not enough.
func (s *Schema) AppendJSON(dst, payload []byte, most int) ([]byte, error) {
	r := valueReader{b: payload, dst: dst, most: len(dst) + most}
	if s.bare {
		write := r.writeBase64
		if s.root.kind == kindDecimal {
			write = func(b []byte) error { return r.writeDigits(b, s.root.scale) }
		}
		if err := write(payload); err != nil {
			return dst, err
		}
		return r.dst, nil
	}
	if err := r.readValue(s.root); err != nil {
		return dst, err
	}
	if len(r.b) > 0 {
		return dst, fmt.Errorf("%d bytes are left after the value", len(r.b))
	}
	return r.dst, nil
}

// Weight estimates the memory that s holds, in bytes.
func (s *Schema) Weight() int { return s.weight }

type schemaCompiler struct {
	named  map[string]*schemaType
	weight int // an estimate of the memory of all types, in bytes
}

func (c *schemaCompiler) compileNode(n *avro.SchemaNode, depth int) (*schemaType, error) {
	if depth > jsontext.MaxDepth {
		return nil, jsontext.ErrDeep
	}
	kind, ok := kinds[n.Type]
	if !ok {
		return c.compileReference(n, depth)
	}
	const typeBytes, fieldBytes, symbolBytes = 200, 100, 40
	c.weight += typeBytes + fieldBytes*len(n.Fields) + symbolBytes*len(n.Symbols)
	t := &schemaType{kind: kind, size: n.Size}
	if logical, ok := logicalKinds[n.Type][n.LogicalType]; ok {
		t.kind, t.scale = logical, n.Scale
	}
	if t.kind == kindUUID && n.Size != 16 || t.kind == kindDuration && n.Size != 12 {
		t.kind = kindFixed
	}
	if n.Name != "" {
		// Before the type inside of it, which may refer to it.
		t.name = fullName(n)
		c.named[t.name] = t
	}
	return t, c.compileInside(t, n, depth+1)
}

func (c *schemaCompiler) compileInside(t *schemaType, n *avro.SchemaNode, depth int) (err error) {
	for _, s := range n.Symbols {
		t.symbols = append(t.symbols, string(jsontext.AppendName(nil, s)))
	}
	for i := range n.Fields {
		f := schemaField{name: n.Fields[i].Name, open: "," + string(jsontext.AppendName(nil, n.Fields[i].Name)) + ":"}
		if i == 0 {
			f.open = "{" + f.open[1:]
		}
		if f.typ, err = c.compileNode(&n.Fields[i].Type, depth); err != nil {
			return err
		}
		t.fields = append(t.fields, f)
	}
	for i := range n.Branches {
		option, err := c.compileNode(&n.Branches[i], depth)
		if err != nil {
			return err
		}
		t.options = append(t.options, option)
	}
	if items := n.Items; t.kind == kindArray && items != nil {
		t.items, err = c.compileNode(items, depth)
	} else if values := n.Values; t.kind == kindMap && values != nil {
		t.items, err = c.compileNode(values, depth)
	}
	return err
}

// compileReference finds the type that a name stands for: in this schema, or in one that it
// refers to.
func (c *schemaCompiler) compileReference(n *avro.SchemaNode, depth int) (*schemaType, error) {
	if t := c.named[n.Type]; t != nil {
		return t, nil
	}
	s, err := n.Schema(avro.WithLaxNames(func(string) error { return nil }))
	if err != nil {
		return nil, fmt.Errorf("the type %s: %w", n.Type, err)
	}
	root := s.Root()
	if _, ok := kinds[root.Type]; !ok {
		return nil, fmt.Errorf("the type %s is not defined", n.Type)
	}
	return c.compileNode(root, depth+1)
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}
