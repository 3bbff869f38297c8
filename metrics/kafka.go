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

	Partitions prometheus.Gauge
	Paused     prometheus.Gauge
	Member     prometheus.Gauge
	Rebalances *prometheus.CounterVec // by kind, see RebalanceKinds
	DrainLate  prometheus.Counter
	Commits    *prometheus.CounterVec // by result: ok, error
	LastCommit prometheus.Gauge

	CertificateExpiry prometheus.Gauge

	unrouted    prometheus.Gauge
	lag         *prometheus.GaugeVec
	committed   *prometheus.GaugeVec
	uncommitted *prometheus.GaugeVec
}

// FetchErrorReasons are the values of the label reason.
var FetchErrorReasons = []string{"unknown_topic", "recreated_topic", "out_of_range", "data_loss", "authorization", "connection", "decode", "other"}

// RebalanceKinds are the values of the label kind.
var RebalanceKinds = []string{"assigned", "revoked", "lost"}

func newKafka(r prometheus.Registerer) *Kafka {
	f := factory{r, "kafka"}
	m := &Kafka{
		Records:     f.counterVec("records_consumed_total", "Records polled from Kafka, tombstones and control records included.", "topic"),
		Bytes:       f.counterVec("bytes_consumed_total", "Bytes of keys, values and headers polled from Kafka, after decompression.", "topic"),
		Decoded:     f.counter("records_decoded_total", "Records decoded from fetches. Far more than consumed means that fetched records are thrown away and fetched again."),
		FetchErrors: f.counterVec("fetch_errors_total", "Errors that a fetch or the group returned.", "reason"),
		Expired:     f.counterVec("offsets_expired_total", "Offsets that retention or a truncation removed before they were read. Each may have been a record; they are lost to this group.", "topic"),
		Partitions:  f.gauge("assigned_partitions", "Partitions that this member owns now."),
		Paused:      f.gauge("paused_partitions", "Partitions paused because their stream is full or their commit is too far behind."),
		Member:      f.gauge("group_member", "1 while this process is in the consumer group, 0 otherwise."),
		Rebalances:  f.counterVec("rebalances_total", "Rebalances that changed what this member owns.", "kind"),
		DrainLate:   f.counter("revoke_drain_timeouts_total", "Revokes whose records were not all settled within KAFKA_REVOKE_DRAIN_TIMEOUT; the next owner delivers the rest again."),
		Commits:     f.counterVec("commits_total", "Offset commits by result.", "result"),
		LastCommit:  f.gauge("last_commit_timestamp_seconds", "When a commit that moved an offset was last acknowledged, in Unix time; 0 before the first."),

		CertificateExpiry: f.gauge("client_certificate_expiry_timestamp_seconds", "When the certificate of KAFKA_TLS_CERT_FILE that is in use ends, in Unix time; 0 without one."),

		unrouted:    f.gauge("unrouted_topics", "Topics that match the pattern and have no stream; they are not consumed."),
		lag:         f.gaugeVec("lag_records", "End of the partition minus the committed offset, by ListOffsets, refreshed every 15 seconds.", "topic", "partition"),
		committed:   f.gaugeVec("committed_offset", "Newest acknowledged commit: the next offset to read after a restart.", "topic", "partition"),
		uncommitted: f.gaugeVec("uncommitted_records", "Records polled and not yet committed: what a kill -9 would deliver again.", "topic", "partition"),
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

// SetUnrouted sets the number of matching topics that have no stream.
func (m *Kafka) SetUnrouted(n int) { m.unrouted.Set(float64(n)) }

// SetLag sets the lag of a partition, in records.
func (m *Kafka) SetLag(topic string, partition int32, records int64) {
	m.lag.WithLabelValues(topic, label(partition)).Set(float64(records))
}

// SetCommitted sets the newest acknowledged commit of a partition.
func (m *Kafka) SetCommitted(topic string, partition int32, offset int64) {
	m.committed.WithLabelValues(topic, label(partition)).Set(float64(offset))
}

// SetUncommitted sets the number of records polled and not yet committed.
func (m *Kafka) SetUncommitted(topic string, partition int32, records int64) {
	m.uncommitted.WithLabelValues(topic, label(partition)).Set(float64(records))
}

// Forget removes the series of a partition that left: a lag that nobody
// refreshes would lie for ever.
func (m *Kafka) Forget(topic string, partition int32) {
	p := label(partition)
	m.lag.DeleteLabelValues(topic, p)
	m.committed.DeleteLabelValues(topic, p)
	m.uncommitted.DeleteLabelValues(topic, p)
}

func label(partition int32) string { return strconv.Itoa(int(partition)) }
