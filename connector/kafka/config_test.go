package kafka

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kafka-firehose/connector/env"
)

// configForValidate is a Config with which nothing is wrong.
func configForValidate() Config {
	var c Config
	env.SetDefaults(&c)
	c.Brokers, c.Topics, c.GroupID = []string{"a:9092", "b:9092"}, []string{"orders"}, "bridge"
	return c
}

func TestConfigDefaults(t *testing.T) {
	want := Config{
		Brokers: []string{"a:9092", "b:9092"}, Topics: []string{"orders"}, GroupID: "bridge",
		GroupProtocol: "classic", AutoOffsetReset: OffsetReset{Mode: "earliest"}, IsolationLevel: "read_committed", ClientID: "kafka-firehose",
		SessionTimeout: 45 * time.Second, RebalanceTimeout: time.Minute, RevokeDrainTimeout: 10 * time.Second,
		CommitInterval: time.Second, MaxUncommittedRecords: 500_000,
	}
	if diff := cmp.Diff(want, configForValidate()); diff != "" {
		t.Error(diff)
	}
	if err := configForValidate().Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigValidate(t *testing.T) {
	const hostport = "is not host:port; want host:port, comma separated"
	const name = "1 to 249 of a-z A-Z 0-9 . _ - and neither . nor .."
	long := strings.Repeat("x", 249)
	tests := []struct {
		name   string
		change func(*Config)
		want   string // empty if that is allowed
	}{
		{"no broker", func(c *Config) { c.Brokers = nil }, "KAFKA_BROKERS is not set: want host:port, comma separated"},
		{"broker without port", func(c *Config) { c.Brokers = []string{"a:1", "b"} }, `KAFKA_BROKERS holds "a:1,b": entry 2 ` + hostport},
		{"broker without host", func(c *Config) { c.Brokers = []string{":9092"} }, `KAFKA_BROKERS holds ":9092": entry 1 ` + hostport},
		{"empty broker", func(c *Config) { c.Brokers = []string{"a:1", ""} }, `KAFKA_BROKERS holds "a:1,": entry 2 ` + hostport},
		{"broker as URL", func(c *Config) { c.Brokers = []string{"tcp://a:9092"} }, `KAFKA_BROKERS holds "tcp://a:9092": entry 1 ` + hostport},
		{"port 0", func(c *Config) { c.Brokers = []string{"a:0"} }, `KAFKA_BROKERS holds "a:0": entry 1 ` + hostport},
		{"port too large", func(c *Config) { c.Brokers = []string{"a:65536"} }, `KAFKA_BROKERS holds "a:65536": entry 1 ` + hostport},
		{"password cut at a comma", func(c *Config) { c.Brokers = []string{"u:pass", "word@b:1"} }, `KAFKA_BROKERS holds "***@b:1": entry 1 ` + hostport},
		{"IPv6", func(c *Config) { c.Brokers = []string{"[::1]:9092"} }, ""},
		{"neither topics nor pattern", func(c *Config) { c.Topics = nil }, "KAFKA_TOPICS is not set: want the topics to read, or KAFKA_TOPIC_PATTERN"},
		{"topics and pattern", func(c *Config) { c.TopicPattern = "a" }, `KAFKA_TOPIC_PATTERN holds "a": KAFKA_TOPICS is set too; want only one of them`},
		{"pattern", func(c *Config) { c.Topics, c.TopicPattern = nil, "orders-.*" }, ""},
		{"broken pattern", func(c *Config) { c.Topics, c.TopicPattern = nil, "[a" }, `KAFKA_TOPIC_PATTERN holds "[a": want a regular expression (RE2): missing closing ]`},
		{"lookahead", func(c *Config) { c.Topics, c.TopicPattern = nil, "(?!a)" }, `KAFKA_TOPIC_PATTERN holds "(?!a)": want a regular expression (RE2): invalid or unsupported Perl syntax`},
		{"illegal topic", func(c *Config) { c.Topics = []string{"a", "b c"} }, `KAFKA_TOPICS holds "b c": entry 2: want ` + name},
		{"empty topic", func(c *Config) { c.Topics = []string{""} }, `KAFKA_TOPICS holds "": entry 1: want ` + name},
		{"dots", func(c *Config) { c.Topics = []string{".."} }, `KAFKA_TOPICS holds "..": entry 1: want ` + name},
		{"longest topic", func(c *Config) { c.Topics = []string{long} }, ""},
		{"topic too long", func(c *Config) { c.Topics = []string{long + "x"} }, `KAFKA_TOPICS holds "` + long[:80] + `…" (cut, 250 characters): entry 1: want ` + name},
		{"internal topic", func(c *Config) { c.Topics = []string{"__consumer_offsets"} }, `KAFKA_TOPICS holds "__consumer_offsets": entry 1: topics that begin with __ are Kafka's own and are never read`},
		{"one underscore", func(c *Config) { c.Topics = []string{"_schemas"} }, ""},
		{"topic twice", func(c *Config) { c.Topics = []string{"a", "a"} }, `KAFKA_TOPICS holds "a": entry 2: it is there twice`},
		{"no group", func(c *Config) { c.GroupID = "" }, "KAFKA_GROUP_ID is not set: want the name of a consumer group that nothing else uses"},
		{"group with a line end", func(c *Config) { c.GroupID = "g\n" }, `KAFKA_GROUP_ID holds "g\n": want no blanks around it and no control characters in it`},
		{"client id", func(c *Config) { c.ClientID = " " }, `KAFKA_CLIENT_ID holds " ": want no blanks around it and no control characters in it`},
		{"rack", func(c *Config) { c.ClientRack = "a " }, `KAFKA_CLIENT_RACK holds "a ": want no blanks around it and no control characters in it`},
		{"instance", func(c *Config) { c.GroupInstanceID = "pod-0" }, ""},
		{"illegal instance", func(c *Config) { c.GroupInstanceID = "pod 0" }, `KAFKA_GROUP_INSTANCE_ID holds "pod 0": want ` + name},
		{"protocol", func(c *Config) { c.GroupProtocol = "Consumer" }, `KAFKA_GROUP_PROTOCOL holds "Consumer": want classic or consumer`},
		{"consumer protocol", func(c *Config) { c.GroupProtocol = "consumer" }, ""},
		{"isolation", func(c *Config) { c.IsolationLevel = "" }, `KAFKA_ISOLATION_LEVEL holds "": want read_committed or read_uncommitted`},
		{"read uncommitted", func(c *Config) { c.IsolationLevel = "read_uncommitted" }, ""},
		{"offset reset", func(c *Config) { c.AutoOffsetReset = OffsetReset{} }, `KAFKA_AUTO_OFFSET_RESET holds "": want earliest, latest, none or an RFC 3339 time such as 2026-01-31T00:00:00Z`},
		{"offset reset to a time", func(c *Config) { c.AutoOffsetReset = OffsetReset{"time", time.Unix(1, 5)} }, ""},
		{"session", func(c *Config) { c.SessionTimeout = time.Hour }, `KAFKA_SESSION_TIMEOUT holds "1h": want 1s to 30m`},
		{"rebalance", func(c *Config) { c.RebalanceTimeout = 2 * time.Hour }, `KAFKA_REBALANCE_TIMEOUT holds "2h": want 1s to 1h`},
		{"commit interval", func(c *Config) { c.CommitInterval = 0 }, `KAFKA_COMMIT_INTERVAL holds "0s": want 10ms to 24h`},
		{"uncommitted", func(c *Config) { c.MaxUncommittedRecords = 0 }, `KAFKA_MAX_UNCOMMITTED_RECORDS holds "0": want 1 or more`},
		{
			"drain as long as the session", func(c *Config) { c.RevokeDrainTimeout = 45 * time.Second },
			`KAFKA_REVOKE_DRAIN_TIMEOUT holds "45s": want 0s or more, and less than KAFKA_SESSION_TIMEOUT (45s) and KAFKA_REBALANCE_TIMEOUT (1m0s)`,
		},
		{
			"drain as long as a rebalance", func(c *Config) { c.RebalanceTimeout = 10 * time.Second },
			`KAFKA_REVOKE_DRAIN_TIMEOUT holds "10s": want 0s or more, and less than KAFKA_SESSION_TIMEOUT (45s) and KAFKA_REBALANCE_TIMEOUT (10s)`,
		},
		{
			"negative drain", func(c *Config) { c.RevokeDrainTimeout = -1 },
			`KAFKA_REVOKE_DRAIN_TIMEOUT holds "-1ns": want 0s or more, and less than KAFKA_SESSION_TIMEOUT (45s) and KAFKA_REBALANCE_TIMEOUT (1m0s)`,
		},
		{"no drain", func(c *Config) { c.RevokeDrainTimeout = 0 }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := configForValidate()
			test.change(&c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfigValidateReportsAll(t *testing.T) {
	if got := len(env.FaultsOf(Config{}.Validate())); got != 11 {
		t.Errorf("%d faults in nothing, want 11:\n%v", got, Config{}.Validate())
	}
}

func TestOffsetResetDecode(t *testing.T) {
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]OffsetReset{
		"earliest":                    {Mode: "earliest"},
		"latest":                      {Mode: "latest"},
		"none":                        {Mode: "none"},
		"2026-01-31T00:00:00Z":        {"time", day},
		"2026-01-31T02:00:00.5+02:00": {"time", day.Add(time.Second / 2)},
		"1970-01-01T00:00:00Z":        {"time", time.Unix(0, 0)},
	} {
		var got OffsetReset
		if err := got.Decode(in); err != nil || got.Mode != want.Mode || !got.At.Equal(want.At) {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "Earliest", "oldest", "time", "2026-01-31", "2026-01-31T00:00:00", "1769817600", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"} {
		got := OffsetReset{Mode: "latest"}
		if err := got.Decode(in); err == nil || got.Mode != "latest" {
			t.Errorf("%q: %v, %v; want a fault and the value as it was", in, got, err)
		}
	}
}

func TestOffsetResetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := OffsetReset{"time", time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "µs"))}
		var got OffsetReset
		if err := got.Decode(want.String()); err != nil || !got.At.Equal(want.At) {
			t.Fatalf("%s reads as %v, %v", want, got, err)
		}
	})
}
