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
)

// access keeps the refusals of this process: a connection, the login, the group, a
// topic, commits. No refusal ends the process, because it is repaired
// elsewhere, and then delivery continues. The client tries again and again, with
// pauses of up to five seconds; access turns that into one line for each
// refusal and a reason for not being ready.
type access struct {
	cfg    Config
	log    *slog.Logger
	forget func() // the credentials, which a broker has refused

	heard atomic.Bool  // a broker has answered a request
	any   atomic.Int32 // the number of refusals, for a look without the lock

	mu       sync.Mutex
	refusals map[place]refusal
	outages  map[string]outage // by address
}

// place is the refused thing: one of metrics.Refusals, and of which broker or topic.
type place struct{ what, where string }

type refusal struct {
	err         error // with the hint in it
	first, last time.Time
}

// refusedFor is how long a refusal counts that is not repeated: the client has
// stopped asking, for instance because the broker is gone for good. It asks for what
// it needs every five seconds at least.
const refusedFor = 30 * time.Second

func newAccess(cfg Config, forget func(), log *slog.Logger) *access {
	return &access{cfg: cfg, log: log, forget: forget, refusals: map[place]refusal{}, outages: map[string]outage{}}
}

// refused looks at an error that where has answered.
func (a *access) refused(where string, err error) {
	d, ok := a.cfg.diagnose(err)
	if ok {
		a.note(place{d.refused, where}, d.hint, err)
	}
	if d.refused == "login" {
		a.forget()
	}
}

func (a *access) note(p place, hint string, err error) {
	a.log.Error("no access to Kafka; trying again until there is", p.key(), p.where, "refused", p.what, "hint", hint, "error", err)
	a.mu.Lock()
	defer a.mu.Unlock()
	r, known := a.refusals[p]
	if r.last = time.Now(); !known {
		r.first = r.last
	}
	r.err = fmt.Errorf("%s refused at %s: %s: %w", p.what, p.where, hint, err)
	a.refusals[p] = r
	a.any.Store(int32(len(a.refusals)))
}

// granted ends refusals of a kind.
func (a *access) granted(what, where string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := place{what, where}
	if r, ok := a.refusals[p]; ok {
		delete(a.refusals, p)
		a.any.Store(int32(len(a.refusals)))
		a.log.Info("access to Kafka is there again", p.key(), p.where, "refused", what, "after", time.Since(r.first).Round(time.Second).String())
	}
}

// err returns the present refusals, nil if there is none.
func (a *access) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []refusal
	for p, r := range a.refusals {
		if p.lasts(r) {
			all = append(all, r)
		} else {
			delete(a.refusals, p)
		}
	}
	a.any.Store(int32(len(a.refusals)))
	slices.SortFunc(all, func(a, b refusal) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.err.Error(), b.err.Error()))
	})
	errs := make([]error, len(all))
	for i, r := range all {
		errs[i] = r.err
	}
	return errors.Join(errs...)
}

// count is how many things of a kind are refused now.
func (a *access) count(what string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for p, r := range a.refusals {
		if p.what == what && p.lasts(r) {
			n++
		}
	}
	return n
}

// key is that of the place in the log, where lines of different topics are not the
// same.
func (p place) key() string {
	if p.what == "topic" {
		return "topic"
	}
	return "at"
}

// lasts reports whether a refusal still counts. Commits may be far apart, and the
// group is asked for until it lets the process in: these last until they are granted.
func (p place) lasts(r refusal) bool {
	return p.what == "commit" || p.what == "group" || time.Since(r.last) < refusedFor
}

// OnBrokerConnect implements kgo.HookBrokerConnect. The login is part of it.
func (a *access) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	addr := address(broker)
	switch _, known := a.cfg.diagnose(err); {
	case err == nil:
		a.reached(addr)
	case known:
		a.refused(addr, err)
	default:
		a.unreached(addr, err)
	}
}

// OnBrokerE2E implements kgo.HookBrokerE2E. A broker that wants a login and gets none
// answers which versions it speaks, and hangs up at the first request after that.
func (a *access) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if slices.Contains(introductions, kmsg.Key(key)) {
		return
	}
	switch err := e2e.Err(); {
	case err == nil:
		a.heard.Store(true)
		if a.any.Load() > 0 {
			a.granted("connection", address(broker))
			a.granted("login", address(broker))
		}
	case errors.Is(err, io.EOF) && !a.heard.Load():
		a.note(place{"connection", address(broker)}, a.cfg.closedAtOnce(), err)
	}
}

// introductions are the requests that come before the brokers know who asks.
var introductions = []kmsg.Key{kmsg.ApiVersions, kmsg.SASLHandshake, kmsg.SASLAuthenticate}

func address(b kgo.BrokerMetadata) string { return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))) }

// committed looks at the outcome of a commit.
func (a *access) committed(err error) {
	where := "group " + a.cfg.GroupID
	d, ok := a.cfg.diagnose(err)
	switch {
	case err == nil:
		a.granted("commit", where)
	case ok && (d.refused == "topic" || d.refused == "group"):
		a.note(place{"commit", where}, d.hint, err)
	}
}

// OnGroupManageError implements kgo.HookGroupManageError.
func (a *access) OnGroupManageError(err error) {
	where := "group " + a.cfg.GroupID
	if d, ok := a.cfg.diagnoseSession(err); ok && d.refused != "connection" && d.refused != "login" {
		a.note(place{"group", where}, d.hint, err)
	}
}

// joinFails is what the client logs, for information alone, after half a minute in which a member of the consumer
// protocol could not join for want of a coordinator. It tries again without end, and calls no hook.
const joinFails = "consumer group initial heartbeat hit retryable error, backing off and retrying"

// onJoinFails looks at the values of that line.
func (a *access) onJoinFails(values []any) {
	for _, v := range values {
		err, ok := v.(error)
		if ok {
			a.OnGroupManageError(err)
		}
	}
}

// knows reports whether one of the values is an error that access reports already, in better
// words than the client's.
func (a *access) knows(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool {
		err, ok := v.(error)
		if !ok {
			return false
		}
		_, known := a.cfg.diagnose(err)
		return known || errors.As(err, new(*dialError)) || errors.Is(err, io.EOF) && !a.heard.Load() // as in OnBrokerE2E
	})
}
