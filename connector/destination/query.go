package destination

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// What GetMetricData takes, and what Firehose publishes.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
// https://docs.aws.amazon.com/firehose/latest/dev/cloudwatch-metrics.html
const (
	maxQueries = 500
	namespace  = "AWS/Firehose"
	dimension  = "DeliveryStreamName"
	freshness  = ".DataFreshness" // in seconds
	success    = ".Success"
	period     = time.Minute
)

// metricQuery asks for a metric of a stream's destination.
type metricQuery struct {
	stream string
	metric string // such as DeliveryToS3.DataFreshness
	late   bool   // of the freshness
}

// queriesOf returns the queries for a stream with metrics that begin with one of deliveries.
func queriesOf(stream string, deliveries []string) (all []metricQuery) {
	for _, d := range deliveries {
		all = append(all, metricQuery{stream, d + freshness, true}, metricQuery{stream, d + success, false})
	}
	return all
}

// askCloudWatch returns the newest values since some time for each stream, and an error for each stream that could not be asked. A
// stream with several deliveries is as late as the latest of them.
func (c *cloudWatchClient) askCloudWatch(ctx context.Context, since, now time.Time, queries []metricQuery) (answers map[string]Answer, failed map[string]error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answers, failed = map[string]Answer{}, map[string]error{}
	for part := range slices.Chunk(queries, maxQueries) {
		newest, doubts, drops := make([]MetricValue, len(part)), make([]time.Time, len(part)), make([]Drop, len(part))
		err := c.getValues(ctx, metricRequest(since, now, period, part), func(id string, v MetricValue) {
			if i, ok := queryIndex(id); ok && i < len(part) && v.At.Before(now.Add(period)) {
				newest[i] = newest[i].newerOf(v)
				if part[i].late && v.mayDrop() && v.At.After(doubts[i]) {
					doubts[i] = v.At
				}
				if part[i].late && v.isDropping() {
					drops[i] = drops[i].mergedWith(dropAt(v, 0))
				}
			}
		})
		for i, q := range part {
			if err != nil {
				failed[q.stream] = err
				continue
			}
			answers[q.stream] = answers[q.stream].withValue(q, newest[i], doubts[i], drops[i])
		}
	}
	return answers, failed
}

// queryIndex is the place of a query in its request, by its id.
func queryIndex(id string) (i int, ok bool) {
	number, ok := strings.CutPrefix(id, "q")
	i, err := strconv.Atoi(number)
	return i, ok && err == nil && i >= 0
}

// metricRequest asks for all values since some time, one each period.
func metricRequest(since, now time.Time, period time.Duration, queries []metricQuery) *cloudwatch.GetMetricDataInput {
	in := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(since.Truncate(period)), EndTime: aws.Time(now.Truncate(period).Add(period)),
		ScanBy: types.ScanByTimestampDescending,
	}
	for i, q := range queries {
		statistic := "Average"
		if q.late {
			statistic = "Maximum"
		}
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id: aws.String(fmt.Sprintf("q%d", i)),
			MetricStat: &types.MetricStat{
				Stat: &statistic, Period: aws.Int32(int32(period / time.Second)),
				Metric: &types.Metric{
					Namespace: aws.String(namespace), MetricName: aws.String(q.metric),
					Dimensions: []types.Dimension{{Name: aws.String(dimension), Value: aws.String(q.stream)}},
				},
			},
		})
	}
	return in
}

// withValue adds the newest value of a query to an answer, the time of the newest one at which Firehose may drop records, and what it
// has dropped by all of them.
func (a Answer) withValue(q metricQuery, v MetricValue, doubtAt time.Time, d Drop) Answer {
	a.Dropped = a.Dropped.mergedWith(d)
	a.DoubtAt = laterOf(a.DoubtAt, doubtAt)
	switch {
	case v.At.IsZero():
	case q.late && (a.Freshness.At.IsZero() || v.Amount > a.Freshness.Amount):
		a.Freshness = v
	case !q.late && (a.Success.At.IsZero() || v.Amount < a.Success.Amount):
		a.Success = v
	}
	return a
}
