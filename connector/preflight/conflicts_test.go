package preflight

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose/firehosetest"
)

// described is a Describer of one stream.
type described types.DestinationDescription

func (d described) DescribeDeliveryStream(context.Context, *awsfirehose.DescribeDeliveryStreamInput, ...func(*awsfirehose.Options)) (*awsfirehose.DescribeDeliveryStreamOutput, error) {
	return &awsfirehose.DescribeDeliveryStreamOutput{DeliveryStreamDescription: &types.DeliveryStreamDescription{
		DeliveryStreamStatus: types.DeliveryStreamStatusActive, DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
		Destinations: []types.DestinationDescription{types.DestinationDescription(d)},
	}}, nil
}

// TestSends: what a stream would spoil is told once at the start.
func TestSends(t *testing.T) {
	s3 := func(processors ...types.ProcessorType) described {
		p := &types.ProcessingConfiguration{Enabled: aws.Bool(true)}
		for _, name := range processors {
			p.Processors = append(p.Processors, types.Processor{Type: name})
		}
		return described{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{ProcessingConfiguration: p}}
	}
	with := func(step types.Processor) described {
		return described{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{ProcessingConfiguration: &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{step}}}}
	}
	deAggregation := func(subRecords, delimiter string) types.Processor {
		p := types.Processor{Type: types.ProcessorTypeRecordDeAggregation, Parameters: []types.ProcessorParameter{{ParameterName: types.ProcessorParameterNameSubRecordType, ParameterValue: &subRecords}}}
		if delimiter != "" {
			p.Parameters = append(p.Parameters, types.ProcessorParameter{ParameterName: types.ProcessorParameterNameDelimiter, ParameterValue: &delimiter})
		}
		return p
	}
	converts := s3()
	converts.ExtendedS3DestinationDescription.DataFormatConversionConfiguration = &types.DataFormatConversionConfiguration{Enabled: aws.Bool(true)}
	off := s3(types.ProcessorTypeAppendDelimiterToRecord)
	off.ExtendedS3DestinationDescription.ProcessingConfiguration.Enabled = aws.Bool(false)
	partitioned, squeezed := s3(), s3()
	partitioned.ExtendedS3DestinationDescription.DynamicPartitioningConfiguration = &types.DynamicPartitioningConfiguration{Enabled: aws.Bool(true)}
	squeezed.ExtendedS3DestinationDescription.CompressionFormat = types.CompressionFormatGzip
	split := &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{{Type: types.ProcessorTypeRecordDeAggregation}}}
	query := func(text string) types.Processor {
		return types.Processor{Type: types.ProcessorTypeMetadataExtraction, Parameters: []types.ProcessorParameter{{ParameterName: types.ProcessorParameterNameMetadataExtractionQuery, ParameterValue: &text}}}
	}
	iceberg := func(appends bool, steps ...types.Processor) described {
		return described{IcebergDestinationDescription: &types.IcebergDestinationDescription{
			AppendOnly: &appends, ProcessingConfiguration: &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: steps},
		}}
	}
	changes := SentRecords{Delimiter: "\n", Changes: true}
	lines, packs, zipped := SentRecords{Delimiter: "\n", Raw: true}, SentRecords{Delimiter: "\n", Aggregate: true}, SentRecords{Delimiter: "\n", Aggregate: true, Gzip: true}
	tests := []struct {
		name   string
		stream described
		sends  SentRecords
		log    string
	}{
		{"lines to S3", s3(), lines, ""},
		{"lines that get another delimiter", s3(types.ProcessorTypeAppendDelimiterToRecord), lines, "blank lines"},
		{"a processor that is turned off", off, lines, ""},
		{"no delimiter of ours", s3(types.ProcessorTypeAppendDelimiterToRecord), SentRecords{}, ""},
		{"lines to Splunk", described{SplunkDestinationDescription: &types.SplunkDestinationDescription{}}, lines, ""},
		{"JSON, perhaps, to Parquet", converts, lines, ""},
		{"packs to S3", s3(), packs, ""},
		{"packs to old S3", described{S3DestinationDescription: &types.S3DestinationDescription{}}, packs, ""},
		{"packs to Redshift", described{RedshiftDestinationDescription: &types.RedshiftDestinationDescription{}}, packs, ""},
		{"packs to Splunk", described{SplunkDestinationDescription: &types.SplunkDestinationDescription{}}, packs, "Splunk takes each record for one document"},
		{"packs to OpenSearch", described{AmazonopensearchserviceDestinationDescription: &types.AmazonopensearchserviceDestinationDescription{}}, packs, "OpenSearch takes each record for one document"},
		{"packs to HTTP", described{HttpEndpointDestinationDescription: &types.HttpEndpointDestinationDescription{}}, packs, "the HTTP endpoint takes each record"},
		{"packs to HTTP that are split", described{HttpEndpointDestinationDescription: &types.HttpEndpointDestinationDescription{ProcessingConfiguration: split}}, packs, ""},
		{"packs to Snowflake", described{SnowflakeDestinationDescription: &types.SnowflakeDestinationDescription{}}, packs, "Snowflake takes each record"},
		{"packs that are partitioned", partitioned, packs, "add the processor RecordDeAggregation"},
		{"packs whose members are looked at", s3(types.ProcessorTypeMetadataExtraction), packs, "it partitions by what is in a record"},
		{"packs that are split and partitioned", s3(types.ProcessorTypeMetadataExtraction, types.ProcessorTypeRecordDeAggregation), packs, ""},
		{"packs to a function", s3(types.ProcessorTypeLambda), packs, ""},
		{"packs to Splunk, by options of the stream", described{SplunkDestinationDescription: &types.SplunkDestinationDescription{}}, SentRecords{Delimiter: "\n", Aggregate: true, Own: true}, "the stream has options of its own in FIREHOSE_STREAM_OPTIONS"},
		{"packs split at the same delimiter", with(deAggregation("DELIMITED", "Cg==")), packs, ""},
		{"packs split at another delimiter", with(deAggregation("DELIMITED", "DQo=")), packs, `splits at the delimiter`},
		{"packs split at a delimiter that is not in base64", with(deAggregation("DELIMITED", `\n`)), packs, "is not in base64"},
		{"packs split at no delimiter", with(deAggregation("DELIMITED", "")), packs, "set its parameter Delimiter to Cg=="},
		{"packs without a delimiter that are split at one", with(deAggregation("DELIMITED", "Cg==")), SentRecords{Aggregate: true}, "puts none between values"},
		{"packs of JSON in lines", with(deAggregation("JSON", "")), packs, ""},
		{"packs of JSON one after the other", with(deAggregation("JSON", "")), SentRecords{Aggregate: true}, ""},
		{"packs of JSON with commas", with(deAggregation("JSON", "")), SentRecords{Aggregate: true, Delimiter: ","}, "takes JSON values one after the other or in lines"},
		{"records that are no packs and are split", with(deAggregation("DELIMITED", "DQo=")), lines, ""},
		{"records that are decompressed", s3(types.ProcessorTypeDecompression), lines, "remove its processor Decompression"},
		{"gzip that is decompressed", s3(types.ProcessorTypeDecompression), zipped, "records of CloudWatch Logs"},
		{"records that are read as CloudWatch Logs", s3(types.ProcessorTypeCloudWatchLogProcessing), packs, "remove its processor CloudWatchLogProcessing"},
		{"raw values whose fields are read", s3(types.ProcessorTypeMetadataExtraction), lines, ""},
		{"changes to Iceberg without a query", iceberg(false), changes, "it doesn't read the operation in __op"},
		{"changes to Iceberg with another query", iceberg(false, query(`{destinationTableName:"t",operation:"insert"}`)), changes, "it doesn't read the operation in __op"},
		{"changes to Iceberg with their operation", iceberg(false, query(`{destinationTableName:"t",operation:.__op}`)), changes, ""},
		{"changes to Iceberg by a function", iceberg(false, types.Processor{Type: types.ProcessorTypeLambda}), changes, ""},
		{"changes that are only appended", iceberg(true), changes, ""},
		{"changes to S3", s3(), changes, ""},
		{"lines to Iceberg", iceberg(false), lines, ""},
		{"gzip to S3", s3(), zipped, ""},
		{"gzip to S3 that compresses", squeezed, zipped, "compressed twice"},
		{"gzip to Redshift", described{RedshiftDestinationDescription: &types.RedshiftDestinationDescription{}}, zipped, ""},
		{"gzip to Splunk", described{SplunkDestinationDescription: &types.SplunkDestinationDescription{}}, zipped, "neither S3 nor Redshift"},
		{"gzip to Parquet", converts, zipped, "converts the format"},
		{"gzip and delimiters between", s3(types.ProcessorTypeAppendDelimiterToRecord), zipped, "AppendDelimiterToRecord"},
		{"gzip to be taken apart", s3(types.ProcessorTypeRecordDeAggregation), zipped, "RecordDeAggregation"},
		{"gzip to a function", s3(types.ProcessorTypeRecordDeAggregation, types.ProcessorTypeLambda), zipped, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, firehosetest.Options{}, func(w *streamWorld) {
				if err := checkOf(w, tt.stream, tt.sends).Run(w.t.Context()); err != nil {
					t.Error(err)
				}
				if n := w.countLog("level=WARN"); (tt.log != "") != (n == 1) || w.countLog(tt.log) == 0 && tt.log != "" {
					t.Errorf("log: %s", w.log.String())
				}
			})
		})
	}
}

