package kafka

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTopicMatcher: check and audit look at the topics that the client consumes, which has rules of its own
// for patterns.
func TestTopicMatcher(t *testing.T) {
	readsRanges(t, nil, func(r *rangeTest) {
		r.reader.cfg.TopicPattern, r.reader.cfg.TopicExclude = "(__|my-)?log-.*|t", "log-[tu]|t"
		source := &Source{cfg: r.reader.cfg, exclude: "log-dead"}
		for _, name := range []string{"log-a", "my-log-t", "log-t", "log-tt", "log-dead", "log-dead2", "__log-a", "log", "a-log-a"} {
			if err := r.cluster.CreateTopic(name, 1, nil); err != nil {
				r.Fatal(err)
			}
			if err := r.producer.ProduceSync(r.Context(), &kgo.Record{Topic: name}).FirstErr(); err != nil {
				r.Fatal(err)
			}
		}
		want := []string{"log-a", "log-dead2", "log-tt", "my-log-t"}
		found, err := r.reader.FindTopics(r.Context(), source.exclude)
		if err != nil || !slices.Equal(found, want) {
			r.Errorf("FindTopics: %q, %v; want %q", found, err, want)
		}

		consumer, err := kgo.NewClient(append(source.topicOptions(), r.producer.Opts()...)...)
		if err != nil {
			r.Fatal(err)
		}
		defer consumer.Close()
		var consumed []string
		enough, cancel := context.WithTimeout(r.Context(), 10*time.Second) // virtual
		defer cancel()
		for enough.Err() == nil {
			consumer.PollFetches(enough).EachRecord(func(record *kgo.Record) { consumed = append(consumed, record.Topic) })
		}
		slices.Sort(consumed)
		if !slices.Equal(consumed, want) {
			r.Errorf("the client consumes %q, want %q", consumed, want)
		}
	})
}
