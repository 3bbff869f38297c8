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
		if calls := w.cloud.Calls(); len(calls) != 3 || calls[0].Queries != 8 || calls[1].Queries != 4 || calls[2].Queries != 4 || one.IsWaiting() {
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
		if calls := w.cloud.Calls(); len(calls) != 9+2*maxHistoryRequests || calls[0].Queries != 500 || calls[2].Queries != 200 || described != 300 {
			t.Errorf("%d requests, the first %+v, described %d", len(calls), calls[0], described)
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
		w.delivered("s001", time.Now())
		w.askFor(t.Context(), 2)
		const want = ` stream=s001 from=1999-12-31T00:00:00Z to=1999-12-31T00:20:00Z dropped_until=2000-01-01T00:00:00Z replay="kafka-firehose replay -from 1999-12-30T23:59:00Z -to 1999-12-31T00:20:00Z -topic of-s001,clicks"`
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("%s\nhas no %s", &w.log, want)
		}
	})
}

// publishOutage publishes what CloudWatch has of an outage: from a time on nothing is delivered for so many hours, while records come in
// the first of them. A batch tries the destination when Firehose has dropped them, and once more.
func (w *watched) publishOutage(stream string, from time.Time, accepted, lasts time.Duration) {
	const metric = "DeliveryToSplunk.DataFreshness"
	tried := from.Add(24*time.Hour + accepted + time.Hour)
	for at := from; at.Before(from.Add(lasts)); at = at.Add(time.Minute) {
		oldest := from
		switch {
		case at.Before(from.Add(24 * time.Hour)):
		case at.Before(from.Add(24*time.Hour + accepted)):
			oldest = at.Add(-24 * time.Hour)
		case at.Before(tried):
			continue // Firehose has nothing
		default:
			oldest = tried.Add(at.Sub(tried).Truncate(24 * time.Hour))
		}
		w.cloud.Publish(stream, metric, at, at.Sub(oldest).Seconds())
		w.cloud.Publish(stream, "DeliveryToSplunk.Success", at, 0)
	}
}

// delivered publishes a delivery that succeeded.
func (w *watched) delivered(stream string, at time.Time) {
	w.cloud.Publish(stream, "DeliveryToSplunk.DataFreshness", at, 60)
	w.cloud.Publish(stream, "DeliveryToSplunk.Success", at, 1)
}

// askFor asks each minute.
func (w *watched) askFor(ctx context.Context, minutes int) {
	for range minutes {
		w.AskOnce(ctx)
		time.Sleep(Interval)
	}
}

// TestDropBeforeTheProcess: a process that begins while an outage lasts, or after it, names all of it, from the first dropped record to
// the last batch that tried the destination. Two outages with deliveries between are two.
func TestDropBeforeTheProcess(t *testing.T) {
	for name, hours := range map[string]int{"in the drop": 30, "in the hold": 50, "after the outage": 80, "a week later": 240} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t, 2, toSplunk)
				begin := time.Now()
				w.publishOutage("s001", begin.Add(5*time.Hour), 12*time.Hour, 66*time.Hour)
				w.delivered("s001", begin.Add(72*time.Hour))
				w.delivered("s001", begin.Add(73*time.Hour))
				time.Sleep(time.Duration(hours) * time.Hour)
				for range max(75-hours, 0) {
					w.askFor(t.Context(), 1)
					time.Sleep(time.Hour - Interval)
				}
				w.askFor(t.Context(), 5)
				// The batch that tried the destination was accepted at 42 h, so Firehose dropped it at 66.
				const want = ` stream=s001 from=2000-01-01T04:56:00Z to=2000-01-02T18:1`
				if log := w.log.String(); strings.Count(log, "has probably dropped") != 1 || !strings.Contains(log, want) ||
					!strings.Contains(log, "replay -from 2000-01-01T04:55:00Z -to 2000-01-02T18:1") {
					t.Errorf("%s\nhas no %s, or more", log, want)
				}
				got := w.ForStream("s001").State().Dropped(time.Now())
				if len(got) != 1 || got[0].From.Sub(begin.Add(5*time.Hour)).Abs() > historyPeriod || w.ForStream("s001").ReplayCommand(got[0]) == "" {
					t.Errorf("%+v", got)
				}
				if got := w.ForStream("s000").State().Dropped(time.Now()); len(got) != 0 {
					t.Errorf("another stream: %+v", got)
				}
			})
		})
	}
}