// TestPlainTimes: the Hive JSON SerDe without formats reads no timestamp as records have it, if the table has any.
func TestPlainTimes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by    *types.Deserializer
		raw   bool
		found bool
	}{
		"Hive":               {&types.Deserializer{HiveJsonSerDe: &types.HiveJsonSerDe{}}, false, true},
		"Hive with formats":  {&types.Deserializer{HiveJsonSerDe: &types.HiveJsonSerDe{TimestampFormats: []string{"yyyy-MM-dd'T'HH:mm:ss.SSSZZ"}}}, false, false},
		"OpenX":              {&types.Deserializer{OpenXJsonSerDe: &types.OpenXJsonSerDe{}}, false, false},
		"none":               {nil, false, false},
		"values as they are": {&types.Deserializer{HiveJsonSerDe: &types.HiveJsonSerDe{}}, true, false},
	} {
		d := types.DestinationDescription{ExtendedS3DestinationDescription: &types.ExtendedS3DestinationDescription{DataFormatConversionConfiguration: &types.DataFormatConversionConfiguration{
			Enabled: aws.Bool(true), InputFormatConfiguration: &types.InputFormatConfiguration{Deserializer: test.by},
		}}}
		all := SentRecords{Delimiter: "\n", Raw: test.raw}.destinationConflicts(d)
		found := len(all) == 1 && all[0].possible && strings.Contains(all[0].problem, "Hive JSON SerDe has no TimestampFormats")
		if found != test.found || !test.raw && !test.found && len(all) > 0 {
			t.Errorf("%s: %+v", name, all)
		}
	}
}
