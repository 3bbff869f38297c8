// Package preflight tries everything that the service needs, before it runs and beside it: for the command check, and for
// the check of the delivery streams at a start. It joins no group, commits no offset, and reads and sends no record.
//
// It stands on the stages, which don't know it, and on package check, which has the findings. The connector says what its
// settings need.
package preflight

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/kafka/auth"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/runtimesettings"
	"kafka-firehose/connector/schema"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/metrics"
)

// Inspection has the settings of a process and the ways to the systems that they name.
type Inspection struct {
	Faults   []*env.Fault // settings with faults, which are left out
	Warnings []string     // about the other settings

	Kafka               kafka.Config
	Firehose            firehose.Config
	Schema              schema.Config
	DeadLetter          deadletter.Config
	ClaimCheck          claimcheck.Config
	RuntimeSettingsFile string

	// NeedsRegistry says that a format needs schemas, and SendsDeadLetters and SendsClaimChecks that the policy for bad
	// records has use for the topic and for the bucket.
	NeedsRegistry, SendsDeadLetters, SendsClaimChecks bool
	// Sends returns the records that a stream gets. Its argument is empty while no stream is set.
	Sends func(stream string) SentRecords
	// NewWatches prepares the watches of the destinations, none if they are not to be watched.
	NewWatches func(ctx context.Context, clients firehose.Clients) ([]*destination.Watch, error)

	Log     *slog.Logger
	Metrics *metrics.Kafka
	// KafkaDial makes connections to Kafka, and the others change the clients, in tests.
	KafkaDial       auth.DialFunc
	KafkaOptions    []kgo.Opt
	FirehoseOptions []firehose.ClientOption
	GlueOptions     []glue.ClientOption
	S3Options       []claimcheck.ClientOption
	RegistryNetwork http.RoundTripper
}

// Run runs every step even if others fail, and ctx bounds them all.
func (i Inspection) Run(ctx context.Context) check.Report {
	begin := time.Now()
	// In the order of the report; they run beside one another.
	steps := []func(context.Context) check.Findings{i.inspectKafka, i.inspectClaimCheck, i.inspectRegistry, i.inspectFirehose}
	found := make([]check.Findings, len(steps))
	var looks sync.WaitGroup
	for n, look := range steps {
		looks.Go(func() { found[n] = look(ctx) })
	}
	looks.Wait()
	r := check.Report{Findings: append(i.inspectSettings(), i.inspectRuntimeSettings()...)}
	for _, f := range found {
		r.Findings = append(r.Findings, f...)
	}
	r.Took = time.Since(begin)
	return r
}

// The warning about records that are changes of rows. Several requests are in flight, refused records are sent again, and Firehose promises
// no order either.
const (
	OrderWarning = "changes of a key may arrive in another order than they were made, and more than once"
	OrderHint    = "order the rows of a key by __offset, as deploy/docs/transform.md shows"
)

// inspectSettings adds the result of loading the environment.
func (i Inspection) inspectSettings() (found check.Findings) {
	for _, f := range i.Faults {
		found.AddError(check.Setting, f.Variable, strings.TrimPrefix(f.Error(), f.Variable+" "), "")
	}
	for _, w := range i.Warnings {
		found.AddWarning(check.Setting, "", w, "")
	}
	if len(i.Faults) == 0 {
		found.AddOK(check.Setting, "", "all can be used")
	}
	streams := i.Firehose.StreamNames()
	if len(streams) == 0 {
		streams = []string{""}
	}
	for _, stream := range streams {
		if i.faultOf("RECORD_UNWRAP", "FIREHOSE_STREAM_OPTIONS") == "" && i.Sends(stream).Changes {
			found.AddNote(check.Setting, "RECORD_UNWRAP", "stream "+stream+" gets changes of rows: "+OrderWarning, OrderHint)
		}
	}
	return found
}

// inspectRuntimeSettings looks at the names in RUNTIME_SETTINGS_FILE. A file that can't be read is a fault of the settings.
func (i Inspection) inspectRuntimeSettings() (found check.Findings) {
	path := i.RuntimeSettingsFile
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
		if i.faultOf("KAFKA_TOPIC") == "" && !i.Kafka.Consumes(topic, i.DeadLetter.Topic) {
			unknown("topic", topic, "name topics of KAFKA_TOPICS, or those that KAFKA_TOPIC_PATTERN matches")
		}
	}
	for _, name := range slices.Concat(s.PausedStreams, slices.Sorted(maps.Keys(s.Streams))) {
		if !slices.Contains(i.Firehose.StreamNames(), name) {
			unknown("stream", name, "name streams of FIREHOSE_STREAM or FIREHOSE_ROUTES")
		}
	}
	return found
}

