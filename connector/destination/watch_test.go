package destination

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/check"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/metrics"
)

const accessKey, secretKey = "AKIDEXAMPLE", "planted-secret-0123456789"

// watched is a Watch of a number of streams, against the strict CloudWatch.
type watched struct {
	*Watch
	cloud       *firehosetest.CloudWatch
	log         bytes.Buffer
	changed     []string
	invalidated int
}

func keys(secret string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secret}, nil
	})
}

func newWatched(t *testing.T, streams int, describe func(context.Context) ([]string, error)) *watched {
	t.Helper()
	w := &watched{cloud: firehosetest.NewCloudWatch(firehosetest.CloudWatchOptions{
		Region: "eu-central-1", Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
	})}
	o := Options{
		Config: Config{Watch: true, PauseAfter: time.Hour}, Deliveries: []string{"DeliveryToS3", "DeliveryToSplunk"},
		Changed: func(stream string) { w.changed = append(w.changed, stream) },
		Topics:  func(stream string) []string { return []string{"of-" + stream, "clicks"} },
		Log:     slog.New(slog.NewTextHandler(&w.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()).Destination,
		Client: []ClientOption{func(o *cloudwatch.Options) { o.HTTPClient = w.cloud }},
		Access: Access{
			Region: "eu-central-1", Invalidate: func() { w.invalidated++ },
			Credentials: keys(secretKey),
		},
	}
	for i := range streams {
		o.Streams = append(o.Streams, Source{fmt.Sprintf("s%03d", i), describe})
	}
	var err error
	if w.Watch, err = New(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return w
}

func toSplunk(context.Context) ([]string, error) { return []string{"DeliveryToSplunk"}, nil }

// A stream is asked for by its own type, and what CloudWatch says of it decides.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		if !w.ForStream("s000").IsWaiting() {
			t.Error("nothing waits for the first answer")
		}
		w.AskOnce(t.Context()) // for all types, and without a description
		w.changed = nil
		w.cloud.Publish("s001", "DeliveryToSplunk.DataFreshness", time.Now().Add(-3*time.Minute), 7200)
		w.cloud.Publish("s001", "DeliveryToSplunk.Success", time.Now().Add(-3*time.Minute), 0.25)
		w.cloud.Publish("s000", "DeliveryToS3.DataFreshness", time.Now(), 9999) // of another type
		w.AskOnce(t.Context())
		one, other := w.ForStream("s001"), w.ForStream("s000")
		if s := one.State(); !s.Held || s.LateBy() != 2*time.Hour || s.Success.Amount != 0.25 || !one.IsHeld() || w.CurrentOutage() != nil {
			t.Errorf("%+v, %v", s, w.CurrentOutage())
		}
		if s := other.State(); s.Held || s.LateBy() != 0 || other.IsHeld() {
			t.Errorf("%+v", s)
		}
		if strings.Join(w.changed, " ") != "s001" || !strings.Contains(w.log.String(), `"stream held: `) ||
			!strings.Contains(w.log.String(), "at_risk_from=1999-12-31T21:57:00Z at_risk_to=2000-01-01T00:00:00Z") {
			t.Errorf("%q\n%s", w.changed, &w.log)
		}
		if calls := w.cloud.Calls(); len(calls) != 2 || calls[0].Queries != 8 || calls[1].Queries != 4 || one.IsWaiting() {
			t.Errorf("%+v", calls)
		}
	})
}

// A request has at most 500 queries, and a stream that can't be described is asked for by all types, and described again
// after an hour.
func TestManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		described := 0
		w := newWatched(t, 300, func(context.Context) ([]string, error) { described++; return nil, errors.New("denied") })
		w.cloud.Publish("s299", "DeliveryToSplunk.DataFreshness", time.Now(), 60)
		w.AskOnce(t.Context())
		w.AskOnce(t.Context())
		w.AskOnce(t.Context())
		if calls := w.cloud.Calls(); len(calls) != 9 || calls[0].Queries != 500 || calls[2].Queries != 200 || described != 300 {
			t.Errorf("%+v, described %d", calls, described)
		}
		if late := w.ForStream("s299").State().LateBy(); late != time.Minute {
			t.Errorf("late by %v", late)
		}
		time.Sleep(describeAgain)
		if w.AskOnce(t.Context()); described != 600 {
			t.Errorf("described %d times after an hour", described)
		}
	})
}

