package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/schema"
)

// sampleSettings are prefixes of the settings that the route and the conversion of a record depend on. A fault of any other setting is a
// warning.
var sampleSettings = []string{
	"KAFKA_TOPIC", "FIREHOSE_STREAM", "FIREHOSE_ROUTES", "RECORD_", "SCHEMA_REGISTRY_", "BAD_RECORD_POLICY", "DEAD_LETTER_", "CLAIM_CHECK_",
}

// Sample is a record of Kafka. A nil Key or Value is null.
type Sample struct {
	Topic      string // empty for the only topic that is read
	Partition  int32
	Offset     int64
	Timestamp  time.Time
	Key, Value []byte
	Headers    []SampleHeader
}

// SampleHeader is a header of a Sample. A nil Value is null.
type SampleHeader struct {
	Name  string
	Value []byte
}

// record returns the sample as the Kafka client hands it over.
func (s Sample) record() *kgo.Record {
	r := &kgo.Record{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset, LeaderEpoch: -1, Timestamp: s.Timestamp, Key: s.Key, Value: s.Value}
	for _, h := range s.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
	}
	return r
}

// InspectSample returns what a process with this environment does with a record. It converts the record as a pipeline does, asks the
// Schema Registry for schemas, and contacts neither Kafka nor Firehose nor the bucket. cfg, warnings and faults are the results of LoadEnvironment.
func InspectSample(ctx context.Context, cfg Config, warnings []string, faults error, record Sample, o Options) check.SampleReport {
	begin := time.Now()
	o.useDefaults()
	s := sampleInspection{cfg: cfg, record: record.record(), report: check.SampleReport{Verdict: check.Undecided, Topic: record.Topic}}
	s.inspect(ctx, warnings, env.FaultsOf(faults), o)
	s.report.Took = time.Since(begin)
	return s.report
}

// sampleInspection converts one record and reports each step.
type sampleInspection struct {
	cfg     Config
	record  *kgo.Record
	report  check.SampleReport
	own     convert.Config // the record settings of its stream
	schemas *schema.Registry
	used    []convert.SchemaRef // that the conversion has found
}

// inspect adds the steps of the record, up to the one that ends it.
func (s *sampleInspection) inspect(ctx context.Context, warnings []string, faults []*env.Fault, o Options) {
	if !s.checkSettings(warnings, faults) || !s.route() {
		return
	}
	var err error
	if s.schemas, err = openSchemas(s.cfg, o); err != nil {
		s.report.Findings.AddError(check.Value, "", err.Error(), "")
		return
	}
	builder := batch.NewBuilder(batch.Limits{Records: 1, Bytes: 2 * batch.MaxRecordBytes}, aggregationOf(s.own))
	buf, claim, err := s.convertRecord(ctx, s.own, func(c *convert.Converter) ([]byte, *convert.ClaimCheck, error) {
		return convertWithClaim(c, &s.cfg.ClaimCheck, builder.AppendBuffer(), s.record)
	})
	bad, isBad := errors.AsType[*convert.BadRecord](err)
	switch {
	case isBad:
		s.explainBad(bad)
	case err != nil:
		s.report.Findings.AddError(check.Value, "", err.Error(), "")
	default:
		s.explainSteps(ctx, claim)
		s.explainSent(builder, buf, claim)
	}
}

// checkSettings reports whether the settings can be used for a record.
func (s *sampleInspection) checkSettings(warnings []string, faults []*env.Fault) (usable bool) {
	usable = true
	for _, f := range faults {
		text := strings.TrimPrefix(f.Error(), f.Variable+" ")
		if slices.ContainsFunc(sampleSettings, func(prefix string) bool { return strings.HasPrefix(f.Variable, prefix) }) {
			s.report.Findings.AddError(check.Setting, f.Variable, text, "")
			usable = false
		} else {
			s.report.Findings.AddWarning(check.Setting, f.Variable, text, "the service does not start with this; the record does not depend on it")
		}
	}
	for _, w := range warnings {
		s.report.Findings.AddWarning(check.Setting, "", w, "")
	}
	return usable
}

