package connector

import (
	"slices"
	"testing"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka"
)

// TestTopicsOfAStream: a replay of dropped records names the topics of their stream and no others, and none if there is one stream.
func TestTopicsOfAStream(t *testing.T) {
	shares := map[string]kafka.TopicShare{"b": {All: 4}, "other": {All: 4}, "a": {All: 1}}
	c := &Connector{
		cfg:       Config{Firehose: firehose.Config{Stream: "s", Routes: firehose.Routes{{Topic: "other", Stream: "t"}}}},
		pipelines: map[string]*pipeline{"s": {}, "t": {}},
	}
	if got := c.topicsOf("s"); got != nil {
		t.Errorf("%q before the topics are known", got)
	}
	c.UpdateShares(shares)
	if got, want := c.topicsOf("s"), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := c.topicsOf("t"), []string{"other"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	c.cfg.Firehose.Routes = nil
	delete(c.pipelines, "t")
	c.UpdateShares(shares)
	if got := c.topicsOf("s"); got != nil {
		t.Errorf("%q with one stream, want none", got)
	}
}
