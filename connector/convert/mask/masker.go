package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"math"
	"slices"
	"sync"

	"kafka-firehose/connector/convert/jsontext"
)

const redacted = `"***"`

// Masker applies rules to JSON. It is safe for concurrent use.
type Masker struct {
	root   ruleNode
	rules  int       // how many there are
	hashes sync.Pool // of hash.Hash with the key
}

// ruleNode is the place where the rules' paths with the same beginning part.
type ruleNode struct {
	names  []string
	below  []*ruleNode // of each name
	action Action      // empty if the paths lead further
	rule   int         // the place of the rule that ends here; nothing without an action
}

// New returns a Masker whose digests have the key.
func New(rules Rules, key string) *Masker {
	m := &Masker{rules: len(rules)}
	m.hashes.New = func() any { return hmac.New(sha256.New, []byte(key)) }
	for i, r := range rules {
		n := &m.root
		for _, name := range r.Path {
			n = n.enterMember(name)
		}
		n.action, n.rule = r.Action, i
	}
	return m
}

// enterMember returns the node below a name, a new one if there is none.
func (n *ruleNode) enterMember(name string) *ruleNode {
	if i := slices.Index(n.names, name); i >= 0 {
		return n.below[i]
	}
	n.names, n.below = append(n.names, name), append(n.below, &ruleNode{})
	return n.below[len(n.below)-1]
}

// findMember returns the node below a name as JSON has it, nil if no path has the name there.
func (n *ruleNode) findMember(quoted []byte) *ruleNode {
	for i, name := range n.names {
		if jsontext.IsText(quoted, name) {
			return n.below[i]
		}
	}
	return nil
}

// AppendMasked appends a value, which is valid, trimmed JSON, masked and without blanks. A path leads through arrays to
// each of their elements. A result above limit is jsontext.ErrTooLong, at the latest behind the member that makes it so.
func (m *Masker) AppendMasked(dst, value []byte, limit int) ([]byte, error) {
	w := maskWriter{Masker: m, dst: dst, limit: len(dst) + limit}
	err := w.walkValue(value, &m.root)
	if err == nil {
		err = w.checkSize()
	}
	return w.dst, err
}

// CountMasked returns how many members, or elements of arrays, each rule masks in a value, which is valid, trimmed JSON. A null
// is dropped, and counted by no other rule.
func (m *Masker) CountMasked(value []byte) ([]int, error) {
	w := maskWriter{Masker: m, limit: math.MaxInt, counts: make([]int, m.rules)}
	err := w.walkValue(value, &m.root)
	return w.counts, err
}

// maskWriter is one run of a Masker.
type maskWriter struct {
	*Masker
	dst    []byte
	limit  int
	counts []int // of masked members, by rule; nil unless they are counted
}

func (w *maskWriter) countMember(n *ruleNode) {
	if w.counts != nil {
		w.counts[n.rule]++
	}
}

func (w *maskWriter) checkSize() error {
	if len(w.dst) > w.limit {
		return jsontext.ErrTooLong
	}
	return nil
}

// walkValue writes a value that the paths of n lead into, or end at.
func (w *maskWriter) walkValue(value []byte, n *ruleNode) error {
	switch {
	case value[0] == '[':
		return w.walkArray(value, n)
	case n.action != "":
		w.maskValue(value, n)
	case value[0] == '{':
		return w.walkObject(value, n)
	default:
		w.dst = append(w.dst, value...)
	}
	return w.checkSize()
}

func (w *maskWriter) walkArray(array []byte, n *ruleNode) error {
	open := byte('[')
	for element := range jsontext.ArrayElements(array) {
		w.dst = append(w.dst, open)
		open = ','
		if err := w.walkValue(element, n); err != nil {
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
func (w *maskWriter) walkObject(object []byte, n *ruleNode) error {
	open := byte('{')
	for name, value := range jsontext.ObjectMembers(object) {
		below := n.findMember(name)
		if below != nil && below.action == Drop {
			w.countMember(below)
			continue
		}
		w.dst = append(append(append(w.dst, open), name...), ':')
		open = ','
		if below == nil {
			w.dst = jsontext.AppendCompact(w.dst, value)
		} else if err := w.walkValue(value, below); err != nil {
			return err
		}
		if err := w.checkSize(); err != nil {
			return err
		}
	}
	if open == '{' {
		w.dst = append(w.dst, '{')
	}
	w.dst = append(w.dst, '}')
	return nil
}

// maskValue writes the masked form of a value that is no array. null tells nothing and stays.
func (w *maskWriter) maskValue(value []byte, n *ruleNode) {
	if value[0] == 'n' {
		w.dst = append(w.dst, value...)
		return
	}
	w.countMember(n)
	if n.action == SHA256 {
		w.writeDigest(value)
	} else {
		w.dst = append(w.dst, redacted...)
	}
}

// writeDigest writes the HMAC of a string's text, or of another value as it is written without blanks.
func (w *maskWriter) writeDigest(value []byte) {
	h, ok := w.hashes.Get().(hash.Hash)
	if !ok {
		panic("mask: the pool has something else in it")
	}
	h.Reset()
	if value[0] == '"' {
		h.Write(jsontext.UnquoteText(value))
	} else {
		h.Write(jsontext.AppendCompact(nil, value))
	}
	var sum [sha256.Size]byte
	w.dst = append(w.dst, '"')
	w.dst = hex.AppendEncode(w.dst, h.Sum(sum[:0]))
	w.dst = append(w.dst, '"')
	w.hashes.Put(h)
}
