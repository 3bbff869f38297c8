package connector

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/runtimesettings"
	"kafka-firehose/connector/schema"
)

// Config is everything that can be set. Its fields, in their order, are the table of the
// documentation; each stage has its own part.
type Config struct {
	Kafka       kafka.Config
	Firehose    firehose.Config
	Destination destination.Config
	Record      convert.Config
	Schema      schema.Config

	// BadRecordPolicy is the handling of a record that can't be delivered, because it is oversized
	// or can't be decoded: "stop" (the default: its partition is not delivered further, the commit stays
	// before the record, and other partitions go on), "exit" (the process ends with an error), "skip" (it is
	// counted and left out), "dead-letter" (it goes to DEAD_LETTER_TOPIC, and is not committed before that has it) or
	// "claim-check" (the value of one that is too large goes to CLAIM_CHECK_URL, and an envelope that refers to it to Firehose;
	// others are dead letters if there is a DEAD_LETTER_TOPIC, and stop their partition if there is none).
	BadRecordPolicy string `envconfig:"BAD_RECORD_POLICY" default:"stop" desc:"Records that can't be delivered: stop their partition, exit with an error, skip and count them, dead-letter, which writes them to DEAD_LETTER_TOPIC, or claim-check, which uploads values that are too large to CLAIM_CHECK_URL and treats others as dead-letter or stop."`
	DeadLetter      deadletter.Config
	ClaimCheck      claimcheck.Config
	// MaxBufferedBytes bounds the memory for records, from the fetch to the commit: fetched
	// records, queues, open batches, requests in flight and their encoded bodies, pooled
	// buffers, and records converted in parallel. The process takes up to 64 MiB beside it. The size of fetches follows from it.
	MaxBufferedBytes env.Bytes `envconfig:"MAX_BUFFERED_BYTES" default:"256MiB" desc:"Bounds everything held between the fetch and the commit; the process takes up to 64 MiB beside it."`
	// HTTPAddr is where metrics and probes are served, as host:port; without a host, on all addresses.
	HTTPAddr string `envconfig:"HTTP_ADDR" default:":8080" desc:"Serves the status page at /, /status as JSON, /metrics, /livez and /readyz."`
	// NativeHistograms adds Prometheus's native histograms to the classic ones.
	NativeHistograms bool `envconfig:"METRICS_NATIVE_HISTOGRAMS" default:"false" desc:"Histograms on /metrics are native ones, too. A Prometheus that takes those drops the buckets that the alerts use, unless it has always_scrape_classic_histograms."`
	// LogLevel is the least severe level that is logged.
	LogLevel slog.Level `envconfig:"LOG_LEVEL" default:"info" want:"debug, info, warn or error" desc:"debug, info, warn or error."`
	// LogFormat is "json" (the default) or "text".
	LogFormat string `envconfig:"LOG_FORMAT" default:"json" desc:"json or text."`
	// LogSummaryInterval is the interval of one line with the totals of each stream; 0 is never.
	LogSummaryInterval time.Duration `envconfig:"LOG_SUMMARY_INTERVAL" default:"1m" desc:"Interval of a log line with the totals of each stream that had records in it; 0 for no such lines."`
	// RuntimeSettingsFile is the path of a JSON file that is read again when it changes: paused topics and streams, the
	// limits of streams, the log level. At the start a file that can't be used is a fault of the configuration, because there
	// are no good settings to keep; later the last good ones stay in use.
	RuntimeSettingsFile string `envconfig:"RUNTIME_SETTINGS_FILE" unset:"none" desc:"JSON file of what changes without a restart: paused topics and streams, limits of streams, log level. Read again when it changes; see deploy/docs/runtime-settings.md."`
	// ShutdownTimeout is how long a stop may take: drain, last commit and leaving the group. The last
	// two keep commitReserve of it. It has to be shorter than the time after which the process is
	// killed, which is 30 s in Kubernetes unless set.
	ShutdownTimeout time.Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"25s" desc:"Drain, last commit and leaving the group together; 3 s are kept for the last two. Shorter than the time after which the process is killed (30 s in Kubernetes)."`
}

// commitReserve is the end of ShutdownTimeout that a drain leaves to the last commit and to leaving
// the group: without that commit everything delivered since the one before is delivered again.
const commitReserve = 3 * time.Second

// The values of BadRecordPolicy.
const (
	policyStop       = "stop"
	policyExit       = "exit"
	policySkip       = "skip"
	policyDeadLetter = "dead-letter"
	policyClaimCheck = "claim-check"
)

const (
	// minBuffered is the least memory that one stream can work in: a batch in flight (4 MiB) with
	// its encoded body (4/3 of that), the batch that fills meanwhile, and a fetch of 1 to 2 MiB.
	minBuffered = 16 * env.MiB
	// minPerStream is what each further stream adds: a batch with its encoded body.
	minPerStream = 10 * env.MiB
)

// DefaultConfig returns the defaults of the table and ignores the environment. Settings without a
// default (brokers, topics, group, stream) are left for the caller.
func DefaultConfig() Config {
	var c Config
	env.SetDefaults(&c)
	return c
}

// Validate returns all faults of c and its parts, each naming its variable.
func (c Config) Validate() error {
	var check env.Check
	check.JoinFaults(c.Kafka.Validate())
	check.JoinFaults(c.Firehose.Validate())
	check.JoinFaults(c.Destination.Validate())
	c.validateRecords(&check)
	check.JoinFaults(c.Schema.Validate())
	c.validateSchemas(&check)
	c.validateRoutes(&check)
	check.OneOf("BAD_RECORD_POLICY", c.BadRecordPolicy, []string{policyStop, policyExit, policySkip, policyDeadLetter, policyClaimCheck})
	c.deadLetters(&check)
	c.claimChecks(&check)
	c.validateBuffered(&check)
	check.AddFault(validateAddress("HTTP_ADDR", c.HTTPAddr))
	check.OneOf("LOG_FORMAT", c.LogFormat, []string{"json", "text"})
	if d := c.LogSummaryInterval; d != 0 && d < time.Second {
		check.AddFault(env.HoldsFault("LOG_SUMMARY_INTERVAL", d, "want 1s or more, or 0 for never"))
	}
	if path := c.RuntimeSettingsFile; path != "" {
		_, err := runtimesettings.Open(path)
		check.JoinFaults(err)
	}
	if c.ShutdownTimeout <= commitReserve {
		check.AddFault(env.HoldsFault("SHUTDOWN_TIMEOUT", c.ShutdownTimeout, fmt.Sprintf(
			"want more than the %s that are kept for the last commit and for leaving the group", commitReserve)))
	}
	return check.Err()
}

// validateRoutes checks where topics and streams meet: a topic that is named needs a stream before anything
// is read, whereas one that a pattern finds later is left out.
func (c Config) validateRoutes(check *env.Check) {
	const routes, stream, topics = "FIREHOSE_ROUTES", "FIREHOSE_STREAM", "KAFKA_TOPICS"
	for i, r := range c.Firehose.Routes {
		if r.Pattern == nil && !kafka.LegalTopic(r.Topic) {
			check.AddFault(env.HoldsFault(routes, r, fmt.Sprintf("entry %d: no topic can have this name", i+1)))
		}
	}
	if len(c.Firehose.Routes) == 0 {
		return // without a stream either, which is reported already
	}
	for _, topic := range c.Kafka.Topics {
		if _, ok := c.Firehose.StreamFor(topic); !ok && kafka.LegalTopic(topic) {
			check.AddFault(env.HoldsFault(routes, c.Firehose.Routes, fmt.Sprintf(
				"topic %s of %s has no stream; want %s=stream, or a %s for the rest", topic, topics, topic, stream)).WithSettings(stream, topics))
		}
	}
}

// deadLetters checks the topic that bad records go to. If it were consumed as well, each
// of them would go round without end.
func (c Config) deadLetters(check *env.Check) {
	const name, auditPolicy, topics = "DEAD_LETTER_TOPIC", "BAD_RECORD_POLICY", "KAFKA_TOPICS"
	topic, wanted := c.DeadLetter.Topic, c.BadRecordPolicy == policyDeadLetter
	check.OneOf("DEAD_LETTER_VALUE", c.DeadLetter.Value, []string{"original", "digest"})
	if c.DeadLetter.Value == "digest" && c.fallbackPolicy() != policyDeadLetter {
		check.AddFault(env.HoldsFault("DEAD_LETTER_VALUE", c.DeadLetter.Value, "it has no effect unless "+auditPolicy+" is dead-letter").WithSettings(auditPolicy))
	}
	switch {
	case topic == "" && wanted:
		check.AddFault(env.MissingFault(name, "want the topic that bad records go to, because "+auditPolicy+" is dead-letter").WithSettings(auditPolicy))
	case topic == "":
	case !wanted && c.BadRecordPolicy != policyClaimCheck:
		check.AddFault(env.HoldsFault(name, topic, "it has no effect unless "+auditPolicy+" is dead-letter or claim-check").WithSettings(auditPolicy))
	case !kafka.LegalTopic(topic) || strings.HasPrefix(topic, "__"):
		check.AddFault(env.HoldsFault(name, topic, "want the name of a topic, 1 to 249 of a-z A-Z 0-9 . _ -, not one of Kafka's own that begin with __"))
	case slices.Contains(c.Kafka.Topics, topic):
		check.AddFault(env.HoldsFault(name, topic, topics+" names it, too: dead letters that are read again would come back for ever; want another topic").WithSettings(topics))
	}
}

// claimChecks checks the bucket for values that are too large, and that envelopes with claim checks can be told apart.
func (c Config) claimChecks(check *env.Check) {
	const name, auditPolicy = "CLAIM_CHECK_URL", "BAD_RECORD_POLICY"
	wanted := c.BadRecordPolicy == policyClaimCheck
	switch {
	case c.ClaimCheck.URL == "" && wanted:
		check.AddFault(env.MissingFault(name, "want s3://BUCKET/PREFIX for values that are too large, because "+auditPolicy+" is claim-check").WithSettings(auditPolicy))
	case c.ClaimCheck.URL == "":
	case !wanted:
		check.AddFault(env.HoldsFault(name, c.ClaimCheck.URL, "it has no effect unless "+auditPolicy+" is claim-check").WithSettings(auditPolicy))
	default:
		c.ClaimCheck.Validate(check)
	}
	if !wanted {
		return
	}
	reported := map[string]bool{}
	for _, stream := range c.recordStreams() {
		for _, f := range c.recordFor(stream).ClaimCheckConflicts() {
			switch f = f.WithSettings(auditPolicy); {
			case c.Firehose.StreamOptions.Of[stream].Record[f.Variable] != "":
				check.AddFault(c.streamFault(stream, f))
			case !reported[f.Variable]:
				reported[f.Variable] = true
				check.AddFault(f)
			}
		}
	}
}

// validateSchemas checks that formats that need a registry have one.
func (c Config) validateSchemas(check *env.Check) {
	const url, format, key, envelope, validate = "SCHEMA_REGISTRY_URL", "RECORD_FORMAT", "RECORD_KEY_FORMAT", "RECORD_ENVELOPE", "RECORD_SCHEMA_VALIDATE"
	formats := c.describeSchemaFormats()
	switch needed := formats != ""; {
	case needed && len(c.Schema.URLs) == 0 && c.Schema.NeedsURL():
		check.AddFault(env.MissingFault(url, "want the address of the Schema Registry, because records are "+formats).WithSettings(format, key, envelope, "FIREHOSE_STREAM_OPTIONS"))
	case !needed && len(c.Schema.URLs) > 0:
		check.AddFault(env.HoldsFault(url, strings.Join(c.Schema.URLs, ","), "no format that is set asks it for schemas; want "+format+" avro, protobuf, or json-schema with "+validate+"=true, or nothing here").WithSettings(format, key, envelope, validate))
	case c.Schema.Framing() != convert.Confluent && !c.decodesAny():
		check.AddFault(env.HoldsFault("SCHEMA_REGISTRY_TYPE", c.Schema.Type, "no format that is set reads values with it; want "+format+" avro, protobuf or json-schema, or nothing here").WithSettings(format, key, envelope))
	}
}

// minBuffered is the least that MaxBufferedBytes may be.
func (c Config) minBuffered() env.Bytes {
	further := max(len(c.Firehose.StreamNames())-1, 0)
	return minBuffered + env.Bytes(further)*minPerStream
}

func (c Config) validateBuffered(check *env.Check) {
	least := c.minBuffered()
	if c.MaxBufferedBytes < least {
		check.AddFault(env.HoldsFault("MAX_BUFFERED_BYTES", c.MaxBufferedBytes, fmt.Sprintf(
			"want %s or more: %s, and %s for each stream after the first", least, minBuffered, minPerStream)).
			WithSettings("FIREHOSE_STREAM", "FIREHOSE_ROUTES"))
	}
}

func validateAddress(name, addr string) *env.Fault {
	host, port, err := net.SplitHostPort(addr)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || strings.ContainsAny(host, "/ \t\r\n") {
		return env.HoldsFault(name, addr, "want host:port, or :port for all addresses")
	}
	return nil
}

// settingHints are the warnings about settings that are fine one by one and can't have been meant together.
func (c Config) settingHints() []string {
	hints := append(append(c.Kafka.Auth().SettingHints(), c.Schema.Hints()...), c.maskHints()...)
	for _, r := range c.Firehose.Routes {
		if r.Pattern == nil && r.Topic == c.DeadLetter.Topic {
			hints = append(hints, fmt.Sprintf("FIREHOSE_ROUTES sends topic %q to %q, but it is the DEAD_LETTER_TOPIC, which is never read", r.Topic, r.Stream))
		} else if r.Pattern == nil && len(c.Kafka.Topics) > 0 && !slices.Contains(c.Kafka.Topics, r.Topic) {
			hints = append(hints, fmt.Sprintf("FIREHOSE_ROUTES sends topic %q to %q, but KAFKA_TOPICS doesn't name it", r.Topic, r.Stream))
		}
	}
	return hints
}

// maskHints are the warnings about ways on which a masked member may leave unmasked.
func (c Config) maskHints() (hints []string) {
	if len(c.Record.Mask) == 0 {
		return nil
	}
	if c.BadRecordPolicy == "dead-letter" && c.DeadLetter.Value == "original" {
		hints = append(hints, "RECORD_MASK does not apply to dead letters, which hold the value as Kafka has it; DEAD_LETTER_VALUE=digest leaves it out")
	}
	if len(c.Record.Fields) == 0 && (c.Record.EnvelopeName("key") != "" || c.Record.EnvelopeName("headers") != "") {
		hints = append(hints, "RECORD_MASK applies to values; keys and headers are sent as they are: leave them out of RECORD_FIELDS if they hold the same")
	}
	return hints
}
