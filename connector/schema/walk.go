package schema

import (
	"context"
	"errors"
	"fmt"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
)

// walk collects references, each after those that it refers to itself.
type walk struct {
	get      func(context.Context, reference) (text string, refs []reference, err error)
	names    map[string]bool // that were found
	subjects map[string]bool // that are being followed
	found    []convert.Reference
	bytes    int // of their texts
}

// reference is one schema's mention of another, as a registry returns it.
type reference struct{ name, group, subject, version string }

func newWalk(get func(context.Context, reference) (string, []reference, error)) *walk {
	return &walk{get: get, names: map[string]bool{}, subjects: map[string]bool{}}
}

const mostDepth = 50

var errReferences = &unusable{reason: convert.Undecodable, err: errors.New("its schema refers to too many others, or to itself")}

// errReferenceBytes keeps them from being held until the schema is compiled, which they
// could not be.
var errReferenceBytes = &unusable{reason: convert.Undecodable, err: fmt.Errorf("its schema refers to more than %s of others", env.Bytes(convert.MaxDefinitionBytes))}

func (w *walk) follow(ctx context.Context, refs []reference, depth int) error {
	for _, r := range refs {
		at := r.group + "/" + r.subject + "/" + r.version
		switch {
		case w.names[r.name]:
			continue
		case w.subjects[at], depth == mostDepth, len(w.found) == convert.MaxReferences:
			return errReferences
		}
		w.subjects[at] = true
		text, inner, err := w.get(ctx, r)
		if err != nil {
			if gone, ok := errors.AsType[*unusable](err); ok && gone.absent {
				return &unusable{convert.Undecodable, true, fmt.Errorf("its schema refers to %s version %s: %w", r.subject, r.version, gone.err)}
			}
			return err
		}
		if err := w.follow(ctx, inner, depth+1); err != nil {
			return err
		}
		if w.bytes += len(text); w.bytes > convert.MaxDefinitionBytes {
			return errReferenceBytes
		}
		delete(w.subjects, at)
		w.names[r.name] = true
		w.found = append(w.found, convert.Reference{Name: r.name, Text: text})
	}
	return nil
}
