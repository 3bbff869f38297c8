// Package pool keeps memory for those who need as much of it next.
package pool

import (
	"slices"
	"sync"
)

// Pool keeps unused buffers for the next user of that size: those of
// batches, of the requests made of them, and of records. A new one costs
// as much as filling it, and has the collector run twice as often.
//
// It keeps at most maxKept elements, which the owner of the Pool accounts for; the oldest
// beyond that are left to the collector. (A sync.Pool has no such bound,
// and loses all it has when the collector runs.) A nil Pool keeps nothing. All methods are
// safe for concurrent use.
type Pool[T any] struct {
	maxKept, loose int

	mu   sync.Mutex
	free [][]T // empty, the one that is here longest first
	kept int   // elements that free has room for
}

// maxKeep is how many buffers are kept, because each Get looks through them.
const maxKeep = 128

// New returns a Pool that keeps at most maxKept elements. It reuses a buffer if it is at most
// 1/loose larger than requested.
func New[T any](maxKept, loose int) *Pool[T] { return &Pool[T]{maxKept: maxKept, loose: loose} }

// Get returns an empty buffer for n elements.
func (p *Pool[T]) Get(n int) []T {
	if b := p.takeBuffer(n); b != nil {
		return b
	}
	if p != nil {
		n += n / p.loose / 2 // the next one may need a little more
	}
	return make([]T, 0, n)
}

func (p *Pool[T]) takeBuffer(n int) []T {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range slices.Backward(p.free) {
		if n <= cap(b) && cap(b) <= n+n/p.loose {
			p.removeBuffer(i)
			return b
		}
	}
	return nil
}

// Put returns a buffer that is no longer read or written.
func (p *Pool[T]) Put(b []T) {
	if p == nil || cap(b) == 0 || cap(b) > p.maxKept {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.free) == maxKeep || p.kept+cap(b) > p.maxKept {
		p.removeBuffer(0)
	}
	p.free = append(p.free, b[:0])
	p.kept += cap(b)
}

// removeBuffer forgets one of those that are free. mu is held.
func (p *Pool[T]) removeBuffer(i int) {
	p.kept -= cap(p.free[i])
	p.free = slices.Delete(p.free, i, i+1)
}
