package protobufjson

import (
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"

	"kafka-firehose/connector/convert/jsontext"
	"kafka-firehose/connector/convert/protobuf"
)

// formError is the error for a part of a message that JSON has no form for.
type formError string

func (e formError) Error() string { return "it has no form as JSON: " + string(e) }

const (
	errFormTime     formError = "a google.protobuf.Timestamp outside of the years 1 to 9999"
	errFormDuration formError = "a google.protobuf.Duration beyond 10,000 years, or of two signs"
	errFormNumber   formError = "a google.protobuf.Value that is NaN or infinite"
	errFormPath     formError = "a google.protobuf.FieldMask with a path that is not in snake_case"
	errFormAny      formError = "a google.protobuf.Any of a type that its schema does not know"
	errFormContent  formError = "a google.protobuf.Any whose value is not of its type"
)

// hasOwnForm reports whether a type is written as something else than its fields.
func hasOwnForm(m protoreflect.MessageDescriptor) bool {
	switch m.FullName() {
	case "google.protobuf.Any", "google.protobuf.FieldMask", "google.protobuf.Empty":
		return true
	}
	form := protoFormOf(m)
	return form != protoObject && form != protoLibrary
}

// writeTime writes the two fields of a Timestamp or a Duration.
func (w *protoWriter) writeTime(m protoreflect.Message, write func([]byte, int64, int64) ([]byte, bool), outOfRange error) error {
	fields := m.Descriptor().Fields()
	out, ok := write(w.dst, m.Get(fields.ByNumber(1)).Int(), m.Get(fields.ByNumber(2)).Int())
	if !ok {
		return outOfRange
	}
	w.dst = out
	return nil
}

// writeDynamic writes a google.protobuf.Value. One that is nothing is null, as most implementations have it.
func (w *protoWriter) writeDynamic(m protoreflect.Message) error {
	f := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if f == nil {
		w.dst = append(w.dst, "null"...)
		return nil
	}
	v := m.Get(f)
	if f.Kind() == protoreflect.DoubleKind && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		return errFormNumber
	}
	return w.writeSingle(f, v)
}

// writeFieldMask writes the paths of a google.protobuf.FieldMask in lowerCamelCase.
func (w *protoWriter) writeFieldMask(m protoreflect.Message) error {
	paths := m.Get(m.Descriptor().Fields().ByNumber(1)).List()
	var all []byte
	for i := range paths.Len() {
		path := paths.Get(i).String()
		if !protoreflect.FullName(path).IsValid() {
			return errFormPath
		}
		if i > 0 {
			all = append(all, ',')
		}
		for at := 0; at < len(path); at++ {
			c := path[at]
			if c == '_' {
				at++
				if at == len(path) || path[at] < 'a' || path[at] > 'z' {
					return errFormPath
				}
				c = path[at] - 'a' + 'A'
			} else if c >= 'A' && c <= 'Z' {
				return errFormPath
			}
			all = append(all, c)
		}
	}
	w.dst = jsontext.AppendText(w.dst, all)
	return nil
}

// writeAny writes the message that is in a google.protobuf.Any, with the address of its type.
func (w *protoWriter) writeAny(m protoreflect.Message) error {
	fields := m.Descriptor().Fields()
	url, content := m.Get(fields.ByNumber(1)).String(), m.Get(fields.ByNumber(2)).Bytes()
	if url == "" && len(content) == 0 {
		w.dst = append(w.dst, "{}"...)
		return nil
	}
	t, err := w.file.Types().FindMessageByURL(url)
	if err != nil {
		return errFormAny
	}
	inside, err := w.file.ReadMessage(content, t.Descriptor())
	if err != nil {
		return errFormContent
	}
	w.dst = append(w.dst, `{"@type":`...)
	w.writeText(url)
	switch {
	case hasOwnForm(t.Descriptor()):
		w.dst = append(w.dst, `,"value":`...)
		err = w.writeMessage(inside)
	case w.depth == protobuf.MaxDepth:
		err = jsontext.ErrDeep
	default:
		w.depth++
		err = w.writeMembers(inside, false)
		w.depth--
	}
	w.dst = append(w.dst, '}')
	return err
}
