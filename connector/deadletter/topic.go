package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// defaultLimit is what a broker's message.max.bytes is unless it is set, for a
	// topic whose configuration can't be read. Letters up to this size share batches.
	// https://kafka.apache.org/documentation/#brokerconfigs_message.max.bytes
	defaultLimit = 1_048_588
	// The client has limits of its own: a minimum for a batch, and a maximum of
	// 100 MiB for a request, which is also the maximum of brokers unless it is set.
	limitMin, limitMax = 512, 100<<20 - 64<<10
	// limitAge is how old the limit may be when a letter is cut because of it.
	limitAge = time.Minute
	// openTimeout bounds finding out about the topic.
	openTimeout = 10 * time.Second
)

// errForbidden is a topic that may be looked at and not written to.
var errForbidden = fmt.Errorf("no permission to write: %w", kerr.TopicAuthorizationFailed)

var errNotTold = errors.New("the broker's answer does not have it")

// CheckTopic asks whether the topic exists and may be written to. The error is for
// faults that an operator has to repair; when the brokers don't answer it only warns, because
// an outage at the start is an outage like any other. It runs before Run.
func (w *Writer) CheckTopic(ctx context.Context) error {
	err := w.openClient(ctx, false)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return nil
	case needsRepair(err):
		return fmt.Errorf("DEAD_LETTER_TOPIC holds %q: %w", w.topic, explainError(err))
	}
	w.log.Warn("could not check the dead-letter topic; starting without the check", "error", err)
	return nil
}

// openClient makes the client and asks for the limits of the topic. A topic that does not
// exist is not created: partitions, replicas and retention are for people to decide.
// Without a limit the client sends batches up to the maximum of brokers.
func (w *Writer) openClient(ctx context.Context, unlimited bool) error {
	w.unlimited = unlimited
	client, err := kgo.NewClient(append(w.clientOptions(unlimited), w.connect...)...)
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := w.inspectTopic(asking, client); err != nil {
		client.Close()
		return w.dialed.explainError(err)
	}
	before := w.known || w.readAt.IsZero()
	limit, err := w.readLimit(asking, client)
	if w.known = err == nil; !w.known {
		limit = defaultLimit
	}
	if before && !w.known {
		w.log.Info("max.message.bytes of the dead-letter topic can't be read; letters that are larger than the brokers' default go alone", "bytes", defaultLimit, "error", err)
	}
	w.limit.Store(int32(min(max(limit, limitMin), limitMax)))
	w.readAt = time.Now()
	w.client = client
	return nil
}

// clientOptions are those of the producer beside the connection's. It is idempotent and
// waits for all in-sync replicas by default, and partitions by key as Kafka's own
// clients do.
//
// The retries are limited so that the reason comes to light, for one clear line;
// Run repeats without end. A request without a result is repeated by the
// client nevertheless, so that a letter comes twice only after a crash.
func (w *Writer) clientOptions(unlimited bool) []kgo.Opt {
	batchMax := func(string) int32 {
		if unlimited {
			return limitMax
		}
		return w.limit.Load()
	}
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordRetries(4),
		kgo.UnknownTopicRetries(2),
		kgo.RecordDeliveryTimeout(30 * time.Second),
		kgo.ProducerLinger(time.Millisecond),
		kgo.MaxBufferedRecords(2 * groupLetters), // or Produce would wait
		kgo.ProducerBatchMaxBytesFn(batchMax),
		kgo.WithHooks(&w.dialed),
	}
}

// inspectTopic asks for the topic itself.
func (w *Writer) inspectTopic(ctx context.Context, client *kgo.Client) error {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &w.topic
	req.Topics = append(req.Topics, topic)
	req.IncludeTopicAuthorizedOperations = true
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if len(resp.Topics) != 1 {
		return errors.New("the broker did not answer for the topic")
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return err
	}
	// Brokers that don't tell leave the lowest number, or nothing, not even the
	// permission to describe that this answer is proof of.
	describe, write := int32(1)<<kmsg.ACLOperationDescribe, int32(1)<<kmsg.ACLOperationWrite
	if may := resp.Topics[0].AuthorizedOperations; may > 0 && may&describe != 0 && may&write == 0 {
		return errForbidden
	}
	return nil
}

// TopicError says why the topic can't be written to.
type TopicError struct {
	Reason string // as in the metrics: unknown_topic, authorization and others
	Err    error
}

// Error is that of Err.
func (t *TopicError) Error() string { return t.Err.Error() }

// LookAtTopic asks whether the topic exists and may be written to, and writes nothing to it. limit is its max.message.bytes,
// 0 if that can't be read. The error is a *TopicError if it is about the topic.
func LookAtTopic(ctx context.Context, cfg Config, connect []kgo.Opt) (limit int, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	w := &Writer{topic: cfg.Topic}
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.WithHooks(&w.dialed)}, connect...)...)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := w.inspectTopic(ctx, client); err != nil {
		err = w.dialed.explainError(err)
		return 0, &TopicError{reasonOf(err), err}
	}
	if limit, err = w.readLimit(ctx, client); err != nil {
		return 0, nil
	}
	return limit, nil
}

// readLimit asks for the topic's max.message.bytes.
func (w *Writer) readLimit(ctx context.Context, client *kgo.Client) (int, error) {
	const key = "max.message.bytes"
	req := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, w.topic, []string{key}
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, client)
	for i := 0; err == nil && i < len(resp.Resources); i++ {
		r := &resp.Resources[i]
		err = kerr.ErrorForCode(r.ErrorCode)
		for _, c := range r.Configs {
			if c.Name != key || c.Value == nil {
				continue
			}
			if n, bad := strconv.Atoi(*c.Value); bad == nil && n > 0 {
				return n, nil
			}
		}
	}
	return 0, cmp.Or(err, errNotTold)
}

// closeClient throws the client away.
func (w *Writer) closeClient() {
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}

// dialedBrokers remembers why a broker could not be reached, which the client's own errors
// don't say.
type dialedBrokers struct {
	mu   sync.Mutex
	last error // of the newest connection, nil if it was made
}

var _ kgo.HookBrokerConnect = (*dialedBrokers)(nil)

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (d *dialedBrokers) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = err
}

// explainError adds the last dial error to an error that only says that time or attempts
// have run out.
func (d *dialedBrokers) explainError(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := errors.Is(err, kgo.ErrRecordRetries) || errors.Is(err, kgo.ErrRecordTimeout) || errors.Is(err, context.DeadlineExceeded)
	if out && d.last != nil {
		return fmt.Errorf("%w: %w", err, d.last)
	}
	return err
}
