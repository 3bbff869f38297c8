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
	"kafka-firehose/connector/retry"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/metrics"
)

const (
	// maxBackoff is the longest backoff, without what chance adds to it.
	maxBackoff = 10 * time.Second
	// forget is how long a schema stays absent or unusable until it is asked for again.
	forget = 30 * time.Second
	// maxKept bounds the schemas in memory, and those that are unusable.
	maxKept = 2000
	// maxKeptBytes limits the memory of the schemas that are kept, as they estimate it. That
	// is 2,000 of the usual size; the largest takes half of it.
	maxKeptBytes = 64 << 20
	// maxFetches limits the schemas that are asked for at a time: an answer may have 8 MiB.
	maxFetches = 8

	// smallSchema is how many bytes a schema may have, with all that it refers to, to be compiled beside a larger one. It takes
	// 13 MiB at most, and some milliseconds unless it is made to take long.
	smallSchema = 16 << 10
	// maxLarge limits the larger ones that keep a place among maxFetches while they wait for the compiler: small ones have the other places.
	maxLarge = maxFetches / 2
)

// errCrowded is about a large schema that would take the place of small ones. Its text is not kept.
var errCrowded = errors.New("too many large schemas wait for the compiler")

// backoff is between the attempts for all schemas, and between the looks for one that is absent.
var backoff = retry.Backoff{Min: 200 * time.Millisecond, Max: maxBackoff}

// Options are what a Registry needs beside its configuration.
type Options struct {
	// Compile makes a schema usable. Its error makes records bad.
	Compile   func(convert.SchemaDefinition) (convert.Schema, error)
	Log       *slog.Logger
	Metrics   *metrics.Schema
	Transport http.RoundTripper   // nil for the network
	Glue      []glue.ClientOption // for requests to AWS Glue
}

// Registry keeps schemas. It is safe for concurrent use.
type Registry struct {
	client  *registryClient
	compile func(convert.SchemaDefinition) (convert.Schema, error)
	log     *slog.Logger
	metrics *metrics.Schema

	// found is asked for every record, on several cores at a time, and so without a lock:
	// a map in it never changes. A new one takes its place, under mu.
	found atomic.Pointer[map[convert.SchemaRef]convert.Schema]

	// compiling is held while a schema is compiled: one at a time, however many pipelines wait
	// for theirs, because each may take tens of megabytes and more than a second. Small ones wait for
	// one another only.
	compiling, compilingSmall chan struct{}

	fetching chan struct{} // holds a place for each schema that is asked for, until it is compiled
	large    chan struct{} // holds a place for each large schema that is compiled, or waits for that; taken before fetching by those that wait for it
	probing  chan struct{} // held by the only one that is asked for while the registry throttles

	mu       sync.Mutex
	kept     int // bytes of all that is in found
	unusable map[convert.SchemaRef]cachedVerdict
	suspects suspectSchemas
	recent   []convert.SchemaRef                 // that were found last, newest first
	steady   time.Time                           // when the registry last failed, or turned out to be late
	flights  map[convert.SchemaRef]chan struct{} // that are under way; closed at their end
	failing  *retry.Outage                       // nil while the registry answers
	failedAt time.Time                           // the last failure
	failed   map[convert.SchemaRef]struct{}      // whose last attempt failed
	failures int                                 // in a row
	next     time.Time                           // no attempt before, for those that failed
	slow     time.Time                           // no attempt before, for all; zero unless the registry throttles
}

// cachedVerdict is why a schema can't be used, for now.
type cachedVerdict struct {
	bad   *convert.BadRecord
	until time.Time
}

// New returns a registry without any schema. It connects when the first is asked for.
func New(cfg Config, o Options) (*Registry, error) {
	c, err := newClient(cfg, o)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	r := &Registry{
		client: c, compile: o.Compile, log: o.Log, metrics: o.Metrics,
		compiling: make(chan struct{}, 1), compilingSmall: make(chan struct{}, 1), fetching: make(chan struct{}, maxFetches), large: make(chan struct{}, maxLarge), probing: make(chan struct{}, 1),
		unusable: map[convert.SchemaRef]cachedVerdict{}, suspects: suspectSchemas{}, flights: map[convert.SchemaRef]chan struct{}{},
		failed: map[convert.SchemaRef]struct{}{},
	}
	r.found.Store(&map[convert.SchemaRef]convert.Schema{})
	return r, nil
}

