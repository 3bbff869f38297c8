package destination

import (
	"strings"
	"time"
)

const (
	// replayMargin is how much earlier a replay begins than Firehose accepted the first of the records: a range of Kafka is one of
	// the records' timestamps, and a record is accepted after that.
	replayMargin = time.Minute
	// maxNamedTopics is the number of topics that a line of the log names. With more of them the reader has to fill them in.
	maxNamedTopics = 50
)

// replayCommand is the command that sends the records of a drop again. It names the topics of the stream, or none if that is all
// that the service reads.
func replayCommand(d Drop, topics []string) string {
	command := "kafka-firehose replay -from " + formatTime(d.From.Add(-replayMargin)) + " -to " + formatTime(d.ReplayTo)
	switch {
	case len(topics) > maxNamedTopics:
		return command + " -topic TOPICS"
	case len(topics) > 0:
		return command + " -topic " + strings.Join(topics, ",")
	}
	return command
}

// ReplayCommand is the command that sends the records of a drop again, empty while the outage may still last.
func (s *Stream) ReplayCommand(d Drop) string {
	if d.ReplayTo.IsZero() {
		return ""
	}
	return replayCommand(d, s.topics(s.name))
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
