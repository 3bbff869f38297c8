package connector

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"kafka-firehose/connector/check"
	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/runtimesettings"
	"kafka-firehose/connector/schema"
)

// Inspect tries everything that a process with this environment would need, without
// changing anything: it joins no group, commits no offset, reads and sends no record.
// Every step runs even if others fail, and ctx bounds them all. cfg,
// warnings and faults are the results of LoadEnvironment; settings with faults
// are left out.
func Inspect(ctx context.Context, cfg Config, warnings []string, faults error, o Options) check.Report {
	begin := time.Now()
	o.useDefaults()
	i := inspection{cfg: cfg, o: o, faults: env.FaultsOf(faults)}
	// In the order of the report; they run beside one another.
	steps := []func(context.Context) check.Findings{i.inspectKafka, i.claimCheck, i.inspectRegistry, i.inspectFirehose}
	found := make([]check.Findings, len(steps))
	var looks sync.WaitGroup
	for n, look := range steps {
		looks.Go(func() { found[n] = look(ctx) })
	}
	looks.Wait()
	r := check.Report{Findings: append(i.inspectSettings(warnings), i.runtimeSettings()...)}
	for _, f := range found {
		r.Findings = append(r.Findings, f...)
	}
	r.Took = time.Since(begin)
	return r
}

type inspection struct {
	cfg    Config
	o      Options
	faults []*env.Fault
}

// inspectSettings are what LoadEnvironment says.
func (i inspection) inspectSettings(warnings []string) (found check.Findings) {
	for _, f := range i.faults {
		found.AddError(check.Setting, f.Variable, strings.TrimPrefix(f.Error(), f.Variable+" "), "")
	}
	for _, w := range warnings {
		found.AddWarning(check.Setting, "", w, "")
	}
	if len(i.faults) == 0 {
		found.AddOK(check.Setting, "", "all can be used")
	}
	for _, stream := range i.cfg.recordStreams() {
		if i.faultOf("RECORD_UNWRAP", "FIREHOSE_STREAM_OPTIONS") == "" && i.cfg.recordFor(stream).SendsChanges() {
			found.AddNote(check.Setting, "RECORD_UNWRAP", "stream "+stream+" gets changes of rows: "+orderWarning, orderHint)
		}
	}
	return found
}

// runtimeSettings looks at the names in RUNTIME_SETTINGS_FILE. A file that can't be read is a fault of the settings.
func (i inspection) runtimeSettings() (found check.Findings) {
	path := i.cfg.RuntimeSettingsFile
	if path == "" || i.faultOf(runtimesettings.Variable) != "" {
		return nil
	}
	file, err := runtimesettings.Open(path)
	if err != nil {
		found.AddError(check.Setting, runtimesettings.Variable, err.Error(), "")
		return found
	}
	s := file.Settings()
	found.AddOK(check.Setting, runtimesettings.Variable, fmt.Sprintf("%s can be used: it pauses %d topics and %d streams and has limits for %d streams",
		path, len(s.PausedTopics), len(s.PausedStreams), len(s.Streams)))
	unknown := func(kind, name, advice string) {
		found.AddWarning(check.Setting, runtimesettings.Variable, fmt.Sprintf("it names the %s %s, which has no effect", kind, env.ShowValue("", name)), advice)
	}
	for _, topic := range s.PausedTopics {
		if i.faultOf("KAFKA_TOPIC") == "" && !i.cfg.Kafka.Consumes(topic, i.cfg.DeadLetter.Topic) {
			unknown("topic", topic, "name topics of KAFKA_TOPICS, or those that KAFKA_TOPIC_PATTERN matches")
		}
	}
	for _, name := range slices.Concat(s.PausedStreams, slices.Sorted(maps.Keys(s.Streams))) {
		if !slices.Contains(i.cfg.Firehose.StreamNames(), name) {
			unknown("stream", name, "name streams of FIREHOSE_STREAM or FIREHOSE_ROUTES")
		}
	}
	return found
}

// faultOf returns the first setting that can't be used of those whose names begin with one of the
// prefixes, empty if all can.
func (i inspection) faultOf(prefixes ...string) string {
	for _, f := range i.faults {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(f.Variable, p) }) {
			return f.Variable
		}
	}
	return ""
}