// LookupSchema is a convert.SchemaLookup.
func (r *Registry) LookupSchema(ref convert.SchemaRef) (convert.Schema, error) {
	if s, ok := (*r.found.Load())[ref]; ok {
		return s, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.unusable[ref]; ok {
		if time.Now().Before(v.until) {
			return nil, v.bad
		}
		delete(r.unusable, ref)
	}
	return nil, &convert.MissingSchema{Ref: ref}
}

// FetchFor has a schema fetched, unless that is under way, until ctx ends, for a record that
// was polled then. The channel that it returns is closed when it is worth calling LookupSchema
// again, and FetchFor again if the schema is still missing.
func (r *Registry) FetchFor(ctx context.Context, ref convert.SchemaRef, polled time.Time) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	wait := r.suspects.beginLookup(now, ref, polled)
	done, ok := r.flights[ref]
	if !ok {
		done = make(chan struct{})
		r.flights[ref] = done
		if _, again := r.failed[ref]; again { // the first attempt for one doesn't wait for the failures of others
			wait = max(wait, r.next.Sub(now))
		}
		go r.runFetch(ctx, ref, wait, done)
	}
	return done
}

// runFetch is one attempt, after the backoff of those before.
func (r *Registry) runFetch(ctx context.Context, ref convert.SchemaRef, wait time.Duration, done chan struct{}) {
	defer close(done) // waiting callers look again, and find the result of settleFetch
	err := retry.Sleep(ctx, wait)
	if err == nil {
		err = r.tryFetch(ctx, ref, r.enterLarge)
	}
	if errors.Is(err, errCrowded) {
		err = r.fetchLarge(ctx, ref)
	}
	if err != nil {
		r.endFetch(ref)
	}
}

// fetchLarge is tryFetch for a large schema that found no place. It waits for one without the text, which is fetched once more then.
func (r *Registry) fetchLarge(ctx context.Context, ref convert.SchemaRef) error {
	select {
	case r.large <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.large }()
	return r.tryFetch(ctx, ref, func() (func(), error) { return func() {}, nil })
}

// tryFetch asks for a schema and keeps the result. The error is errCrowded, or that ctx is over. enter takes the place of a large schema.
func (r *Registry) tryFetch(ctx context.Context, ref convert.SchemaRef, enter func() (leave func(), err error)) error {
	place, err := r.enterThrottle(ctx)
	if err != nil {
		return err
	}
	defer place.leave() // when it is known whether the registry still throttles
	d, err := r.client.fetchDefinition(ctx, ref, r.knownRefs())
	if _, isBad := errors.AsType[*unusableError](err); err == nil || isBad {
		place.noteAnswer()
	}
	var s convert.Schema
	if err == nil {
		s, err = r.compileSchema(ctx, d, enter)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errCrowded):
		return err
	}
	r.settleFetch(ref, s, err)
	return nil
}

// enterLarge takes the place of a large schema. It does not wait: the caller has a place of fetching, which others need.
func (r *Registry) enterLarge() (leave func(), err error) {
	select {
	case r.large <- struct{}{}:
		return func() { <-r.large }, nil
	default:
		return nil, errCrowded
	}
}

// compileSchema compiles a schema. One large and one small schema are compiled at a time.
func (r *Registry) compileSchema(ctx context.Context, d convert.SchemaDefinition, enter func() (leave func(), err error)) (convert.Schema, error) {
	compiling := r.compilingSmall
	if d.TextBytes() > smallSchema {
		compiling = r.compiling
		leave, err := enter()
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	select {
	case compiling <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-compiling }()
	s, err := r.compile(d)
	if err != nil {
		return nil, &unusableError{reason: convert.Undecodable, err: fmt.Errorf("its schema can't be used: %w", err)}
	}
	return s, nil
}

func (r *Registry) endFetch(ref convert.SchemaRef) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, ref)
}

