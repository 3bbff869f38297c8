package convert

import (
	"slices"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert/filter"
	"kafka-firehose/connector/convert/mask"
	"kafka-firehose/connector/env"
)

// maxAggregateRecords is the maximum of values that Firehose's de-aggregation finds in a record.
// https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
const maxAggregateRecords = 500

// Nothing in Firehose takes compressed records apart, so that their values are not
// limited to 500. This keeps what a lost answer repeats in bounds.
const maxCompressedRecords = 100_000

// Config says how a Kafka record is converted for Firehose.
type Config struct {
	// Format is the output for a record: "raw", the bytes of its value as they are, "json", an envelope
	// of one line with its key, headers, origin and value, or one of the formats whose values are read
	// with the schema they were written with and sent as JSON.
	Format string `envconfig:"RECORD_FORMAT" default:"raw" desc:"raw: the value's bytes as they are. json: an envelope with key, headers, origin and value, one line of JSON. avro and protobuf: the value as JSON, by its schema in the Schema Registry. json-schema: the value's JSON, without the schema's id in front of it."`
	// Fields are the members of the envelope; empty for those of defaultFields. No effect without one.
	Fields Fields `envconfig:"RECORD_FIELDS" unset:"id,topic,partition,offset,timestamp,key,headers,value" desc:"The envelope's fields in their order, as field, field=name or field:form=name. Also timestamp_ms, tombstone, timestamp:date, timestamp:hour, header(NAME)=name and const(TEXT)=name; the forms of key, value and headers are text and base64, and json for key and value."`
	// KeyFormat is how keys are written into an envelope: "json" as values are in that format, or one of
	// the formats that are decoded.
	KeyFormat string `envconfig:"RECORD_KEY_FORMAT" default:"json" desc:"Keys in the envelope: json writes what they hold; avro, protobuf and json-schema decode them like values."`
	// Envelope puts decoded values into an envelope, as "json" does with values that are not decoded.
	Envelope bool `envconfig:"RECORD_ENVELOPE" default:"false" desc:"Put decoded values into the envelope, too; json always does."`
	// Validated has values, or keys, in the format json-schema compared with their schema. Without it they
	// are sent as they are, and no registry is needed.
	Validated bool `envconfig:"RECORD_SCHEMA_VALIDATE" default:"false" desc:"Records in json-schema that don't agree with their schema are bad. Without it no registry is needed for that format."`
	// ProtobufJSON is how messages of Protobuf are written: in the canonical form, or with any of "proto-names",
	// the names of fields as the schema has them, "emit-defaults", fields without presence although they hold
	// their default, and "int64-numbers", numbers of 64 bits as numbers and not as strings.
	ProtobufJSON []string `envconfig:"RECORD_PROTOBUF_JSON" default:"canonical" desc:"JSON of Protobuf messages: canonical, or any of proto-names (names of fields as in the schema), emit-defaults (fields that hold their default, empty lists and maps) and int64-numbers (64-bit integers as numbers), comma separated."`
	// ProtobufIndex is how the serializers of the records count nested messages behind maps and groups. "auto"
	// has a record read by the one of the two ways that it fits; one that fits both is bad, unless they agree.
	ProtobufIndex string `envconfig:"RECORD_PROTOBUF_INDEX" default:"auto" desc:"How message indexes count nested messages behind map fields: text, without the entries of maps, as Java's serializers do; descriptor, with them, as those of Python, Go and .NET do; auto, by which of them a record fits."`
	// Unwrap is "none", "connect", which sends the payload of {"schema":...,"payload":...}, or "debezium", which sends the row of a change
	// event and members that tell the change. A value that is not in that envelope is bad. The filter and the mask see the
	// unwrapped value.
	Unwrap string `envconfig:"RECORD_UNWRAP" default:"none" desc:"none; connect: the payload of values that are {\"schema\":...,\"payload\":...}; debezium: the row of change events, with __op (insert, update or delete), __offset, __ts_ms and __source in front of its columns. It comes before RECORD_FILTER and RECORD_MASK. Another value is bad. See deploy/docs/transform.md."`
	// Filter is an expression in CEL. Records for which it is false are left out: they are counted, and their offsets committed.
	// One for which it fails is bad. It is compiled when the setting is read.
	Filter filter.Filter `envconfig:"RECORD_FILTER" unset:"none" desc:"CEL expression over topic, partition, offset, key, headers, timestamp, size and value (its JSON). Records for which it is false are skipped and counted; one for which it fails is bad. See deploy/docs/transform.md."`
	// Mask removes, blackens or digests members of values, which have to be JSON then: one that is not is bad. It applies to whatever
	// is sent to Firehose, and neither to keys and headers nor to dead letters.
	Mask mask.Rules `envconfig:"RECORD_MASK" unset:"none" desc:"Members of the value's JSON that are not sent as they are, comma separated: path=drop, path=redact (\"***\") or path=sha256 (HMAC with RECORD_MASK_SECRET). Dots go into objects, arrays are gone through. A value that is not JSON is bad. See deploy/docs/transform.md."`
	// MaskSecret is the key of the digests. It is read once, at the start: with another key, the same value has another digest.
	MaskSecret env.Secret `envconfig:"RECORD_MASK_SECRET" once:"true" unset:"none" desc:"Key of the digests of RECORD_MASK, 16 bytes or more. It is read at the start."`
	// Delimiter ends each value that doesn't end in it already, so that the values can be told apart
	// in the files that Firehose writes. A newline by default; it counts in all sizes. JSON needs one
	// of control characters, which it never contains.
	Delimiter Delimiter `envconfig:"RECORD_DELIMITER" default:"\\n" desc:"Appended to each value that doesn't end in it. none for nothing; \\n \\r \\t \\0 \\xHH \\\\ and a real newline work."`
	// Aggregate packs many delimited values into one Firehose record, which is cheaper for small
	// values: Firehose bills each record in steps of 5 KiB. It needs a delimiter, and de-aggregation
	// on the stream if that partitions dynamically.
	Aggregate bool `envconfig:"RECORD_AGGREGATE" default:"false" desc:"Pack many delimited values into one Firehose record; needs a delimiter."`
	// AggregateMaxBytes is the size at which such a record is full, delimiters included. No effect
	// without Aggregate.
	AggregateMaxBytes env.Bytes `envconfig:"RECORD_AGGREGATE_MAX_BYTES" default:"1024000" desc:"Most bytes in such a record; a larger value goes alone. Never above Firehose's 1024000."`
	// AggregateMaxRecords is how many values such a record holds at most. No effect without Aggregate.
	AggregateMaxRecords int `envconfig:"RECORD_AGGREGATE_MAX_RECORDS" default:"500" desc:"Most values in such a record; 500 is what Firehose can take apart. With RECORD_COMPRESSION up to 100000."`
	// Compression is "none" or "gzip", which compresses each aggregated record as a gzip member of its
	// own. All limits are on compressed bytes then. Firehose does not look into such records: see
	// deploy/docs/records.md for the destinations that can use them.
	Compression string `envconfig:"RECORD_COMPRESSION" default:"none" desc:"none, or gzip, which compresses each aggregated record; limits are on the compressed bytes. For S3, Redshift and Lambda functions alone, see deploy/docs/records.md."`
	// Tombstones says what to do with a record whose value is null: "skip" (the default; it is counted
	// and its offset committed), "envelope", which sends an envelope whose value is null, or "bad", which
	// leaves it to BAD_RECORD_POLICY.
	Tombstones string `envconfig:"RECORD_TOMBSTONES" default:"skip" desc:"Records with a null value: skip, envelope, which sends an envelope with a null value, or bad, which leaves them to BAD_RECORD_POLICY."`
}

