package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Kafka is what the source writes to.
type Kafka struct {
	Records     *prometheus.CounterVec // by topic
	Bytes       *prometheus.CounterVec // by topic
	Decoded     prometheus.Counter
	FetchErrors *prometheus.CounterVec // by reason, see FetchErrorReasons
	Expired     *prometheus.CounterVec // by topic
	Throttled   prometheus.Counter

	Partitions prometheus.Gauge
	Paused     prometheus.Gauge
	Member     prometheus.Gauge
	Rebalances *prometheus.CounterVec // by kind, see RebalanceKinds
	DrainLate  prometheus.Counter
	Commits    *prometheus.CounterVec // by result: ok, error
	LastCommit prometheus.Gauge
	Delay      *prometheus.HistogramVec // by topic

	CertificateExpiry prometheus.Gauge

	unrouted    prometheus.Gauge
	lag         *prometheus.GaugeVec
	committed   *prometheus.GaugeVec
	uncommitted *prometheus.GaugeVec
	headroom    *prometheus.GaugeVec
	open        *prometheus.GaugeVec
	topicPaused *prometheus.GaugeVec
	r           prometheus.Registerer
}

// Refusals are the values of the label what.
var Refusals = []string{"connection", "login", "group", "topic", "commit"}

// FetchErrorReasons are the values of the label reason.
var FetchErrorReasons = []string{"unknown_topic", "recreated_topic", "out_of_range", "data_loss", "authorization", "connection", "decode", "other"}

// FaultReasons are the values of the label reason of faulty partitions: position if the offset to read from is
// unknown, commit if offsets can't be committed, bad_record if BAD_RECORD_POLICY has stopped the partition; the others
// are those of fetch errors.
var FaultReasons = []string{"position", "commit", "bad_record", "unknown_topic", "recreated_topic", "out_of_range", "connection", "decode", "other"}

// RebalanceKinds are the values of the label kind.
var RebalanceKinds = []string{"assigned", "revoked", "lost"}

// delays are the buckets of the delivery delay, in seconds: the commit interval limits the
// resolution, and delays above a day need none.
var delays = []float64{.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 6 * 3600, 24 * 3600}

func newKafka(f metricFactory) *Kafka {
	m := &Kafka{
		r:           f.r,
		Records:     f.counterVec("records_consumed_total", "Records polled from Kafka, tombstones and control records included.", "topic"),
		Bytes:       f.counterVec("bytes_consumed_total", "Bytes of keys, values and headers polled from Kafka, after decompression.", "topic"),
		Decoded:     f.newCounter("records_decoded_total", "Records decoded from fetches. Far more than consumed means that fetched records are thrown away and fetched again."),
		FetchErrors: f.counterVec("fetch_errors_total", "Errors that a fetch or the group returned.", "reason"),
		Expired:     f.counterVec("offsets_expired_total", "Offsets that retention or a deletion of records (DeleteRecords) removed before they were read. Each may have been a record; they are lost to this group.", "topic"),
		Throttled:   f.newCounter("broker_throttle_seconds_total", "Time for which brokers had this process wait because it exceeded a quota of theirs (bytes or requests of a client or user), in seconds."),
		Partitions:  f.newGauge("assigned_partitions", "Partitions that this member owns now."),
		Paused:      f.newGauge("paused_partitions", "Partitions paused because they came KAFKA_MAX_UNCOMMITTED_RECORDS ahead of their commit. Pauses for a full stream, a schema or RUNTIME_SETTINGS_FILE are not among them."),
		Member:      f.newGauge("group_member", "1 while this process is in the consumer group, 0 otherwise."),
		Rebalances:  f.counterVec("rebalances_total", "Rebalances that changed what this member owns.", "kind"),
		DrainLate:   f.newCounter("revoke_drain_timeouts_total", "Revokes that have waited for KAFKA_REVOKE_DRAIN_TIMEOUT and left records that were not settled; the next owner delivers those again."),
		Commits:     f.counterVec("commits_total", "Offset commits by result. One that is refused for some of its partitions is an error.", "result"),
		LastCommit:  f.newGauge("last_commit_timestamp_seconds", "When a commit last moved an offset, in Unix time; 0 before the first."),
		Delay:       f.histogramVec("delivery_delay_seconds", "Time from a record's timestamp to the commit that follows its delivery, in seconds; a sample of at most one record a second and partition.", delays, "topic"),

		CertificateExpiry: f.newGauge("client_certificate_expiry_timestamp_seconds", "When the certificate of KAFKA_TLS_CERT_FILE that is in use ends, in Unix time; 0 without one."),

		unrouted:    f.newGauge("unrouted_topics", "Topics that match the pattern, have no stream, and of which this member was assigned partitions since the process began; they are not consumed."),
		lag:         f.gaugeVec("lag_records", "End of the partition's log (the high watermark) minus the committed offset, or minus the start of the log where that is later or nothing is committed. Refreshed every 15 seconds; absent while the partition's leader does not answer.", "topic", "partition"),
		committed:   f.gaugeVec("committed_offset", "Newest commit of this member that was acknowledged: the next offset to read after a restart. Absent before the first.", "topic", "partition"),
		uncommitted: f.gaugeVec("uncommitted_records", "Records polled and not yet committed: the most that a kill -9 would deliver again.", "topic", "partition"),
		headroom:    f.gaugeVec("retention_headroom_records", "Committed offset minus the start of the partition: what retention can still remove before it reaches records that are not delivered; 0 before the first commit. Refreshed with the lag.", "topic", "partition"),
		open:        f.gaugeVec("open_transaction_records", "Records between the last stable offset and the end of the partition's log, which read_committed can't read before the transactions that are open there end; part of the lag. 0 with read_uncommitted. Refreshed with the lag.", "topic", "partition"),
		topicPaused: f.gaugeVec("topic_paused", "1 while RUNTIME_SETTINGS_FILE pauses the topic or its stream: its records stay in Kafka. 0 otherwise. Only topics of which this process owns partitions.", "topic"),
	}
	for _, v := range FetchErrorReasons {
		m.FetchErrors.WithLabelValues(v)
	}
	for _, v := range RebalanceKinds {
		m.Rebalances.WithLabelValues(v)
	}
	for _, v := range []string{"ok", "error"} {
		m.Commits.WithLabelValues(v)
	}
	return m
}

