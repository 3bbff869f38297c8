package preflight

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// processors are the processors that the records of a stream pass, with their parameters.
type processors map[types.ProcessorType]processorParameters

type processorParameters map[types.ProcessorParameterName]string

func (p processors) has(step types.ProcessorType) bool {
	_, ok := p[step]
	return ok
}

// stepsOf returns the processors of a destination, none if processing is turned off.
func stepsOf(d types.DestinationDescription) processors {
	p := processingOf(d)
	if p == nil || !aws.ToBool(p.Enabled) {
		return nil
	}
	found := processors{}
	for _, step := range p.Processors {
		parameters := processorParameters{}
		for _, one := range step.Parameters {
			parameters[one.ParameterName] = aws.ToString(one.ParameterValue)
		}
		found[step.Type] = parameters
	}
	return found
}

// processingOf returns the processing of records before their destination; nil if the description
// does not have it, or the destination is unknown here.
func processingOf(d types.DestinationDescription) *types.ProcessingConfiguration {
	switch {
	case d.ExtendedS3DestinationDescription != nil:
		return d.ExtendedS3DestinationDescription.ProcessingConfiguration
	case d.RedshiftDestinationDescription != nil:
		return d.RedshiftDestinationDescription.ProcessingConfiguration
	case d.AmazonopensearchserviceDestinationDescription != nil:
		return d.AmazonopensearchserviceDestinationDescription.ProcessingConfiguration
	case d.ElasticsearchDestinationDescription != nil:
		return d.ElasticsearchDestinationDescription.ProcessingConfiguration
	case d.AmazonOpenSearchServerlessDestinationDescription != nil:
		return d.AmazonOpenSearchServerlessDestinationDescription.ProcessingConfiguration
	case d.SplunkDestinationDescription != nil:
		return d.SplunkDestinationDescription.ProcessingConfiguration
	case d.HttpEndpointDestinationDescription != nil:
		return d.HttpEndpointDestinationDescription.ProcessingConfiguration
	case d.SnowflakeDestinationDescription != nil:
		return d.SnowflakeDestinationDescription.ProcessingConfiguration
	case d.IcebergDestinationDescription != nil:
		return d.IcebergDestinationDescription.ProcessingConfiguration
	}
	return nil
}

// convertsFormat reports whether records are read as JSON and written in another format.
func convertsFormat(s3 *types.ExtendedS3DestinationDescription) bool {
	return s3.DataFormatConversionConfiguration != nil && aws.ToBool(s3.DataFormatConversionConfiguration.Enabled)
}

// readsPlainTimes reports whether records are converted by a deserializer that reads timestamps as java.sql.Timestamp.valueOf does.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_HiveJsonSerDe.html
func readsPlainTimes(s3 *types.ExtendedS3DestinationDescription) bool {
	if !convertsFormat(s3) || s3.DataFormatConversionConfiguration.InputFormatConfiguration == nil {
		return false
	}
	by := s3.DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer
	return by != nil && by.HiveJsonSerDe != nil && len(by.HiveJsonSerDe.TimestampFormats) == 0
}

// partitionsDynamically reports whether records are partitioned by their content.
func partitionsDynamically(s3 *types.ExtendedS3DestinationDescription) bool {
	return s3.DynamicPartitioningConfiguration != nil && aws.ToBool(s3.DynamicPartitioningConfiguration.Enabled)
}

// cloudWatchConflicts finds the processors that take records of CloudWatch Logs and no others.
func cloudWatchConflicts(steps processors) (all []settingConflict) {
	if p, ok := steps[types.ProcessorTypeDecompression]; ok {
		format := cmp.Or(strings.ToLower(p[types.ProcessorParameterNameCompressionFormat]), "gzip")
		all = append(all, settingConflict{
			problem: fmt.Sprintf("its processor Decompression takes the %s records of CloudWatch Logs, and these are none: they will be in the error output", format),
			advice:  "remove its processor Decompression",
		})
	}
	if steps.has(types.ProcessorTypeCloudWatchLogProcessing) {
		all = append(all, settingConflict{
			problem: "its processor CloudWatchLogProcessing takes apart the messages of CloudWatch Logs, and these records are none",
			advice:  "remove its processor CloudWatchLogProcessing",
		})
	}
	return all
}

// deAggregationConflicts finds parameters of RecordDeAggregation that don't fit the delimiter of the sub-records.
func (s SentRecords) deAggregationConflicts(p processorParameters) []settingConflict {
	switch strings.ToUpper(p[types.ProcessorParameterNameSubRecordType]) {
	case "DELIMITED":
		return s.delimitedConflicts(p[types.ProcessorParameterNameDelimiter])
	case "JSON":
		if strings.TrimSpace(s.Delimiter) != "" {
			return []settingConflict{{
				problem: fmt.Sprintf("its processor RecordDeAggregation takes JSON values one after the other or in lines, and RECORD_DELIMITER puts %q between them", s.Delimiter),
				advice:  `set RECORD_DELIMITER='\n', or SubRecordType of the processor to DELIMITED with this delimiter in base64`,
			}}
		}
	}
	return nil
}

// delimitedConflicts compares the parameter Delimiter, which is in base64, with the delimiter of the sub-records.
func (s SentRecords) delimitedConflicts(encoded string) []settingConflict {
	want := base64.StdEncoding.EncodeToString([]byte(s.Delimiter))
	delimiter, err := base64.StdEncoding.DecodeString(encoded)
	advice := fmt.Sprintf("set its parameter Delimiter to %s, which is RECORD_DELIMITER in base64", want)
	switch {
	case s.Delimiter == "":
		return []settingConflict{{
			problem: fmt.Sprintf("its processor RecordDeAggregation splits at the delimiter %q, and RECORD_DELIMITER puts none between values", delimiter),
			advice:  "set RECORD_DELIMITER to this delimiter",
		}}
	case err != nil || encoded == "":
		return []settingConflict{{
			problem: fmt.Sprintf("the parameter Delimiter of its processor RecordDeAggregation is %q, which is not in base64: values are not split", encoded),
			advice:  advice,
		}}
	case string(delimiter) != s.Delimiter:
		return []settingConflict{{
			problem: fmt.Sprintf("its processor RecordDeAggregation splits at the delimiter %q, and RECORD_DELIMITER puts %q between values", delimiter, s.Delimiter),
			advice:  advice,
		}}
	}
	return nil
}
