// Package protobufjson writes Protobuf messages as JSON, in the form of ProtoJSON or in the forms that RECORD_PROTOBUF_JSON chooses. It reads most messages by
// itself, without an object for each; the library reads the rest.
package protobufjson

import (
	"errors"

	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/convert/protobuf"
)

// Forms says how messages are written where that is not the canonical form.
type Forms struct {
	Names    bool // of fields, as the schema has them
	Defaults bool // of fields without presence, also of empty lists and maps
	Numbers  bool // of 64 bits are numbers and no strings
}

func (j Forms) fieldName(f protoreflect.FieldDescriptor) string {
	if j.Names {
		return string(f.Name())
	}
	return f.JSONName()
}

// Converter writes the messages of one file. It has no state and is safe for concurrent use.
type Converter struct {
	file  *protobuf.File
	types protoTypes
}

// New prepares all messages of a file.
func New(file *protobuf.File, forms Forms) *Converter {
	c := &Converter{file, newProtoTypes(file, forms)}
	file.EachMessage(func(m protoreflect.MessageDescriptor) { c.types.typeOf(m) })
	return c
}

// AppendMessage appends payload, a message of type m of the file, as JSON without blanks, and no more than most bytes and a few. Errors carry no payload, and
// bytes appended with an error are to be discarded; jsontext.ErrTooLong says that most was not enough.
func (c *Converter) AppendMessage(dst, payload []byte, m protoreflect.MessageDescriptor, most int) ([]byte, error) {
	r := protoReader{dst: dst, most: len(dst) + most}
	err := r.readMessage(c.types.messages[m.FullName()], payload)
	switch {
	case err == nil && len(r.dst) <= r.most:
		return r.dst, nil
	case errors.Is(err, errLibrary):
		return c.appendByLibrary(dst, payload, m, most)
	default:
		return dst, jsontext.ErrTooLong
	}
}

// appendByLibrary reads what protoReader does not.
func (c *Converter) appendByLibrary(dst, payload []byte, typ protoreflect.MessageDescriptor, most int) ([]byte, error) {
	// Packed numbers may become shorter, but not by that much. The memory of a message
	// is bounded by its size.
	if len(payload)/4 > most {
		return dst, jsontext.ErrTooLong
	}
	m, err := c.file.ReadMessage(payload, typ)
	if err != nil {
		return dst, err
	}
	w := protoWriter{dst: dst, most: len(dst) + most, file: c.file, types: c.types, json: c.types.json}
	switch err := w.writeMessage(m); {
	case err != nil:
		return dst, err
	case len(w.dst) > w.most:
		return dst, jsontext.ErrTooLong
	}
	return w.dst, nil
}
