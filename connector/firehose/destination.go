package firehose

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose/putbatch"
)

// DestinationKind names a destination in a sentence.
func DestinationKind(d types.DestinationDescription) string {
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

// deliveries are how the names of a destination's metrics begin, by the word of DestinationKind. Redshift gets its records by way of
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
	d, f := DescribePatiently(ctx, api, stream, func(*putbatch.RequestError) {})
	if f != nil {
		return nil, f
	}
	var all []string
	for _, to := range d.Destinations {
		all = append(all, deliveries[DestinationKind(to)]...)
	}
	return all, nil
}
