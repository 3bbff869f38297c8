package batch

import (
	"slices"
	"sync"
)

// Pool keeps buffers that nobody uses for those who need one of that size next: those
// of batches, and of the requests made of them. To make a new one for each batch costs
// as much as to fill it, and has the collector run twice as often.
//
// It keeps a number of bytes at most, which somebody has to count as used; what is
// beyond that is left to the collector, the oldest first. A nil Pool keeps nothing. All
// methods are safe for concurrent use.
type Pool struct {
	most int

	mu   sync.Mutex
	free [][]byte // empty, the one that is here longest first
	kept int      // bytes in free
}

const (
	// keepMost is how many buffers are kept, because each Get looks through them.
	keepMost = 64
	// A buffer serves if it is larger than what is needed by no more than this part
	// of it, which weigh counts. Full batches of a stream differ by less.
	looseness = 16
)

// NewPool returns a Pool that keeps so many bytes.
func NewPool(most int) *Pool { return &Pool{most: most} }

// Get returns an empty buffer for n bytes.
func (p *Pool) Get(n int) []byte {
	if b := p.take(n); b != nil {
		return b
	}
	return make([]byte, 0, n+n/looseness/2) // the next one may need a little more
}

func (p *Pool) take(n int) []byte {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, b := range slices.Backward(p.free) {
		if n <= cap(b) && cap(b) <= n+n/looseness {
			p.remove(i)
			return b
		}
	}
	return nil
}

// Put gives a buffer back that nobody will read or write any more.
func (p *Pool) Put(b []byte) {
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
func (p *Pool) remove(i int) {
	p.kept -= cap(p.free[i])
	p.free = slices.Delete(p.free, i, i+1)
}
