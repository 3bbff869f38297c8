package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"sync"

	"kafka-firehose/connector/convert/jsontext"
)

// ErrTooLong says that a masked value does not fit.
var ErrTooLong = errors.New("the masked value is too long")

const redacted = `"***"`

// Masker applies rules to JSON. It is safe for concurrent use.
type Masker struct {
	root   node
	hashes sync.Pool // of hash.Hash with the key
}

// node is the place where the rules' paths with the same beginning part.
type node struct {
	names  []string
	below  []*node // of each name
	action Action  // empty if the paths lead further
}

// New returns a Masker whose digests have the key.
func New(rules Rules, key string) *Masker {
	m := &Masker{}
	m.hashes.New = func() any { return hmac.New(sha256.New, []byte(key)) }
	for _, r := range rules {
		n := &m.root
		for _, name := range r.Path {
			n = n.enter(name)
		}
		n.action = r.Action
	}
	return m
}

// enter returns the node below a name, a new one if there is none.
func (n *node) enter(name string) *node {
	for i, known := range n.names {
		if known == name {
			return n.below[i]
		}
	}
	n.names, n.below = append(n.names, name), append(n.below, &node{})
	return n.below[len(n.below)-1]
}

// find returns the node below a name as JSON has it, nil if no path has the name there.
func (n *node) find(quoted []byte) *node {
	for i, name := range n.names {
		if jsontext.IsText(quoted, name) {
			return n.below[i]
		}
	}
	return nil
}

// Append appends a value without blanks and masked. What is longer than limit is ErrTooLong, at the
// latest behind the member that makes it so.
// The value is valid, trimmed JSON. A path leads through arrays to each of their elements.
func (m *Masker) Append(dst, value []byte, limit int) ([]byte, error) {
	w := writer{Masker: m, dst: dst, limit: len(dst) + limit}
	err := w.walk(value, &m.root)
	if err == nil {
		err = w.check()
	}
	return w.dst, err
}

// writer is one run of a Masker.
type writer struct {
	*Masker
	dst   []byte
	limit int
}

func (w *writer) check() error {
	if len(w.dst) > w.limit {
		return ErrTooLong
	}
	return nil
}

// walk writes a value that the paths of n lead into, or end at.
func (w *writer) walk(value []byte, n *node) error {
	switch {
	case value[0] == '[':
		return w.walkArray(value, n)
	case n.action != "":
		w.mask(value, n.action)
	case value[0] == '{':
		return w.walkObject(value, n)
	default:
		w.dst = append(w.dst, value...)
	}
	return w.check()
}

func (w *writer) walkArray(array []byte, n *node) error {
	open := byte('[')
	for element := range jsontext.Elements(array) {
		w.dst = append(w.dst, open)
		open = ','
		if err := w.walk(element, n); err != nil {
			return err
		}
	}
	if open == '[' {
		w.dst = append(w.dst, '[')
	}
	w.dst = append(w.dst, ']')
	return nil
}

// walkObject writes all members but those that are dropped. A name that comes twice is masked twice.
func (w *writer) walkObject(object []byte, n *node) error {
	open := byte('{')
	for name, value := range jsontext.Members(object) {
		below := n.find(name)
		if below != nil && below.action == Drop {
			continue
		}
		w.dst = append(append(append(w.dst, open), name...), ':')
		open = ','
		if below == nil {
			w.dst = jsontext.AppendCompact(w.dst, value)
		} else if err := w.walk(value, below); err != nil {
			return err
		}
		if err := w.check(); err != nil {
			return err
		}
	}
	if open == '{' {
		w.dst = append(w.dst, '{')
	}
	w.dst = append(w.dst, '}')
	return nil
}

// mask writes what becomes of a value that is no array. null tells nothing and stays.
func (w *writer) mask(value []byte, action Action) {
	switch {
	case value[0] == 'n':
		w.dst = append(w.dst, value...)
	case action == SHA256:
		w.digest(value)
	default:
		w.dst = append(w.dst, redacted...)
	}
}

// digest writes the HMAC of a string's text, or of another value as it is written without blanks.
func (w *writer) digest(value []byte) {
	h, ok := w.hashes.Get().(hash.Hash)
	if !ok {
		panic("mask: the pool has something else in it")
	}
	h.Reset()
	if value[0] == '"' {
		h.Write(jsontext.Text(value))
	} else {
		h.Write(jsontext.AppendCompact(nil, value))
	}
	var sum [sha256.Size]byte
	w.dst = append(w.dst, '"')
	w.dst = hex.AppendEncode(w.dst, h.Sum(sum[:0]))
	w.dst = append(w.dst, '"')
	w.hashes.Put(h)
}
