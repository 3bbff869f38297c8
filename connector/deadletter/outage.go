package deadletter

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/retry"
)

// patience is how long an attempt may take before it counts as an outage.
const patience = 10 * time.Second

var errNoAnswer = errors.New("no answer from the brokers")

// CurrentOutage returns why the topic takes no letters now, nil while it does. It is not
// found out before there is a letter.
func (w *Writer) CurrentOutage() *retry.Outage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outage
}

// noteFailure enters an attempt that failed.
func (w *Writer) noteFailure(err error) {
	err = w.dialed.explainError(err)
	w.metrics.Errors.WithLabelValues(reasonOf(err)).Inc()
	w.logFailure(err)
}

// logFailure notes that the topic takes no letters, and logs it once: again only when
// it turns out to need an operator.
func (w *Writer) logFailure(err error) {
	w.mu.Lock()
	before, pending := w.outage, w.pending
	now := retry.ExtendOutage(before, explainError(err), needsRepair(err))
	w.outage = now
	w.mu.Unlock()
	w.metrics.Blocked.Set(1)
	switch {
	case now.Blocked && (before == nil || !before.Blocked):
		w.log.Error("the dead-letter topic takes no records until this is repaired; trying again every 10 s, and the partitions that they come from are not committed past them", "error", now.Err, "pending", pending)
	case before == nil:
		w.log.Warn("the dead-letter topic takes no records; trying again until it does", "error", now.Err, "pending", pending)
	}
}

// noteRecovery enters that the topic has taken letters.
func (w *Writer) noteRecovery() {
	w.mu.Lock()
	before := w.outage
	w.outage = nil
	w.mu.Unlock()
	if before == nil {
		return
	}
	w.metrics.Blocked.Set(0)
	w.log.Info("the dead-letter topic takes records again", "after", time.Since(before.Since).Round(time.Millisecond).String())
}

// needsRepair reports whether only an operator can end a failure.
func needsRepair(err error) bool {
	switch reasonOf(err) {
	case "unknown_topic", "authorization", "too_large":
		return true
	}
	return false
}

// explainError says what to do about an error.
func explainError(err error) error {
	switch reasonOf(err) {
	case "unknown_topic":
		return fmt.Errorf("the topic does not exist, and it is not created by itself: create it: %w", err)
	case "authorization":
		return fmt.Errorf("Kafka refuses access: grant Describe and Write on the topic (before Kafka 2.8 also IdempotentWrite on the cluster): %w", err)
	case "too_large":
		return fmt.Errorf("max.message.bytes of the topic is too low even for a letter without its record: raise it: %w", err)
	}
	return err
}

// reasonOf is the label of an error, one of metrics.DeadLetterErrors.
func reasonOf(err error) string {
	is := func(these ...error) bool {
		return slices.ContainsFunc(these, func(e error) bool { return errors.Is(err, e) })
	}
	var network net.Error
	switch {
	case is(kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidTopicException):
		return "unknown_topic"
	case is(kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed):
		return "authorization"
	case is(kerr.MessageTooLarge, kerr.RecordListTooLarge):
		return "too_large"
	case is(kgo.ErrRecordRetries, kgo.ErrRecordTimeout, errNoAnswer) || errors.As(err, &network):
		return "connection"
	case errors.As(err, new(*kerr.Error)):
		return "unavailable"
	}
	return "other"
}
