package convert

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/convert/protobuf"
)

// The forms of Protobuf's JSON, which are the values of RECORD_PROTOBUF_JSON.
const (
	jsonCanonical = "canonical"
	jsonNames     = "proto-names"
	jsonDefaults  = "emit-defaults"
	jsonNumbers   = "int64-numbers"
)

// protobufJSON says how messages are written where that is not the canonical form.
type protobufJSON struct {
	names    bool // of fields, as the schema has them
	defaults bool // of fields without presence, also of empty lists and maps
	numbers  bool // of 64 bits are numbers and no strings
}

func newProtobufJSON(forms []string) protobufJSON {
	return protobufJSON{slices.Contains(forms, jsonNames), slices.Contains(forms, jsonDefaults), slices.Contains(forms, jsonNumbers)}
}

func (j protobufJSON) fieldName(f protoreflect.FieldDescriptor) string {
	if j.names {
		return string(f.Name())
	}
	return f.JSONName()
}

// The ways to count messages in an index, which are the values of RECORD_PROTOBUF_INDEX.
const (
	indexAuto       = "auto"
	indexText       = "text"
	indexDescriptor = "descriptor"
)

// protobufSchema is a .proto file.
type protobufSchema struct {
	file  *protobuf.File
	types protoTypes
	index string
}

func compileProtobuf(cfg Config, d SchemaDefinition) (Schema, error) {
	imports := map[string]string{}
	for _, r := range d.References {
		imports[r.Name] = r.Text
	}
	file, err := protobuf.CompileFile(d.Text, imports)
	if err != nil {
		return nil, err
	}
	s := protobufSchema{file, newProtoTypes(file, newProtobufJSON(cfg.ProtobufJSON)), cfg.ProtobufIndex}
	file.EachMessage(func(m protoreflect.MessageDescriptor) { s.types.typeOf(m) })
	return s, nil
}

// Weight implements schemaWeigher.
func (s protobufSchema) Weight() int { return s.file.Weight() }

// AppendJSON implements Schema.
func (s protobufSchema) AppendJSON(dst, payload []byte, index MessageIndex, most int) ([]byte, error) {
	if index.name != "" || index.sorted {
		m, err := s.messageType(index)
		if err != nil {
			return dst, err
		}
		return s.appendMessage(dst, payload, m, most)
	}
	byText, byDescriptor, err := s.file.MessagesAt(index.at[:index.depth])
	switch {
	case err != nil:
		return dst, err
	case byText == byDescriptor || s.index == indexText:
		return s.appendMessage(dst, payload, byText, most)
	case s.index == indexDescriptor:
		return s.appendMessage(dst, payload, byDescriptor, most)
	}
	return s.appendEither(dst, payload, byText, byDescriptor, most)
}

// appendEither reads a payload as the one of two messages that it fits, or as both if that makes no difference.
func (s protobufSchema) appendEither(dst, payload []byte, byText, byDescriptor protoreflect.MessageDescriptor, most int) ([]byte, error) {
	fitsText, fitsDescriptor := protobuf.FitsType(byText, payload), protobuf.FitsType(byDescriptor, payload)
	switch {
	case fitsText && !fitsDescriptor:
		return s.appendMessage(dst, payload, byText, most)
	case fitsDescriptor && !fitsText:
		return s.appendMessage(dst, payload, byDescriptor, most)
	}
	out, err := s.appendMessage(dst, payload, byText, most)
	if err != nil {
		return dst, err
	}
	other, err := s.appendMessage(nil, payload, byDescriptor, most)
	if err != nil {
		return dst, err
	}
	if !bytes.Equal(out[len(dst):], other) {
		return dst, fmt.Errorf("its message index is that of %s as Java's serializers count, and that of %s as those of Python, Go and .NET do; "+
			"set RECORD_PROTOBUF_INDEX to %s or to %s", byText.FullName(), byDescriptor.FullName(), indexText, indexDescriptor)
	}
	return out, nil
}

func (s protobufSchema) appendMessage(dst, payload []byte, m protoreflect.MessageDescriptor, most int) ([]byte, error) {
	r := protoReader{dst: dst, most: len(dst) + most}
	err := r.readMessage(s.types.messages[m.FullName()], payload)
	switch {
	case err == nil && len(r.dst) <= r.most:
		return r.dst, nil
	case errors.Is(err, errLibrary):
		return s.appendByLibrary(dst, payload, m, most)
	default:
		return dst, jsontext.ErrTooLong
	}
}

// messageType finds the type of a payload that names it, or counts all types by their names.
func (s protobufSchema) messageType(index MessageIndex) (protoreflect.MessageDescriptor, error) {
	if index.name != "" {
		return s.file.NamedMessage(index.name)
	}
	return s.file.SortedMessage(int(index.at[0]))
}

// appendByLibrary reads what protoReader does not.
func (s protobufSchema) appendByLibrary(dst, payload []byte, typ protoreflect.MessageDescriptor, most int) ([]byte, error) {
	// Packed numbers may become shorter, but not by that much. The memory of a message
	// is bounded by its size.
	if len(payload)/4 > most {
		return dst, jsontext.ErrTooLong
	}
	m, err := s.file.ReadMessage(payload, typ)
	if err != nil {
		return dst, err
	}
	w := protoWriter{dst: dst, most: len(dst) + most, file: s.file, types: s.types, json: s.types.json}
	switch err := w.writeMessage(m); {
	case err != nil:
		return dst, err
	case len(w.dst) > w.most:
		return dst, jsontext.ErrTooLong
	}
	return w.dst, nil
}
