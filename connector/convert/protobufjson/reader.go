package protobufjson

import (
	"bytes"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// protoReader reads a message from its start and appends it as JSON, as serializers
// write messages: each field once, a list in one piece. It makes nothing of them in
// memory. All else is errLibrary, and the library's to read or to refuse: fields that
// come again and have to be merged, groups, extensions, most of the well-known types,
// and whatever is wrong.
type protoReader struct {
	dst   []byte
	most  int // length that dst may have
	depth int
}

// errLibrary says that the library has to read the message.
var errLibrary = errors.New("the library reads this one")

// readDepth is far below the library's limit, which is the one that counts.
const readDepth = 50

// fieldMarks are the fields, or the oneofs, of a message that were there.
type fieldMarks [maxFields / 64]uint64

// markSeen marks i, and reports whether it was marked before.
func (m *fieldMarks) markSeen(i int) bool {
	word, bit := i/64, uint64(1)<<(i%64)
	was := m[word]&bit != 0
	m[word] |= bit
	return was
}

func (r *protoReader) readMessage(t *protoType, b []byte) (err error) {
	if r.depth == readDepth {
		return errLibrary
	}
	r.depth++
	switch t.form {
	case protoObject:
		err = r.readObject(t, b)
	case protoTimestamp:
		err = r.momentText(b, appendProtoTimestamp)
	case protoDuration:
		err = r.momentText(b, appendProtoDuration)
	case protoStruct:
		err = r.readAll(t.fields[1], b, "{}")
	case protoList:
		err = r.readAll(t.fields[1], b, "[]")
	case protoValue:
		err = r.readDynamic(t, b)
	case protoWrapper:
		err = r.readOnly(t.fields[1], 1, b)
	default:
		err = errLibrary
	}
	r.depth--
	return err
}

func (r *protoReader) readObject(t *protoType, b []byte) error {
	r.dst = append(r.dst, '{')
	var fields, oneofs fieldMarks
	for first := true; len(b) > 0; {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 || number > protowire.MaxValidNumber {
			return errLibrary
		}
		f := t.fields[number]
		if f == nil {
			skip := protowire.ConsumeFieldValue(number, typ, b[n:])
			if skip < 0 || t.others.Has(number) || t.holes[number] != "" {
				return errLibrary
			}
			b = b[n+skip:]
			continue
		}
		if fields.markSeen(f.at) || f.oneof > 0 && oneofs.markSeen(f.oneof) {
			return errLibrary
		}
		before := len(r.dst)
		if !first {
			r.dst = append(r.dst, ',')
		}
		r.dst = append(r.dst, f.name...)
		rest, there, err := r.readField(f, b)
		switch {
		case err != nil:
			return err
		case there, t.defaults != nil && !f.presence:
			first = false
		default:
			r.dst = r.dst[:before]
		}
		b = rest
	}
	r.writeUnset(t, &fields)
	r.dst = append(r.dst, '}')
	return nil
}

// writeUnset writes the defaults of fields that were not there.
func (r *protoReader) writeUnset(t *protoType, there *fieldMarks) {
	for _, f := range t.defaults {
		if there.markSeen(f.at) {
			continue
		}
		if r.dst[len(r.dst)-1] != '{' {
			r.dst = append(r.dst, ',')
		}
		r.dst = append(append(r.dst, f.name...), f.unset...)
	}
}

// readField reads a field with all its values; b begins with its tag. It is not there if
// it has no value to write.
func (r *protoReader) readField(f *protoField, b []byte) (rest []byte, there bool, err error) {
	switch {
	case f.entries:
		rest, err = r.readEntries(f, b)
		return rest, true, err
	case f.list:
		return r.readList(f, b)
	}
	_, typ, n := protowire.ConsumeTag(b)
	rest, zero, err := r.readValue(f, typ, b[n:])
	return rest, f.presence || !zero, err
}

// moreFields reports whether b continues with a field of this number, and takes its tag off.
func moreFields(number protowire.Number, b []byte) (protowire.Type, []byte, bool) {
	next, typ, n := protowire.ConsumeTag(b)
	if n < 0 || next != number {
		return 0, b, false
	}
	return typ, b[n:], true
}

func (r *protoReader) readList(f *protoField, b []byte) (_ []byte, there bool, err error) {
	number, _, _ := protowire.ConsumeTag(b)
	r.dst = append(r.dst, '[')
	for {
		typ, rest, ok := moreFields(number, b)
		if !ok {
			break
		}
		if typ == protowire.BytesType && f.wire != protowire.BytesType {
			packed, n := protowire.ConsumeBytes(rest)
			if n < 0 {
				return nil, false, errLibrary
			}
			for len(packed) > 0 {
				there = r.writeComma(there)
				if packed, _, err = r.readValue(f, f.wire, packed); err != nil {
					return nil, false, err
				}
			}
			b = rest[n:]
			continue
		}
		there = r.writeComma(there)
		if b, _, err = r.readValue(f, typ, rest); err != nil {
			return nil, false, err
		}
	}
	r.dst = append(r.dst, ']')
	return b, there, nil
}

// writeComma writes one unless what follows is the first.
func (r *protoReader) writeComma(there bool) bool {
	if there {
		r.dst = append(r.dst, ',')
	}
	return true
}

// maxKeys is how many entries a map has at most that is read here: each key is compared
// with all before it, since of two with the same key the last one counts.
const maxKeys = 32

func (r *protoReader) readEntries(f *protoField, b []byte) ([]byte, error) {
	number, _, _ := protowire.ConsumeTag(b)
	var keys [maxKeys]struct{ from, to int }
	r.dst = append(r.dst, '{')
	for n := 0; ; n++ {
		typ, rest, ok := moreFields(number, b)
		if !ok {
			r.dst = append(r.dst, '}')
			return rest, nil
		}
		if n == maxKeys || typ != protowire.BytesType {
			return nil, errLibrary
		}
		entry, size := protowire.ConsumeBytes(rest)
		if size < 0 {
			return nil, errLibrary
		}
		b = rest[size:]
		r.writeComma(n > 0)
		keys[n].from = len(r.dst)
		value, err := r.readKey(f.typ.fields[1], entry)
		if err != nil {
			return nil, err
		}
		keys[n].to = len(r.dst)
		for _, k := range keys[:n] {
			if bytes.Equal(r.dst[k.from:k.to], r.dst[keys[n].from:]) {
				return nil, errLibrary
			}
		}
		r.dst = append(r.dst, ':')
		if err := r.readOnly(f.typ.fields[2], 2, value); err != nil {
			return nil, err
		}
	}
}

// readKey writes the key of an entry as a string, and returns the bytes behind it.
func (r *protoReader) readKey(f *protoField, entry []byte) ([]byte, error) {
	typ, rest, ok := moreFields(1, entry)
	from := len(r.dst)
	if !ok {
		r.dst = append(r.dst, f.zero...)
		rest = entry
	} else {
		var err error
		if rest, _, err = r.readValue(f, typ, rest); err != nil {
			return nil, err
		}
	}
	if r.dst[from] == '"' {
		return rest, nil
	}
	r.dst = append(r.dst, '"', '"')
	copy(r.dst[from+1:], r.dst[from:len(r.dst)-2])
	r.dst[from] = '"'
	return rest, nil
}

// readOnly writes the value of f, of this number, which is all that there is in b, or its
// zero.
func (r *protoReader) readOnly(f *protoField, number protowire.Number, b []byte) error {
	if len(b) == 0 {
		if f.zero == "" {
			return errLibrary
		}
		r.dst = append(r.dst, f.zero...)
		return nil
	}
	typ, b, ok := moreFields(number, b)
	if !ok {
		return errLibrary
	}
	rest, _, err := r.readValue(f, typ, b)
	if err == nil && len(rest) > 0 {
		return errLibrary
	}
	return err
}