// route finds the topic and its stream.
func (s *sampleInspection) route() (found bool) {
	topics := s.cfg.Kafka.Topics
	switch topic := s.record.Topic; {
	case topic == "" && len(topics) == 1:
		s.record.Topic = topics[0]
	case topic == "" && len(topics) > 1:
		s.report.Findings.AddError(check.Route, "", "the topic is not known: the service reads "+strings.Join(topics, ", "), "name one of them with -topic")
		return false
	case topic == "":
		s.report.Findings.AddError(check.Route, "", "the topic is not known: the service reads those that KAFKA_TOPIC_PATTERN matches", "name one of them with -topic")
		return false
	case !s.cfg.Kafka.Consumes(topic, s.cfg.DeadLetter.Topic):
		reads := "those that KAFKA_TOPIC_PATTERN matches, less KAFKA_TOPIC_EXCLUDE and DEAD_LETTER_TOPIC"
		if len(topics) > 0 {
			reads = "KAFKA_TOPICS: " + strings.Join(topics, ", ")
		}
		s.report.Findings.AddError(check.Route, env.ShowValue("", topic), "the service does not read this topic", "name one that it reads with -topic: "+reads)
		return false
	}
	s.report.Topic = s.record.Topic
	stream, ok := s.cfg.Firehose.StreamFor(s.record.Topic)
	if !ok {
		s.report.Findings.AddError(check.Route, s.record.Topic, "no stream takes this topic, so that it is not read", "add it to FIREHOSE_ROUTES, or set FIREHOSE_STREAM")
		return false
	}
	s.report.Stream, s.own = stream, s.cfg.recordFor(stream)
	s.report.Findings.AddOK(check.Route, s.record.Topic, "to stream "+stream+": "+s.own.Summary())
	return true
}

// longAgo is when a sample was polled, for the registry: a schema that it does not have is absent at once.
const longAgo = -time.Hour

// convertRecord converts with the record settings and fetches the schemas that it needs. A request that fails is an error: nobody waits for
// the end of an outage.
func (s *sampleInspection) convertRecord(ctx context.Context, settings convert.Config, do func(*convert.Converter) ([]byte, *convert.ClaimCheck, error)) ([]byte, *convert.ClaimCheck, error) {
	polled := time.Now().Add(longAgo)
	made := s.cfg.newConverter(settings, s.lookupSchema)
	for {
		s.used = nil
		buf, claim, err := do(made)
		missing, waits := errors.AsType[*convert.MissingSchema](err)
		if !waits {
			return buf, claim, err
		}
		select {
		case <-s.schemas.FetchFor(ctx, missing.Ref, polled):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("the schema %s was not fetched in time: %w", missing.Ref, context.Cause(ctx))
		}
		if outage := s.schemas.CurrentOutage(); outage != nil {
			return nil, nil, fmt.Errorf("the schema %s could not be fetched, and the service would wait for it: %w", missing.Ref, outage.Err)
		}
	}
}

// lookupSchema is a convert.SchemaLookup.
func (s *sampleInspection) lookupSchema(ref convert.SchemaRef) (convert.Schema, error) {
	found, err := s.schemas.LookupSchema(ref)
	if err == nil && !slices.Contains(s.used, ref) {
		s.used = append(s.used, ref)
	}
	return found, err
}

// explainSteps adds the steps of a record that is sent.
func (s *sampleInspection) explainSteps(ctx context.Context, claim *convert.ClaimCheck) {
	found := &s.report.Findings
	used := s.used
	var value []byte
	if s.record.Value == nil {
		found.AddOK(check.Value, "", "null: a tombstone, which the envelope takes (RECORD_TOMBSTONES)")
	} else {
		var err error
		value, _, err = s.convertRecord(ctx, s.own.ValueAlone(), func(c *convert.Converter) ([]byte, *convert.ClaimCheck, error) {
			out, err := c.AppendUntransformed(nil, s.record)
			return out, nil, err
		})
		s.explainValue(value, err, used)
		s.explainUnwrapped(value, err)
	}
	if s.own.Filter.IsSet() {
		found.AddOK(check.Filter, "", "true: "+s.own.Filter.String())
	}
	if counts, ok := s.own.CountMasked(value); ok && claim == nil {
		for i, rule := range s.own.Mask {
			if counts[i] == 0 {
				found.AddNote(check.Mask, rule.String(), "masks nothing: the value has no such member, or null there", "compare the path with the names in the value, upper and lower case included")
			} else {
				found.AddOK(check.Mask, rule.String(), "masks "+check.CountNoun(counts[i], "member"))
			}
		}
	}
	if names := s.own.EnvelopeNames(); len(names) > 0 {
		found.AddOK(check.Envelope, "", "with "+strings.Join(names, ", "))
	}
}

// explainValue adds how the value was read, and the schemas of key and value. used are the schemas of the whole conversion.
func (s *sampleInspection) explainValue(value []byte, err error, used []convert.SchemaRef) {
	var text strings.Builder
	text.WriteString(check.CountNoun(len(s.record.Value), "byte"))
	switch bad, isBad := errors.AsType[*convert.BadRecord](err); {
	case isBad && bad.Reason == convert.TooLarge && len(s.used) > 0:
		fmt.Fprintf(&text, ", decoded as %s with schema %s to JSON that is too large", s.own.Format, s.used[0])
	case err != nil:
	case len(s.used) > 0 && s.own.Unwraps():
		fmt.Fprintf(&text, ", decoded as %s with schema %s", s.own.Format, s.used[0])
	case len(s.used) > 0:
		fmt.Fprintf(&text, ", decoded as %s with schema %s to %s of JSON", s.own.Format, s.used[0], check.CountNoun(len(value), "byte"))
	default:
		text.WriteString(" of " + s.own.Format)
	}
	for _, ref := range used {
		if !slices.Contains(s.used, ref) {
			fmt.Fprintf(&text, "; the key is decoded as %s with schema %s", s.own.KeyFormat, ref)
		}
	}
	s.report.Findings.AddOK(check.Value, "", text.String())
}

