package kafka

import (
	"errors"
	"log/slog"
	"net"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka/auth"
)

// handlePartitionError takes an error that a poll brought. It runs in the polling goroutine with rebalances allowed. Each
// error is that of its partition: the client hands most of them over once and expects the application to act.
// topicID is the id that the client asked for, zero if unknown.
func (s *Source) handlePartitionError(topic string, topicID [16]byte, partition int32, err error) {
	reason := reasonOf(err)
	if topic != "" && partition >= 0 && ofTheClient(err) {
		reason = "decode"
	}
	s.metrics.FetchErrors.WithLabelValues(reason).Inc()
	if topic == "" { // the group's session, or a connection
		if _, told := s.cfg.diagnoseSession(err); !told && !s.access.isKnown([]any{err}) { // else the hook has told it
			s.log.Warn("the group or a broker fails, trying again", "error", err)
		}
		return
	}
	k := partitionID{topic, partition}
	owned, reading, next := s.readingState(k)
	if partition >= 0 && !owned {
		return // the client reports the metadata of all partitions of a topic
	}
	if partition >= 0 && !reading {
		s.noteUnplaced(k, err) // the group's offset was refused; findPositions asks for it
		s.wakePositions()
		return
	}
	f := partitionFault{reason: reason, err: err, offset: next}
	switch reason {
	case "recreated_topic":
		f.message = "a broker does not know the id of the topic: the broker is behind, or the topic was deleted"
		s.suspectTopic(topic, topicID)
	case "unknown_topic":
		f.message = "the topic or the partition does not exist: it was deleted, or was never created"
	case "data_loss":
		s.noteTruncated(k, err)
		return
	case "out_of_range":
		f.message = "the next offset is not in the log, says a broker: comparing it with the log of the leader"
		s.doubtPosition(k)
		s.pausePartition(k, restBriefFor)
	case "authorization":
		s.pausePartition(k, restFor)
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			s.access.noteRefused(topic, err)
			return
		}
		// As an answer for one partition it says nothing about the login or the group.
		f.reason, f.message = "other", "a broker refuses the partition"
	case "decode":
		f.message = "a batch can't be decoded: the partition stands still until the batch can be, or until retention has removed it"
		s.pausePartition(k, restLongFor)
	default:
		f.message = "fetching failed, trying again"
		if !kerr.IsRetriable(err) {
			s.pausePartition(k, restFor)
		}
	}
	s.faults.beginFault(k, f)
}

// noteTruncated takes the client's word that a log was cut: a leader has said where its epochs end. Records may
// never come from there, so the group's offset follows now.
func (s *Source) noteTruncated(k partitionID, err error) {
	loss, _ := errors.AsType[*kgo.ErrDataLoss](err)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partitions[k]
	if p == nil || p.expected <= loss.ResetTo {
		return // its records came first
	}
	to := s.restartPartition(k, p, loss.ResetTo)
	s.log.Error("Kafka lost records at the end of this partition: reading again from the last commit, and records accepted since then come twice",
		"topic", k.topic, "partition", k.partition, "expected", loss.ConsumedTo, "log_end", loss.ResetTo, "again_from", to)
}

// readingState reports whether a partition is owned, and whether the client has its position or is about to get it. next is the
// next offset of it that is wanted, -1 if unknown.
func (s *Source) readingState(k partitionID) (owned, reading bool, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partitions[k]; p != nil {
		return true, p.isPlaced(), p.expected
	}
	return false, false, -1
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
		errors.Is(err, kerr.SaslAuthenticationFailed), errors.As(err, new(*auth.CredentialsError)):
		return "authorization"
	case errors.Is(err, kerr.CorruptMessage), errors.Is(err, kgo.ErrMaxDecompress), errors.Is(err, kerr.UnsupportedCompressionType):
		return "decode"
	case errors.As(err, &network), kerr.IsRetriable(err):
		return "connection"
	default:
		return "other"
	}
}

// IsOutage reports whether an error is of the way to a broker or another service, or of one that can't answer now, or of
// transactions that are open now.
func IsOutage(err error) bool {
	return reasonOf(err) == "connection" || errors.As(err, new(*OpenTransactionError))
}

// ofTheClient reports an error that came neither from a broker nor from the way to
// it. Of a partition, those are about the bytes that a fetch has brought: a checksum,
// a length, a compression. The client has no types for them.
func ofTheClient(err error) bool {
	var broker *kerr.Error
	return reasonOf(err) == "other" && !errors.As(err, &broker) && !kgo.IsRetryableBrokerErr(err)
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
// tells in one line are too. One of them is the only sign of a member that can't join.
type clientLog struct {
	log    *slog.Logger
	access *accessFaults
}

// sessionLines are what the client logs at the end of a session of the group, of which access and trouble tell.
var sessionLines = []string{"group manage loop errored", "join group failed", "sync group failed"}

func (l clientLog) Level() kgo.LogLevel {
	if l.log.Enabled(nil, slog.LevelDebug) { //nolint:staticcheck // slog's handlers take a nil context
		return kgo.LogLevelDebug
	}
	return kgo.LogLevelInfo
}

func (l clientLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	switch {
	case msg == joinFails:
		l.access.onJoinFails(keyvals)
		l.log.Debug("kafka client: "+msg, keyvals...)
	case level <= kgo.LogLevelWarn && !l.access.isKnown(keyvals) && !slices.Contains(sessionLines, msg):
		l.log.Warn("kafka client: "+msg, keyvals...)
	default:
		l.log.Debug("kafka client: "+msg, keyvals...)
	}
}
