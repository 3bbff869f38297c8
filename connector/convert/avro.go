package convert

import "kafka-firehose/connector/convert/avro"

// avroSchema reads values in Avro's binary encoding.
type avroSchema struct{ *avro.Schema }

// AppendJSON implements Schema.
func (s avroSchema) AppendJSON(dst, payload []byte, _ MessageIndex, most int) ([]byte, error) {
	return s.Schema.AppendJSON(dst, payload, most)
}

func compileAvro(d SchemaDefinition) (Schema, error) {
	s, err := avro.Compile(d.Text, d.References, d.SizedBytes)
	if err != nil {
		return nil, err
	}
	return avroSchema{s}, nil
}
