package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Firehose are the metrics between a sealed batch and its acceptance. Every
// collector has the label stream.
type Firehose struct {
	accepted, acceptedBytes, values, billed *prometheus.CounterVec
	ambiguous, fenced                       *prometheus.CounterVec
	retried, refused, requests              *prometheus.CounterVec
	duration, batchRecords, batchBytes      *prometheus.HistogramVec
	inFlight, flyingRecords, flyingBytes    *prometheus.GaugeVec
	waiting, allowed, breaker, blocked      *prometheus.GaugeVec
	paceRecords, paceBytes, stuck           *prometheus.GaugeVec
	partRecords, partBytes, throttled       *prometheus.GaugeVec
	lastAccepted, billedRatio, encrypted    *prometheus.GaugeVec
	peakBytes, peakRecords, peakRequests    *prometheus.GaugeVec
}

// The values of the labels outcome and reason.
var (
	// RequestOutcomes are the results of requests. partial is an answer that
	// refuses some or all records of the request; canceled is a request that this process ended itself, at its stop.
	RequestOutcomes = []string{"accepted", "partial", "throttled", "unavailable", "ambiguous", "too_large", "credentials", "blocked", "canceled"}
	// RetryReasons are why records were sent again: the record's own error code,
	// or the outcome of the whole request.
	RetryReasons = []string{"service_unavailable", "internal_failure", "missing_record_id", "other", "throttled", "unavailable", "ambiguous", "too_large", "credentials", "blocked"}
	// RefuseReasons are why a record was given up: it breaks a documented limit,
	// or the service refused it alone while it accepted others.
	RefuseReasons = []string{"limit", "service"}
)

func newFirehose(f metricFactory) *Firehose {
	const s = "stream"
	seconds := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	return &Firehose{
		accepted:      f.counterVec("records_accepted_total", "Firehose records that Firehose accepted.", s),
		acceptedBytes: f.counterVec("bytes_accepted_total", "Bytes of data in accepted records, before base64, delimiters included.", s),
		values:        f.counterVec("kafka_records_accepted_total", "Kafka records in accepted Firehose records; more than those with aggregation.", s),
		billed:        f.counterVec("billed_bytes_total", "Bytes that Firehose bills: each accepted record rounded up to a multiple of 5120.", s),
		billedRatio:   f.gaugeVec("billed_ratio", "Bytes billed for each byte of data, since the process began: 1 is the least, and 51 what values of 100 bytes come to, one a record. 0 before anything is accepted.", s),
		ambiguous:     f.counterVec("records_ambiguous_total", "Records sent again although the first attempt may have been accepted: possible duplicates.", s),
		fenced:        f.counterVec("records_fenced_total", "Kafka records left out of an attempt because their partition is no longer ours, or is stopped at a bad record; they are read again later.", s),
		retried:       f.counterVec("records_retried_total", "Records that an attempt did not settle, counted for each attempt. They are sent again unless they turn out to be bad or their partition is revoked.", s, "reason"),
		refused:       f.counterVec("records_refused_total", "Firehose records that the stream refuses for good and that went to BAD_RECORD_POLICY. Bad records that are found before they are sent are not among them.", s, "reason"),
		requests:      f.counterVec("requests_total", "PutRecordBatch requests that ended.", s, "outcome"),
		duration:      f.histogramVec("request_duration_seconds", "Time from sending a request to the end of its answer, in seconds.", seconds, s),
		batchRecords:  f.histogramVec("request_records", "Records in a request; 500 is full by default.", []float64{1, 10, 50, 100, 250, 400, 499, 500}, s),
		batchBytes:    f.histogramVec("request_bytes", "Bytes of data in a request, before base64; 4000000 is full by default.", prometheus.ExponentialBucketsRange(1<<10, 4_194_304, 13), s),
		inFlight:      f.gaugeVec("requests_in_flight", "Requests in flight now.", s),
		flyingRecords: f.gaugeVec("records_in_flight", "Records in the requests in flight.", s),
		flyingBytes:   f.gaugeVec("bytes_in_flight", "Bytes of data in the requests in flight, before base64.", s),
		waiting:       f.gaugeVec("batches_waiting", "Batches that wait for permission to be sent.", s),
		allowed:       f.gaugeVec("requests_allowed", "Requests that may be in flight at once now: FIREHOSE_MAX_IN_FLIGHT, less at the start, in and after an outage, and while answers are lost.", s),
		breaker:       f.gaugeVec("breaker_open", "1 while requests fail as a whole, answered or not, and single ones probe the stream, else 0.", s),
		blocked:       f.gaugeVec("blocked", "1 while the stream refuses everything and someone has to repair something, else 0.", s),
		encrypted:     f.gaugeVec("encrypted", "1 if the last answer said that the stream encrypts records at rest (server-side encryption), else 0.", s),
		throttled:     f.gaugeVec("throttled", "1 while the pace, of the quota or a setting, holds records back and the lag of the stream's topics grows, else 0.", s),
		paceRecords:   f.gaugeVec("pace_records_per_second", "Records a second that may be sent; +Inf is unlimited.", s),
		paceBytes:     f.gaugeVec("pace_bytes_per_second", "Bytes a second that may be sent, before base64; +Inf is unlimited.", s),
		partRecords:   f.gaugeVec("quota_part_records_per_second", "Records a second of the stream's quota that are this member's part, by its partitions; 0 is unknown.", s),
		partBytes:     f.gaugeVec("quota_part_bytes_per_second", "Bytes a second of the stream's quota, before base64, that are this member's part, by its partitions; 0 is unknown.", s),
		stuck:         f.gaugeVec("stuck_records", "Records refused for five minutes while others pass; each holds back its partition's commit.", s),
		peakBytes:     f.gaugeVec("peak_second_bytes", "Bytes in the highest second of the last minute, before base64: a quota is of a second, and Firehose's own metrics are of a minute. The value of the label is offered (sent) or accepted.", s, "what"),
		peakRecords:   f.gaugeVec("peak_second_records", "Records in the highest second of the last minute. The value of the label is offered (sent) or accepted.", s, "what"),
		peakRequests:  f.gaugeVec("peak_second_requests", "Requests in the highest second of the last minute.", s),
		lastAccepted:  f.gaugeVec("last_accepted_timestamp_seconds", "Unix time of the last acceptance; 0 when there was none yet.", s),
	}
}

