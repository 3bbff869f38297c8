// Package pool keeps memory for those who need as much of it next.
package pool

import (
	"slices"
	"sync"
)

// Pool keeps buffers that nobody uses for those who need one of that size next: those of
// batches, of the requests made of them, and of records. To make a new one each time costs
// as much as to fill it, and has the collector run twice as often.
//
// It keeps a number of elements at most, which somebody has to count as used; what is
// beyond that is left to the collector, the oldest first. (A sync.Pool has no such bound,
// and loses all it has when the collector runs.) A nil Pool keeps nothing. All methods are
// safe for concurrent use.
type Pool[T any] struct {
	most, loose int

	mu   sync.Mutex
	free [][]T // empty, the one that is here longest first
	kept int   // elements that free has room for
}

// keepMost is how many buffers are kept, because each Get looks through them.
const keepMost = 128

// New returns a Pool that keeps so many elements at most. A buffer serves if what is
// needed is smaller by no more than one part in loose.
func New[T any](most, loose int) *Pool[T] { return &Pool[T]{most: most, loose: loose} }

// Get returns an empty buffer for n elements.
func (p *Pool[T]) Get(n int) []T {
	if b := p.take(n); b != nil {
		return b
	}
	if p != nil {
		n += n / p.loose / 2 // the next one may need a little more
	}
	return make([]T, 0, n)
}

func (p *Pool[T]) take(n int) []T {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range slices.Backward(p.free) {
		if n <= cap(b) && cap(b) <= n+n/p.loose {
			p.remove(i)
			return b
		}
	}
	return nil
}

// Put gives a buffer back that nobody will read or write any more.
func (p *Pool[T]) Put(b []T) {
	if p == nil || cap(b) == 0 || cap(b) > p.most {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.free) == keepMost || p.kept+cap(b) > p.most {
		p.remove(0)
	}
	p.free = append(p.free, b[:0])
	p.kept += cap(b)
}

// remove forgets one of those that are free. mu is held.
func (p *Pool[T]) remove(i int) {
	p.kept -= cap(p.free[i])
	p.free = slices.Delete(p.free, i, i+1)
}
