package connector

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/deadletter"
)

// TestBadSchemas: topics are told apart, memory is bounded however many schemas hostile records name, and a fault ends
// with the records.
func TestBadSchemas(t *testing.T) {
	letters := deadletter.Config{Topic: "letters"}
	for want, policies := range map[string][]Config{
		"":                              {{BadRecordPolicy: "stop"}, {BadRecordPolicy: "exit"}, {BadRecordPolicy: "claim-check"}},
		"skipped":                       {{BadRecordPolicy: "skip"}},
		"sent to the dead-letter topic": {{BadRecordPolicy: "dead-letter", DeadLetter: letters}, {BadRecordPolicy: "claim-check", DeadLetter: letters}},
	} {
		for _, cfg := range policies {
			if b := newBadSchemas(cfg); (b == nil) != (want == "") || b != nil && b.became != want {
				t.Errorf("%s with the topic %q: %+v, want %q", cfg.BadRecordPolicy, cfg.DeadLetter.Topic, b, want)
			}
		}
	}
	b := newBadSchemas(Config{BadRecordPolicy: "skip"})
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	add := func(topic string, schema uint64) {
		b.add(now, topic, convert.UnusableSchema(convert.SchemaRef{ID: schema}, convert.UnknownSchema, fmt.Errorf("schema %d: not there", schema)))
	}
	for i := range uint64(1000) {
		now = now.Add(time.Millisecond)
		add("a", i)
		add("a", 999_999)
	}
	add("b", 1)
	if len(b.of) != maxBadSchemas {
		t.Errorf("%d schemas are kept, want %d", len(b.of), maxBadSchemas)
	}
	all := b.faults(now)
	if len(all) != 2 || all[0].what != "schemas of topic a" || all[1].failures != 1 || !all[0].lossy || now.Sub(all[0].since) < 900*time.Millisecond {
		t.Fatalf("%+v", all)
	}
	if text := all[0].err.Error(); !strings.Contains(text, "skipped") || !strings.Contains(text, "schema 999999: not there (and 98 more of its schemas)") {
		t.Error(text)
	}
	if _, ok := errors.AsType[*convert.BadRecord](all[0].err); !ok {
		t.Errorf("%T", all[0].err)
	}
	now = now.Add(badSchemaLasts - 1)
	add("b", 1)
	now = now.Add(1)
	if all := b.faults(now); len(all) != 1 || all[0].failures != 2 || len(b.of) != 1 {
		t.Errorf("%+v, %d are kept", all, len(b.of))
	}
}
