package protobuf

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// MaxDepth is how deep messages may be nested: the limit that other implementations
// have.
const MaxDepth = 100

// The errors that concern a payload. The library's may repeat some of it, and are not passed on.
var (
	errWire  = errors.New("it is not in the wire format of its message, or nested too deep")
	errHeavy = errors.New("it has so many parts that they would take too much memory")
)

// ReadMessage reads a message of one of the file's types.
func (f *File) ReadMessage(payload []byte, typ protoreflect.MessageDescriptor) (protoreflect.Message, error) {
	if len(payload) > light || len(f.holes) > 0 {
		s := messageScale{types: f.types, names: f.names, holes: f.holes}
		if err := s.weighMessage(typ, payload, 1); err != nil {
			return nil, err
		}
	}
	m := dynamicpb.NewMessage(typ)
	read := proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true, RecursionLimit: MaxDepth, Resolver: f.types}
	if err := read.Unmarshal(payload, m); err != nil {
		return nil, errWire
	}
	return m, nil
}

// FitsType reports whether all fields of a payload are fields of a message, each in its wire format. Serializers
// write no others.
func FitsType(t protoreflect.MessageDescriptor, payload []byte) bool { return fitsType(t, payload, 1) }

func fitsType(t protoreflect.MessageDescriptor, b []byte, depth int) bool {
	if depth > MaxDepth {
		return false
	}
	for len(b) > 0 {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(number, typ, b[n:])
		if size < 0 {
			return false
		}
		if !fitsField(t, number, typ, b[n:n+size], depth) {
			return false
		}
		b = b[n+size:]
	}
	return true
}

func fitsField(t protoreflect.MessageDescriptor, number protowire.Number, typ protowire.Type, b []byte, depth int) bool {
	f := t.Fields().ByNumber(number)
	if f == nil {
		return t.ExtensionRanges().Has(number)
	}
	switch f.Kind() {
	case protoreflect.MessageKind:
		content, _ := protowire.ConsumeBytes(b)
		return typ == protowire.BytesType && fitsType(f.Message(), content, depth+1)
	case protoreflect.GroupKind:
		content, _ := protowire.ConsumeGroup(number, b)
		return typ == protowire.StartGroupType && fitsType(f.Message(), content, depth+1)
	case protoreflect.StringKind:
		content, _ := protowire.ConsumeBytes(b)
		return typ == protowire.BytesType && utf8.Valid(content)
	case protoreflect.BytesKind:
		return typ == protowire.BytesType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return typ == protowire.Fixed32Type || typ == protowire.BytesType && f.IsList()
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return typ == protowire.Fixed64Type || typ == protowire.BytesType && f.IsList()
	default:
		return typ == protowire.VarintType || typ == protowire.BytesType && f.IsList()
	}
}
