package schema

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/metrics"
)

const (
	// leastBackoff doubles with each failure in a row, up to mostBackoff; the pause is
	// random up to that. No failure before a pause of a tenth.
	leastBackoff, mostBackoff = 200 * time.Millisecond, 10 * time.Second
	// forget is how long a schema stays absent or unusable until it is asked for again.
	forget = 30 * time.Second
	// mostKept bounds the schemas in memory, and those that are unusable.
	mostKept = 2000
	// maxKeptBytes limits the memory of the schemas that are kept, as they estimate it. That
	// is 2,000 of the usual size; the largest takes half of it.
	maxKeptBytes = 64 << 20
	// maxFetches limits the schemas that are asked for at a time: an answer may have 8 MiB.
	maxFetches = 8
)

// Options are what a Registry needs beside its configuration.
type Options struct {
	// Compile makes a schema usable. Its error makes records bad.
	Compile   func(convert.Definition) (convert.Schema, error)
	Log       *slog.Logger
	Metrics   *metrics.Schema
	Transport http.RoundTripper   // nil for the network
	Glue      []glue.ClientOption // for requests to AWS Glue
}

// Registry keeps schemas. It is safe for concurrent use.
type Registry struct {
	client  *client
	compile func(convert.Definition) (convert.Schema, error)
	log     *slog.Logger
	metrics *metrics.Schema

	// found is asked for every record, on several cores at a time, and so without a lock:
	// a map in it never changes. A new one takes its place, under mu.
	found atomic.Pointer[map[convert.Ref]convert.Schema]

	// compiling is held while a schema is compiled: one at a time, however many lanes wait
	// for theirs, because each may take tens of megabytes.
	compiling chan struct{}
	fetching  chan struct{} // holds a place for each schema that is asked for
	probing   chan struct{} // held by the only one that is asked for while the registry throttles

	mu       sync.Mutex
	kept     int // bytes of all that is in found
	unusable map[convert.Ref]verdict
	suspects suspects
	recent   []convert.Ref                 // that were found last, newest first
	steady   time.Time                     // when the registry last failed, or turned out to be late
	flights  map[convert.Ref]chan struct{} // that are under way; closed at their end
	failing  *Trouble                      // nil while the registry answers
	failed   map[convert.Ref]struct{}      // whose last attempt failed
	failures int                           // in a row
	next     time.Time                     // no attempt before, for those that failed
	slow     time.Time                     // no attempt before, for all; zero unless the registry throttles
}

// verdict is why a schema can't be used, for now.
type verdict struct {
	reject *convert.Reject
	until  time.Time
}

// Trouble is why no schema has come for a while.
type Trouble struct {
	Since   time.Time
	Blocked bool // an operator has to change something
	Err     error
	seen    time.Time // the last failure
}

// New returns a registry without any schema. It connects when the first is asked for.
func New(cfg Config, o Options) (*Registry, error) {
	c, err := newClient(cfg, o)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	r := &Registry{
		client: c, compile: o.Compile, log: o.Log, metrics: o.Metrics,
		compiling: make(chan struct{}, 1), fetching: make(chan struct{}, maxFetches), probing: make(chan struct{}, 1),
		unusable: map[convert.Ref]verdict{}, suspects: suspects{}, flights: map[convert.Ref]chan struct{}{},
		failed: map[convert.Ref]struct{}{},
	}
	r.found.Store(&map[convert.Ref]convert.Schema{})
	return r, nil
}

// Schema is a convert.Lookup.
func (r *Registry) Schema(ref convert.Ref) (convert.Schema, error) {
	if s, ok := (*r.found.Load())[ref]; ok {
		return s, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.unusable[ref]; ok {
		if time.Now().Before(v.until) {
			return nil, v.reject
		}
		delete(r.unusable, ref)
	}
	return nil, &convert.Missing{Ref: ref}
}

// Fetch is FetchFor a record that is polled now.
func (r *Registry) Fetch(ctx context.Context, ref convert.Ref) <-chan struct{} {
	return r.FetchFor(ctx, ref, time.Now())
}

// FetchFor has a schema fetched, unless that is under way, until ctx ends, for a record that
// was polled then. The channel that it returns is closed when it is worth calling Schema
// again, and FetchFor again if the schema is still missing.
func (r *Registry) FetchFor(ctx context.Context, ref convert.Ref, polled time.Time) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	wait := r.suspects.begin(now, ref, polled)
	done, ok := r.flights[ref]
	if !ok {
		done = make(chan struct{})
		r.flights[ref] = done
		if _, again := r.failed[ref]; again { // the first attempt for one doesn't wait for the failures of others
			wait = max(wait, r.next.Sub(now))
		}
		go r.fly(ctx, ref, wait, done)
	}
	return done
}

// fly is one attempt, after the backoff of those before.
func (r *Registry) fly(ctx context.Context, ref convert.Ref, wait time.Duration, done chan struct{}) {
	defer close(done) // waiting callers look again, and find the result of settle
	pause := time.NewTimer(wait)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		r.land(ref)
		return
	}
	leave, err := r.enter(ctx)
	if err != nil {
		r.land(ref)
		return
	}
	defer leave() // when it is known whether the registry still throttles
	s, err := r.obtain(ctx, ref)
	if ctx.Err() != nil {
		r.land(ref)
		return
	}
	r.settle(ref, s, err)
}