// faultOf returns the first setting that can't be used of those whose names begin with one of the
// prefixes, empty if all can.
func (i Inspection) faultOf(prefixes ...string) string {
	for _, f := range i.Faults {
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
func (i Inspection) inspectKafka(ctx context.Context) (found check.Findings) {
	if addSkipped(&found, check.Broker, "", i.faultOf("KAFKA_BROKERS", "KAFKA_CLIENT_ID", "KAFKA_TLS_", "KAFKA_SASL_")) {
		return found
	}
	connection, err := i.Kafka.NewConnection(i.KafkaDial, i.Log, i.Metrics)
	if err != nil {
		found.AddError(check.Broker, "", err.Error(), "")
		return found
	}
	o := clusterOptions{
		Connection: connection, Client: i.KafkaOptions, StreamFor: i.Firehose.StreamFor, Exclude: i.DeadLetter.Topic,
		SkipTopics: addSkipped(&found, check.Topic, "", i.faultOf("KAFKA_TOPIC")),
		SkipGroup:  addSkipped(&found, check.Group, i.Kafka.GroupID, i.faultOf("KAFKA_GROUP_ID")),
	}
	if i.KafkaDial == nil {
		o.Lookup = net.DefaultResolver.LookupHost
	}
	cluster, largest := inspectCluster(ctx, i.Kafka, o)
	found = append(cluster, found...)
	if i.SendsDeadLetters && !addSkipped(&found, check.DeadLetter, i.DeadLetter.Topic, i.faultOf("DEAD_LETTER_TOPIC")) {
		found = append(found, inspectDeadLetters(ctx, i.DeadLetter, largest, append(connection.ClientOptions(), i.KafkaOptions...))...)
	}
	return found
}

// inspectClaimCheck looks at the bucket for values that are too large, if that is the policy.
func (i Inspection) inspectClaimCheck(ctx context.Context) (found check.Findings) {
	if !i.SendsClaimChecks || addSkipped(&found, check.ClaimCheck, i.ClaimCheck.URL, i.faultOf("CLAIM_CHECK_URL")) {
		return found
	}
	return inspectBucket(ctx, i.ClaimCheck, claimcheck.Options{Log: i.Log, Client: i.S3Options})
}

// inspectRegistry looks at the Schema Registry, if the format needs one.
func (i Inspection) inspectRegistry(ctx context.Context) (found check.Findings) {
	if !i.NeedsRegistry || addSkipped(&found, check.Registry, "", i.faultOf("SCHEMA_REGISTRY_", "RECORD_FORMAT", "RECORD_KEY_FORMAT")) {
		return found
	}
	return tryRegistry(ctx, i.Schema, schema.Options{Transport: i.RegistryNetwork, Glue: i.GlueOptions})
}

// inspectFirehose looks at the credentials and the streams.
func (i Inspection) inspectFirehose(ctx context.Context) (found check.Findings) {
	if addSkipped(&found, check.Stream, i.Firehose.Stream, i.faultOf("FIREHOSE_STREAM", "FIREHOSE_ROUTES", "FIREHOSE_ROLE_")) {
		return found
	}
	clients, err := firehose.NewClients(ctx, i.Firehose, i.Log, i.FirehoseOptions...)
	if err != nil {
		found.AddError(check.Credentials, "", fmt.Sprint(err), "")
		return found
	}
	return append(inspectStreams(ctx, i.Firehose, clients, i.Sends), i.inspectDestinations(ctx, clients)...)
}

// inspectDestinations asks CloudWatch, if destinations are to be watched.
func (i Inspection) inspectDestinations(ctx context.Context, clients firehose.Clients) (found check.Findings) {
	if addSkipped(&found, check.Destination, "", i.faultOf("DESTINATION_")) {
		return found
	}
	watches, err := i.NewWatches(ctx, clients)
	if err != nil {
		found.AddError(check.Destination, "", err.Error(), "")
		return found
	}
	for _, w := range watches {
		for _, l := range w.ReadLateness(ctx) {
			explainLateness(&found, l)
		}
	}
	return found
}
