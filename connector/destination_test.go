package connector

import (
	"math"
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

// TestShareWithoutPartitions: the status of a member that has lost its last partition shows a share of 0, and a replay of dropped
// records still names the topics.
func TestShareWithoutPartitions(t *testing.T) {
	s := &pipeline{}
	c := &Connector{
		cfg:       Config{Firehose: firehose.Config{Stream: "s", Routes: firehose.Routes{{Topic: "other", Stream: "t"}}}},
		pipelines: map[string]*pipeline{"s": s, "t": {}},
	}
	c.UpdateShares(map[string]kafka.TopicShare{"a": {All: 4}})
	s.partitions.Store(math.Float64bits(0.5))
	c.UpdateShares(nil)
	if got := math.Float64frombits(s.partitions.Load()); got != 0 {
		t.Errorf("a share of %v without a partition, want 0", got)
	}
	if got, want := c.topicsOf("s"), []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
