package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/kafka/auth"
)

// accessFaults keeps the refusals of this process: a connection, the login, the group, a
// topic, commits. No refusal ends the process, because it is repaired
// elsewhere, and then delivery continues. The client tries again and again, with
// pauses of up to five seconds; access turns that into one line for each
// refusal and a reason for not being ready.
type accessFaults struct {
	cfg    Config
	log    *slog.Logger
	forget func() // the credentials, which a broker has refused

	heard atomic.Bool // a broker has answered a request

	mu       sync.Mutex
	refusals map[place]accessRefusal
	outages  map[string]brokerOutage // by address
}

// place is the refused thing: one of metrics.Refusals, and of which broker or topic.
type place struct{ what, where string }

type accessRefusal struct {
	err         error // with the hint in it
	first, last time.Time
}

// refusedFor is how long a refusal counts that is not repeated: the client has
// stopped asking, for instance because the broker is gone for good. It asks for what
// it needs every five seconds at least.
const refusedFor = 30 * time.Second

func newAccess(cfg Config, forget func(), log *slog.Logger) *accessFaults {
	return &accessFaults{cfg: cfg, log: log, forget: forget, refusals: map[place]accessRefusal{}, outages: map[string]brokerOutage{}}
}

// noteRefused looks at an error that where has answered.
func (a *accessFaults) noteRefused(where string, err error) {
	d, ok := a.cfg.DiagnoseError(err)
	if ok {
		a.noteRefusal(place{d.Refused, where}, d.Hint, err)
	}
	if d.Refused == "login" {
		a.forget()
	}
}

func (a *accessFaults) noteRefusal(p place, hint string, err error) {
	a.log.Error("no access to Kafka; trying again until there is", p.identityKey(), p.where, "refused", p.what, "hint", hint, "error", err)
	a.mu.Lock()
	defer a.mu.Unlock()
	r, known := a.refusals[p]
	if r.last = time.Now(); !known {
		r.first = r.last
	}
	r.err = fmt.Errorf("%s refused at %s: %s: %w", p.what, p.where, hint, err)
	a.refusals[p] = r
}

// noteGranted ends refusals of a kind.
func (a *accessFaults) noteGranted(what, where string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := place{what, where}
	if r, ok := a.refusals[p]; ok {
		delete(a.refusals, p)
		a.log.Info("access to Kafka is there again", p.identityKey(), p.where, "refused", what, "after", time.Since(r.first).Round(time.Second).String())
	}
}

// lastError returns the present refusals, nil if there is none.
func (a *accessFaults) lastError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []accessRefusal
	for p, r := range a.refusals {
		if p.isLasting(r) {
			all = append(all, r)
		} else {
			delete(a.refusals, p)
		}
	}
	slices.SortFunc(all, func(a, b accessRefusal) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.err.Error(), b.err.Error()))
	})
	errs := make([]error, len(all))
	for i, r := range all {
		errs[i] = r.err
	}
	return errors.Join(errs...)
}

// countRefusals is how many things of a kind are refused now.
func (a *accessFaults) countRefusals(what string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for p, r := range a.refusals {
		if p.what == what && p.isLasting(r) {
			n++
		}
	}
	return n
}

// identityKey is that of the place in the log, where lines of different topics are not the
// same.
func (p place) identityKey() string {
	if p.what == "topic" {
		return "topic"
	}
	return "at"
}

// isLasting reports whether a refusal still counts. Commits may be far apart, and the
// group is asked for until it lets the process in: these last until they are granted.
func (p place) isLasting(r accessRefusal) bool {
	return p.what == "commit" || p.what == "group" || time.Since(r.last) < refusedFor
}

// OnBrokerConnect implements kgo.HookBrokerConnect. The login is part of it.
func (a *accessFaults) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	addr := brokerAddress(broker)
	switch _, known := a.cfg.DiagnoseError(err); {
	case err == nil:
		a.noteReached(addr)
	case known:
		a.noteRefused(addr, err)
	default:
		a.noteUnreached(addr, err)
	}
}

// OnBrokerE2E implements kgo.HookBrokerE2E. A broker that wants a login and gets none
// answers which versions it speaks, and hangs up at the first request after that.
func (a *accessFaults) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if slices.Contains(introductions, kmsg.Key(key)) {
		return
	}
	switch err := e2e.Err(); {
	case err == nil:
		a.heard.Store(true)
		a.noteGranted("connection", brokerAddress(broker))
		a.noteGranted("login", brokerAddress(broker))
	case errors.Is(err, io.EOF) && !a.heard.Load():
		a.noteRefusal(place{"connection", brokerAddress(broker)}, a.cfg.Auth().ClosedAtOnce(), err)
	}
}

// introductions are the requests that come before the brokers know who asks.
var introductions = []kmsg.Key{kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate}

func brokerAddress(b kgo.BrokerMetadata) string {
	return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
}

// noteCommit looks at the outcome of a commit.
func (a *accessFaults) noteCommit(err error) {
	where := "group " + a.cfg.GroupID
	d, ok := a.cfg.DiagnoseError(err)
	switch {
	case err == nil:
		a.noteGranted("commit", where)
	case ok && (d.Refused == "topic" || d.Refused == "group"):
		a.noteRefusal(place{"commit", where}, d.Hint, err)
	}
}

// OnGroupManageError implements kgo.HookGroupManageError.
func (a *accessFaults) OnGroupManageError(err error) {
	where := "group " + a.cfg.GroupID
	if d, ok := a.cfg.diagnoseSession(err); ok && d.Refused != "connection" && d.Refused != "login" {
		a.noteRefusal(place{"group", where}, d.Hint, err)
	}
}

// joinFails is what the client logs, for information alone, after half a minute in which a member of the consumer
// protocol could not join for want of a coordinator. It tries again without end, and calls no hook.
const joinFails = "consumer group initial heartbeat hit retryable error, backing off and retrying"

// onJoinFails looks at the values of that line.
func (a *accessFaults) onJoinFails(values []any) {
	for _, v := range values {
		err, ok := v.(error)
		if ok {
			a.OnGroupManageError(err)
		}
	}
}

// isKnown reports whether one of the values is an error that access reports already, in better
// words than the client's.
func (a *accessFaults) isKnown(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool {
		err, ok := v.(error)
		if !ok {
			return false
		}
		_, known := a.cfg.DiagnoseError(err)
		return known || errors.As(err, new(*auth.DialError)) || errors.Is(err, io.EOF) && !a.heard.Load() // as in OnBrokerE2E
	})
}
