package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/origin"
)

// LoadEnvironment reads the configuration of the process. The error joins everything that is wrong
// with it, one line each, in the order of the table. The warnings are about variables that have no
// effect and look as if they were meant to have one.
func LoadEnvironment() (Config, []string, error) {
	var c Config
	faults := env.FaultsOf(env.Load(&c))
	unread := map[string]bool{}
	for _, f := range faults {
		unread[f.Variable] = true
	}
	for _, f := range env.FaultsOf(c.Validate()) {
		// What a rule says about a variable that could not be read is about its default.
		if !slices.ContainsFunc(append(f.Others, f.Variable), func(name string) bool { return unread[name] }) {
			faults = append(faults, f)
		}
	}
	faults = append(faults, c.awsFaults()...)
	faults = append(faults, proxyFaults()...)
	if f := awsconfig.CheckSessionVariable(); f != nil {
		faults = append(faults, f)
	}
	unsupported, warnings := unknownVariables(os.Environ())
	return c, append(warnings, c.settingHints()...), reportFaults(append(faults, unsupported...))
}

// awsFaults returns the faults of the SDK's own environment and files, each once although several clients find it.
func (c Config) awsFaults() []*env.Fault {
	faults := c.Firehose.CheckEnvironment(context.Background())
	if len(c.schemaFormats()) == 0 {
		return faults
	}
	for _, f := range c.Schema.CheckEnvironment() {
		if !slices.ContainsFunc(faults, func(known *env.Fault) bool { return known.Error() == f.Error() }) {
			faults = append(faults, f)
		}
	}
	return faults
}

// proxyFaults returns the faults of the variables that name proxies. They are read by net/http, for requests to AWS, to
// the Schema Registry and to token endpoints.
func proxyFaults() (faults []*env.Fault) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if value := os.Getenv(name); value != "" && !origin.UsableProxy(value) {
			faults = append(faults, env.HoldsFault(name, value, "want http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with each of %, #, /, ? and @ in USER and PASSWORD percent-encoded"))
		}
	}
	return faults
}

// PlannedSettings returns the plan of a connector with this configuration, as the attributes of a log line: its topics, its
// streams, and the variables of the environment that differ from their defaults. Secrets are hidden.
func (c Config) PlannedSettings() []slog.Attr {
	topics := slog.Any("topics", c.Kafka.Topics)
	if c.Kafka.TopicPattern != "" {
		topics = slog.String("topic_pattern", c.Kafka.TopicPattern)
	}
	var settings []any
	for _, v := range env.ListVariables(new(Config)) {
		if value := os.Getenv(v.Name); value != "" && value != v.Default {
			settings = append(settings, slog.String(v.Name, env.MaskValue(v.Name, value)))
		}
	}
	return []slog.Attr{
		topics, slog.String("group", c.Kafka.GroupID), slog.Any("streams", c.Firehose.StreamNames()), c.formatPlan(),
		slog.Group("settings", settings...),
	}
}

// ConfigUsage prints the table of all variables for a terminal.
func ConfigUsage(w io.Writer) error { return env.WriteUsage(w, new(Config)) }

// reportFaults sorts faults as the table is sorted; faults of other variables follow by name.
func reportFaults(faults []*env.Fault) error {
	names := variableNames()
	at := func(f *env.Fault) int {
		if i := slices.Index(names, f.Variable); i >= 0 {
			return i
		}
		return len(names)
	}
	slices.SortStableFunc(faults, func(a, b *env.Fault) int {
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.Variable, b.Variable))
	})
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

func variableNames() []string {
	var names []string
	for _, v := range env.ListVariables(new(Config)) {
		names = append(names, v.Name)
	}
	return names
}

// notYet is the beginning of names that users of other programs know, and that this version doesn't read. To ignore them would be
// worse than to fail.
const notYet = "KAFKA_TLS_KEY_PASSWORD"

// strict are the beginnings under which a name that is no setting is a fault and not a warning: with
// a slip in KAFKA_TLS_ENABLED the connection would be made in the clear.
var strict = []string{"KAFKA_TLS_", "KAFKA_SASL_"}

// meant are names that no rule about typos finds, because other programs spell the setting like this.
var meant = map[string]string{
	"KAFKA_BOOTSTRAP_SERVER":         "KAFKA_BROKERS",
	"KAFKA_BOOTSTRAP_SERVERS":        "KAFKA_BROKERS",
	"KAFKA_CONSUMER_GROUP":           "KAFKA_GROUP_ID",
	"KAFKA_SECURITY_PROTOCOL":        "KAFKA_TLS_ENABLED or KAFKA_SASL_MECHANISM",
	"KAFKA_SASL_JAAS_CONFIG":         "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
	"KAFKA_SASL_USER":                "KAFKA_SASL_USERNAME",
	"KAFKA_SASL_MECHANISMS":          "KAFKA_SASL_MECHANISM",
	"KAFKA_SSL_CA_LOCATION":          "KAFKA_TLS_CA_FILE",
	"KAFKA_SSL_CERTIFICATE_LOCATION": "KAFKA_TLS_CERT_FILE",
	"KAFKA_SSL_KEY_LOCATION":         "KAFKA_TLS_KEY_FILE",
	"KAFKA_SSL_TRUSTSTORE_LOCATION":  "KAFKA_TLS_CA_FILE",
	"KAFKA_SSL_KEYSTORE_LOCATION":    "KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE",
	"FIREHOSE_DELIVERY_STREAM_NAME":  "FIREHOSE_STREAM",
}

// withoutEffect are settings of the AWS SDK that this program overrides.
var withoutEffect = map[string]string{
	"AWS_MAX_ATTEMPTS": "what failed is sent again until Firehose accepts it",
	"AWS_RETRY_MODE":   "the pace and the pauses between attempts are this program's own",
}

// unknownVariables checks the variables that are not in the table. Its messages never contain their
// values: it can't know which of them are secrets.
func unknownVariables(environ []string) (faults []*env.Fault, warnings []string) {
	known := variableNames()
	candidates := slices.Clone(known)
	for _, variable := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" || slices.Contains(known, name) || env.IsInjected(name, value) {
			continue
		}
		if strings.HasPrefix(name, notYet) {
			faults = append(faults, env.UnsupportedFault(name, "a key with a passphrase"))
		} else if why, ok := withoutEffect[name]; ok {
			warnings = append(warnings, fmt.Sprintf("%s has no effect here: %s", name, why))
		} else if slices.ContainsFunc(strict, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			likely, _ := likelyName(name, candidates)
			faults = append(faults, env.UnknownFault(name, likely))
		} else if likely, ok := likelyName(name, candidates); ok {
			warnings = append(warnings, fmt.Sprintf("%s is not a setting and has no effect; did you mean %s?", name, likely))
		}
	}
	return faults, warnings
}

// likelyName returns the setting that was most likely meant by an unknown name.
func likelyName(name string, candidates []string) (string, bool) {
	if m, ok := meant[name]; ok {
		return m, true
	}
	// A setting that has no prefix, written with one.
	for _, prefix := range []string{"KAFKA_", "FIREHOSE_", "RECORD_"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && slices.Contains(candidates, rest) {
			return rest, true
		}
	}
	return env.SuggestName(name, candidates)
}