// addSkipped is the finding that something was not looked at because of a setting.
func addSkipped(found *check.Findings, k check.FindingKind, name, variable string) bool {
	if variable != "" {
		found.AddWarning(k, name, "not looked at, because of "+variable, "")
	}
	return variable != ""
}

// inspectKafka looks at the cluster, and then at the topic for dead letters.
func (i inspection) inspectKafka(ctx context.Context) (found check.Findings) {
	if addSkipped(&found, check.Broker, "", i.faultOf("KAFKA_BROKERS", "KAFKA_CLIENT_ID", "KAFKA_TLS_", "KAFKA_SASL_")) {
		return found
	}
	connection, err := i.cfg.Kafka.NewConnection(i.o.KafkaDial, i.o.Log, i.o.Metrics.Kafka)
	if err != nil {
		found.AddError(check.Broker, "", err.Error(), "")
		return found
	}
	o := kafka.InspectOptions{
		Connection: connection, Client: i.o.Kafka, StreamFor: i.cfg.Firehose.StreamFor, Exclude: i.cfg.DeadLetter.Topic,
		SkipTopics: addSkipped(&found, check.Topic, "", i.faultOf("KAFKA_TOPIC")),
		SkipGroup:  addSkipped(&found, check.Group, i.cfg.Kafka.GroupID, i.faultOf("KAFKA_GROUP_ID")),
	}
	if i.o.KafkaDial == nil {
		o.Lookup = net.DefaultResolver.LookupHost
	}
	cluster := i.cfg.Kafka.Inspect(ctx, o)
	found = append(cluster.Findings, found...)
	if i.cfg.fallbackPolicy() == policyDeadLetter && !addSkipped(&found, check.DeadLetter, i.cfg.DeadLetter.Topic, i.faultOf("DEAD_LETTER_TOPIC")) {
		found = append(found, deadletter.Inspect(ctx, i.cfg.DeadLetter, cluster.Largest, append(connection.ClientOptions(), i.o.Kafka...))...)
	}
	return found
}

// claimCheck looks at the bucket for values that are too large, if that is the policy.
func (i inspection) claimCheck(ctx context.Context) (found check.Findings) {
	if i.cfg.BadRecordPolicy != policyClaimCheck || addSkipped(&found, check.ClaimCheck, i.cfg.ClaimCheck.URL, i.faultOf("CLAIM_CHECK_URL")) {
		return found
	}
	return claimcheck.Inspect(ctx, i.cfg.ClaimCheck, i.o.Log, i.o.S3)
}

// inspectRegistry looks at the Schema Registry, if the format needs one.
func (i inspection) inspectRegistry(ctx context.Context) (found check.Findings) {
	if len(i.cfg.schemaFormats()) == 0 || addSkipped(&found, check.Registry, "", i.faultOf("SCHEMA_REGISTRY_", "RECORD_FORMAT", "RECORD_KEY_FORMAT")) {
		return found
	}
	return schema.Inspect(ctx, i.cfg.Schema, schema.Options{Transport: i.o.Registry, Glue: i.o.Glue})
}

// inspectFirehose looks at the credentials and the streams.
func (i inspection) inspectFirehose(ctx context.Context) (found check.Findings) {
	if addSkipped(&found, check.Stream, i.cfg.Firehose.Stream, i.faultOf("FIREHOSE_STREAM", "FIREHOSE_ROUTES", "FIREHOSE_ROLE_")) {
		return found
	}
	clients, err := firehose.NewClients(ctx, i.cfg.Firehose, i.o.Log, i.o.Firehose...)
	if err != nil {
		found.AddError(check.Credentials, "", fmt.Sprint(err), "")
		return found
	}
	return append(firehose.Inspect(ctx, i.cfg.Firehose, clients, i.cfg.sentRecords), i.destinations(ctx, clients)...)
}

// destinations asks CloudWatch, if destinations are to be watched.
func (i inspection) destinations(ctx context.Context, clients firehose.Clients) (found check.Findings) {
	if addSkipped(&found, check.Destination, "", i.faultOf("DESTINATION_")) {
		return found
	}
	watches, err := i.cfg.newWatches(ctx, clients, i.o, destination.Options{})
	if err != nil {
		found.AddError(check.Destination, "", err.Error(), "")
		return found
	}
	for _, w := range watches {
		found = append(found, w.Inspect(ctx)...)
	}
	return found
}
