package convert

import (
	"errors"
	"fmt"

	"github.com/twmb/avro"

	"kafka-firehose/connector/convert/jsontext"
)

// avroKind is how a value is read and written. It is the type, or the logical type
// where that changes the output.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroFixed
	avroEnum
	avroRecord
	avroArray
	avroMap
	avroUnion

	avroDate
	avroTimeMillis
	avroTimeMicros
	avroTimestampMillis
	avroTimestampMicros
	avroTimestampNanos
	avroLocalMillis
	avroLocalMicros
	avroLocalNanos
	avroDecimal      // bytes
	avroDecimalFixed // fixed
	avroUUID         // fixed
	avroDuration     // fixed
)

var avroKinds = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong, "float": avroFloat, "double": avroDouble,
	"bytes": avroBytes, "string": avroString, "fixed": avroFixed, "enum": avroEnum, "record": avroRecord, "error": avroRecord,
	"array": avroArray, "map": avroMap, "union": avroUnion,
}

// avroLogical are the logical types by the type they stand on. Others, and those on
// another type, are read as if they were not there, which is the specification's rule.
var avroLogical = map[string]map[string]avroKind{
	"int": {"date": avroDate, "time-millis": avroTimeMillis},
	"long": {
		"time-micros": avroTimeMicros, "timestamp-millis": avroTimestampMillis, "timestamp-micros": avroTimestampMicros,
		"timestamp-nanos": avroTimestampNanos, "local-timestamp-millis": avroLocalMillis,
		"local-timestamp-micros": avroLocalMicros, "local-timestamp-nanos": avroLocalNanos,
	},
	"bytes": {"decimal": avroDecimal},
	"fixed": {"decimal": avroDecimalFixed, "uuid": avroUUID, "duration": avroDuration},
}

// avroType is a node of a schema. Named types may be in it more than once, and in
// themselves.
type avroType struct {
	kind    avroKind
	name    string
	fields  []avroField
	items   *avroType // of an array or a map
	options []*avroType
	symbols []string // as JSON strings
	size    int      // of a fixed
	scale   int      // of a decimal
}

type avroField struct {
	open string // {"name": or ,"name":
	name string
	typ  *avroType
}

// compileAvro reads a schema and those that it refers to.
func compileAvro(d SchemaDefinition) (Schema, error) {
	var cache avro.SchemaCache
	// Names that the specification doesn't allow are in use, and do no harm here.
	lax := avro.WithLaxNames(func(string) error { return nil })
	var pruner avroPruner
	var unread error // of a reference, which may not be needed
	for _, r := range d.References {
		text, err := pruner.pruneText(r.Text)
		if err != nil {
			return nil, fmt.Errorf("the schema that it refers to as %s: %w", r.Name, err)
		}
		if _, err := cache.Parse(text, lax); err != nil && unread == nil {
			unread = fmt.Errorf("the schema that it refers to as %s: %w", r.Name, err)
		}
	}
	text, err := pruner.pruneText(d.Text)
	if err != nil {
		return nil, err
	}
	s, err := cache.Parse(text, lax)
	if err != nil {
		return nil, errors.Join(err, unread)
	}
	c := avroCompiler{named: map[string]*avroType{}}
	t, err := c.compileNode(s.Root(), 0)
	if err != nil {
		return nil, err
	}
	return avroRoot{t, c.weight, !d.SizedBytes && (t.kind == avroBytes || t.kind == avroDecimal)}, nil
}

// avroRoot is the type of a value.
type avroRoot struct {
	*avroType
	weight int
	bare   bool // bytes that are all of a value, without their length
}

// AppendJSON implements Schema.
func (s avroRoot) AppendJSON(dst, payload []byte, index MessageIndex, most int) ([]byte, error) {
	if !s.bare {
		return s.avroType.AppendJSON(dst, payload, index, most)
	}
	r := avroReader{dst: dst, most: len(dst) + most}
	write := r.writeBase64
	if s.kind == avroDecimal {
		write = func(b []byte) error { return r.writeDigits(b, s.scale) }
	}
	if err := write(payload); err != nil {
		return dst, err
	}
	return r.dst, nil
}

// Weight implements schemaWeigher.
func (s avroRoot) Weight() int { return s.weight }

type avroCompiler struct {
	named  map[string]*avroType
	weight int // an estimate of the memory of all types, in bytes
}

var errDeepSchema = errors.New("it is nested too deep")

func (c *avroCompiler) compileNode(n *avro.SchemaNode, depth int) (*avroType, error) {
	if depth > jsontext.MaxDepth {
		return nil, errDeepSchema
	}
	kind, ok := avroKinds[n.Type]
	if !ok {
		return c.compileReference(n, depth)
	}
	const typeBytes, fieldBytes, symbolBytes = 200, 100, 40
	c.weight += typeBytes + fieldBytes*len(n.Fields) + symbolBytes*len(n.Symbols)
	t := &avroType{kind: kind, size: n.Size}
	if logical, ok := avroLogical[n.Type][n.LogicalType]; ok {
		t.kind, t.scale = logical, n.Scale
	}
	if t.kind == avroUUID && n.Size != 16 || t.kind == avroDuration && n.Size != 12 {
		t.kind = avroFixed
	}
	if n.Name != "" {
		// Before the type inside of it, which may refer to it.
		t.name = fullName(n)
		c.named[t.name] = t
	}
	return t, c.compileInside(t, n, depth+1)
}

func (c *avroCompiler) compileInside(t *avroType, n *avro.SchemaNode, depth int) (err error) {
	for _, s := range n.Symbols {
		t.symbols = append(t.symbols, string(appendName(nil, s)))
	}
	for i := range n.Fields {
		f := avroField{name: n.Fields[i].Name, open: "," + string(appendName(nil, n.Fields[i].Name)) + ":"}
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
	if items := n.Items; t.kind == avroArray && items != nil {
		t.items, err = c.compileNode(items, depth)
	} else if values := n.Values; t.kind == avroMap && values != nil {
		t.items, err = c.compileNode(values, depth)
	}
	return err
}

// compileReference finds the type that a name stands for: in this schema, or in one that it
// refers to.
func (c *avroCompiler) compileReference(n *avro.SchemaNode, depth int) (*avroType, error) {
	if t := c.named[n.Type]; t != nil {
		return t, nil
	}
	s, err := n.Schema(avro.WithLaxNames(func(string) error { return nil }))
	if err != nil {
		return nil, fmt.Errorf("the type %s: %w", n.Type, err)
	}
	root := s.Root()
	if _, ok := avroKinds[root.Type]; !ok {
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
