package preflight

import (
	"log/slog"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose"
)

// SentRecords describes the records that a stream gets, as far as the settings of the stream can conflict with them.
type SentRecords struct {
	Delimiter string // the end of each record; empty for none
	Aggregate bool   // a record holds many values
	Gzip      bool   // each record is a gzip member, and the delimiter is in it
	Raw       bool   // values are sent as they are, JSON or not
	Changes   bool   // records are changes of rows, each with its operation
	Own       bool   // some of this is set by the stream's options
}

// settingConflict is a setting of a stream that conflicts with the connector's records.
type settingConflict struct {
	problem, advice string
	possible        bool // it depends on facts that the description does not have
}

// logConflicts logs the settings of a stream that conflict with the connector's.
func (s SentRecords) logConflicts(found *types.DeliveryStreamDescription, stream string, log *slog.Logger) {
	for _, c := range s.findConflicts(found) {
		if !c.possible {
			log.Warn("settings of the delivery stream conflict with those of records", "stream", stream, "because", c.problem, "hint", c.advice)
		}
	}
}

// findConflicts finds conflicts with the settings of a stream.
func (s SentRecords) findConflicts(found *types.DeliveryStreamDescription) (all []settingConflict) {
	for _, d := range found.Destinations {
		all = append(all, s.destinationConflicts(d)...)
	}
	for i := range all {
		if s.Own {
			all[i].advice += "; the stream has options of its own in FIREHOSE_STREAM_OPTIONS"
		}
	}
	return all
}

// destinationConflicts finds conflicts with the settings of one destination of a stream.
func (s SentRecords) destinationConflicts(d types.DestinationDescription) []settingConflict {
	steps := stepsOf(d)
	all := cloudWatchConflicts(steps)
	if s.Gzip {
		if why := spoilsGzip(d, steps); why != "" {
			all = append(all, settingConflict{problem: "RECORD_COMPRESSION is gzip, and " + why, advice: "set it to none, or see deploy/docs/records.md for the destinations that can use such records"})
		}
		return all // the other conflicts are about records that can be looked into
	}
	if s.Delimiter != "" && steps.has(types.ProcessorTypeAppendDelimiterToRecord) {
		all = append(all, settingConflict{problem: "it appends a delimiter to each record, and so does RECORD_DELIMITER: there will be blank lines", advice: "remove its processor AppendDelimiterToRecord, or set RECORD_DELIMITER=none"})
	}
	if s.Aggregate {
		all = append(all, s.aggregateConflicts(d, steps)...)
	}
	if iceberg := d.IcebergDestinationDescription; s.Changes && iceberg != nil {
		all = append(all, operationConflicts(iceberg, steps)...)
	}
	if s.Raw && steps.has(types.ProcessorTypeMetadataExtraction) {
		all = append(all, settingConflict{problem: "its processor MetadataExtraction reads fields of JSON, and RECORD_FORMAT is raw", advice: "see to it that all values are JSON", possible: true})
	}
	if s3 := d.ExtendedS3DestinationDescription; s.Raw && s3 != nil && convertsFormat(s3) {
		all = append(all, settingConflict{problem: "it converts records from JSON, and RECORD_FORMAT is raw", advice: "see to it that all values are JSON", possible: true})
	}
	if s3 := d.ExtendedS3DestinationDescription; !s.Raw && s3 != nil && readsPlainTimes(s3) {
		all = append(all, settingConflict{
			problem: "its Hive JSON SerDe has no TimestampFormats, and without them it reads no timestamp with a T and a Z, as records have it",
			advice:  "use the OpenX JSON SerDe, or give it TimestampFormats, if the table has columns of type timestamp", possible: true,
		})
	}
	return all
}

// operationConflicts finds the reasons why Iceberg tables don't get the operation of a change. Firehose takes it from a query over the
// record, or from a function.
// https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-format-input-record-different.html
func operationConflicts(d *types.IcebergDestinationDescription, steps processors) []settingConflict {
	const advice = "give its processor MetadataExtraction a query with operation:.__op, as in deploy/docs/transform.md"
	query := steps[types.ProcessorTypeMetadataExtraction][types.ProcessorParameterNameMetadataExtractionQuery]
	switch {
	case aws.ToBool(d.AppendOnly):
		return []settingConflict{{problem: "it only appends to Iceberg tables, and with RECORD_UNWRAP=debezium there are updates and deletes", advice: "use a stream without AppendOnly, or merge the rows by __op and __offset", possible: true}}
	case steps.has(types.ProcessorTypeLambda):
		return []settingConflict{{problem: "its function has to return the operation, which is in __op because of RECORD_UNWRAP=debezium", advice: "see to it that the function sets otfMetadata.operation", possible: true}}
	case !strings.Contains(query, "__op"):
		return []settingConflict{{problem: "it doesn't read the operation in __op, which is there because of RECORD_UNWRAP=debezium: updates and deletes become rows of their own", advice: advice}}
	}
	return nil
}

// aggregateConflicts finds the conflicts of records that hold many values.
func (s SentRecords) aggregateConflicts(d types.DestinationDescription, steps processors) []settingConflict {
	const set = "set RECORD_AGGREGATE=false"
	s3 := d.ExtendedS3DestinationDescription
	switch {
	case steps.has(types.ProcessorTypeRecordDeAggregation):
		return s.deAggregationConflicts(steps[types.ProcessorTypeRecordDeAggregation])
	case s3 != nil && (steps.has(types.ProcessorTypeMetadataExtraction) || partitionsDynamically(s3)):
		return []settingConflict{{problem: "it partitions by what is in a record, and with RECORD_AGGREGATE that is many values", advice: "add the processor RecordDeAggregation, or " + set}}
	case steps.has(types.ProcessorTypeLambda):
		return []settingConflict{{problem: "its function gets records of many values, because of RECORD_AGGREGATE", advice: "see to it that the function takes them apart, or " + set, possible: true}}
	case s3 != nil, d.S3DestinationDescription != nil, d.RedshiftDestinationDescription != nil: // they see files
		return nil
	}
	return []settingConflict{{problem: firehose.DestinationKind(d) + " takes each record for one document, and with RECORD_AGGREGATE it holds many values", advice: set}}
}

// spoilsGzip says why a destination can't use records that are gzip members, empty
// when it can: a function may take them apart, and else they must get to a file, one
// after the other, with nothing between.
func spoilsGzip(d types.DestinationDescription, steps processors) string {
	s3 := d.ExtendedS3DestinationDescription
	switch {
	case steps.has(types.ProcessorTypeLambda):
		return ""
	case s3 == nil && d.S3DestinationDescription == nil && d.RedshiftDestinationDescription == nil:
		return "its destination is neither S3 nor Redshift"
	case s3 == nil:
		return ""
	case convertsFormat(s3):
		return "it converts the format of records, which it can't read"
	case s3.CompressionFormat != "" && s3.CompressionFormat != types.CompressionFormatUncompressed:
		return "it compresses its objects with " + string(s3.CompressionFormat) + ", so that they are compressed twice"
	}
	for _, p := range []types.ProcessorType{types.ProcessorTypeAppendDelimiterToRecord, types.ProcessorTypeRecordDeAggregation, types.ProcessorTypeMetadataExtraction} {
		if steps.has(p) {
			return "it has the processor " + string(p)
		}
	}
	return ""
}
