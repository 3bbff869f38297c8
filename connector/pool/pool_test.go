package pool

import (
	"math/rand/v2"
	"testing"
)

func TestPoolServesWhatFits(t *testing.T) {
	p := New[byte](1<<20, 16)
	b := append(p.Get(16_000), "what it was used for"...)
	p.Put(b)
	for _, n := range []int{cap(b) + 1, cap(b) - cap(b)/8} {
		if got := p.Get(n); &got[:1][0] == &b[0] {
			t.Errorf("a buffer of %d bytes was given for %d", cap(b), n)
		}
	}
	got := p.Get(16_000)
	if len(got) != 0 || &got[:1][0] != &b[0] {
		t.Errorf("%d bytes in another buffer, want an empty one that is used again", len(got))
	}
	if again := p.Get(16_000); &again[:1][0] == &b[0] {
		t.Error("the same buffer was given twice")
	}
	var none *Pool[byte]
	none.Put(b)
	if got := none.Get(10); len(got) != 0 || cap(got) < 10 {
		t.Errorf("no pool gives %d of %d bytes", len(got), cap(got))
	}
}

// TestPoolIsBounded compares it with its promise after each step.
func TestPoolIsBounded(t *testing.T) {
	const most = 100_000
	rng := rand.New(rand.NewPCG(1, 2))
	p := New[byte](most, 16)
	p.Put(make([]byte, most+1))
	for range 10_000 {
		n := rng.IntN(most * 5 / 4)
		if rng.IntN(2) == 0 {
			n = rng.IntN(100)
		}
		if rng.IntN(3) == 0 {
			if b := p.Get(n); len(b) != 0 || cap(b) < n || cap(b) > n+n/p.loose {
				t.Fatalf("%d of %d bytes for %d", len(b), cap(b), n)
			}
		} else {
			p.Put(make([]byte, n/2, n))
		}
		sum := 0
		for _, b := range p.free {
			sum += cap(b)
		}
		if sum != p.kept || sum > most || len(p.free) > maxKeep {
			t.Fatalf("it keeps %d bytes in %d buffers and counts %d, want at most %d", sum, len(p.free), p.kept, most)
		}
	}
}