// ExpectTopic has the counters of a topic exist from here on, at 0, so that the first
// loss is seen.
func (m *Kafka) ExpectTopic(topic string) {
	m.Records.WithLabelValues(topic)
	m.Bytes.WithLabelValues(topic)
	m.Expired.WithLabelValues(topic)
	m.Delay.WithLabelValues(topic)
}

// WatchRefusals adds a gauge that is read at scrape time: what Kafka refuses.
func (m *Kafka) WatchRefusals(count func(what string) int) {
	for _, what := range Refusals {
		m.r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "kafka", Name: "refused",
			Help:        "Brokers that refuse the connection or the login, or can't be reached for 15 seconds, topics that may not be read, and 1 for the group or commits; 0 when all is granted. The log says why.",
			ConstLabels: prometheus.Labels{"what": what},
		}, func() float64 { return float64(count(what)) }))
	}
}

// WatchFaulty adds a gauge that is read at scrape time: owned partitions with a fault of their own.
func (m *Kafka) WatchFaulty(count func(reason string) int) {
	for _, reason := range FaultReasons {
		m.r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "kafka", Name: "faulty_partitions",
			Help:        "Owned partitions that can't be read, committed or delivered now, by reason; for each of the three the log names 20 a minute, and /readyz five. What Kafka does not permit is in kafka_firehose_kafka_refused.",
			ConstLabels: prometheus.Labels{"reason": reason},
		}, func() float64 { return float64(count(reason)) }))
	}
}

// SetTopicPaused says whether the runtime settings pause a topic.
func (m *Kafka) SetTopicPaused(topic string, paused bool) {
	m.topicPaused.WithLabelValues(topic).Set(Flag(paused))
}

// ForgetTopicPaused removes the series of a topic of which this process owns no partition any more.
func (m *Kafka) ForgetTopicPaused(topic string) { m.topicPaused.DeleteLabelValues(topic) }

// SetUnrouted sets the number of matching topics that have no stream.
func (m *Kafka) SetUnrouted(n int) { m.unrouted.Set(float64(n)) }

// SetLag sets the lag of a partition, in records.
func (m *Kafka) SetLag(topic string, partition int32, records int64) {
	m.lag.WithLabelValues(topic, partitionLabel(partition)).Set(float64(records))
}

// SetCommitted sets the newest acknowledged commit of a partition.
func (m *Kafka) SetCommitted(topic string, partition int32, offset int64) {
	m.committed.WithLabelValues(topic, partitionLabel(partition)).Set(float64(offset))
}

// SetUncommitted sets the number of records polled and not yet committed.
func (m *Kafka) SetUncommitted(topic string, partition int32, records int64) {
	m.uncommitted.WithLabelValues(topic, partitionLabel(partition)).Set(float64(records))
}

// SetHeadroom sets how far the start of the log is behind the newest commit, in
// records.
func (m *Kafka) SetHeadroom(topic string, partition int32, records int64) {
	m.headroom.WithLabelValues(topic, partitionLabel(partition)).Set(float64(records))
}

// SetOpenTransaction sets how many records lie behind the first open transaction.
func (m *Kafka) SetOpenTransaction(topic string, partition int32, records int64) {
	m.open.WithLabelValues(topic, partitionLabel(partition)).Set(float64(records))
}

// ForgetLag removes the series that are refreshed with the lag, of a partition that can't be asked.
func (m *Kafka) ForgetLag(topic string, partition int32) {
	p := partitionLabel(partition)
	m.lag.DeleteLabelValues(topic, p)
	m.headroom.DeleteLabelValues(topic, p)
	m.open.DeleteLabelValues(topic, p)
}

// ForgetPartition removes the series of a partition that left: a stale lag
// would stay wrong.
func (m *Kafka) ForgetPartition(topic string, partition int32) {
	m.ForgetLag(topic, partition)
	p := partitionLabel(partition)
	m.committed.DeleteLabelValues(topic, p)
	m.uncommitted.DeleteLabelValues(topic, p)
}

func partitionLabel(partition int32) string { return strconv.Itoa(int(partition)) }