// TestTwoOutages: outages with a delivery between them are told one by one, and a failure of CloudWatch only delays that.
func TestTwoOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		begin := time.Now()
		w.publishOutage("s001", begin, time.Hour, 25*time.Hour)
		w.delivered("s001", begin.Add(30*time.Hour))
		w.publishOutage("s001", begin.Add(40*time.Hour), time.Hour, 25*time.Hour)
		w.delivered("s001", begin.Add(66*time.Hour))
		time.Sleep(100 * time.Hour)
		w.AskOnce(t.Context())
		w.cloud.Refuse("ThrottlingException", "no")
		w.askFor(t.Context(), 3)
		if strings.Contains(w.log.String(), "has probably dropped") {
			t.Errorf("CloudWatch has not answered:\n%s", &w.log)
		}
		w.cloud.Refuse("", "")
		w.askFor(t.Context(), 3)
		if got := w.ForStream("s001").State().Dropped(time.Now()); len(got) != 2 || got[0].From.Sub(begin).Abs() > historyPeriod || got[1].From.Sub(begin.Add(40*time.Hour)).Abs() > historyPeriod || strings.Count(w.log.String(), "has probably dropped") != 2 {
			t.Errorf("%+v\n%s", got, &w.log)
		}
	})
}

// TestDropWhileCloudWatchFailed: records that Firehose dropped while CloudWatch could not be asked for hours are named when it can be.
func TestDropWhileCloudWatchFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		w.askFor(t.Context(), 3)
		begin := time.Now()
		w.cloud.Refuse("ThrottlingException", "no")
		w.publishOutage("s001", begin, time.Hour, 25*time.Hour)
		w.delivered("s001", begin.Add(26*time.Hour))
		w.askFor(t.Context(), 30*60)
		w.cloud.Refuse("", "")
		w.askFor(t.Context(), 3)
		if got := w.ForStream("s001").State().Dropped(time.Now()); len(got) != 1 || got[0].From.Sub(begin).Abs() > historyPeriod || strings.Count(w.log.String(), "has probably dropped") != 1 {
			t.Errorf("%+v\n%s", got, &w.log)
		}
	})
}

// TestReplayOfAHold: after a hold, the command ends with the records that were sent before it was over: those of this process, and those
// before the first record of each partition that it took over. What is sent afterwards does not count.
func TestReplayOfAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		begin := time.Now()
		w.publishOutage("s001", begin, 2*time.Hour, 40*time.Hour)
		w.delivered("s001", begin.Add(40*time.Hour))
		time.Sleep(39 * time.Hour)
		s := w.ForStream("s001")
		w.askFor(t.Context(), 50)
		if !s.State().Held {
			t.Fatal("it is not held")
		}
		s.NotePacked(begin.Add(2*time.Hour + 10*time.Minute))
		s.NotePacked(begin.Add(time.Hour))
		for s.State().Held {
			w.askFor(t.Context(), 1)
		}
		s.NotePolled(begin.Add(2*time.Hour + 20*time.Minute))
		s.NotePacked(begin.Add(9 * time.Hour)) // it is over
		w.askFor(t.Context(), 2)
		const want = `replay -from 1999-12-31T23:55:00Z -to 2000-01-01T02:20:01Z `
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("%s\nhas no %s", &w.log, want)
		}
	})
}

