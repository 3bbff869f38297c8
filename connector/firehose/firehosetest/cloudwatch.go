package firehosetest

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
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
	Code    string // of the error; "" is success
}

const (
	keptCalls = 10_000
	// keptFor is how long the service keeps values of one minute.
	keptFor = 15 * 24 * time.Hour
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
	if old := c.kept[of]; len(old) > 0 && at.Sub(old[0].at) > keptFor {
		c.kept[of] = old[1:]
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
	results, queries, refusal := c.getMetricData(r)
	call := CloudWatchCall{At: time.Now(), Queries: queries}
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
		return http.StatusOK, header, appendCBOR(nil, map[string]any{"MetricDataResults": results, "Messages": []any{}})
	}
	header.Set("X-Amzn-Query-Error", refusal.code+";Sender")
	return cmp.Or(refusal.status, statusOf(refusal.code)), header, appendCBOR(nil, map[string]any{"__type": "com.amazonaws.cloudwatch#" + refusal.code, "message": refusal.message})
}

// getMetricData is the operation. As in the service, the caller is checked before the request.
func (c *CloudWatch) getMetricData(r *http.Request) (results []any, queries int, refusal *apiError) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes))
	if err != nil {
		return nil, 0, queryError("RequestTimeout", "the body did not come")
	}
	c.mu.Lock()
	fault := c.fault
	c.mu.Unlock()
	if fault != nil {
		return nil, 0, fault
	}
	if err := c.keys.verify(r, body, c.region, "monitoring", time.Now()); err != nil {
		return nil, 0, err
	}
	if err := checkOperation(r); err != nil {
		return nil, 0, err
	}
	in, refusal := readMetricDataInput(body)
	if refusal != nil {
		return nil, 0, refusal
	}
	for _, q := range in.queries {
		results = append(results, c.result(q, in))
	}
	return results, len(in.queries), nil
}

// result has the values of a query, the newest first.
func (c *CloudWatch) result(q metricQuery, in metricDataInput) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	times, values := []any{}, []any{}
	for _, p := range slices.Backward(c.kept[series{q.stream, q.metric}]) {
		if p.at.Before(in.start) {
			break
		}
		if p.at.Before(in.end) && !p.at.After(time.Now()) {
			times, values = append(times, p.at), append(values, p.value)
		}
	}
	return map[string]any{"Id": q.id, "Label": q.metric, "StatusCode": "Complete", "Timestamps": times, "Values": values}
}
