package preflight

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/deadletter"
	"kafka-firehose/connector/preflight/check"
)

// inspectDeadLetters looks at the topic for dead letters and writes nothing to it. largest is the
// highest max.message.bytes of the topics that are read, 0 if that is not known.
func inspectDeadLetters(ctx context.Context, cfg deadletter.Config, largest int, connect []kgo.Opt) (found check.Findings) {
	limit, err := deadletter.LookAtTopic(ctx, cfg, connect)
	refused, isRefused := errors.AsType[*deadletter.TopicError](err)
	switch {
	case isRefused && refused.Reason == "unknown_topic":
		found.AddError(check.DeadLetter, cfg.Topic, "does not exist", "create it: it is not created by itself")
	case isRefused && refused.Reason == "authorization":
		found.AddError(check.DeadLetter, cfg.Topic, "may not be written to", "grant Describe and Write on it (before Kafka 2.8 also IdempotentWrite on the cluster)")
	case isRefused:
		found.AddError(check.DeadLetter, cfg.Topic, "can't be looked at: "+err.Error(), "")
	case err != nil:
		found.AddError(check.DeadLetter, cfg.Topic, err.Error(), "")
	case limit == 0:
		found.AddNote(check.DeadLetter, cfg.Topic, "is there and may be written to; its max.message.bytes can't be read, so a record that is too large for it is found out by trying for "+deadletter.RefusalTime.String(), "grant DescribeConfigs on it")
	case limit < largest:
		found.AddWarning(check.DeadLetter, cfg.Topic, fmt.Sprintf("its max.message.bytes is %d, and that of a topic that is read is %d: of larger records only a digest is kept", limit, largest), "raise it")
	default:
		found.AddOK(check.DeadLetter, cfg.Topic, fmt.Sprintf("is there and may be written to; max.message.bytes is %d", limit))
	}
	return found
}
