package convert

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/protobuf"
)

// protoWriter writes messages that the library has read, those that protoReader leaves to it.
type protoWriter struct {
	dst   []byte
	most  int // length that dst may have
	depth int
	file  *protobuf.File
	types protoTypes
	json  protobufJSON
}

func (w *protoWriter) message(m protoreflect.Message) (err error) {
	switch {
	case len(w.dst) > w.most:
		return errTooLong
	case w.depth == protobuf.MaxDepth:
		return errDeep
	}
	w.depth++
	name, standard := strings.CutPrefix(string(m.Descriptor().FullName()), "google.protobuf.")
	if !standard {
		name = ""
	}
	switch fields := m.Descriptor().Fields(); name {
	case "Any":
		err = w.any(m)
	case "Timestamp":
		err = w.time(m, appendProtoTimestamp, errFormTime)
	case "Duration":
		err = w.time(m, appendProtoDuration, errFormDuration)
	case "FieldMask":
		err = w.mask(m)
	case "Struct", "ListValue":
		err = w.value(fields.ByNumber(1), m.Get(fields.ByNumber(1)))
	case "Value":
		err = w.anything(m)
	default:
		if protoFormOf(m.Descriptor()) == protoWrapper {
			err = w.single(fields.ByNumber(1), m.Get(fields.ByNumber(1)))
			break
		}
		w.dst = append(w.dst, '{')
		err = w.members(m, true)
		w.dst = append(w.dst, '}')
	}
	w.depth--
	return err
}

// members writes the fields of a message in the order of its schema, and then its extensions by their names.
func (w *protoWriter) members(m protoreflect.Message, first bool) error {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) && (!w.json.defaults || f.HasPresence()) {
			continue
		}
		if err := w.member(f, w.json.name(f), m.Get(f), first); err != nil {
			return err
		}
		first = false
	}
	if m.Descriptor().ExtensionRanges().Len() == 0 {
		return nil
	}
	var extensions []protoreflect.FieldDescriptor
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.IsExtension() {
			extensions = append(extensions, f)
		}
		return true
	})
	slices.SortFunc(extensions, func(a, b protoreflect.FieldDescriptor) int {
		return strings.Compare(string(a.FullName()), string(b.FullName()))
	})
	for _, f := range extensions {
		if err := w.member(f, "["+string(f.FullName())+"]", m.Get(f), first); err != nil {
			return err
		}
		first = false
	}
	return nil
}

func (w *protoWriter) member(f protoreflect.FieldDescriptor, name string, v protoreflect.Value, first bool) error {
	if !first {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(appendName(w.dst, name), ':')
	return w.named(f, w.value(f, v))
}

// named tells which field an error is about.
func (w *protoWriter) named(f protoreflect.FieldDescriptor, err error) error {
	if err == nil || errors.Is(err, errTooLong) || errors.Is(err, errDeep) || w.depth > namedDepth {
		return err
	}
	return fmt.Errorf("%s: %w", f.Name(), err)
}

// value writes all that a field holds.
func (w *protoWriter) value(f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	switch {
	case f.IsMap():
		return w.entries(f, v.Map())
	case !f.IsList():
		return w.single(f, v)
	}
	w.dst = append(w.dst, '[')
	for i := range v.List().Len() {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if err := w.single(f, v.List().Get(i)); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// entries writes a map in the order of its keys.
func (w *protoWriter) entries(f protoreflect.FieldDescriptor, m protoreflect.Map) error {
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
		w.text(k.String())
		w.dst = append(w.dst, ':')
		if err := w.single(f.MapValue(), m.Get(k)); err != nil {
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
		if a.Int() < b.Int() {
			return -1
		}
		return 1
	}
	if a.Uint() < b.Uint() {
		return -1
	}
	return 1
}

// single writes one value of a field.
func (w *protoWriter) single(f protoreflect.FieldDescriptor, v protoreflect.Value) error {
	if len(w.dst) > w.most {
		return errTooLong
	}
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return w.message(v.Message())
	case protoreflect.BoolKind:
		w.dst = strconv.AppendBool(w.dst, v.Bool())
	case protoreflect.EnumKind:
		w.symbol(f.Enum(), v.Enum())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		w.dst = strconv.AppendInt(w.dst, v.Int(), 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		w.dst = strconv.AppendUint(w.dst, v.Uint(), 10)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		w.dst = appendLong(w.dst, v.Int(), w.json.numbers)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.dst = appendUlong(w.dst, v.Uint(), w.json.numbers)
	case protoreflect.FloatKind:
		w.dst = appendFloat(w.dst, v.Float(), 32)
	case protoreflect.DoubleKind:
		w.dst = appendFloat(w.dst, v.Float(), 64)
	case protoreflect.StringKind:
		w.text(v.String())
	default:
		w.dst = appendBase64(w.dst, v.Bytes())
	}
	return nil
}

// text writes a string. In one of proto2, bytes that are no UTF-8 become U+FFFD, as Java's printer has it.
func (w *protoWriter) text(s string) {
	w.dst = appendText(w.dst, []byte(string([]rune(s))))
}

func (w *protoWriter) symbol(e protoreflect.EnumDescriptor, n protoreflect.EnumNumber) {
	if e.FullName() == "google.protobuf.NullValue" {
		w.dst = append(w.dst, "null"...)
		return
	}
	if symbols, ok := w.types.enums[e.FullName()]; ok {
		if name, ok := symbols[n]; ok {
			w.dst = append(w.dst, name...)
			return
		}
	} else if name, ok := w.file.Names(e)[n]; ok {
		w.dst = appendName(w.dst, name)
		return
	}
	w.dst = strconv.AppendInt(w.dst, int64(n), 10)
}
