package connector

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"kafka-firehose/connector/convert"
)

const (
	// badSchemaLasts is how long a schema that can't be used counts as a fault after its last record.
	badSchemaLasts = 2 * time.Minute
	// maxBadSchemas limits the pairs of a topic and a schema that are kept. Hostile records could name any schema.
	maxBadSchemas = 100
)

// badSchemas keeps the schemas that can't be used while their records come and are skipped, or sent to the dead-letter
// topic: bad records have lines of the log, but a whole topic must not leave the stream without a fault.
// It is a state machine without a clock, for all pipelines together; only bad records get here.
type badSchemas struct {
	mu     sync.Mutex
	of     map[badSchemaKey]badSchema // guarded by mu
	became string                     // what happens to the records: skipped, or sent to the dead-letter topic
}

type badSchemaKey struct{ topic, schema string }

// badSchema is a schema that can't be used for the records of a topic.
type badSchema struct {
	badSchemaKey
	first, last time.Time // of its records
	records     int
	err         error
}

// countUnusable counts a record that BAD_RECORD_POLICY keeps from the stream, if its schema is the reason.
func (c *Connector) countUnusable(topic string, bad *convert.BadRecord) {
	if bad.Schema != "" {
		c.metrics.Schema.Unusable.WithLabelValues(topic, string(bad.Reason)).Inc()
		c.unusable.add(time.Now(), topic, bad)
	}
}

// newBadSchemas returns nil for a policy that delivers or stops.
func newBadSchemas(cfg Config) *badSchemas {
	became := map[string]string{policySkip: "skipped", policyDeadLetter: "sent to the dead-letter topic"}[cfg.fallbackPolicy()]
	if became == "" {
		return nil
	}
	return &badSchemas{of: map[badSchemaKey]badSchema{}, became: became}
}

// add enters a record of the topic whose schema can't be used.
func (b *badSchemas) add(now time.Time, topic string, bad *convert.BadRecord) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := badSchemaKey{topic, bad.Schema}
	one, known := b.of[key]
	if !known || now.Sub(one.last) >= badSchemaLasts {
		one = badSchema{badSchemaKey: key, first: now}
	}
	if !known && len(b.of) >= maxBadSchemas {
		oldest := slices.MinFunc(slices.Collect(maps.Values(b.of)), func(a, b badSchema) int { return a.last.Compare(b.last) })
		delete(b.of, oldest.badSchemaKey)
	}
	one.last, one.err = now, bad
	one.records++
	b.of[key] = one
}

// faults returns one fault for each topic that has records of schemas that can't be used, by name.
func (b *badSchemas) faults(now time.Time) (all []fault) {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	topics := map[string][]badSchema{}
	for key, one := range b.of {
		if now.Sub(one.last) >= badSchemaLasts {
			delete(b.of, key)
			continue
		}
		topics[one.topic] = append(topics[one.topic], one)
	}
	for topic, schemas := range topics {
		all = append(all, b.topicFault(topic, schemas))
	}
	slices.SortFunc(all, func(a, b fault) int { return cmp.Compare(a.what, b.what) })
	return all
}

func (b *badSchemas) topicFault(topic string, schemas []badSchema) fault {
	slices.SortFunc(schemas, func(a, b badSchema) int {
		return cmp.Or(cmp.Compare(b.records, a.records), cmp.Compare(a.schema, b.schema))
	})
	f := fault{what: "schemas of topic " + topic, since: schemas[0].first, lossy: true}
	for _, one := range schemas {
		f.failures += one.records
		if one.first.Before(f.since) {
			f.since = one.first
		}
	}
	others := ""
	if n := len(schemas) - 1; n > 0 {
		others = fmt.Sprintf(" (and %d more of its schemas)", n)
	}
	f.err = fmt.Errorf("topic %s: records are %s because their schema can't be used: %w%s; register the schema, mend it, or point SCHEMA_REGISTRY_URL to the registry of the producers",
		topic, b.became, schemas[0].err, others)
	return f
}
