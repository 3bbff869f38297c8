package protobufjson

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/convert/protobuf"
)

// protoWriter writes messages that the library has read, those that protoReader leaves to it.
type protoWriter struct {
	dst   []byte
	most  int // length that dst may have
	depth int
	file  *protobuf.File
	types protoTypes
	json  Forms

	defaults map[protoreflect.FullName][]protoreflect.FieldDescriptor // of the messages so far
}

func (w *protoWriter) writeMessage(m protoreflect.Message) (err error) {
	switch {
	case len(w.dst) > w.most:
		return jsontext.ErrTooLong
	case w.depth == protobuf.MaxDepth:
		return jsontext.ErrDeep
	}
	w.depth++
	name, standard := strings.CutPrefix(string(m.Descriptor().FullName()), "google.protobuf.")
	if !standard {
		name = ""
	}
	switch fields := m.Descriptor().Fields(); name {
	case "Any":
		err = w.writeAny(m)
	case "Timestamp":
		err = w.writeTime(m, appendProtoTimestamp, errFormTime)
	case "Duration":
		err = w.writeTime(m, appendProtoDuration, errFormDuration)
	case "FieldMask":
		err = w.writeFieldMask(m)
	case "Struct", "ListValue":
		err = w.writeValue(fields.ByNumber(1), m.Get(fields.ByNumber(1)))
	case "Value":
		err = w.writeDynamic(m)
	default:
		if protoFormOf(m.Descriptor()) == protoWrapper {
			err = w.writeSingle(fields.ByNumber(1), m.Get(fields.ByNumber(1)))
			break
		}
		w.dst = append(w.dst, '{')
		err = w.writeMembers(m, true)
		w.dst = append(w.dst, '}')
	}
	w.depth--
	return err
}

// writeMembers writes the fields of a message in the order of its schema, and then its extensions by their names. It
// looks at those fields alone that are written: a message may have thousands of others.
func (w *protoWriter) writeMembers(m protoreflect.Message, first bool) error {
	var fields []protoreflect.FieldDescriptor
	if w.json.Defaults {
		for _, f := range w.defaultsOf(m.Descriptor()) {
			if !m.Has(f) {
				fields = append(fields, f)
			}
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fields = append(fields, f)
		return true
	})
	slices.SortFunc(fields, compareFields)
	for _, f := range fields {
		name := w.json.fieldName(f)
		if f.IsExtension() {
			name = "[" + string(f.FullName()) + "]"
		}
		if err := w.writeMember(f, name, m.Get(f), first); err != nil {
			return err
		}
		first = false
	}
	return nil
}

func compareFields(a, b protoreflect.FieldDescriptor) int {
	switch {
	case a.IsExtension() && b.IsExtension():
		return strings.Compare(string(a.FullName()), string(b.FullName()))
	case a.IsExtension():
		return 1
	case b.IsExtension():
		return -1
	}
	return a.Index() - b.Index()
}

// defaultsOf are the fields of a message that are written although they are not there.
func (w *protoWriter) defaultsOf(t protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if fields, ok := w.defaults[t.FullName()]; ok {
		return fields
	}
	var fields []protoreflect.FieldDescriptor
	for i := range t.Fields().Len() {
		if f := t.Fields().Get(i); !f.HasPresence() {
			fields = append(fields, f)
		}
	}
	if w.defaults == nil {
		w.defaults = map[protoreflect.FullName][]protoreflect.FieldDescriptor{}
	}
	w.defaults[t.FullName()] = fields
	return fields
}

func (w *protoWriter) writeMember(f protoreflect.FieldDescriptor, name string, v protoreflect.Value, first bool) error {
	if !first {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(jsontext.AppendName(w.dst, name), ':')
	return w.nameError(f, w.writeValue(f, v))
}

// nameError tells which field an error is about.
func (w *protoWriter) nameError(f protoreflect.FieldDescriptor, err error) error {
	if err == nil || errors.Is(err, jsontext.ErrTooLong) || errors.Is(err, jsontext.ErrDeep) || w.depth > jsontext.NamedDepth {
		return err
	}
	return fmt.Errorf("%s: %w", f.Name(), err)
}

// writeValue writes all that a field holds.
func (w *protoWriter) writeValue(f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	switch {
	case f.IsMap():
		return w.writeEntries(f, v.Map())
	case !f.IsList():
		return w.writeSingle(f, v)
	}
	w.dst = append(w.dst, '[')
	for i := range v.List().Len() {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if err := w.writeSingle(f, v.List().Get(i)); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// writeEntries writes a map in the order of its keys.
func (w *protoWriter) writeEntries(f protoreflect.FieldDescriptor, m protoreflect.Map) error {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, compareKeys)
	w.dst = append(w.dst, '{')
	for i, k := range keys {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.writeText(k.String())
		w.dst = append(w.dst, ':')
		if err := w.writeSingle(f.MapValue(), m.Get(k)); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, '}')
	return nil
}

func compareKeys(a, b protoreflect.MapKey) int {
	switch a.Interface().(type) {
	case bool, string:
		return strings.Compare(a.String(), b.String()) // false is before true
	case int32, int64:
		return cmp.Compare(a.Int(), b.Int())
	}
	return cmp.Compare(a.Uint(), b.Uint())
}

// writeSingle writes one value of a field.
func (w *protoWriter) writeSingle(f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	if len(w.dst) > w.most {
		return jsontext.ErrTooLong
	}
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return w.writeMessage(v.Message())
	case protoreflect.BoolKind:
		w.dst = strconv.AppendBool(w.dst, v.Bool())
	case protoreflect.EnumKind:
		w.writeSymbol(f.Enum(), v.Enum())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		w.dst = strconv.AppendInt(w.dst, v.Int(), 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		w.dst = strconv.AppendUint(w.dst, v.Uint(), 10)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		w.dst = appendLong(w.dst, v.Int(), w.json.Numbers)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.dst = appendUlong(w.dst, v.Uint(), w.json.Numbers)
	case protoreflect.FloatKind:
		w.dst = jsontext.AppendFloat(w.dst, v.Float(), 32)
	case protoreflect.DoubleKind:
		w.dst = jsontext.AppendFloat(w.dst, v.Float(), 64)
	case protoreflect.StringKind:
		w.writeText(v.String())
	default:
		w.dst = jsontext.AppendBase64(w.dst, v.Bytes())
	}
	return nil
}

// writeText writes a string. In one of proto2, bytes that are no UTF-8 become U+FFFD, as Java's printer has it.
func (w *protoWriter) writeText(s string) {
	w.dst = jsontext.AppendText(w.dst, []byte(string([]rune(s))))
}

func (w *protoWriter) writeSymbol(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) {
	if e.FullName() == "google.protobuf.NullValue" {
		w.dst = append(w.dst, "null"...)
		return
	}
	if symbols, ok := w.types.enums[e.FullName()]; ok {
		if name, ok := symbols[n]; ok {
			w.dst = append(w.dst, name...)
			return
		}
	} else if name, ok := w.file.EnumNames(e)[n]; ok {
		w.dst = jsontext.AppendName(w.dst, name)
		return
	}
	w.dst = strconv.AppendInt(w.dst, int64(n), 10)
}
