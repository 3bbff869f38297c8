package firehose

import (
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// Sends is what records look like, as far as what a stream does with them can spoil
// it.
type Sends struct {
	Delimiter string // the end of each record; empty for none
	Gzip      bool   // each record is a gzip member, and the delimiter is in it
}

// warn points out what a stream is set up to do and should not.
func (s Sends) warn(found *types.DeliveryStreamDescription, stream string, log *slog.Logger) {
	for _, d := range found.Destinations {
		processors := processorsOf(d)
		switch {
		case s.Gzip:
			if why := spoilsGzip(d, processors); why != "" {
				log.Warn("RECORD_COMPRESSION is gzip, and the delivery stream can't use such records", "stream", stream, "because", why)
			}
		case s.Delimiter != "" && processors[types.ProcessorTypeAppendDelimiterToRecord]:
			log.Warn("the delivery stream appends a delimiter to each record, and so does RECORD_DELIMITER: there will be blank lines", "stream", stream)
		}
	}
}

// processorsOf are the steps that the records of a stream to S3 go through.
func processorsOf(d types.DestinationDescription) map[types.ProcessorType]bool {
	s3 := d.ExtendedS3DestinationDescription
	if s3 == nil || s3.ProcessingConfiguration == nil || !aws.ToBool(s3.ProcessingConfiguration.Enabled) {
		return nil
	}
	found := map[types.ProcessorType]bool{}
	for _, p := range s3.ProcessingConfiguration.Processors {
		found[p.Type] = true
	}
	return found
}

// spoilsGzip says why a destination can't use records that are gzip members, empty
// when it can: a function may take them apart, and else they must get to a file, one
// after the other, with nothing between.
func spoilsGzip(d types.DestinationDescription, processors map[types.ProcessorType]bool) string {
	s3 := d.ExtendedS3DestinationDescription
	switch {
	case processors[types.ProcessorTypeLambda]:
		return ""
	case s3 == nil && d.RedshiftDestinationDescription == nil:
		return "its destination is neither S3 nor Redshift"
	case s3 == nil:
		return ""
	case s3.DataFormatConversionConfiguration != nil && aws.ToBool(s3.DataFormatConversionConfiguration.Enabled):
		return "it converts the format of records, which it can't read"
	}
	for _, p := range []types.ProcessorType{types.ProcessorTypeAppendDelimiterToRecord, types.ProcessorTypeRecordDeAggregation, types.ProcessorTypeMetadataExtraction} {
		if processors[p] {
			return "it has the processor " + string(p)
		}
	}
	return ""
}