// FirehoseStream are the collectors of one stream, looked up once.
type FirehoseStream struct {
	Accepted, AcceptedBytes, Values, Billed prometheus.Counter
	Ambiguous, Fenced                       prometheus.Counter
	Duration, BatchRecords, BatchBytes      prometheus.Observer
	InFlight, FlyingRecords, FlyingBytes    prometheus.Gauge
	Waiting, Allowed, Breaker, Blocked      prometheus.Gauge
	PaceRecords, PaceBytes, Stuck           prometheus.Gauge
	PartRecords, PartBytes                  prometheus.Gauge // of the stream's quota
	Throttled, Encrypted                    prometheus.Gauge
	PeakOfferedBytes, PeakAcceptedBytes     prometheus.Gauge // in the highest second of the last minute
	PeakOfferedRecords, PeakAcceptedRecords prometheus.Gauge
	PeakRequests                            prometheus.Gauge
	LastAccepted, BilledRatio               prometheus.Gauge

	retried, refused, requests map[string]prometheus.Counter
}

// ForStream returns the collectors of one stream. All its counters exist from here
// on, at 0.
func (m *Firehose) ForStream(name string) *FirehoseStream {
	each := func(v *prometheus.CounterVec, values []string) map[string]prometheus.Counter {
		all := make(map[string]prometheus.Counter, len(values))
		for _, value := range values {
			all[value] = v.WithLabelValues(name, value)
		}
		return all
	}
	return &FirehoseStream{
		Accepted: m.accepted.WithLabelValues(name), AcceptedBytes: m.acceptedBytes.WithLabelValues(name),
		Values: m.values.WithLabelValues(name), Billed: m.billed.WithLabelValues(name),
		Ambiguous: m.ambiguous.WithLabelValues(name), Fenced: m.fenced.WithLabelValues(name),
		Duration: m.duration.WithLabelValues(name), BatchRecords: m.batchRecords.WithLabelValues(name), BatchBytes: m.batchBytes.WithLabelValues(name),
		InFlight: m.inFlight.WithLabelValues(name), FlyingRecords: m.flyingRecords.WithLabelValues(name), FlyingBytes: m.flyingBytes.WithLabelValues(name),
		Waiting: m.waiting.WithLabelValues(name), Allowed: m.allowed.WithLabelValues(name),
		Breaker: m.breaker.WithLabelValues(name), Blocked: m.blocked.WithLabelValues(name),
		PaceRecords: m.paceRecords.WithLabelValues(name), PaceBytes: m.paceBytes.WithLabelValues(name),
		PartRecords: m.partRecords.WithLabelValues(name), PartBytes: m.partBytes.WithLabelValues(name), Throttled: m.throttled.WithLabelValues(name), Encrypted: m.encrypted.WithLabelValues(name),
		PeakOfferedBytes: m.peakBytes.WithLabelValues(name, "offered"), PeakAcceptedBytes: m.peakBytes.WithLabelValues(name, "accepted"),
		PeakOfferedRecords: m.peakRecords.WithLabelValues(name, "offered"), PeakAcceptedRecords: m.peakRecords.WithLabelValues(name, "accepted"),
		PeakRequests: m.peakRequests.WithLabelValues(name),
		Stuck:        m.stuck.WithLabelValues(name), LastAccepted: m.lastAccepted.WithLabelValues(name), BilledRatio: m.billedRatio.WithLabelValues(name),
		retried:  each(m.retried, RetryReasons),
		refused:  each(m.refused, RefuseReasons),
		requests: each(m.requests, RequestOutcomes),
	}
}

// CountRetried counts records that are sent again, for one of RetryReasons; another
// one is counted as other.
func (m *FirehoseStream) CountRetried(reason string, records int) {
	c, ok := m.retried[reason]
	if !ok {
		c = m.retried["other"]
	}
	c.Add(float64(records))
}

// CountRefused counts a bad record, for one of RefuseReasons.
func (m *FirehoseStream) CountRefused(reason string) { m.refused[reason].Inc() }

// CountRequest counts a request that ended, as one of RequestOutcomes.
func (m *FirehoseStream) CountRequest(outcome string) { m.requests[outcome].Inc() }