// TestHistoryIsBounded: the older values of many streams are asked for in requests whose answers need no second page.
func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 30, toSplunk)
		begin := time.Now()
		for i := range 30 {
			for at := begin; at.Before(begin.Add(15 * 24 * time.Hour)); at = at.Add(5 * time.Minute) {
				w.cloud.Publish(fmt.Sprintf("s%03d", i), "DeliveryToSplunk.DataFreshness", at, 86_400)
				w.cloud.Publish(fmt.Sprintf("s%03d", i), "DeliveryToSplunk.Success", at, 1)
			}
		}
		time.Sleep(15 * 24 * time.Hour)
		w.AskOnce(t.Context())
		before := len(w.cloud.Calls())
		w.AskOnce(t.Context())
		calls := w.cloud.Calls()[before:]
		if len(calls) != 4 || calls[1].Queries != maxHistoryQueries-1 || calls[1].Values > maxValues || calls[1].Values < maxValues*9/10 || calls[3].Queries != 60-2*(maxHistoryQueries-1) {
			t.Errorf("%+v", calls)
		}
		if got := w.ForStream("s029").State().Dropped(time.Now()); len(got) != 1 || time.Since(got[0].LastAt) > 10*time.Minute || time.Since(got[0].From) < history {
			t.Errorf("%+v", got)
		}
		w.AskOnce(t.Context())
		if n := len(w.cloud.Calls()) - before; n != 5 {
			t.Errorf("%d requests, want the older values asked for once", n)
		}
	})
}

// The command names no topic if all are meant, and leaves very many to the reader.
func TestReplayCommand(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 1, 0, 0, 0, time.FixedZone("", 3600))
	drop := Drop{From: at, ReplayTo: at.Add(time.Hour)}
	const command = "kafka-firehose replay -from 2026-01-30T23:59:00Z -to 2026-01-31T01:00:00Z"
	for topics, want := range map[int]string{0: command, 1: command + " -topic t", maxNamedTopics + 1: command + " -topic TOPICS"} {
		if got := replayCommand(drop, slices.Repeat([]string{"t"}, topics)); got != want {
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
				late := w.ReadLateness(t.Context())
				if len(late) != 1 || late[0].Err == nil || errors.As(late[0].Err, new(*DeniedError)) != (name == "denied") || !strings.Contains(late[0].Err.Error(), row.want) {
					t.Errorf("%+v", late)
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

// It is known how late a destination is before anything is watched.
func TestReadLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 2, toSplunk)
		w.cloud.Publish("s001", "DeliveryToSplunk.DataFreshness", time.Now().Add(-3*time.Minute), 90)
		late := w.ReadLateness(t.Context())
		want := []Lateness{{Stream: late[0].Stream}, {Stream: "s001", By: 90 * time.Second, Age: 3 * time.Minute, IsKnown: true}}
		if !slices.Equal(late, want) {
			t.Errorf("%+v, want %+v", late, want)
		}
	})
}

// TestCloudWatchKeepsValues: the strict CloudWatch has one value for each period, forgets those of one minute after 15 days, and gives a
// part of them with each page.
func TestCloudWatchKeepsValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, 1, toSplunk)
		begin := time.Now()
		for i := range 20 {
			w.cloud.Publish("s", "DeliveryToS3.DataFreshness", begin.Add(time.Duration(i)*time.Minute), float64(i))
			w.cloud.Publish("s", "DeliveryToS3.Success", begin.Add(time.Duration(i)*time.Minute), float64(i%5))
		}
		time.Sleep(15*24*time.Hour + 10*time.Minute)
		for period, want := range map[time.Duration]string{
			time.Minute:     "q0 19 18 17 16 15 14 13 12 11 q1 4 3 2 1 0 4 3 2 1",
			5 * time.Minute: "q0 19 14 9 4 q1 2 2 2 2",
		} {
			in := metricRequest(begin, time.Now(), period, queriesOf("s", []string{"DeliveryToS3"}))
			in.MaxDatapoints = aws.Int32(3)
			got, last := "", ""
			err := w.client.getValues(t.Context(), in, func(id string, v MetricValue) {
				if id != last {
					got, last = got+" "+id, id
				}
				got += fmt.Sprint(" ", v.Amount)
			})
			if got = strings.TrimSpace(got); err != nil || got != want {
				t.Errorf("a period of %v: %v, %q, want %q", period, err, got, want)
			}
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
			"points":    func(in *cloudwatch.GetMetricDataInput) { in.MaxDatapoints = aws.Int32(100_801) },
			"token":     func(in *cloudwatch.GetMetricDataInput) { in.NextToken = aws.String("none") },
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
			in := metricRequest(now.Add(-valueLife), now, period, q)
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
		if _, err := other.GetMetricData(t.Context(), metricRequest(now.Add(-valueLife), now, period, q)); err == nil || !strings.Contains(err.Error(), "InvalidSignatureException") {
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
