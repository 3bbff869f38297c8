package convert

import (
	"fmt"
	"slices"
	"strings"

	"kafka-firehose/connector/convert/jsontext"
)

// SchemaRef names the schema that a payload was written with: by the number it has in the
// registry or, in the newer form and in AWS Glue, by an id that is the same in every registry.
type SchemaRef struct {
	ID      uint64
	GUID    [16]byte // zero where ID is what counts
	Content bool     // ID is Apicurio's contentId, not its globalId
}

// ByGUID reports whether it is the GUID that counts.
func (r SchemaRef) ByGUID() bool { return r.GUID != [16]byte{} }

func (r SchemaRef) String() string {
	switch {
	case r.Content:
		return fmt.Sprintf("of content %d", r.ID)
	case !r.ByGUID():
		return fmt.Sprint(r.ID)
	}
	return string(jsontext.AppendUUID(nil, r.GUID[:]))
}

// SchemaDefinition is a schema as the registry has it.
type SchemaDefinition struct {
	Kind string // the format that it is for: "avro", "protobuf" or "json-schema"; empty if the registry does not say
	Text string
	// SizedBytes says that a value whose schema is "bytes" begins with its length, as Avro has it. Confluent's
	// serializers leave the length out.
	SizedBytes bool
	// References are the schemas that this one, or one of them, refers to. Each comes
	// after those that it refers to itself.
	References []SchemaReference
}

// TextBytes returns the bytes of the schema and of all that it refers to.
func (d SchemaDefinition) TextBytes() int {
	sum := len(d.Text)
	for _, r := range d.References {
		sum += len(r.Text)
	}
	return sum
}

// SchemaReference is a schema under the name by which others refer to it.
type SchemaReference = struct{ Name, Text string }

// Schema reads values that were written with one schema. It has no state and is safe for
// concurrent use.
type Schema interface {
	// AppendJSON appends payload as JSON without blanks, and no more than most bytes and a
	// few. For a payload with a message index, index says which message of the schema
	// it is. Errors carry no payload, and bytes appended with an error are to be
	// discarded; jsontext.ErrTooLong says that most was not enough.
	AppendJSON(dst, payload []byte, index MessageIndex, most int) ([]byte, error)
}

// SchemaLookup finds a schema without waiting. Its error is a *MissingSchema for one that has to
// be fetched first, and a *BadRecord for one that no payload can be read with.
type SchemaLookup func(SchemaRef) (Schema, error)

// MissingSchema is the error of Converter.Append for a record whose schema has to be
// fetched first. It says nothing of the record.
type MissingSchema struct{ Ref SchemaRef }

func (m *MissingSchema) Error() string { return fmt.Sprintf("the schema %s is not here yet", m.Ref) }

// Bounds of a schema's texts. Registries that keep schemas in a topic take 1 MB of each.
const (
	MaxSchemaBytes     = 1 << 20 // of the text of a schema, or of a reference
	MaxDefinitionBytes = 4 << 20 // of a schema with all its references
	MaxReferences      = 500
)

// checkBounds is the error for a definition with more text than any schema needs.
func (d SchemaDefinition) checkBounds() error {
	if len(d.Text) > MaxSchemaBytes {
		return fmt.Errorf("it has %d bytes, at most %d are taken", len(d.Text), MaxSchemaBytes)
	}
	if len(d.References) > MaxReferences {
		return fmt.Errorf("it has %d references, at most %d are taken", len(d.References), MaxReferences)
	}
	for _, r := range d.References {
		if len(r.Text) > MaxSchemaBytes {
			return fmt.Errorf("the schema that it refers to as %s has %d bytes, at most %d are taken", r.Name, len(r.Text), MaxSchemaBytes)
		}
	}
	if sum := d.TextBytes(); sum > MaxDefinitionBytes {
		return fmt.Errorf("it has %d bytes with all that it refers to, at most %d are taken", sum, MaxDefinitionBytes)
	}
	return nil
}

// schemaWeigher is a Schema that estimates the memory that it holds, in bytes.
type schemaWeigher interface{ Weight() int }

// SchemaWeight estimates the memory that s holds, in bytes.
func SchemaWeight(s Schema) int {
	const least = 4 << 10
	if w, ok := s.(schemaWeigher); ok {
		return least + w.Weight()
	}
	return least
}

// CompileFor makes d usable for the records that cfg describes, in any of formats, which are those of several configurations
// that differ from cfg in their formats alone. The error says why it can't be.
func CompileFor(cfg Config, formats []string, d SchemaDefinition) (Schema, error) {
	if d.Kind == "" && len(formats) > 0 {
		return compileAny(cfg, d, formats)
	}
	if !slices.Contains(formats, d.Kind) {
		return nil, errKind(d.Kind, strings.Join(formats, " and "))
	}
	if err := d.checkBounds(); err != nil {
		return nil, err
	}
	compile := map[string]func(SchemaDefinition) (Schema, error){
		formatAvro: compileAvro, formatJSONSchema: compileJSONSchema,
		formatProtobuf: func(d SchemaDefinition) (Schema, error) { return compileProtobuf(cfg, d) },
	}[d.Kind]
	return guardedCompile(compile, d)
}

// errKind is the error for a schema of another kind than the records.
func errKind(kind, wanted string) error {
	return fmt.Errorf("the registry has it as %s, and the records are to be %s", kind, wanted)
}

// compileAny makes d usable in the first of the formats that it is a schema of. No text is one of two.
func compileAny(cfg Config, d SchemaDefinition, formats []string) (s Schema, err error) {
	for _, format := range formats {
		d.Kind = format
		if s, err = CompileFor(cfg, formats, d); err == nil {
			break
		}
	}
	return s, err
}
