package firehosetest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of GetMetricData.
const (
	maxMetricQueries  = 500
	maxMetricValues   = 100_800
	metricDataPath    = "/service/GraniteServiceVersion20100801/operation/GetMetricData"
	metricOperations  = "/service/GraniteServiceVersion20100801/operation/"
	firehoseNamespace = "AWS/Firehose"
)

var (
	legalQueryID = regexp.MustCompile(`\A[a-z][a-zA-Z0-9_]{0,254}\z`)
	// destinationMetrics are those that Firehose publishes and that a bridge has a reason to ask for.
	destinationMetrics = regexp.MustCompile(`\ADeliveryTo(S3|Redshift|AmazonOpenSearchService|Elasticsearch|AmazonOpenSearchServerless|Splunk|HttpEndpoint|Snowflake|Iceberg)\.(DataFreshness|Success)\z`)
)

// metricDataInput is a decoded request.
type metricDataInput struct {
	start, end time.Time
	queries    []metricQuery
	maxValues  int // of one answer
	passed     int // values that earlier answers had
}

type metricQuery struct {
	id, stream, metric, statistic string
	period                        time.Duration
}

// queryError is an error in the words of the service's older protocol, which the newer one repeats.
func queryError(code, format string, args ...any) *apiError {
	return &apiError{code: code, status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

// checkOperation refuses a request that is no call of GetMetricData in RPC v2 with CBOR.
func checkOperation(r *http.Request) *apiError {
	operation, known := strings.CutPrefix(r.URL.Path, metricOperations)
	switch {
	case r.Method != http.MethodPost, !known, r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor", r.Header.Get("Content-Type") != "application/cbor", r.Header.Get("Accept") != "application/cbor":
		return &apiError{code: "UnknownOperationException", status: http.StatusNotFound}
	case r.URL.Path != metricDataPath:
		return &apiError{code: "AccessDenied", status: http.StatusForbidden, message: "User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: cloudwatch:" + operation +
			" because no identity-based policy allows the cloudwatch:" + operation + " action"}
	}
	return nil
}

// shape takes the members of a structure apart, and refuses those that are not known.
func shape(v any, names ...string) (map[string]any, *apiError) {
	members, ok := v.(map[string]any)
	if !ok {
		return nil, queryError("SerializationException", "a structure is missing")
	}
	for name := range members {
		if !slices.Contains(names, name) {
			return nil, queryError("SerializationException", "member %s is not expected here", name)
		}
	}
	return members, nil
}

func readMetricDataInput(body []byte) (in metricDataInput, refusal *apiError) {
	decoded, err := decodeCBOR(body)
	if err != nil {
		return in, queryError("SerializationException", "%v", err)
	}
	members, refusal := shape(decoded, "StartTime", "EndTime", "MetricDataQueries", "ScanBy", "MaxDatapoints", "NextToken")
	if refusal != nil {
		return in, refusal
	}
	in.start, _ = members["StartTime"].(time.Time)
	in.end, _ = members["EndTime"].(time.Time)
	if in.start.IsZero() || !in.start.Before(in.end) {
		return in, queryError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	}
	if by := members["ScanBy"]; by != nil && by != "TimestampDescending" {
		return in, queryError("InvalidParameterValue", "ScanBy %v is not emulated", by)
	}
	if refusal := in.readPage(members); refusal != nil {
		return in, refusal
	}
	queries, _ := members["MetricDataQueries"].([]any)
	if n := len(queries); n == 0 || n > maxMetricQueries {
		return in, queryError("ValidationError", "The collection MetricDataQueries must have a size between 1 and %d; it has %d.", maxMetricQueries, n)
	}
	for _, v := range queries {
		q, refusal := readMetricQuery(v)
		if refusal != nil {
			return in, refusal
		}
		if slices.ContainsFunc(in.queries, func(other metricQuery) bool { return other.id == q.id }) {
			return in, queryError("ValidationError", "The id %s is not unique.", q.id)
		}
		in.queries = append(in.queries, q)
	}
	return in, nil
}

// readPage reads how many values the answer may have, and behind which of them it begins.
func (in *metricDataInput) readPage(members map[string]any) *apiError {
	in.maxValues = maxMetricValues
	if limit, ok := members["MaxDatapoints"]; ok {
		n, _ := limit.(uint64)
		if n == 0 || n > maxMetricValues {
			return queryError("ValidationError", "MaxDatapoints has to be from 1 to %d; it is %v.", maxMetricValues, limit)
		}
		in.maxValues = int(n)
	}
	if token, ok := members["NextToken"]; ok {
		text, _ := token.(string)
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 {
			return queryError("InvalidNextToken", "The token %v is not one of an answer.", token)
		}
		in.passed = n
	}
	return nil
}

func readMetricQuery(v any) (q metricQuery, refusal *apiError) {
	query, refusal := shape(v, "Id", "MetricStat")
	if refusal != nil {
		return q, refusal
	}
	stat, refusal := shape(query["MetricStat"], "Metric", "Period", "Stat")
	if refusal != nil {
		return q, refusal
	}
	metric, refusal := shape(stat["Metric"], "Namespace", "MetricName", "Dimensions")
	if refusal != nil {
		return q, refusal
	}
	q.id, _ = query["Id"].(string)
	q.metric, _ = metric["MetricName"].(string)
	want := "Average"
	if strings.HasSuffix(q.metric, ".DataFreshness") {
		want = "Maximum"
	}
	seconds, _ := stat["Period"].(uint64)
	q.statistic, q.period = want, time.Duration(seconds)*time.Second
	switch {
	case !legalQueryID.MatchString(q.id):
		return q, queryError("ValidationError", "The value %s for parameter Id is not matching the expected pattern.", q.id)
	case metric["Namespace"] != firehoseNamespace:
		return q, queryError("InvalidParameterValue", "there are no metrics in the namespace %v", metric["Namespace"])
	case !destinationMetrics.MatchString(q.metric):
		return q, queryError("InvalidParameterValue", "Firehose publishes no metric %s", q.metric)
	case seconds == 0 || seconds%60 != 0 || seconds > 86_400:
		return q, queryError("InvalidParameterValue", "a period of %v seconds is not emulated, only multiples of 60 up to a day", stat["Period"])
	case stat["Stat"] != want:
		return q, queryError("InvalidParameterValue", "the statistic %v of %s says nothing; want %s", stat["Stat"], q.metric, want)
	}
	q.stream, refusal = readDimension(metric["Dimensions"])
	return q, refusal
}

// readDimension returns the name of the stream.
func readDimension(v any) (stream string, refusal *apiError) {
	dimensions, _ := v.([]any)
	if len(dimensions) != 1 {
		return "", queryError("InvalidParameterValue", "metrics of Firehose have one dimension, not %d", len(dimensions))
	}
	d, refusal := shape(dimensions[0], "Name", "Value")
	if refusal != nil {
		return "", refusal
	}
	stream, _ = d["Value"].(string)
	if d["Name"] != "DeliveryStreamName" || !nameCharacters(stream) {
		return "", queryError("InvalidParameterValue", "the dimension is DeliveryStreamName with the name of a stream")
	}
	return stream, nil
}
