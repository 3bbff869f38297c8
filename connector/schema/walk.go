package schema

import (
	"context"
	"errors"
	"fmt"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
)

// referenceWalk collects references, each after those that it refers to itself.
type referenceWalk struct {
	get      func(context.Context, schemaReference) (text string, refs []schemaReference, err error)
	names    map[string]bool // that were found
	subjects map[string]bool // that are being followed
	found    []convert.SchemaReference
	bytes    int // of their texts
}

// schemaReference is one schema's mention of another, as a registry returns it.
type schemaReference struct{ name, group, subject, version string }

func newWalk(get func(context.Context, schemaReference) (string, []schemaReference, error)) *referenceWalk {
	return &referenceWalk{get: get, names: map[string]bool{}, subjects: map[string]bool{}}
}

const maxDepth = 50

var errReferences = &unusableError{reason: convert.Undecodable, err: errors.New("its schema refers to too many others, or to itself")}

// errReferenceBytes keeps them from being held until the schema is compiled, which they
// could not be.
var errReferenceBytes = &unusableError{reason: convert.Undecodable, err: fmt.Errorf("its schema refers to more than %s of others", env.Bytes(convert.MaxDefinitionBytes))}

func (w *referenceWalk) followReferences(ctx context.Context, refs []schemaReference, depth int) error {
	for _, r := range refs {
		at := r.group + "/" + r.subject + "/" + r.version
		switch {
		case w.names[r.name]:
			continue
		case w.subjects[at], depth == maxDepth, len(w.found) == convert.MaxReferences:
			return errReferences
		}
		w.subjects[at] = true
		text, inner, err := w.get(ctx, r)
		if err != nil {
			if gone, ok := errors.AsType[*unusableError](err); ok && gone.absent {
				return &unusableError{convert.Undecodable, true, fmt.Errorf("its schema refers to %s version %s: %w", r.subject, r.version, gone.err)}
			}
			return err
		}
		if err := w.followReferences(ctx, inner, depth+1); err != nil {
			return err
		}
		if w.bytes += len(text); w.bytes > convert.MaxDefinitionBytes {
			return errReferenceBytes
		}
		delete(w.subjects, at)
		w.names[r.name] = true
		w.found = append(w.found, convert.SchemaReference{Name: r.name, Text: text})
	}
	return nil
}
