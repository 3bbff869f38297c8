package runtimesettings

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
)

// TestParse reads every member.
func TestParse(t *testing.T) {
	got, err := ParseSettings([]byte(`{
		"paused_topics": ["b", "a", "b"], "paused_streams": ["s"], "log_level": "debug",
		"streams": {"orders": {"max_bytes_per_second": "1MiB", "max_records_per_second": 5, "quota_bytes_per_second": 5242880, "quota_records_per_second": 0}, "x.y": {}}
	}`))
	want := Settings{
		PausedTopics: []string{"a", "b"}, PausedStreams: []string{"s"}, LogLevel: new(slog.LevelDebug),
		Streams: map[string]firehose.StreamOption{
			"orders": {MaxBytesPerSecond: new(env.MiB), MaxRecordsPerSecond: new(5), QuotaBytesPerSecond: new(5 * env.MiB), QuotaRecordsPerSecond: new(0)},
			"x.y":    {},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got, err := ParseSettings([]byte(`{}`)); err != nil || !cmp.Equal(got, Settings{}) {
		t.Errorf("an empty object gives %+v, %v", got, err)
	}
}

// TestParseFaults: each fault has its path, what is there and what would be right.
func TestParseFaults(t *testing.T) {
	const names = `want a list of names, such as ["orders"], or []`
	for text, want := range map[string]string{
		``:                        `the file is not a JSON object; want {"paused_topics": ["a topic"], ...}, with any of paused_topics, paused_streams, log_level or streams`,
		`[]`:                      `the file is not a JSON object`,
		`{"paused_topics": ["a"]`: `the file is not JSON at byte 23`,
		`{} {}`:                   `the file has something behind its closing brace`,
		`{"paused_topics": [], "paused_topics": []}`:                 `the file "paused_topics" is there twice`,
		`{"paused_topic": []}`:                                       `paused_topic is no setting; did you mean paused_topics?`,
		`{"colour": 1}`:                                              `colour is no setting; want paused_topics, paused_streams, log_level or streams`,
		`{"paused_topics": null}`:                                    `paused_topics holds "null": ` + names,
		`{"paused_topics": "orders"}`:                                `paused_topics holds "orders": ` + names,
		`{"paused_streams": [1]}`:                                    `paused_streams holds "[1]": ` + names,
		`{"paused_topics": ["a", ""]}`:                               `paused_topics[1] holds "": want a name, without blanks around it`,
		`{"paused_topics": ["a "]}`:                                  `paused_topics[0] holds "a ": want a name, without blanks around it`,
		`{"log_level": "loud"}`:                                      `log_level holds "loud": want "debug", "info", "warn" or "error"`,
		`{"log_level": null}`:                                        `log_level holds "null": want "debug"`,
		`{"log_level": 4}`:                                           `log_level holds "4": want "debug"`,
		`{"streams": []}`:                                            `streams is not a JSON object: want {"a stream": {"max_bytes_per_second": "1MiB", ...}, ...}`,
		`{"streams": {"a.b": 7}}`:                                    `streams["a.b"] is not a JSON object: want {"max_bytes_per_second": "1MiB", ...}`,
		`{"streams": {"s": {"max_bytes_per_second": "1MB"}}}`:        `streams.s.max_bytes_per_second holds "1MB": want a size`,
		`{"streams": {"s": {"max_bytes_per_second": null}}}`:         `streams.s.max_bytes_per_second holds "null": want a size`,
		`{"streams": {"s": {"max_bytes_per_second": -1}}}`:           `streams.s.max_bytes_per_second holds "-1": want a size`,
		`{"streams": {"s": {"max_records_per_second": -1}}}`:         `streams.s.max_records_per_second is -1: want 0 or more`,
		`{"streams": {"s": {"quota_records_per_second": "5"}}}`:      `streams.s.quota_records_per_second holds "5": want a whole number`,
		`{"streams": {"s": {"quota_record_per_second": 5}}}`:         `streams.s.quota_record_per_second is no setting; did you mean quota_records_per_second?`,
		`{"streams": {"s": {"region": "eu-west-1"}}}`:                `streams.s.region can't change while the process runs; set it in FIREHOSE_STREAM_OPTIONS, or want max_bytes_per_second`,
		`{"log_level": "x", "streams": {"s": {"max_in_flight": 2}}}`: `; streams.s.max_in_flight can't change`,
	} {
		if got, err := ParseSettings([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || !cmp.Equal(got, Settings{}) {
			t.Errorf("%s gives %+v and\n%v, want\n%s", text, got, err, want)
		}
	}
}

// TestParseBounds: an error is short whatever the file holds.
func TestParseBounds(t *testing.T) {
	var text strings.Builder
	text.WriteString("{")
	for i := range 1000 {
		fmt.Fprintf(&text, `"x%d": "%s",`, i, strings.Repeat("y", 500))
	}
	if _, err := ParseSettings([]byte(text.String() + `"z": 1}`)); err == nil || len(err.Error()) > 3000 || !strings.HasSuffix(err.Error(), "and more") {
		t.Errorf("%v", err)
	}
	many := `{"paused_topics": [` + strings.Repeat(`"t",`, maxNames) + `"u"]}`
	if _, err := ParseSettings([]byte(many)); err == nil || !strings.Contains(err.Error(), "paused_topics has 10001 names: want 10000 at most") {
		t.Errorf("%v", err)
	}
}

// FuzzParse: no text makes Parse fail in another way than by its error, or gives settings with one.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"paused_topics": ["a"], "log_level": "warn", "streams": {"s": {"max_bytes_per_second": "1KiB"}}}`))
	f.Add([]byte(`{"streams": {"s": {"quota_records_per_second": 1e400}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseSettings(text); err != nil && !cmp.Equal(s, Settings{}) {
			t.Errorf("%+v beside %v", s, err)
		}
	})
}
