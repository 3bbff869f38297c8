package convert

import (
	"errors"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/protobuf"
)

// protobufSchema is a .proto file.
type protobufSchema struct {
	file  *protobuf.File
	types protoTypes
}

func compileProtobuf(d Definition) (Schema, error) {
	imports := map[string]string{}
	for _, r := range d.References {
		imports[r.Name] = r.Text
	}
	file, err := protobuf.Compile(d.Text, imports)
	if err != nil {
		return nil, err
	}
	s := protobufSchema{file, newProtoTypes()}
	file.Each(func(m protoreflect.MessageDescriptor) { s.types.of(m) })
	return s, nil
}

// Weight implements weigher.
func (s protobufSchema) Weight() int { return s.file.Weight() }

// protobufText is where a message is written before its blanks are taken out.
var protobufText = sync.Pool{New: func() any { return new([]byte) }}

// keepText is the capacity above which such a buffer is not kept.
const keepText = 64 << 10

// Append implements Schema.
func (s protobufSchema) Append(dst, payload []byte, index Index, most int) ([]byte, error) {
	m, err := s.message(index)
	if err != nil {
		return dst, err
	}
	r := protoReader{dst: dst, most: len(dst) + most}
	err = r.message(s.types.messages[m.FullName()], payload)
	switch {
	case err == nil && len(r.dst) <= r.most:
		return r.dst, nil
	case errors.Is(err, errLibrary):
		return s.library(dst, payload, m, most)
	default:
		return dst, errTooLong
	}
}

// message finds the type of a payload.
func (s protobufSchema) message(index Index) (protoreflect.MessageDescriptor, error) {
	switch {
	case index.name != "":
		return s.file.Named(index.name)
	case index.sorted:
		return s.file.Sorted(int(index.at[0]))
	}
	return s.file.Message(index.at[:index.depth])
}

// library reads what protoReader does not.
func (s protobufSchema) library(dst, payload []byte, m protoreflect.MessageDescriptor, most int) ([]byte, error) {
	// Packed numbers may become shorter, but not by so much. What a message takes in
	// memory is bounded by its size.
	if len(payload)/4 > most {
		return dst, errTooLong
	}
	text, _ := protobufText.Get().(*[]byte)
	defer func() {
		if cap(*text) <= keepText {
			protobufText.Put(text)
		}
	}()
	var err error
	if *text, err = s.file.AppendJSON((*text)[:0], payload, m); err != nil {
		return dst, err
	}
	// The library puts blanks in here and there, so that nobody relies on them.
	return plainJSON{}.Append(dst, *text, Index{}, most)
}
