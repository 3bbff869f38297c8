package convert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert/jsonschema"
	"kafka-firehose/connector/convert/protobuf"
)

// payload is what a serializer made of a key or a value.
type payload struct {
	ref    Ref
	data   []byte
	index  Index
	decode Schema
}

// Index is the way to a Protobuf message: which of its file, which of those inside of
// that one, and so on. It is passed by value so that it costs no memory.
type Index struct {
	depth int
	at    [maxIndex]int32
}

// FirstMessage is the index of the first message of a file.
var FirstMessage = Index{depth: 1}

// maxIndex is how deep a message may be defined inside of others.
const maxIndex = 16

// The headers in which newer serializers put the schema, instead of before the data.
const (
	keySchemaHeader   = "__key_schema_id"
	valueSchemaHeader = "__value_schema_id"
)

// What a schema's id begins with.
const (
	magicID   = 0 // four bytes follow, the highest first
	magicGUID = 1 // sixteen bytes follow
)

var (
	errNoMagic = errors.New("it does not begin as Schema Registry serializers do, with a 0 and the id of a schema")
	errHeader  = errors.New("the header with the id of its schema holds something else")
	errIndex   = errors.New("the message index is not one")
)

// parse takes data, the key or value of a record with these headers, apart. A header
// of the given name counts before what data begins with. Indexed says that the index
// of a Protobuf message follows the id.
func (p *payload) parse(data []byte, headers []kgo.RecordHeader, name string, indexed bool) (err error) {
	for _, h := range slices.Backward(headers) {
		if h.Key != name {
			continue
		}
		rest, ok := p.id(h.Value)
		if !ok {
			return errHeader
		}
		p.data = data
		if indexed {
			_, err := p.index.parse(rest)
			return err
		}
		return nil
	}
	rest, ok := p.id(data)
	if !ok {
		return errNoMagic
	}
	p.data = rest
	if indexed {
		p.data, err = p.index.parse(rest)
		return err
	}
	return nil
}

func (p *payload) id(b []byte) (rest []byte, ok bool) {
	switch {
	case len(b) >= 5 && b[0] == magicID:
		p.ref.ID = binary.BigEndian.Uint32(b[1:])
		return b[5:], true
	case len(b) >= 17 && b[0] == magicGUID:
		p.ref.GUID = [16]byte(b[1:17])
		return b[17:], p.ref.ByGUID()
	}
	return nil, false
}

// parse reads the number of indexes and the indexes; none stands for the first
// message of the file.
func (x *Index) parse(b []byte) (rest []byte, err error) {
	n, used := binary.Varint(b)
	if used <= 0 || n < 0 || n > maxIndex {
		return nil, errIndex
	}
	b = b[used:]
	if n == 0 {
		x.depth = 1
		return b, nil
	}
	for i := range int(n) {
		v, used := binary.Varint(b)
		if used <= 0 || v < 0 || v > 1<<20 {
			return nil, errIndex
		}
		x.at[i], b = int32(v), b[used:]
	}
	x.depth = int(n)
	return b, nil
}

// append appends the payload as JSON. Where the schema is to blame, the error names it.
func (p *payload) append(dst []byte, most int) ([]byte, error) {
	out, err := p.decode.Append(dst, p.data, p.index, most)
	if blamesSchema(err) {
		err = fmt.Errorf("schema %s: %w", p.ref, err)
	}
	return out, err
}

// blamesSchema reports whether the schema, or a part of it, can't be used for a payload.
func blamesSchema(err error) bool {
	_, hole := errors.AsType[protobuf.HoleError](err)
	return hole || errors.Is(err, jsonschema.ErrSteps) || errors.Is(err, jsonschema.ErrPart)
}
