package protobuf

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// What a part of a message takes in memory while it becomes JSON, in bytes: little on
// the wire may be much there. The JSON of the part is in it.
const (
	messageWeight = 500
	valueWeight   = 64
	enumWeight    = 128 // with its name, unless that is longer
	groupWeight   = 8   // of each byte of a group, which is read once more for each group around it
)

// maxWeight bounds what one payload may take. A million bytes of JSON, which is what
// Firehose takes, hold no more messages with something in them than this is for.
const maxWeight = 80 << 20

// light is the size up to which no payload can be too heavy.
const light = 64 << 10

// messageScale weighs a payload before anything is made of it.
type messageScale struct {
	types  *dynamicpb.Types // finds what a payload names and its message type does not
	names  enumNames
	holes  fieldHoles
	weight int
	enums  map[protoreflect.FullName]int // what a value of an enum weighs
}

// HoleError is the error for a payload with a part that the schema leaves undefined.
type HoleError struct {
	message protoreflect.FullName
	reason  string
}

func (h HoleError) Error() string {
	return "a part of its " + string(h.message) + " can't be read: " + h.reason
}

// weighMessage adds a message of type t. It is an error when the payload is too heavy or too
// deep: an Any inside of an Any is a level, too, though the library does not count it.
// Faults of the wire format are left to the library.
func (s *messageScale) weighMessage(t protoreflect.MessageDescriptor, b []byte, depth int) error {
	if depth > MaxDepth {
		return errWire
	}
	s.weight += messageWeight
	holes := s.holes[t.FullName()]
	if reason := holes[WholeMessage]; reason != "" {
		return HoleError{t.FullName(), reason}
	}
	if t.IsMapEntry() { // its value is written although it is not there
		if e := t.Fields().ByNumber(2).Enum(); e != nil {
			s.weight += s.weighEnum(e)
		}
	}
	var url string
	var packed []byte // of an Any
	for len(b) > 0 && s.weight <= maxWeight {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, typ, b); n < 0 {
			return nil
		}
		field := b[:n]
		b = b[n:]
		if reason := holes[number]; reason != "" {
			return HoleError{t.FullName(), reason}
		}
		if t.FullName() == "google.protobuf.Any" && typ == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(field)
			s.weight += len(content)
			switch number {
			case 1:
				url = string(content)
			case 2:
				packed = content
			default: // left out
			}
			continue
		}
		if err := s.weighField(s.knownField(t, number), typ, field, depth); err != nil {
			return err
		}
	}
	if s.weight > maxWeight {
		return errHeavy
	}
	if packed == nil {
		return nil
	}
	inside, err := s.types.FindMessageByURL(url)
	if err != nil {
		return nil //nolint:nilerr // it is for the library to say
	}
	return s.weighMessage(inside.Descriptor(), packed, depth+1)
}

// knownField finds a field, nil for one that will be left out.
func (s *messageScale) knownField(t protoreflect.MessageDescriptor, number protoreflect.FieldNumber) protoreflect.FieldDescriptor {
	if f := t.Fields().ByNumber(number); f != nil || !t.ExtensionRanges().Has(number) {
		return f
	}
	x, err := s.types.FindExtensionByNumber(t.FullName(), number)
	if err != nil {
		return nil
	}
	return x.TypeDescriptor()
}

// weighField adds a field, or one entry of it.
func (s *messageScale) weighField(f protoreflect.FieldDescriptor, typ protowire.Type, b []byte, depth int) error {
	if f == nil {
		return nil
	}
	s.weight += len(f.JSONName())
	if inside := f.Message(); inside != nil {
		switch typ {
		case protowire.BytesType:
			b, _ = protowire.ConsumeBytes(b)
		case protowire.StartGroupType:
			s.weight += groupWeight * len(b)
			b, _ = protowire.ConsumeGroup(f.Number(), b)
		default:
			return nil // the library leaves it out
		}
		return s.weighMessage(inside, b, depth+1)
	}
	each := valueWeight
	if f.Kind() == protoreflect.EnumKind {
		each = s.weighEnum(f.Enum())
	}
	s.weight += each
	if typ != protowire.BytesType {
		return nil
	}
	content, _ := protowire.ConsumeBytes(b)
	switch f.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		s.weight += 3 * len(content) // in the payload's message, and as JSON
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		s.weight += len(content) / 4 * each
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		s.weight += len(content) / 8 * each
	default:
		for _, c := range content {
			if c < 0x80 { // the last byte of a number
				s.weight += each
			}
		}
	}
	return nil
}

// weighEnum is the weight of a value of an enum, with the longest of its names.
func (s *messageScale) weighEnum(e protoreflect.EnumDescriptor) int {
	if weight := s.enums[e.FullName()]; weight > 0 {
		return weight
	}
	weight := enumWeight
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		weight = max(weight, valueWeight+max(len(v.Name()), len(s.names[e.FullName()][v.Number()])))
	}
	if s.enums == nil {
		s.enums = map[protoreflect.FullName]int{}
	}
	s.enums[e.FullName()] = weight
	return weight
}
