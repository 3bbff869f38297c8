package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/recovery"
	"kafka-firehose/connector/schema"
)

// Audit compares a range of the topics that a process with this environment reads with the objects that Firehose has
// delivered. It joins no group, commits nothing and sends nothing. An error means that there is no result.
func Audit(ctx context.Context, cfg Config, r recovery.AuditRequest, o Options) (recovery.AuditReport, error) {
	if err := r.Validate(time.Now()); err != nil {
		return recovery.AuditReport{}, err
	}
	o.useDefaults()
	connection, err := cfg.Kafka.NewConnection(o.KafkaDial, o.Log, o.Metrics.Kafka)
	if err != nil {
		return recovery.AuditReport{}, err
	}
	reader, err := cfg.openRangeReader(connection, 1, o)
	if err != nil {
		return recovery.AuditReport{}, err
	}
	defer reader.Close()
	topics, err := cfg.chosenTopics(ctx, r.Topics, reader)
	if err != nil {
		return recovery.AuditReport{}, err
	}
	p := auditPolicy{begin: time.Now(), bucket: &cfg.ClaimCheck}
	if p.schemas, err = openSchemas(cfg, o); err != nil {
		return recovery.AuditReport{}, err
	}
	p.converters = cfg.topicConverters(topics, p.schemas.LookupSchema)
	names, err := cfg.envelopeNames(topics)
	if err != nil {
		return recovery.AuditReport{}, err
	}
	return recovery.Audit(ctx, r, recovery.Service{
		Kafka: reader, Topics: topics, Group: cfg.Kafka.GroupID, Sends: p.wouldSend, Log: o.Log,
		ID: names.id, Timestamp: names.timestamp,
	})
}

// topicConverters returns the converter of each topic. Topics of one stream share theirs.
func (c Config) topicConverters(topics []string, lookup convert.SchemaLookup) map[string]*convert.Converter {
	ofStream, ofTopic := map[string]*convert.Converter{}, map[string]*convert.Converter{}
	for _, topic := range topics {
		stream, _ := c.Firehose.StreamFor(topic)
		if ofStream[stream] == nil {
			ofStream[stream] = c.newConverter(c.recordFor(stream), lookup)
		}
		ofTopic[topic] = ofStream[stream]
	}
	return ofTopic
}

// envelopeNames are the members of the envelope that an audit reads; empty for those that there aren't.
type envelopeNames struct{ id, timestamp string }

// envelopeNames returns the names that the envelopes of the topics' streams have. It is an error if they differ: the
// objects of one audit are read by the same names.
func (c Config) envelopeNames(topics []string) (names envelopeNames, err error) {
	first := ""
	for _, topic := range topics {
		stream, _ := c.Firehose.StreamFor(topic)
		record := c.recordFor(stream)
		own := envelopeNames{record.EnvelopeName("id"), cmp.Or(record.EnvelopeName("timestamp"), record.EnvelopeName("timestamp_ms"))}
		switch {
		case first == "":
			first, names = stream, own
		case own.id != names.id, own.timestamp != names.timestamp:
			return names, fmt.Errorf("the streams %s and %s have different envelopes: audit them one by one, with -topic", first, stream)
		}
	}
	return names, nil
}

// chosenTopics are those of asked, or with none all that the service reads and a stream takes. A topic of asked that the
// service does not read, or that no stream takes, is an error.
func (c Config) chosenTopics(ctx context.Context, asked []string, reader *kafka.RangeReader) (topics []string, err error) {
	const routes = "look at FIREHOSE_ROUTES and FIREHOSE_STREAM"
	read, err := reader.FindTopics(ctx, c.DeadLetter.Topic)
	if err != nil {
		return nil, err
	}
	for i, t := range asked {
		switch {
		case t == "":
			return nil, errors.New("-topic has an empty name between its commas")
		case slices.Contains(asked[:i], t): // each partition would be read twice
			return nil, fmt.Errorf("-topic has topic %s twice", t)
		case !slices.Contains(read, t):
			return nil, fmt.Errorf("topic %s is not among the topics that the service reads: look at KAFKA_TOPICS and KAFKA_TOPIC_PATTERN", t)
		}
		if _, ok := c.Firehose.StreamFor(t); !ok {
			return nil, fmt.Errorf("no stream takes topic %s: %s", t, routes)
		}
	}
	if len(asked) > 0 {
		return asked, nil
	}
	topics = slices.DeleteFunc(slices.Clone(read), func(topic string) bool { return c.streamOf(topic) == "" })
	if len(topics) == 0 {
		return nil, errors.New("no stream takes any of the topics: " + routes)
	}
	return topics, nil
}

// auditPolicy tells records that the service sends from those that it leaves out.
type auditPolicy struct {
	converters map[string]*convert.Converter // by topic
	bucket     *claimcheck.Config            // for values that are too large, if it has a URL
	schemas    *schema.Registry              // nil unless records are decoded
	begin      time.Time                     // of the audit
	buffers    sync.Pool                     // of *[]byte, for converted records that are not used
}

// schemaTimeout is how long a schema may not be had until that is an error: only the registry can tell whether the record
// is bad.
const schemaTimeout = 2 * time.Minute

// wouldSend is a recovery.Service's. It converts the record as the service would, because only that
// shows whether it can be sent.
func (p *auditPolicy) wouldSend(ctx context.Context, r *kgo.Record) (reason string, err error) {
	buffer, ok := p.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	defer p.buffers.Put(buffer)
	for begin := time.Now(); ; {
		*buffer, _, err = convertWithClaim(p.converters[r.Topic], p.bucket, (*buffer)[:0], r)
		if outdated := schema.RefreshAbsent(err, p.begin); outdated != nil {
			err = outdated
		}
		missing, waits := errors.AsType[*convert.MissingSchema](err)
		bad, rejected := errors.AsType[*convert.BadRecord](err)
		switch {
		case err == nil:
			return "", nil
		case rejected:
			return string(bad.Reason), nil
		case !waits:
			return "", err
		case time.Since(begin) > schemaTimeout:
			if t := p.schemas.CurrentOutage(); t != nil {
				err = t.Err
			}
			return "", fmt.Errorf("its schema could not be fetched for %s: %w", schemaTimeout, err)
		}
		select {
		case <-p.schemas.FetchFor(ctx, missing.Ref, p.begin):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
