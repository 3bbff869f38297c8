package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Ref names the schema that a payload was written with: by the number it has in the
// registry or, in the newer form, by an id that is the same in every registry.
type Ref struct {
	ID   uint32
	GUID [16]byte // zero where ID is what counts
}

// ByGUID reports whether it is the GUID that counts.
func (r Ref) ByGUID() bool { return r.GUID != [16]byte{} }

func (r Ref) String() string {
	if !r.ByGUID() {
		return fmt.Sprint(r.ID)
	}
	return string(appendUUID(nil, r.GUID[:]))
}

// appendUUID appends the usual form of 16 bytes, 8-4-4-4-12 hexadecimal digits.
func appendUUID(dst, b []byte) []byte {
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// Definition is a schema as the registry has it.
type Definition struct {
	Kind string // the format that it is for: "avro", "protobuf" or "json-schema"
	Text string
	// References are the schemas that this one, or one of them, refers to. Each comes
	// after those that it refers to itself.
	References []Reference
}

// Reference is a schema under the name by which others refer to it.
type Reference struct{ Name, Text string }

// Schema reads what was written with one schema. It has no state and is safe for
// concurrent use.
type Schema interface {
	// Append appends payload as JSON without blanks, and no more than most bytes and a
	// few. For a payload with a message index, index says which message of the schema
	// it is. Errors carry no payload, and what was appended with one is to be
	// forgotten; errTooLong says that most was not enough.
	Append(dst, payload []byte, index Index, most int) ([]byte, error)
}

// errTooLong ends the conversion of what is too large for Firehose anyway, however
// large it would have become.
var errTooLong = errors.New("as JSON it is too large")

// Lookup finds a schema without waiting. Its error is a *Missing for one that has to
// be fetched first, and a *Reject for one that no payload can be read with.
type Lookup func(Ref) (Schema, error)

// Missing is the error of Converter.Append for a record whose schema has to be
// fetched first. It says nothing of the record.
type Missing struct{ Ref Ref }

func (m *Missing) Error() string { return fmt.Sprintf("the schema %s is not here yet", m.Ref) }

// Compile makes d usable for the records that cfg describes. The error says why it
// can't be.
func Compile(cfg Config, d Definition) (Schema, error) {
	formats := cfg.SchemaFormats()
	if !slices.Contains(formats, d.Kind) {
		return nil, fmt.Errorf("the registry has it as %s, and the records are to be %s", d.Kind, strings.Join(formats, " and "))
	}
	compile := map[string]func(Definition) (Schema, error){
		formatAvro: compileAvro, formatProtobuf: compileProtobuf, formatJSONSchema: compileJSONSchema,
	}[d.Kind]
	return guardedCompile(compile, d)
}
