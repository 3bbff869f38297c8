package protobufjson

import (
	"cmp"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/convert/protobuf"
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
	form     protoForm
	fields   map[protowire.Number]*protoField
	others   protoreflect.FieldRanges    // numbers of extensions, which are not read here
	holes    map[protowire.Number]string // of fields that can't be read
	defaults []*protoField               // those that are written although they are not there
}

type protoField struct {
	at       int    // its place, below maxFields
	name     string // "name":
	kind     protoreflect.Kind
	wire     protowire.Type // of one value
	list     bool
	entries  bool   // of a map
	presence bool   // a zero that is present is written
	oneof    int    // from 1 on, 0 for none
	zero     string // the output for a value that is absent, empty for a type without zero
	unset    string // the output for the field if it is absent, as one of the defaults
	bare     bool   // numbers of 64 bits are not quoted
	symbols  map[protoreflect.EnumNumber]string
	closed   bool // other numbers than those of symbols are not this enum's
	typ      *protoType
}

// maxFields is how many fields, and oneofs, a message has at most that is read here.
const maxFields = 256

// protoTypes makes the type of a message, with those that it is made of, and the names of
// an enum, once for all fields that have it.
type protoTypes struct {
	file     *protobuf.File
	json     Forms
	messages map[protoreflect.FullName]*protoType
	enums    map[protoreflect.FullName]map[protoreflect.EnumNumber]string
}

func newProtoTypes(file *protobuf.File, form Forms) protoTypes {
	return protoTypes{file, form, map[protoreflect.FullName]*protoType{}, map[protoreflect.FullName]map[protoreflect.EnumNumber]string{}}
}

func (all protoTypes) typeOf(m protoreflect.MessageDescriptor) *protoType {
	if t := all.messages[m.FullName()]; t != nil {
		return t
	}
	t := &protoType{form: protoFormOf(m), fields: map[protowire.Number]*protoField{}, others: m.ExtensionRanges(), holes: all.file.FieldHoles(m.FullName())}
	if t.holes[protobuf.WholeMessage] != "" || len(t.holes) > 0 && t.form != protoObject {
		t.form = protoLibrary
	}
	all.messages[m.FullName()] = t // before its fields, which may be of it
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		p := all.fieldOf(f, i)
		t.fields[f.Number()] = p
		if all.json.Defaults && !f.HasPresence() {
			t.defaults = append(t.defaults, p)
		}
	}
	return t
}

func protoFormOf(m protoreflect.MessageDescriptor) protoForm {
	if m.Fields().Len() > maxFields || m.Oneofs().Len() >= maxFields {
		return protoLibrary
	}
	name, standard := strings.CutPrefix(string(m.FullName()), "google.protobuf.")
	if !standard {
		return protoObject
	}
	if form, known := standardForms[name]; known {
		return form
	}
	return protoLibrary
}

// standardForms are those of the messages in google.protobuf that are read here.
var standardForms = map[string]protoForm{
	"Empty": protoObject, "Timestamp": protoTimestamp, "Duration": protoDuration, "Struct": protoStruct, "ListValue": protoList, "Value": protoValue,
	"BoolValue": protoWrapper, "Int32Value": protoWrapper, "Int64Value": protoWrapper, "UInt32Value": protoWrapper, "UInt64Value": protoWrapper,
	"FloatValue": protoWrapper, "DoubleValue": protoWrapper, "StringValue": protoWrapper, "BytesValue": protoWrapper,
}

func (all protoTypes) fieldOf(f protoreflect.FieldDescriptor, at int) *protoField {
	p := &protoField{
		at: at, name: string(jsontext.AppendName(nil, all.json.fieldName(f))) + ":", kind: f.Kind(), wire: protoWire(f.Kind()),
		list: f.IsList(), entries: f.IsMap(), presence: f.HasPresence(), zero: protoZero(f.Kind(), all.json.Numbers),
		bare: all.json.Numbers,
	}
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		p.oneof = o.Index() + 1
	}
	p.unset = p.zero
	if e := f.Enum(); e != nil {
		p.closed, p.symbols = e.IsClosed(), all.symbolsOf(e)
		if e.FullName() == "google.protobuf.NullValue" {
			p.typ = &protoType{form: protoLibrary}
		}
		p.unset = cmp.Or(p.symbols[0], "0")
		if p.typ != nil {
			p.unset = "null"
		}
	}
	if m := f.Message(); m != nil {
		p.typ = all.typeOf(m)
	}
	switch {
	case f.IsMap():
		p.unset = "{}"
	case f.IsList():
		p.unset = "[]"
	}
	return p
}

// symbolsOf are the names of an enum, as JSON strings.
func (all protoTypes) symbolsOf(e protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]string {
	symbols := all.enums[e.FullName()]
	if symbols != nil {
		return symbols
	}
	symbols = map[protoreflect.EnumNumber]string{}
	for n, name := range all.file.EnumNames(e) {
		symbols[n] = string(jsontext.AppendName(nil, name))
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
func protoZero(k protoreflect.Kind, numbers bool) string {
	switch k {
	case protoreflect.BoolKind:
		return "false"
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind,
		protoreflect.FloatKind, protoreflect.DoubleKind:
		return "0"
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		if numbers {
			return "0"
		}
		return `"0"`
	case protoreflect.StringKind, protoreflect.BytesKind:
		return `""`
	default:
		return ""
	}
}
