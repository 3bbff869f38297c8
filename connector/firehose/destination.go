package firehose

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose/putbatch"
)

// kindOf names a destination.
func kindOf(d types.DestinationDescription) string {
	switch {
	case d.ExtendedS3DestinationDescription != nil, d.S3DestinationDescription != nil:
		return "S3"
	case d.RedshiftDestinationDescription != nil:
		return "Redshift"
	case d.AmazonopensearchserviceDestinationDescription != nil, d.ElasticsearchDestinationDescription != nil:
		return "OpenSearch"
	case d.AmazonOpenSearchServerlessDestinationDescription != nil:
		return "OpenSearch Serverless"
	case d.SplunkDestinationDescription != nil:
		return "Splunk"
	case d.HttpEndpointDestinationDescription != nil:
		return "the HTTP endpoint"
	case d.SnowflakeDestinationDescription != nil:
		return "Snowflake"
	case d.IcebergDestinationDescription != nil:
		return "Iceberg"
	}
	return "its destination"
}

// deliveries are how the names of a destination's metrics begin, by the word of kindOf. Redshift gets its records by way of
// S3. The metrics of OpenSearch are published under its older name for some domains.
// https://docs.aws.amazon.com/firehose/latest/dev/cloudwatch-metrics.html
var deliveries = map[string][]string{
	"S3":                    {"DeliveryToS3"},
	"Redshift":              {"DeliveryToRedshift", "DeliveryToS3"},
	"OpenSearch":            {"DeliveryToAmazonOpenSearchService", "DeliveryToElasticsearch"},
	"OpenSearch Serverless": {"DeliveryToAmazonOpenSearchServerless"},
	"Splunk":                {"DeliveryToSplunk"},
	"the HTTP endpoint":     {"DeliveryToHttpEndpoint"},
	"Snowflake":             {"DeliveryToSnowflake"},
	"Iceberg":               {"DeliveryToIceberg"},
}

// AllDeliveries are how the names of the metrics of all destinations begin.
func AllDeliveries() []string {
	var all []string
	for _, of := range deliveries {
		all = append(all, of...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Deliveries describes a stream and returns how the names of the metrics of its destination begin. It returns none for a
// destination that is not known here, and an error if the stream can't be described.
func Deliveries(ctx context.Context, api Describer, stream string) ([]string, error) {
	d, f := describePatiently(ctx, api, stream, func(*putbatch.RequestError) {})
	if f != nil {
		return nil, f
	}
	var all []string
	for _, to := range d.Destinations {
		all = append(all, deliveries[kindOf(to)]...)
	}
	return all, nil
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
