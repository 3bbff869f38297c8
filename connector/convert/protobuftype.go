package convert

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// protoForm is how a message is written.
type protoForm uint8

const (
	protoObject    protoForm = iota
	protoTimestamp           // google.protobuf.Timestamp
	protoDuration            // google.protobuf.Duration
	protoStruct              // google.protobuf.Struct: any JSON object
	protoList                // google.protobuf.ListValue: any JSON array
	protoValue               // google.protobuf.Value: any JSON
	protoWrapper             // google.protobuf.Int64Value and the like: the value alone
	protoLibrary             // all that has a form of its own and is not written here
)

// protoType is a message type as protoReader needs it. Types may be in themselves.
type protoType struct {
	form   protoForm
	fields map[protowire.Number]*protoField
	others protoreflect.FieldRanges // numbers of extensions, which are not read here
}

type protoField struct {
	at       int    // its place, below mostFields
	name     string // "name":
	kind     protoreflect.Kind
	wire     protowire.Type // of one value
	list     bool
	entries  bool   // of a map
	presence bool   // a zero that is there is told
	oneof    int    // from 1 on, 0 for none
	zero     string // what is written for a value that is not there, empty for what has none
	symbols  map[protoreflect.EnumNumber]string
	closed   bool // other numbers than those of symbols are not this enum's
	typ      *protoType
}

// mostFields is how many fields, and oneofs, a message has at most that is read here.
const mostFields = 256

// protoTypes makes the type of a message, with those that it is made of, and the names of
// an enum, once for all fields that have it.
type protoTypes struct {
	messages map[protoreflect.FullName]*protoType
	enums    map[protoreflect.FullName]map[protoreflect.EnumNumber]string
}

func newProtoTypes() protoTypes {
	return protoTypes{map[protoreflect.FullName]*protoType{}, map[protoreflect.FullName]map[protoreflect.EnumNumber]string{}}
}

func (all protoTypes) of(m protoreflect.MessageDescriptor) *protoType {
	if t := all.messages[m.FullName()]; t != nil {
		return t
	}
	t := &protoType{form: protoFormOf(m), fields: map[protowire.Number]*protoField{}, others: m.ExtensionRanges()}
	all.messages[m.FullName()] = t // before its fields, which may be of it
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		t.fields[f.Number()] = all.field(f, i)
	}
	return t
}

func protoFormOf(m protoreflect.MessageDescriptor) protoForm {
	if options, ok := m.Options().(*descriptorpb.MessageOptions); ok && options.GetMessageSetWireFormat() {
		return protoLibrary
	}
	if m.Fields().Len() > mostFields || m.Oneofs().Len() >= mostFields {
		return protoLibrary
	}
	name, standard := strings.CutPrefix(string(m.FullName()), "google.protobuf.")
	if !standard {
		return protoObject
	}
	switch name {
	case "Empty":
		return protoObject
	case "Timestamp":
		return protoTimestamp
	case "Duration":
		return protoDuration
	case "Struct":
		return protoStruct
	case "ListValue":
		return protoList
	case "Value":
		return protoValue
	case "BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue", "StringValue", "BytesValue":
		return protoWrapper
	default:
		return protoLibrary
	}
}

func (all protoTypes) field(f protoreflect.FieldDescriptor, at int) *protoField {
	p := &protoField{
		at: at, name: string(appendName(nil, f.JSONName())) + ":", kind: f.Kind(), wire: protoWire(f.Kind()),
		list: f.IsList(), entries: f.IsMap(), presence: f.HasPresence(), zero: protoZero(f.Kind()),
	}
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		p.oneof = o.Index() + 1
	}
	if e := f.Enum(); e != nil {
		p.closed, p.symbols = e.IsClosed(), all.symbols(e)
		if e.FullName() == "google.protobuf.NullValue" {
			p.typ = &protoType{form: protoLibrary}
		}
	}
	if m := f.Message(); m != nil {
		p.typ = all.of(m)
	}
	return p
}

// symbols are the names of an enum, as JSON strings.
func (all protoTypes) symbols(e protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]string {
	symbols := all.enums[e.FullName()]
	if symbols != nil {
		return symbols
	}
	symbols = map[protoreflect.EnumNumber]string{}
	for i := range e.Values().Len() {
		// Of two names for a number the first counts.
		v := e.Values().Get(i)
		if _, ok := symbols[v.Number()]; !ok {
			symbols[v.Number()] = string(appendName(nil, string(v.Name())))
		}
	}
	all.enums[e.FullName()] = symbols
	return symbols
}

// protoWire is how one value of a kind is on the wire.
func protoWire(k protoreflect.Kind) protowire.Type {
	switch k {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType // which is not read here
	default:
		return protowire.VarintType
	}
}

// protoZero is the JSON of the value that is not there.
func protoZero(k protoreflect.Kind) string {
	switch k {
	case protoreflect.BoolKind:
		return "false"
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind,
		protoreflect.FloatKind, protoreflect.DoubleKind:
		return "0"
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return `"0"`
	case protoreflect.StringKind, protoreflect.BytesKind:
		return `""`
	default:
		return ""
	}
}
