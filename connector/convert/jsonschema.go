package convert

import (
	"errors"
	"unicode/utf8"

	"kafka-firehose/connector/convert/jsonschema"
	"kafka-firehose/connector/convert/jsontext"
)

var errNotJSON = errors.New("it is not JSON in UTF-8, or nested too deep")

// plainJSON reads JSON that is compared with no schema.
type plainJSON struct{}

// AppendJSON implements Schema.
func (plainJSON) AppendJSON(dst, payload []byte, _ MessageIndex, most int) ([]byte, error) {
	blanks, ok := jsontext.ScanDocument(payload)
	switch {
	case len(payload)-blanks > most:
		return dst, jsontext.ErrTooLong
	case !ok || !utf8.Valid(payload):
		return dst, errNotJSON
	case blanks == 0:
		return append(dst, payload...), nil
	default:
		return jsontext.AppendCompact(dst, payload), nil
	}
}

// jsonSchema is plainJSON that has to agree with a schema.
type jsonSchema struct {
	plainJSON
	schema *jsonschema.Schema
}

// AppendJSON implements Schema.
func (s jsonSchema) AppendJSON(dst, payload []byte, index MessageIndex, most int) ([]byte, error) {
	out, err := s.plainJSON.AppendJSON(dst, payload, index, most)
	if err != nil {
		return dst, err
	}
	if err := s.schema.Validate(payload); err != nil {
		return dst, err
	}
	return out, nil
}

// Weight implements schemaWeigher.
func (s jsonSchema) Weight() int { return s.schema.Weight() }

func compileJSONSchema(d SchemaDefinition) (Schema, error) {
	s, err := jsonschema.CompileSchema(d.Text, d.References)
	if err != nil {
		return nil, err
	}
	return jsonSchema{schema: s}, nil
}
