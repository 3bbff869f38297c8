package connector_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kafka-firehose/connector"
)

// settingsSection is a part of the page of settings.
type settingsSection struct {
	title    string
	prefixes []string // of the names of its settings; the longest that a name begins with counts
	text     string   // what belongs together, and the page that explains it
	example  string
}

// settingsSections are the parts of deploy/docs/settings.md, in its order.
var settingsSections = []settingsSection{
	{
		"Topics and group",
		[]string{"KAFKA_"},
		"What holds on which release of Kafka is in [brokers.md](brokers.md), and what a rebalance costs in [sizing.md](sizing.md#what-an-update-costs).",
		`
KAFKA_BROKERS=kafka-0.example.com:9094,kafka-1.example.com:9094
KAFKA_TOPIC_PATTERN=shop\..*
KAFKA_TOPIC_EXCLUDE=.*\.internal
KAFKA_GROUP_ID=shop-to-firehose
KAFKA_AUTO_OFFSET_RESET=2026-01-31T00:00:00Z`,
	},
	{
		"Login to Kafka",
		[]string{"KAFKA_TLS_", "KAFKA_SASL_"},
		"[kafka-login.md](kafka-login.md) says which of them a listener wants, and what the principal has to be allowed.",
		`
KAFKA_TLS_ENABLED=true
KAFKA_SASL_MECHANISM=SCRAM-SHA-512
KAFKA_SASL_USERNAME=bridge
KAFKA_SASL_PASSWORD_FILE=/etc/kafka-firehose/kafka-password`,
	},
	{
		"Streams",
		[]string{"FIREHOSE_"},
		"[routing.md](routing.md) has routes and options. `FIREHOSE_MAX_IN_FLIGHT` and `FIREHOSE_BATCH_MAX_BYTES` take memory ([sizing.md](sizing.md#memory)); the quota is " +
			"that of all members, the two limits are each process's own ([sizing.md](sizing.md#the-streams-quota)).",
		`
FIREHOSE_ROUTES=orders=orders,/clicks-.*/=clicks
FIREHOSE_STREAM=others
FIREHOSE_STREAM_OPTIONS={"clicks": {"aggregate": true, "quota_bytes_per_second": "1MiB"}}
FIREHOSE_ROLE_ARN=arn:aws:iam::123456789012:role/writer`,
	},
	{
		"Late destinations",
		[]string{"DESTINATION_"},
		"`DESTINATION_PAUSE_AFTER` needs the watch; [destination.md](destination.md).",
		`
DESTINATION_WATCH=true
DESTINATION_PAUSE_AFTER=2h`,
	},
	{
		"Records",
		[]string{"RECORD_"},
		"Formats, the envelope and compression are in [records.md](records.md), filters and masks in [transform.md](transform.md), what aggregation saves in [cost.md](cost.md).",
		`
RECORD_FORMAT=json
RECORD_FIELDS=id,timestamp,header(tenant)=tenant,value
RECORD_FILTER=value.status == "paid"
RECORD_AGGREGATE=true`,
	},
	{
		"Schemas",
		[]string{"SCHEMA_REGISTRY_"},
		"For the formats `avro` and `protobuf`, and for `json-schema`: [records.md](records.md). The settings of a role and of a region are for AWS Glue.",
		`
RECORD_FORMAT=avro
SCHEMA_REGISTRY_URL=https://registry.example.com
SCHEMA_REGISTRY_USERNAME=bridge
SCHEMA_REGISTRY_PASSWORD_FILE=/etc/kafka-firehose/registry-password`,
	},
	{
		"Records that can't be delivered",
		[]string{"BAD_RECORD_", "DEAD_LETTER_", "CLAIM_CHECK_"},
		"[dead-letters.md](dead-letters.md), [claim-checks.md](claim-checks.md).",
		`
BAD_RECORD_POLICY=claim-check
CLAIM_CHECK_URL=s3://large-values/orders
DEAD_LETTER_TOPIC=orders-dead`,
	},
	{
		"The process",
		[]string{""},
		"A container's limit has to be above `MAX_BUFFERED_BYTES` ([sizing.md](sizing.md#memory)), and the time until it is killed above `SHUTDOWN_TIMEOUT`.",
		`
MAX_BUFFERED_BYTES=128MiB
HTTP_ADDR=127.0.0.1:8080
SHUTDOWN_TIMEOUT=55s`,
	},
}

// settingsPage divides the table of all settings among the sections.
func settingsPage(table string) string {
	head, rest, _ := strings.Cut(table, "|---|---|---|\n")
	rows := map[string]string{}
	for row := range strings.Lines(rest) {
		title, longest := "", -1
		for _, s := range settingsSections {
			for _, prefix := range s.prefixes {
				if len(prefix) > longest && strings.HasPrefix(row, "| `"+prefix) {
					title, longest = s.title, len(prefix)
				}
			}
		}
		rows[title] += row
	}
	var page strings.Builder
	for i, s := range settingsSections {
		if i > 0 {
			page.WriteString("\n")
		}
		fmt.Fprintf(&page, "## %s\n\n%s\n\n```properties%s\n```\n\n%s|---|---|---|\n%s", s.title, s.text, s.example, head, rows[s.title])
	}
	return page.String()
}

// The examples of the page can be used, beside the settings that have no default.
func TestSettingsExamples(t *testing.T) {
	for _, s := range settingsSections {
		t.Run(s.title, func(t *testing.T) {
			files := t.TempDir()
			for _, name := range []string{"kafka-password", "registry-password"} {
				if err := os.WriteFile(filepath.Join(files, name), []byte("secret"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			more := map[string]string{}
			for line := range strings.Lines(strings.TrimSpace(s.example)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				more[name] = strings.ReplaceAll(value, "/etc/kafka-firehose", files)
			}
			switch {
			case more["KAFKA_TOPIC_PATTERN"] != "":
				more["KAFKA_TOPICS"] = ""
			case more["FIREHOSE_ROUTES"] != "":
				more["KAFKA_TOPICS"] = "orders,clicks-eu,stock"
			}
			setEnvironment(t, more)
			if _, warnings, err := connector.LoadEnvironment(); err != nil || len(warnings) > 0 {
				t.Errorf("%v %q\n%s", err, warnings, s.example)
			}
		})
	}
}
