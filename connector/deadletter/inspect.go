package deadletter

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/preflight/check"
)

// Inspect looks at the topic for dead letters and writes nothing to it. largest is the
// highest max.message.bytes of the topics that are read, 0 if that is not known.
func Inspect(ctx context.Context, cfg Config, largest int, connect []kgo.Opt) (found check.Findings) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	w := &Writer{topic: cfg.Topic}
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.WithHooks(&w.dialed)}, connect...)...)
	if err != nil {
		found.AddError(check.DeadLetter, cfg.Topic, err.Error(), "")
		return found
	}
	defer client.Close()
	if err := w.inspectTopic(ctx, client); err != nil {
		switch err = w.dialed.explainError(err); reasonOf(err) {
		case "unknown_topic":
			found.AddError(check.DeadLetter, cfg.Topic, "does not exist", "create it: it is not created by itself")
		case "authorization":
			found.AddError(check.DeadLetter, cfg.Topic, "may not be written to", "grant Describe and Write on it (before Kafka 2.8 also IdempotentWrite on the cluster)")
		default:
			found.AddError(check.DeadLetter, cfg.Topic, "can't be looked at: "+err.Error(), "")
		}
		return found
	}
	limit, err := w.readLimit(ctx, client)
	switch {
	case err != nil:
		found.AddNote(check.DeadLetter, cfg.Topic, "is there and may be written to; its max.message.bytes can't be read, so a record that is too large for it is found out by trying for "+refusalTime.String(), "grant DescribeConfigs on it")
	case limit < largest:
		found.AddWarning(check.DeadLetter, cfg.Topic, fmt.Sprintf("its max.message.bytes is %d, and that of a topic that is read is %d: of larger records only a digest is kept", limit, largest), "raise it")
	default:
		found.AddOK(check.DeadLetter, cfg.Topic, fmt.Sprintf("is there and may be written to; max.message.bytes is %d", limit))
	}
	return found
}
