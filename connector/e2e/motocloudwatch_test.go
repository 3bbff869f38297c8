package e2e_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/metrics"
)

// TestMotoDestination: what Firehose would publish in moto's CloudWatch is found there. moto speaks the older of the service's
// protocols, which the SDK knows as well; the newer one is compared with the strict CloudWatch.
func TestMotoDestination(t *testing.T) {
	m := startMoto(t)
	keys := credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
	reach := func(o *cloudwatch.Options) {
		o.BaseEndpoint = &m.url
		o.Protocol = awsquery.New(schemas.GraniteServiceVersion20100801)
	}
	publish := cloudwatch.New(cloudwatch.Options{Region: "us-east-1", Credentials: keys}, reach)
	now := time.Now()
	for metric, value := range map[string]float64{"DeliveryToS3.DataFreshness": 7_500, "DeliveryToS3.Success": 0.5, "DeliveryToSplunk.DataFreshness": 9_999} {
		_, err := publish.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace: aws.String("AWS/Firehose"),
			MetricData: []types.MetricDatum{{
				MetricName: &metric, Value: &value, Timestamp: aws.Time(now.Add(-3 * time.Minute)),
				Dimensions: []types.Dimension{{Name: aws.String("DeliveryStreamName"), Value: aws.String("s")}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := destination.New(t.Context(), destination.Options{
		Config:  destination.Config{Watch: true, PauseAfter: 2 * time.Hour},
		Streams: []destination.Source{{Name: "s", Describe: m.deliveries}}, Deliveries: firehose.AllDeliveries(), Changed: func(string) {},
		Access: destination.Access{Region: "us-east-1", Credentials: keys, Invalidate: func() {}},
		Log:    slog.New(slog.DiscardHandler), Metrics: metrics.New(prometheus.NewRegistry()).Destination, Client: []destination.ClientOption{reach},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.AskOnce(t.Context()) // for all types
	w.AskOnce(t.Context()) // for the stream's own
	if trouble := w.CurrentOutage(); trouble != nil {
		t.Fatal(trouble.Err)
	}
	if s := w.ForStream("s").State(); s.LateBy() != 7_500*time.Second || s.Success.Amount != 0.5 || !s.Held {
		t.Errorf("%+v", s)
	}
}

// deliveries describes moto's stream.
func (m *moto) deliveries(ctx context.Context) ([]string, error) {
	return firehose.Deliveries(ctx, m.client(), "s")
}
