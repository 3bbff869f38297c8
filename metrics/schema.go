package metrics

import "github.com/prometheus/client_golang/prometheus"

// Schema are the metrics of requests to the Schema Registry.
type Schema struct {
	Fetched  *prometheus.CounterVec // by outcome
	Unusable *prometheus.CounterVec // by topic and reason, see SchemaReasons
}

// SchemaReasons are why a schema can't be used.
var SchemaReasons = []string{"unknown_schema", "undecodable"}

func newSchema(f metricFactory) *Schema {
	m := &Schema{
		Fetched:  f.counterVec("fetches_total", "Schemas asked of the registry: found; unknown_schema and undecodable make their records bad; failed ones are asked for again.", "outcome"),
		Unusable: f.counterVec("unusable_records_total", "Records that were skipped, or became dead letters, because their schema can't be used, by the topic that they came from: unknown_schema, the registry does not have it; undecodable, it is invalid or of another format.", "topic", "reason"),
	}
	for _, v := range []string{"found", "unknown_schema", "undecodable", "failed"} {
		m.Fetched.WithLabelValues(v)
	}
	return m
}

// ExpectTopic has the counters of a topic exist from here on, at 0, so that its first record is seen.
func (m *Schema) ExpectTopic(topic string) {
	for _, reason := range SchemaReasons {
		m.Unusable.WithLabelValues(topic, reason)
	}
}
