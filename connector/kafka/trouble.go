package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// trouble takes an error that a fetch brought. It runs in the polling goroutine
// with rebalances allowed.
func (s *Source) trouble(topic string, partition int32, err error) {
	reason := reasonOf(err)
	if topic != "" && partition >= 0 && ofTheClient(err) {
		reason = "decode"
	}
	s.metrics.FetchErrors.WithLabelValues(reason).Inc()
	if errors.As(err, new(*kgo.ErrGroupSession)) && s.access.knows([]any{err}) {
		return // the hook has told it
	}
	log := s.log.With("topic", topic, "partition", partition, "error", err)
	switch reason {
	case "recreated_topic":
		s.renew(topic)
	case "unknown_topic":
		log.Warn("the topic does not exist: it was deleted, or was never created")
	case "data_loss":
		log.Error("Kafka lost records at the end of this partition; going on where its log now allows")
	case "out_of_range":
		if s.cfg.AutoOffsetReset.Mode == "none" {
			s.fail(fmt.Errorf("topic %s partition %d: the next offset is not in the log any more, and KAFKA_AUTO_OFFSET_RESET is none: commit an offset that is there, or choose another value: %w", topic, partition, err))
			return
		}
		log.Error("the next offset is not in the log")
	case "authorization":
		s.access.refused(topic, err)
		s.leaveDenied(id{topic, partition})
	case "decode":
		s.leaveDenied(id{topic, partition})
		log.Error("a batch can't be decoded; the partition stands still until it is gone, or, if it is too large, MAX_BUFFERED_BYTES is twice its size")
	default:
		log.Warn("fetching failed, trying again")
	}
}

func reasonOf(err error) string {
	var loss *kgo.ErrDataLoss
	var network net.Error
	switch {
	case errors.Is(err, kerr.UnknownTopicID):
		return "recreated_topic"
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return "unknown_topic"
	case errors.As(err, &loss):
		return "data_loss"
	case errors.Is(err, kerr.OffsetOutOfRange):
		return "out_of_range"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.SaslAuthenticationFailed), errors.As(err, new(*credentialsError)):
		return "authorization"
	case errors.Is(err, kerr.CorruptMessage), errors.Is(err, kgo.ErrMaxDecompress), errors.Is(err, kerr.UnsupportedCompressionType):
		return "decode"
	case errors.As(err, &network), kerr.IsRetriable(err):
		return "connection"
	default:
		return "other"
	}
}

// ofTheClient reports an error that came neither from a broker nor from the way to
// it. Of a partition, those are about the bytes that a fetch has brought: a checksum,
// a length, a compression. The client has no types for them.
func ofTheClient(err error) bool {
	var broker *kerr.Error
	return reasonOf(err) == "other" && !errors.As(err, &broker) && !kgo.IsRetryableBrokerErr(err)
}

// renewAfter is how long a topic id must stay unknown before the topic counts as
// created anew: brokers answer so for a moment after every creation, too.
const renewAfter = 2 * time.Second

// renew begins again with a topic that was deleted and created under its old
// name. The client would ask for the id that it knows for ever, without a record
// and without an error. The old leases must not commit offsets of the old topic
// into the new one, so they end first.
func (s *Source) renew(topic string) {
	s.mu.Lock()
	first, seen := s.recreated[topic]
	if !seen {
		s.recreated[topic] = time.Now()
	}
	if !seen || time.Since(first) < renewAfter {
		s.mu.Unlock()
		return
	}
	delete(s.recreated, topic)
	delete(s.stale, topic)
	gone := map[string][]int32{}
	for k := range s.partitions {
		if k.topic == topic {
			gone[topic] = append(gone[topic], k.partition)
		}
	}
	s.mu.Unlock()

	s.log.Error("the topic was deleted and created again: reading the new one from where KAFKA_AUTO_OFFSET_RESET says; what was not delivered of the old one is lost", "topic", topic)
	leases := s.leases(gone)
	s.drop(gone)
	s.handler.Release(leases)
	s.client.PurgeTopicsFromConsuming(topic)
	s.client.AddConsumeTopics(topic) // with a pattern the topic is found again by itself
}

// leaveAlone keeps a topic that has no stream from being consumed, and says so
// once. It needs s.mu.
func (s *Source) leaveAlone(topic string) {
	s.client.PauseFetchTopics(topic)
	if s.unrouted[topic] {
		return
	}
	s.unrouted[topic] = true
	s.metrics.SetUnrouted(len(s.unrouted))
	s.log.Warn("a topic matches KAFKA_TOPIC_PATTERN and has no stream in FIREHOSE_ROUTES; it is not consumed", "topic", topic)
}

// clientLog passes the client's own warnings on. Its messages for information
// tell of every metadata refresh and are for debugging; those of errors that access
// tells in one line are too.
type clientLog struct {
	log    *slog.Logger
	access *access
}

func (l clientLog) Level() kgo.LogLevel {
	if l.log.Enabled(nil, slog.LevelDebug) { //nolint:staticcheck // slog's handlers take a nil context
		return kgo.LogLevelDebug
	}
	return kgo.LogLevelWarn
}

func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	switch {
	case level <= kgo.LogLevelWarn && !l.access.knows(keyvals):
		l.log.Warn("kafka client: "+msg, keyvals...)
	default:
		l.log.Debug("kafka client: "+msg, keyvals...)
	}
}
