package env_test

import (
	"testing"

	"kafka-firehose/connector/env"
)

var known = []string{
	"KAFKA_BROKERS", "KAFKA_TOPICS", "KAFKA_TOPIC_PATTERN", "KAFKA_GROUP_ID", "KAFKA_GROUP_PROTOCOL", "KAFKA_COMMIT_INTERVAL",
	"FIREHOSE_STREAM", "FIREHOSE_BATCH_MAX_BYTES", "FIREHOSE_BATCH_LINGER", "RECORD_DELIMITER", "BAD_RECORD_POLICY", "LOG_LEVEL", "HTTP_ADDR",
}

func TestSuggest(t *testing.T) {
	for name, want := range map[string]string{
		"KAFKA_BROKER":               "KAFKA_BROKERS",            // a character short
		"KAFKA_BROKRES":              "KAFKA_BROKERS",            // two changed places
		"KAFAK_TOPICS":               "KAFKA_TOPICS",             // also in the prefix
		"kafka_brokers":              "KAFKA_BROKERS",            // the environment tells cases apart
		"KAFKA.GROUP.ID":             "KAFKA_GROUP_ID",           // from a properties file
		"KAFKA_GROUPID":              "KAFKA_GROUP_ID",           // a separator short
		"KAFKA_INTERVAL_COMMIT":      "KAFKA_COMMIT_INTERVAL",    // words changed places
		"KAFKA_INTERVALS_COMMITS":    "KAFKA_COMMIT_INTERVAL",    // and number
		"KAFKA_GROUP":                "KAFKA_GROUP_ID",           // a word short: the first of two
		"FIREHOSE_STREAM_NAME":       "FIREHOSE_STREAM",          // a word more
		"FIREHOSE_MAX_BATCH_BYTES":   "FIREHOSE_BATCH_MAX_BYTES", // in the middle
		"FIREHOSE_LINGER":            "FIREHOSE_BATCH_LINGER",
		"RECORD_DELIMETER":           "RECORD_DELIMITER",
		"BAD_RECORDS_POLICY":         "BAD_RECORD_POLICY",
		"BAD_RECORD_POLICIES":        "", // too far
		"LOGLEVEL":                   "LOG_LEVEL",
		"LOG_LEVELS":                 "LOG_LEVEL",
		"LOG_LEVL":                   "LOG_LEVEL",
		"LO_LEVL":                    "",          // two slips in a short name
		"LOG_LEVLE":                  "LOG_LEVEL", // two that changed places are one slip
		"HTTP_PORT":                  "",
		"HTTP_PROXY":                 "",
		"KAFKA_HEAP_OPTS":            "",
		"KAFKA_OPTS":                 "",
		"KAFKA_HOME":                 "",
		"KAFKA_JMX_PORT":             "",
		"KAFKA_ADVERTISED_LISTENERS": "",
		"KAFKA":                      "",
		"MY_LOG_LEVEL":               "", // somebody else's
		"PATH":                       "",
		"_":                          "",
		"":                           "",
	} {
		if got, ok := env.SuggestName(name, known); got != want || ok != (want != "") {
			t.Errorf("%q: suggests %q, %v; want %q", name, got, ok, want)
		}
	}
	for _, k := range known {
		if got, ok := env.SuggestName(k, known); got != k || !ok {
			t.Errorf("%s itself suggests %s", k, got)
		}
	}
}

func TestInjected(t *testing.T) {
	for name, value := range map[string]string{
		"KAFKA_PORT":                      "tcp://10.0.0.1:9092",
		"KAFKA_SERVICE_HOST":              "10.0.0.1",
		"KAFKA_SERVICE_PORT":              "9092",
		"KAFKA_SERVICE_PORT_TLS_INTERNAL": "9093",
		"KAFKA_PORT_9092_TCP":             "tcp://10.0.0.1:9092",
		"KAFKA_PORT_9092_TCP_ADDR":        "10.0.0.1",
		"KAFKA_PORT_9092_TCP_PORT":        "9092",
		"KAFKA_PORT_9092_TCP_PROTO":       "tcp",
		"KAFKA_BROKERS_PORT":              "tcp://[fd00::1]:9092",
		"DNS_PORT_53_UDP_PROTO":           "udp",
		"SCHEMA_REGISTRY_PORT":            "tcp://10.0.0.2:8081",
	} {
		if !env.IsInjected(name, value) {
			t.Errorf("%s=%s is not known as a Service's", name, value)
		}
	}
	for name, value := range map[string]string{
		"KAFKA_BROKERS": "tcp://10.0.0.1:9092", "KAFKA_PORT": "9092", "KAFKA_BROKERS_PORT": "9092",
		"KAFKA_SERVICE": "x", "KAFKA_PORT_TCP": "x", "SCHEMA_REGISTRY_URL": "tcp://x",
	} {
		if env.IsInjected(name, value) {
			t.Errorf("%s=%s is taken for a Service's", name, value)
		}
	}
}