// explainUnwrapped adds the size of the value that was taken out of its envelope. The error is that of the value alone.
func (s *sampleInspection) explainUnwrapped(value []byte, err error) {
	bad, isBad := errors.AsType[*convert.BadRecord](err)
	switch from := "from " + s.own.Unwrap; {
	case !s.own.Unwraps():
	case isBad && bad.Reason == convert.Tombstone:
		s.report.Findings.AddOK(check.Unwrap, "", from+": the payload is null: a tombstone, which the envelope takes (RECORD_TOMBSTONES)")
	case err == nil:
		s.report.Findings.AddOK(check.Unwrap, "", fmt.Sprintf("%s to %s of JSON", from, check.CountNoun(len(value), "byte")))
	}
}

// explainSent packs the record as a batcher does and adds its size.
func (s *sampleInspection) explainSent(builder *batch.Builder, buf []byte, claim *convert.ClaimCheck) {
	r, now := s.record, time.Now()
	sealed := builder.AddRecord(now, offset.NewLease(r.Topic, r.Partition), offset.MarkAfter(r.Offset, r.LeaderEpoch), now, buf)
	if sealed == nil {
		sealed = builder.SealBatch()
	}
	data := slices.Clone(sealed.Record(0))
	billed := firehose.BilledBytes(len(data))
	s.report.Records = []check.SentRecord{{Data: data, Billed: billed}}
	s.report.Verdict = check.Sent
	text := ""
	if claim != nil {
		s.report.Verdict, s.report.Reason = check.SentClaimCheck, string(convert.TooLarge)
		text = fmt.Sprintf("the value of %d bytes goes to %s, which this has not uploaded; ", claim.Bytes, claim.URL)
	}
	delimited := "without a delimiter"
	if s.own.Delimiter != "" {
		delimited = "with its delimiter " + s.own.Delimiter.String()
	}
	text += fmt.Sprintf("sent as %s %s; Firehose takes up to %d, and bills %d", check.CountNoun(len(data), "byte"), delimited, batch.MaxRecordBytes, billed)
	if s.own.Aggregate {
		text += fmt.Sprintf("; alone in a Firehose record here, which may have %d like this and %d bytes", s.own.AggregateMaxRecords, s.own.AggregateMaxBytes)
		if s.own.Compression == "gzip" {
			text += fmt.Sprintf(", compressed (from %d here)", len(buf))
		}
	}
	s.report.Findings.AddOK(check.Record, "", text)
}

// explainBad adds the policy's result for a record that can't be sent.
func (s *sampleInspection) explainBad(bad *convert.BadRecord) {
	s.report.Reason = string(bad.Reason)
	found := &s.report.Findings
	text := fmt.Sprintf("%s: %v; ", bad.Reason, bad)
	switch policy := s.cfg.fallbackPolicy(); {
	case bad.Reason == convert.Filtered:
		s.report.Verdict = check.LeftOut
		found.AddOK(check.Filter, "", "false: "+s.own.Filter.String())
		found.AddOK(check.Record, "", "left out, and its offset is committed")
	case bad.Skip:
		s.report.Verdict = check.LeftOut
		found.AddOK(check.Record, "", text+"left out, and its offset is committed (RECORD_TOMBSTONES=skip)")
	case policy == policySkip:
		s.report.Verdict = check.Skipped
		found.AddWarning(check.Record, "", text+"skipped and counted (BAD_RECORD_POLICY=skip)", "")
	case policy == policyDeadLetter:
		s.report.Verdict = check.SentDeadLetter
		held := map[bool]string{false: "as Kafka has it", true: "with the digest of its value"}[s.cfg.DeadLetter.Value == "digest"]
		found.AddWarning(check.Record, "", fmt.Sprintf("%sgoes to DEAD_LETTER_TOPIC %s, %s", text, s.cfg.DeadLetter.Topic, held), "")
	default:
		s.report.Verdict = map[string]check.Verdict{policyStop: check.StopsPartition, policyExit: check.ExitsWithRecord}[policy]
		effect := map[string]string{policyStop: "its partition stops before it", policyExit: "the process ends"}[policy]
		found.AddError(check.Record, "", fmt.Sprintf("%s%s (BAD_RECORD_POLICY=%s)", text, effect, cmp.Or(s.cfg.BadRecordPolicy, policy)), "")
	}
}
