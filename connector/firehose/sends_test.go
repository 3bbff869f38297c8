package firehose

import (
	"context"
	"log/slog"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose/firehosetest"
)

// described is a Describer of one stream.
type described types.DestinationDescription

func (d described) DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error) {
	return &firehose.DescribeDeliveryStreamOutput{DeliveryStreamDescription: &types.DeliveryStreamDescription{
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
	converts := s3()
	converts.ExtendedS3DestinationDescription.DataFormatConversionConfiguration = &types.DataFormatConversionConfiguration{Enabled: aws.Bool(true)}
	off := s3(types.ProcessorTypeAppendDelimiterToRecord)
	off.ExtendedS3DestinationDescription.ProcessingConfiguration.Enabled = aws.Bool(false)
	lines, zipped := Sends{Delimiter: "\n"}, Sends{Delimiter: "\n", Gzip: true}
	tests := []struct {
		name   string
		stream described
		sends  Sends
		log    string
	}{
		{"lines to S3", s3(), lines, ""},
		{"lines that get another delimiter", s3(types.ProcessorTypeAppendDelimiterToRecord), lines, "blank lines"},
		{"a processor that is turned off", off, lines, ""},
		{"no delimiter of ours", s3(types.ProcessorTypeAppendDelimiterToRecord), Sends{}, ""},
		{"lines to Splunk", described{SplunkDestinationDescription: &types.SplunkDestinationDescription{}}, lines, ""},
		{"gzip to S3", s3(), zipped, ""},
		{"gzip to Redshift", described{RedshiftDestinationDescription: &types.RedshiftDestinationDescription{}}, zipped, ""},
		{"gzip to Splunk", described{SplunkDestinationDescription: &types.SplunkDestinationDescription{}}, zipped, "neither S3 nor Redshift"},
		{"gzip to Parquet", converts, zipped, "converts the format"},
		{"gzip and delimiters between", s3(types.ProcessorTypeAppendDelimiterToRecord), zipped, "AppendDelimiterToRecord"},
		{"gzip to be taken apart", s3(types.ProcessorTypeRecordDeAggregation), zipped, "RecordDeAggregation"},
		{"gzip to a function", s3(types.ProcessorTypeRecordDeAggregation, types.ProcessorTypeLambda), zipped, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			virtual(t, firehosetest.Options{}, settings(), func(w *world) {
				if err := Check(w.t.Context(), tt.stream, "orders", tt.sends, slog.New(slog.NewTextHandler(&w.log, nil))); err != nil {
					t.Error(err)
				}
				if n := w.log.count("level=WARN"); (tt.log != "") != (n == 1) || w.log.count(tt.log) == 0 && tt.log != "" {
					t.Errorf("log: %s", w.log.buf.String())
				}
			})
		})
	}
}