// Validate returns all faults of c, each naming its variable.
func (c Config) Validate() error {
	var check env.Check
	check.JoinFaults(c.Conflicts())
	check.JoinFaults(c.Unused())
	return check.Err()
}

// Conflicts returns the faults of values that can't be used, alone or together.
func (c Config) Conflicts() error {
	const delimiter, aggregate, compression = "RECORD_DELIMITER", "RECORD_AGGREGATE", "RECORD_COMPRESSION"
	var check env.Check
	c.validateFormats(&check)
	if len(c.Delimiter) > maxDelimiter {
		check.AddFault(env.HoldsFault(delimiter, c.Delimiter, errLongDelimiter.Error()))
	}
	if c.Aggregate && c.Delimiter == "" {
		check.AddFault(env.HoldsFault(aggregate, c.Aggregate,
			delimiter+" is none, and values without a delimiter can't be told apart again; want false, or a delimiter").WithSettings(delimiter))
	}
	env.CheckRange(&check, "RECORD_AGGREGATE_MAX_BYTES", c.AggregateMaxBytes, 1, batch.MaxRecordBytes)
	most := maxAggregateRecords
	if c.Compression == "gzip" {
		most = maxCompressedRecords
	}
	env.CheckRange(&check, "RECORD_AGGREGATE_MAX_RECORDS", c.AggregateMaxRecords, 1, most)
	check.OneOf(compression, c.Compression, []string{"none", "gzip"})
	if c.Compression == "gzip" && !c.Aggregate {
		check.AddFault(env.HoldsFault(compression, c.Compression, "single values compress badly, so only aggregated records are compressed; want "+aggregate+"=true too").WithSettings(aggregate))
	}
	c.validateProtobuf(&check)
	c.validateUnwrap(&check)
	c.validateMask(&check)
	check.OneOf("RECORD_TOMBSTONES", c.Tombstones, []string{"skip", "envelope", "bad"})
	return check.Err()
}

// The variables that choose something for Protobuf.
const protobufJSONName, protobufIndexName = "RECORD_PROTOBUF_JSON", "RECORD_PROTOBUF_INDEX"

// validateProtobuf checks what there is to choose for Protobuf.
func (c Config) validateProtobuf(check *env.Check) {
	const name, index = protobufJSONName, protobufIndexName
	for _, form := range c.ProtobufJSON {
		check.OneOf(name, form, []string{jsonCanonical, jsonNames, jsonDefaults, jsonNumbers})
		if form == jsonCanonical && len(c.ProtobufJSON) > 1 {
			check.AddFault(env.HoldsFault(name, c.ProtobufJSON, jsonCanonical+" is the form without the others; want it alone, or the others without it"))
		}
	}
	check.OneOf(index, c.ProtobufIndex, []string{indexAuto, indexText, indexDescriptor})
}

// withoutProtobuf reports settings of Protobuf where no records are read as that.
func (c Config) withoutProtobuf(check *env.Check) {
	const name, index = protobufJSONName, protobufIndexName
	if slices.Contains(c.SchemaFormats(), formatProtobuf) {
		return
	}
	const without = "no records are read as Protobuf; want RECORD_FORMAT protobuf too, or nothing here"
	if len(c.ProtobufJSON) > 0 && !slices.Equal(c.ProtobufJSON, []string{jsonCanonical}) {
		check.AddFault(env.HoldsFault(name, c.ProtobufJSON, without).WithSettings("RECORD_FORMAT", "RECORD_KEY_FORMAT"))
	}
	if c.ProtobufIndex != "" && c.ProtobufIndex != indexAuto {
		check.AddFault(env.HoldsFault(index, c.ProtobufIndex, without).WithSettings("RECORD_FORMAT", "RECORD_KEY_FORMAT"))
	}
}
