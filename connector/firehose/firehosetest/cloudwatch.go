package firehosetest

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// CloudWatchOptions say what a [CloudWatch] is.
type CloudWatchOptions struct {
	// Region is what a signature must be scoped to. Default us-east-1.
	Region string
	// Credentials are the keys that may sign. Empty: any key and any signature pass.
	Credentials []Credentials
}

// CloudWatch is an emulated CloudWatch with the metrics that Firehose publishes of its streams. It knows one operation,
// GetMetricData, for callers whom a policy allows nothing else, and refuses a request that the service would refuse or
// that asks for anything but metrics of Firehose. It is an [net/http.Handler] and, with Do, the HTTP client of an AWS
// SDK. All methods may be called at any time from any goroutine.
type CloudWatch struct {
	region string
	keys   keys

	mu    sync.Mutex
	kept  map[series][]point // in the order of their times
	fault *apiError
	cut   bool
	calls []CloudWatchCall // the newest keptCalls
}

type series struct{ stream, metric string }

type point struct {
	at    time.Time
	value float64
}

// CloudWatchCall is one entry of the log of a [CloudWatch].
type CloudWatchCall struct {
	At      time.Time
	Queries int
	Values  int    // of the answer
	Code    string // of the error; "" is success
}

const (
	keptCalls = 10_000
	// minutesKeptFor is how long the service keeps values of one minute, and keptFor those of five. It keeps those of an hour for
	// longer, which is not emulated.
	minutesKeptFor, keptFor = 15 * 24 * time.Hour, 63 * 24 * time.Hour
)

// NewCloudWatch returns a CloudWatch without values.
func NewCloudWatch(o CloudWatchOptions) *CloudWatch {
	c := &CloudWatch{region: cmp.Or(o.Region, "us-east-1"), kept: map[series][]point{}}
	c.keys.add(o.Credentials...)
	return c
}

// Publish adds the value of a minute to a metric of a stream, such as DeliveryToS3.DataFreshness. Values of one metric
// come in the order of their times.
func (c *CloudWatch) Publish(stream, metric string, at time.Time, value float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := series{stream, metric}
	for len(c.kept[of]) > 0 && at.Sub(c.kept[of][0].at) > keptFor {
		c.kept[of] = c.kept[of][1:]
	}
	c.kept[of] = append(c.kept[of], point{at.Truncate(time.Minute), value})
}

// Refuse answers every request with an error from now on; an empty code has the service answer again.
func (c *CloudWatch) Refuse(code, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = nil
	if code != "" {
		c.fault = fail(code, "%s", message)
	}
}

// Cut breaks the connection of every request from now on, or no longer.
func (c *CloudWatch) Cut(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = on
}

// Calls is the log, in order.
func (c *CloudWatch) Calls() []CloudWatchCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Do answers r without a socket.
func (c *CloudWatch) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-r.Context().Done():
		return nil, doError(r, r.Context().Err())
	}
	status, header, body := c.answer(r)
	if status == 0 {
		return nil, doError(r, io.ErrUnexpectedEOF)
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// ServeHTTP implements [net/http.Handler].
func (c *CloudWatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, header, body := c.answer(r)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// answer decides a request, and notes it.
func (c *CloudWatch) answer(r *http.Request) (status int, header http.Header, body []byte) {
	header = http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}, "Content-Type": {"application/cbor"}}
	members, call, refusal := c.getMetricData(r)
	if refusal != nil {
		call.Code = refusal.code
	}
	c.mu.Lock()
	c.calls = append(c.calls[max(len(c.calls)-keptCalls+1, 0):], call)
	cut := c.cut
	c.mu.Unlock()
	if cut {
		return 0, nil, nil
	}
	if refusal == nil {
		return http.StatusOK, header, appendCBOR(nil, members)
	}
	header.Set("X-Amzn-Query-Error", refusal.code+";Sender")
	return cmp.Or(refusal.status, statusOf(refusal.code)), header, appendCBOR(nil, map[string]any{"__type": "com.amazonaws.cloudwatch#" + refusal.code, "message": refusal.message})
}

// getMetricData is the operation. As in the service, the caller is checked before the request.
func (c *CloudWatch) getMetricData(r *http.Request) (members map[string]any, call CloudWatchCall, refusal *apiError) {
	call.At = time.Now()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes))
	if err != nil {
		return nil, call, queryError("RequestTimeout", "the body did not come")
	}
	c.mu.Lock()
	fault := c.fault
	c.mu.Unlock()
	if fault != nil {
		return nil, call, fault
	}
	if err := c.keys.verify(r, body, c.region, "monitoring", time.Now()); err != nil {
		return nil, call, err
	}
	if err := checkOperation(r); err != nil {
		return nil, call, err
	}
	in, refusal := readMetricDataInput(body)
	if refusal != nil {
		return nil, call, refusal
	}
	members, call.Values = c.page(in)
	call.Queries = len(in.queries)
	return members, call, nil
}

// page has the values of the queries behind those that a token has passed, and as many as one answer may have.
func (c *CloudWatch) page(in metricDataInput) (members map[string]any, n int) {
	results, skip, room := []any{}, in.passed, in.maxValues
	next := ""
	for _, q := range in.queries {
		all := c.values(q, in)
		from := min(skip, len(all))
		n := min(len(all)-from, room)
		skip, room = skip-from, room-n
		status := "Complete"
		if from+n < len(all) {
			status, next = "PartialData", strconv.Itoa(in.passed+in.maxValues)
		}
		if n == 0 && (in.passed > 0 || status != "Complete") {
			continue
		}
		times, values := []any{}, []any{}
		for _, p := range all[from : from+n] {
			times, values = append(times, p.at), append(values, p.value)
		}
		results = append(results, map[string]any{"Id": q.id, "Label": q.metric, "StatusCode": status, "Timestamps": times, "Values": values})
	}
	members = map[string]any{"MetricDataResults": results, "Messages": []any{}}
	if next != "" {
		members["NextToken"] = next
	}
	return members, in.maxValues - room
}

// values are those of a query, one for each period, the newest first. Old ones are kept for long periods alone.
func (c *CloudWatch) values(q metricQuery, in metricDataInput) (all []point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, n := time.Now(), 0
	oldest := now.Add(-keptFor)
	if q.period%(5*time.Minute) != 0 {
		oldest = now.Add(-minutesKeptFor)
	}
	for _, p := range slices.Backward(c.kept[series{q.stream, q.metric}]) {
		at := p.at.Truncate(q.period)
		switch last := len(all) - 1; {
		case at.Before(in.start) || p.at.Before(oldest):
			return all
		case !p.at.Before(in.end) || p.at.After(now):
		case last < 0 || !all[last].at.Equal(at):
			all, n = append(all, point{at, p.value}), 1
		case q.statistic == "Maximum":
			all[last].value = max(all[last].value, p.value)
		default:
			n++
			all[last].value += (p.value - all[last].value) / float64(n)
		}
	}
	return all
}
