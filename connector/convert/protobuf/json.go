package protobuf

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// mostDepth is how deep messages may be nested: the limit that other implementations
// have.
const mostDepth = 100

// The errors that concern a payload. What the library says about it may repeat some of
// it, and is not passed on.
var (
	errWire  = errors.New("it is not in the wire format of its message, or nested too deep")
	errHeavy = errors.New("it has so many parts that they would take too much memory")
	errJSON  = errors.New("it has no form as JSON: a time out of range, or an Any of a type that its schema does not know")
)

// Message returns the message type that index leads to: which of the file, which of
// those inside of that one, and so on.
func (f *File) Message(index []int32) (protoreflect.MessageDescriptor, error) {
	var found *message
	for at, i := range index {
		from := f.messages
		if at > 0 {
			from = found.inside
		}
		if i < 0 || int(i) >= len(from) {
			return nil, fmt.Errorf("its schema has no message %d at depth %d", i, at+1)
		}
		found = from[i]
	}
	if found == nil {
		return nil, errors.New("the message index is empty")
	}
	return found.typ, nil
}

// Each calls f for each message type that an index can lead to.
func (f *File) Each(do func(protoreflect.MessageDescriptor)) { each(f.messages, do) }

func each(messages []*message, do func(protoreflect.MessageDescriptor)) {
	for _, m := range messages {
		do(m.typ)
		each(m.inside, do)
	}
}

// AppendJSON appends a message of one of the file's types. Blanks are where the library
// puts them.
func (f *File) AppendJSON(dst, payload []byte, typ protoreflect.MessageDescriptor) ([]byte, error) {
	if len(payload) > light {
		s := scale{types: f.types}
		if err := s.message(typ, payload, 1); err != nil {
			return dst, err
		}
	}
	m := dynamicpb.NewMessage(typ)
	read := proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true, RecursionLimit: mostDepth, Resolver: f.types}
	if err := read.Unmarshal(payload, m); err != nil {
		return dst, errWire
	}
	out, err := protojson.MarshalOptions{AllowPartial: true, Resolver: f.types}.MarshalAppend(dst, m)
	if err != nil {
		return dst, errJSON
	}
	return out, nil
}
