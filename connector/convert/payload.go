package convert

import (
	"encoding/binary"
	"errors"
	"fmt"

	"kafka-firehose/connector/convert/jsonschema"
	"kafka-firehose/connector/convert/protobuf"
)

// payload is what a serializer made of a key or a value.
type payload struct {
	ref      SchemaRef
	data     []byte
	index    MessageIndex
	decode   Schema
	inflated *inflatedValue // that data is in; nil for data that was not compressed
}

// MessageIndex is the way to a Protobuf message: which of its file, which of those inside of
// that one, and so on. It is passed by value so that it costs no memory.
type MessageIndex struct {
	depth  int
	at     [maxIndex]int32
	sorted bool   // at[0] counts all messages of the file by their full name
	name   string // of the message; nothing else counts then
}

// FirstMessage is the index of the first message of a file.
var FirstMessage = MessageIndex{depth: 1}

// maxIndex is how deep a message may be defined inside of others.
const maxIndex = 16

var errIndex = errors.New("the message index is not one")

// parseIndex reads the number of indexes and the indexes; none stands for the first
// message of the file.
func (x *MessageIndex) parseIndex(b []byte) (rest []byte, err error) {
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

// appendJSON appends the payload as JSON. Where the schema is to blame, the error names it.
func (p *payload) appendJSON(dst []byte, most int) ([]byte, error) {
	out, err := p.decode.AppendJSON(dst, p.data, p.index, most)
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
