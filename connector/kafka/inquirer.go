package kafka

import (
	"context"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// offsetInquirer asks brokers on connections of its own. Brokers answer the requests of a connection in order, and a client
// has one connection to each broker for all of its questions: on the group member's, heartbeats and commits would
// wait behind a question that hangs.
type offsetInquirer struct {
	options []kgo.Opt

	mu     sync.Mutex
	client *kgo.Client // nil while there is nothing to ask
}

func newInquirer(c *Connection, log *slog.Logger, more []kgo.Opt) *offsetInquirer {
	options := append(c.ClientOptions(), more...)
	return &offsetInquirer{options: append(options, kgo.WithLogger(inquirerLog{log}))}
}

// openClient returns the client, which it makes at need.
func (i *offsetInquirer) openClient() (*kgo.Client, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.client != nil {
		return i.client, nil
	}
	var err error
	i.client, err = kgo.NewClient(i.options...)
	return i.client, err
}

// closeIdle closes the client until it is opened again. An open one refreshes its metadata without end, and logs in for
// that again and again where logins are refused.
func (i *offsetInquirer) closeIdle() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.client != nil {
		i.client.Close()
		i.client = nil
	}
}

// inquirerLog is for debugging: the caller reports the failure, and the group member's client has the same
// trouble with the same broker.
type inquirerLog struct{ log *slog.Logger }

// Level implements kgo.Logger.
func (l inquirerLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelDebug
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (l inquirerLog) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
	l.log.Debug("kafka client: "+msg, keyvals...)
}