// The line about dropped records has the command that sends them again: of their time, and of the topics of their stream alone.
func TestReplayHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		w.cloud.Publish("s001", "DeliveryToSplunk.DataFreshness", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), 86_400)
		w.AskOnce(t.Context())
		if strings.Contains(w.log.String(), "replay=") {
			t.Errorf("a replay is asked for while Firehose still drops records:\n%s", &w.log)
		}
		time.Sleep(10 * time.Minute)
		w.cloud.Publish("s001", "DeliveryToSplunk.DataFreshness", time.Now(), 60)
		w.AskOnce(t.Context())
		const want = ` stream=s001 from=1999-12-31T00:00:00Z to=1999-12-31T00:15:00Z replay="kafka-firehose replay -from 1999-12-30T23:59:00Z -to 1999-12-31T00:15:00Z -topic of-s001,clicks"`
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("%s\nhas no %s", &w.log, want)
		}
	})
}

// The command names no topic if all are meant, and leaves very many to the reader.
func TestReplayCommand(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 1, 0, 0, 0, time.FixedZone("", 3600))
	span := timeSpan{at, at.Add(time.Hour)}
	const command = "kafka-firehose replay -from 2026-01-30T23:59:00Z -to 2026-01-31T01:00:00Z"
	for topics, want := range map[int]string{0: command, 1: command + " -topic t", maxNamedTopics + 1: command + " -topic TOPICS"} {
		if got := replayCommand(span, slices.Repeat([]string{"t"}, topics)); got != want {
			t.Errorf("%d topics: %q, want %q", topics, got, want)
		}
	}
}

// A process that begins looks back for a day, and one that runs for an hour.
func TestLookback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		w.cloud.Refuse("AccessDenied", "no") // it has not begun before CloudWatch answers
		w.AskOnce(t.Context())
		w.cloud.Refuse("", "")
		w.cloud.Publish("s000", "DeliveryToSplunk.DataFreshness", time.Now().Add(-2*time.Hour), 86_300)
		w.AskOnce(t.Context())
		s := w.ForStream("s000")
		if !s.State().Held || s.IsHeld() {
			t.Errorf("%+v, want it held, and a probe", s.State())
		}
		if s.NoteSent(); !s.IsHeld() {
			t.Error("a probe lets more than one batch through")
		}
		w.cloud.Publish("s001", "DeliveryToSplunk.DataFreshness", time.Now().Add(-2*time.Hour), 86_300)
		if w.AskOnce(t.Context()); w.ForStream("s001").State().Held {
			t.Error("it looks back again")
		}
	})
}

// What CloudWatch refuses, and why it can't be asked, is told without secrets; it is over with the next answer.
func TestTrouble(t *testing.T) {
	for name, row := range map[string]struct {
		make        func(*watched)
		want        string
		invalidated int
	}{
		"denied":    {func(w *watched) { w.cloud.Refuse("AccessDenied", "User: u is not authorized") }, "allow cloudwatch:GetMetricData on all resources (User: u is not authorized)", 0},
		"throttled": {func(w *watched) { w.cloud.Refuse("ThrottlingException", "Rate exceeded") }, "CloudWatch refuses the request: ThrottlingException: Rate exceeded", 0},
		"expired":   {func(w *watched) { w.cloud.Refuse("ExpiredToken", "it is expired") }, "CloudWatch refuses the request: ExpiredToken", 1},
		"cut":       {func(w *watched) { w.cloud.Cut(true) }, "unexpected EOF", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t, 1, toSplunk)
				row.make(w)
				w.AskOnce(t.Context())
				w.AskOnce(t.Context())
				trouble := w.CurrentOutage()
				if trouble == nil || !strings.Contains(trouble.Err.Error(), row.want) || !strings.Contains(trouble.Err.Error(), "the destination of s000") || trouble.Failures != 2 ||
					strings.Contains(trouble.Err.Error(), secretKey) || w.invalidated != 2*row.invalidated {
					t.Errorf("%+v, want %q; invalidated %d", trouble, row.want, w.invalidated)
				}
				found := w.Inspect(t.Context())
				if len(found) != 1 || found[0].Kind != check.Destination || found[0].Severity != map[bool]check.Severity{true: check.Error, false: check.Warning}[name == "denied"] || !strings.Contains(found[0].Found, row.want) {
					t.Errorf("%+v", found)
				}
				w.cloud.Refuse("", "")
				w.cloud.Cut(false)
				if w.AskOnce(t.Context()); w.CurrentOutage() != nil {
					t.Errorf("after it: %v", w.CurrentOutage().Err)
				}
			})
		})
	}
}

