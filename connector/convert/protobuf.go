package convert

import (
	"bytes"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/protobuf"
	"kafka-firehose/connector/convert/protobufjson"
)

// The forms of Protobuf's JSON, which are the values of RECORD_PROTOBUF_JSON.
const (
	jsonCanonical = "canonical"
	jsonNames     = "proto-names"
	jsonDefaults  = "emit-defaults"
	jsonNumbers   = "int64-numbers"
)

// The ways to count messages in an index, which are the values of RECORD_PROTOBUF_INDEX.
const (
	indexAuto       = "auto"
	indexText       = "text"
	indexDescriptor = "descriptor"
)

// protobufSchema is a .proto file.
type protobufSchema struct {
	file  *protobuf.File
	json  *protobufjson.Converter
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
	forms := protobufjson.Forms{
		Names: slices.Contains(cfg.ProtobufJSON, jsonNames), Defaults: slices.Contains(cfg.ProtobufJSON, jsonDefaults),
		Numbers: slices.Contains(cfg.ProtobufJSON, jsonNumbers),
	}
	return protobufSchema{file, protobufjson.New(file, forms), cfg.ProtobufIndex}, nil
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
		return s.json.AppendMessage(dst, payload, m, most)
	}
	byText, byDescriptor, err := s.file.MessagesAt(index.at[:index.depth])
	switch {
	case err != nil:
		return dst, err
	case byText == byDescriptor || s.index == indexText:
		return s.json.AppendMessage(dst, payload, byText, most)
	case s.index == indexDescriptor:
		return s.json.AppendMessage(dst, payload, byDescriptor, most)
	}
	return s.appendEither(dst, payload, byText, byDescriptor, most)
}

// appendEither reads a payload as the one of two messages that it fits, or as both if that makes no difference.
func (s protobufSchema) appendEither(dst, payload []byte, byText, byDescriptor protoreflect.MessageDescriptor, most int) ([]byte, error) {
	fitsText, fitsDescriptor := protobuf.FitsType(byText, payload), protobuf.FitsType(byDescriptor, payload)
	switch {
	case fitsText && !fitsDescriptor:
		return s.json.AppendMessage(dst, payload, byText, most)
	case fitsDescriptor && !fitsText:
		return s.json.AppendMessage(dst, payload, byDescriptor, most)
	}
	out, err := s.json.AppendMessage(dst, payload, byText, most)
	if err != nil {
		return dst, err
	}
	other, err := s.json.AppendMessage(nil, payload, byDescriptor, most)
	if err != nil {
		return dst, err
	}
	if !bytes.Equal(out[len(dst):], other) {
		return dst, fmt.Errorf("its message index is that of %s as Java's serializers count, and that of %s as those of Python, Go and .NET do; "+
			"set RECORD_PROTOBUF_INDEX to %s or to %s", byText.FullName(), byDescriptor.FullName(), indexText, indexDescriptor)
	}
	return out, nil
}

// messageType finds the type of a payload that names it, or counts all types by their names.
func (s protobufSchema) messageType(index MessageIndex) (protoreflect.MessageDescriptor, error) {
	if index.name != "" {
		return s.file.NamedMessage(index.name)
	}
	return s.file.SortedMessage(int(index.at[0]))
}