// obtain fetches a schema and compiles it. One is compiled at a time.
func (r *Registry) obtain(ctx context.Context, ref convert.Ref) (convert.Schema, error) {
	d, err := r.client.fetch(ctx, ref, r.landmarks())
	if err != nil {
		return nil, err
	}
	select {
	case r.compiling <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.compiling }()
	s, err := r.compile(d)
	if err != nil {
		return nil, &unusable{reason: convert.Undecodable, err: fmt.Errorf("its schema can't be used: %w", err)}
	}
	return s, nil
}

func (r *Registry) land(ref convert.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, ref)
}

// settle keeps what an attempt has brought.
func (r *Registry) settle(ref convert.Ref, s convert.Schema, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, ref)
	delete(r.failed, ref)
	bad, isBad := errors.AsType[*unusable](err)
	now := time.Now()
	if isBad && bad.absent && !r.suspects.absent(now, ref, r.steady) {
		if r.suspects[ref].tries == 1 {
			r.log.Info("the Schema Registry does not have a schema yet: its records wait", "schema", ref.String(), "at_most", absentAfter.String(), "error", bad.err)
		}
		r.answered()
		return
	}
	switch {
	case err == nil:
		if r.suspects[ref].tries > 0 || r.unusable[ref].reject != nil {
			r.steady = now
		}
		delete(r.suspects, ref)
		delete(r.unusable, ref)
		r.recent = append([]convert.Ref{ref}, r.recent[:min(len(r.recent), landmarks-1)]...)
		r.keep(ref, s)
		r.metrics.Fetched.WithLabelValues("found").Inc()
	case isBad:
		room(r.unusable)
		err := fmt.Errorf("schema %s: %w", ref, bad.err)
		if bad.absent {
			err = &absence{ref, now, err}
		}
		r.unusable[ref] = verdict{convert.Unusable(ref, bad.reason, err), now.Add(forget)}
		r.metrics.Fetched.WithLabelValues(string(bad.reason)).Inc()
		r.log.Warn("a schema can't be used: its records are bad", "schema", ref.String(), "reason", string(bad.reason), "error", bad.err)
	default:
		r.steady = now
		room(r.failed)
		r.failed[ref] = struct{}{}
		r.fail(err)
		return
	}
	r.answered()
}

// keep adds a schema to those that are known.
func (r *Registry) keep(ref convert.Ref, s convert.Schema) {
	found := maps.Clone(*r.found.Load())
	r.kept += convert.Weight(s)
	for other, kept := range found {
		if len(found) < mostKept && r.kept <= maxKeptBytes {
			break
		}
		r.kept -= convert.Weight(kept)
		delete(found, other)
	}
	found[ref] = s
	r.found.Store(&found)
}

// landmarks are schemas that the registry is known to have.
func (r *Registry) landmarks() []convert.Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.recent)
}

// answered ends the trouble, if there was some.
func (r *Registry) answered() {
	if r.failing != nil {
		r.log.Info("the Schema Registry answers again", "after", time.Since(r.failing.Since).Round(time.Second).String(), "attempts", r.failures)
	}
	r.failing, r.failures, r.next, r.slow = nil, 0, time.Time{}, time.Time{}
}

// fail notes a failure, and tells of the first, and when it is of the other kind.
func (r *Registry) fail(err error) {
	now := time.Now()
	t, ok := errors.AsType[*trouble](err)
	blocked := ok && t.blocked
	if r.failing == nil || r.failing.Blocked != blocked {
		if blocked {
			r.log.Error("the Schema Registry is blocked: records wait for it until somebody changes something", "error", err)
		} else {
			r.log.Warn("the Schema Registry can't be reached: records wait for it", "error", err)
		}
	}
	since := now
	if r.failing != nil {
		since = r.failing.Since
	}
	r.failing = &Trouble{Since: since, Blocked: blocked, Err: err, seen: now}
	backoff := min(leastBackoff<<min(r.failures, 10), mostBackoff)
	r.failures++
	r.next = now.Add(backoff/10 + rand.N(backoff))
	if r.slow = (time.Time{}); ok && t.throttled {
		r.slow = r.next
	}
	r.metrics.Fetched.WithLabelValues("failed").Inc()
}

// Trouble is why records wait for a schema, nil when none does.
func (r *Registry) Trouble() *Trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Waiting callers ask again at once. No request means that no caller waits.
	if r.failing == nil || len(r.flights) == 0 && time.Since(r.failing.seen) > mostBackoff {
		return nil
	}
	t := *r.failing
	return &t
}

// room makes room for one entry. The one to remove is left to chance: only an accident or malice
// fills the map.
func room[V any](kept map[convert.Ref]V) {
	for ref := range kept {
		if len(kept) < mostKept {
			return
		}
		delete(kept, ref)
	}
}