// The check tells how late a destination is.
func TestInspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		w.cloud.Publish("s001", "DeliveryToSplunk.DataFreshness", time.Now().Add(-3*time.Minute), 90)
		found := w.Inspect(t.Context())
		if len(found) != 2 || found[0].Severity != check.OK || !strings.Contains(found[0].Found, "no value of the last hour") || found[1].Found != "1m30s late 3m0s ago" {
			t.Errorf("%+v", found)
		}
	})
}

// Another signature, operation, namespace, statistic or number of queries is refused.
func TestStrictCloudWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 1, toSplunk)
		now := time.Now()
		q := queriesOf("s", []string{"DeliveryToS3"})
		for name, change := range map[string]func(*cloudwatch.GetMetricDataInput){
			"nothing": func(*cloudwatch.GetMetricDataInput) {},
			"namespace": func(in *cloudwatch.GetMetricDataInput) {
				in.MetricDataQueries[0].MetricStat.Metric.Namespace = aws.String("AWS/Kinesis")
			},
			"metric": func(in *cloudwatch.GetMetricDataInput) {
				in.MetricDataQueries[0].MetricStat.Metric.MetricName = aws.String("IncomingBytes")
			},
			"statistic": func(in *cloudwatch.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Stat = aws.String("Sum") },
			"period":    func(in *cloudwatch.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Period = aws.Int32(61) },
			"dimension": func(in *cloudwatch.GetMetricDataInput) {
				in.MetricDataQueries[0].MetricStat.Metric.Dimensions[0].Name = aws.String("StreamName")
			},
			"twice": func(in *cloudwatch.GetMetricDataInput) { in.MetricDataQueries[1].Id = in.MetricDataQueries[0].Id },
			"none":  func(in *cloudwatch.GetMetricDataInput) { in.MetricDataQueries = nil },
			"time":  func(in *cloudwatch.GetMetricDataInput) { in.EndTime = in.StartTime },
			"501": func(in *cloudwatch.GetMetricDataInput) {
				for len(in.MetricDataQueries) <= maxQueries {
					more := in.MetricDataQueries[0]
					more.Id = aws.String(fmt.Sprintf("q%d", len(in.MetricDataQueries)))
					in.MetricDataQueries = append(in.MetricDataQueries, more)
				}
			},
		} {
			in := metricRequest(now.Add(-valueLife), now, q)
			change(in)
			if _, err := w.client.GetMetricData(t.Context(), in); (err == nil) != (name == "nothing") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.client.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{}); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("another operation: %v", err)
		}
		other, err := newClient(t.Context(), Access{Region: "eu-central-1", Invalidate: func() {}, Credentials: keys("another")}, w.o.Client)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.GetMetricData(t.Context(), metricRequest(now.Add(-valueLife), now, q)); err == nil || !strings.Contains(err.Error(), "InvalidSignatureException") {
			t.Errorf("another key: %v", err)
		}
		if r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", http.NoBody); err != nil {
			t.Error(err)
		} else if got, err := w.cloud.Do(r); err != nil || got.StatusCode/100 != 4 {
			t.Errorf("another protocol: %v, %v", got, err)
		} else {
			_ = got.Body.Close()
		}
	})
}