// settleFetch keeps what an attempt has brought.
func (r *Registry) settleFetch(ref convert.SchemaRef, s convert.Schema, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, ref)
	delete(r.failed, ref)
	bad, isBad := errors.AsType[*unusableError](err)
	now := time.Now()
	if isBad && bad.absent && !r.suspects.proveAbsent(now, ref, r.steady) {
		if r.suspects[ref].tries == 1 {
			r.log.Info("the Schema Registry does not have a schema yet: its records wait", "schema", ref.String(), "at_most", absentAfter.String(), "error", bad.err)
		}
		return
	}
	switch {
	case err == nil:
		if r.suspects[ref].tries > 0 || r.unusable[ref].bad != nil {
			r.steady = now
		}
		delete(r.suspects, ref)
		delete(r.unusable, ref)
		r.recent = append([]convert.SchemaRef{ref}, r.recent[:min(len(r.recent), landmarks-1)]...)
		r.keepSchema(ref, s)
		r.metrics.Fetched.WithLabelValues("found").Inc()
	case isBad:
		makeRoom(r.unusable)
		err := fmt.Errorf("schema %s: %w", ref, bad.err)
		if bad.absent {
			err = &absentSchema{ref, now, err}
		}
		r.unusable[ref] = cachedVerdict{convert.UnusableSchema(ref, bad.reason, err), now.Add(forget)}
		r.metrics.Fetched.WithLabelValues(string(bad.reason)).Inc()
		r.log.Warn("a schema can't be used: its records are bad", "schema", ref.String(), "reason", string(bad.reason), "error", bad.err)
	default:
		r.steady = now
		makeRoom(r.failed)
		r.failed[ref] = struct{}{}
		r.noteFailure(err)
	}
}

// keepSchema adds a schema to those that are known.
func (r *Registry) keepSchema(ref convert.SchemaRef, s convert.Schema) {
	found := maps.Clone(*r.found.Load())
	r.kept += convert.SchemaWeight(s)
	for other, kept := range found {
		if len(found) < maxKept && r.kept <= maxKeptBytes {
			break
		}
		r.kept -= convert.SchemaWeight(kept)
		delete(found, other)
	}
	found[ref] = s
	r.found.Store(&found)
}

// knownRefs are schemas that the registry is known to have.
func (r *Registry) knownRefs() []convert.SchemaRef {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.recent)
}

// noteAnswered ends an outage, if there is one. The caller holds mu.
func (r *Registry) noteAnswered() {
	if r.failing != nil {
		r.log.Info("the Schema Registry answers again", "after", time.Since(r.failing.Since).Round(time.Second).String(), "attempts", r.failures)
	}
	r.failing, r.failures, r.next, r.slow = nil, 0, time.Time{}, time.Time{}
}

// noteFailure begins or continues an outage. It logs the begin, and a change between blocked and not.
func (r *Registry) noteFailure(err error) {
	now := time.Now()
	t, ok := errors.AsType[*nodeError](err)
	blocked := ok && t.blocked
	if r.failing == nil || r.failing.Blocked != blocked {
		if blocked {
			r.log.Error("the Schema Registry is blocked: records wait for it until somebody changes something", "error", err)
		} else {
			r.log.Warn("the Schema Registry can't be reached: records wait for it", "error", err)
		}
	}
	r.failing, r.failedAt = retry.ExtendOutage(r.failing, err, blocked), now
	longest := backoff.Doubled(r.failures)
	r.failures++
	r.next = now.Add(longest/10 + rand.N(longest))
	if r.slow = (time.Time{}); ok && t.throttled {
		r.slow = r.next
	}
	r.metrics.Fetched.WithLabelValues("failed").Inc()
}

// CurrentOutage is why records wait for a schema, nil when none does.
func (r *Registry) CurrentOutage() *retry.Outage {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Waiting callers ask again at once. No request means that no caller waits.
	if r.failing == nil || len(r.flights) == 0 && time.Since(r.failedAt) > maxBackoff {
		return nil
	}
	return r.failing
}

// makeRoom makes room for one entry. The one to remove is left to chance: only an accident or malice
// fills the map.
func makeRoom[V any](kept map[convert.SchemaRef]V) {
	for ref := range kept {
		if len(kept) < maxKept {
			return
		}
		delete(kept, ref)
	}
}
