package firehose

import (
	"math/rand/v2"
	"testing"
	"time"
)

// trials feeds a sizeProof as a stream does: one lone record of a size is refused every
// two seconds, and requests of other sizes are answered in between.
type trials struct {
	sizeProof
	own    loneProof // of a record of 1000 bytes
	now    time.Time
	proved bool // at its last refusal
}

func (p *trials) lone(least time.Duration) {
	p.now = p.now.Add(2 * time.Second)
	p.refuseSize(p.now, 1000)
	p.proved = p.provesTooLarge(&p.own, p.now, 1000, least)
}

func TestSizeProof(t *testing.T) {
	const rounds = 100 // over 200 seconds
	for name, tt := range map[string]struct {
		before  func(p *trials) // the last refusal
		between func(p *trials) // all refusals; nil for 500 bytes that are accepted
		least   time.Duration
		want    bool
	}{
		"all below pass, all above are refused": {least: 3 * time.Minute, want: true},
		"not for so long":                       {least: 4 * time.Minute},
		"one as large was accepted":             {before: func(p *trials) { p.acceptSize(p.now, 1000) }},
		"one as large as another was accepted":  {before: func(p *trials) { p.refuseSize(p.now, 700); p.acceptSize(p.now, 700) }},
		"one as small was refused":              {before: func(p *trials) { p.refuseSize(p.now, 500) }},
		"larger ones are refused as well":       {before: func(p *trials) { p.refuseSize(p.now, 5000) }, least: time.Minute, want: true},
		"smaller ones, above all accepted":      {before: func(p *trials) { p.refuseSize(p.now, 501) }, least: time.Minute, want: true},
		"nothing else was accepted":             {between: func(*trials) {}},
		"a gap":                                 {before: func(p *trials) { p.now = p.now.Add(proofGap) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := &trials{now: time.Unix(1, 0)}
			for i := range rounds {
				if i == rounds-1 && tt.before != nil {
					tt.before(p)
				}
				p.lone(tt.least)
				if tt.between != nil {
					tt.between(p)
				} else {
					p.acceptSize(p.now, 500)
				}
			}
			if p.proved != tt.want {
				t.Errorf("proved is %v, want %v: %+v %+v", p.proved, tt.want, p.sizeProof, p.own)
			}
		})
	}
}

// TestSizeProofOfAnother: what is proved of one record holds for larger ones, which need
// to be refused three times. A smaller one needs a proof of its own.
func TestSizeProofOfAnother(t *testing.T) {
	for size, want := range map[int]int{1000: 3, 5000: 3, 1 << 20: 3, 999: 0} {
		p := &trials{now: time.Unix(1, 0)}
		for range 100 {
			p.lone(time.Minute)
			p.acceptSize(p.now, 500)
		}
		if !p.proved {
			t.Fatal("the first is not proved")
		}
		var other loneProof
		refusals := 0
		for n := range 8 {
			p.refuseSize(p.now, size)
			if p.provesTooLarge(&other, p.now, size, time.Minute) && refusals == 0 {
				refusals = n + 1
			}
			if p.provesTooLarge(&loneProof{}, p.now, size, time.Minute) {
				t.Errorf("a record of %d bytes is proved too large by one refusal", size)
			}
			p.acceptSize(p.now, 500)
		}
		if refusals != want {
			t.Errorf("a record of %d bytes is proved too large by %d refusals, want %d", size, refusals, want)
		}
		if p.provesTooLarge(&other, p.now, size, pathProofTime) {
			t.Errorf("a proof of a minute is taken for one of %v", pathProofTime)
		}
	}
}

// TestSizeProofByChance: a share of all requests is refused, whatever their size. A lone
// record larger than all others is refused until it passes, and never proved bad.
func TestSizeProofByChance(t *testing.T) {
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 15))
		share := []float64{0.2, 0.34, 0.5, 0.8, 0.95}[seed%5]
		p := &trials{now: time.Unix(1, 0)}
		for range 2000 {
			p.now = p.now.Add(time.Second)
			size := 1 + dice.IntN(1000)
			if dice.IntN(3) == 0 {
				size = 2000
			}
			switch refused := dice.Float64() < share; {
			case !refused:
				p.acceptSize(p.now, size)
			case size < 2000:
				p.refuseSize(p.now, size)
			default:
				p.refuseSize(p.now, size)
				if p.provesTooLarge(&p.own, p.now, size, serviceProofTime) {
					t.Fatalf("seed %d: with %v of all requests refused, a limit is proved: %+v", seed, share, p.sizeProof)
				}
			}
		}
	}
}

// TestSizePasses: a request that was accepted shows for a minute that its size passes.
func TestSizePasses(t *testing.T) {
	p := &trials{now: time.Unix(1, 0)}
	p.acceptSize(p.now, 100)
	p.acceptSize(p.now, 50)
	p.refuseSize(p.now, 100)
	if !p.sizePasses(p.now, 100) || p.sizePasses(p.now, 101) {
		t.Error("want 100 to pass, and not 101")
	}
	if p.now = p.now.Add(passedLately); p.sizePasses(p.now, 1) {
		t.Error("what passed a minute ago proves nothing")
	}
	if p.acceptSize(p.now, 50); !p.sizePasses(p.now, 50) || p.sizePasses(p.now, 51) {
		t.Error("want 50 to pass now, and not 51")
	}
}
