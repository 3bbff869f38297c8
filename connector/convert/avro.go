package convert

import "kafka-firehose/connector/convert/avro"

// avroSchema reads values in Avro's binary encoding.
type avroSchema struct{ *avro.Schema }

// AppendJSON implements Schema.
func (s avroSchema) AppendJSON(dst, payload []byte, _ MessageIndex, most int) ([]byte, error) {
	return s.Schema.AppendJSON(dst, payload, most)
}

func compileAvro(d SchemaDefinition) (Schema, error) {
	var references []avro.Reference
	for _, r := range d.References {
		references = append(references, avro.Reference(r))
	}
	s, err := avro.Compile(d.Text, references, d.SizedBytes)
	if err != nil {
		return nil, err
	}
	return avroSchema{s}, nil
}
