package metrics

import "github.com/prometheus/client_golang/prometheus"

// Schema are the metrics of requests to the Schema Registry.
type Schema struct {
	Fetched *prometheus.CounterVec // by outcome
}

func newSchema(f factory) *Schema {
	m := &Schema{
		Fetched: f.counterVec("fetches_total", "Schemas asked of the registry: found; unknown_schema and undecodable make their records bad; failed ones are asked for again.", "outcome"),
	}
	for _, v := range []string{"found", "unknown_schema", "undecodable", "failed"} {
		m.Fetched.WithLabelValues(v)
	}
	return m
}
