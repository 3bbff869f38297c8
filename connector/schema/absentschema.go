package schema

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kafka-firehose/connector/convert"
)

const (
	// absentAfter is how long the registry must not have a schema until records are bad
	// for it, counted from when the record was polled and from the registry's last failure.
	// A producer registers a schema before its first record; a follower of the registry, or
	// a registry that is copied from another, has it some seconds later.
	absentAfter = 30 * time.Second
	// askAgain is the least time between two requests for a schema that is absent.
	askAgain = time.Second
	// landmarks is how many of the schemas that were found last are asked for again, to see
	// whether an address that does not have a schema has any.
	landmarks = 3
)

// absentSchema is the verdict that the registry does not have a schema.
type absentSchema struct {
	ref   convert.SchemaRef
	asked time.Time
	err   error
}

func (a *absentSchema) Error() string { return a.err.Error() }

// RefreshAbsent returns a *convert.MissingSchema if err says that the registry does not have a schema,
// and the registry was not asked late enough for a record that was polled then. Such a
// record waits: its schema may have been registered since. Else it returns nil.
func RefreshAbsent(err error, polled time.Time) error {
	a, ok := errors.AsType[*absentSchema](err)
	if !ok || !a.asked.Before(polled.Add(absentAfter)) {
		return nil
	}
	return &convert.MissingSchema{Ref: a.ref}
}

// suspectSchema is a schema that the registry does not have, for now.
type suspectSchema struct {
	since time.Time // when the record was polled that it is asked for
	tries int
	next  time.Time // no request before
}

// suspectSchemas are the schemas that are asked for, and were not found yet.
//
// It is a pure state machine: the time is passed in. Registry.mu is held for its methods.
type suspectSchemas map[convert.SchemaRef]suspectSchema

// beginLookup enters that a schema is asked for, for a record that was polled then. It returns
// how long to wait first.
func (s suspectSchemas) beginLookup(now time.Time, ref convert.SchemaRef, polled time.Time) time.Duration {
	known, ok := s[ref]
	if !ok {
		makeRoom(s)
	}
	if known.tries == 0 || polled.Before(known.since) {
		known.since = polled
	}
	s[ref] = known
	return known.next.Sub(now)
}

// proveAbsent enters an answer: the registry does not have the schema. It reports whether that
// is proved. steady is when the registry last failed, or turned out to be late.
func (s suspectSchemas) proveAbsent(now time.Time, ref convert.SchemaRef, steady time.Time) (proved bool) {
	known, ok := s[ref]
	if !ok { // it made room for others
		known.since = now
	}
	due := known.since
	if steady.After(due) {
		due = steady
	}
	if due = due.Add(absentAfter); !now.Before(due) {
		s[ref] = suspectSchema{next: now.Add(askAgain)}
		return true
	}
	known.tries++
	known.next = now.Add(backoff.Doubled(known.tries))
	if known.next.After(due) {
		known.next = due
	}
	s[ref] = known
	return false
}

// confirmKnown asks every address that does not have a schema whether it is the registry at all:
// something that answers 404 to everything is not. It returns an error unless each has one
// of the schemas that were found last, or any where none was found yet.
func (c *registryClient) confirmKnown(ctx context.Context, known []convert.SchemaRef) error {
	for _, n := range c.nodes {
		if err := n.confirmKnown(ctx, known); err != nil {
			if len(c.nodes) > 1 {
				err = fmt.Errorf("%s: %w", n.url, err)
			}
			t, ok := errors.AsType[*nodeError](err)
			return &nodeError{blocked: !ok || t.blocked, throttled: ok && t.throttled, err: err}
		}
	}
	return nil
}

func (n registryNode) confirmKnown(ctx context.Context, known []convert.SchemaRef) error {
	for _, ref := range known {
		err := n.hasSchema(ctx, ref)
		if err == nil {
			return nil
		}
		if _, gone := errors.AsType[*unusableError](err); !gone {
			return err
		}
	}
	if len(known) > 0 {
		return fmt.Errorf("the Schema Registry does not have schema %s any more, which it had before: is it another one, or has it lost its schemas?", known[0])
	}
	return n.isFilled(ctx)
}

var (
	errNotFound = errors.New("this is not the address of a Schema Registry: it answers 404 to everything")
	errEmpty    = errors.New("the Schema Registry has no schema at all: is it the one that the producers use?")
)
