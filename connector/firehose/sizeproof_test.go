package firehose

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/offset"
)

// trials feeds a sizeProof as a stream does: one lone record of a size is refused every
// two seconds, and requests of other sizes are answered in between.
type trials struct {
	sizeProof
	now time.Time
}

func (p *trials) round(refused, accepted int) {
	p.now = p.now.Add(2 * time.Second)
	p.refuse(p.now, refused, true)
	p.now = p.now.Add(time.Millisecond)
	p.accept(p.now, accepted)
}

func newTrials() *trials { return &trials{now: time.Unix(1, 0)} }

func TestSizeProof(t *testing.T) {
	const rounds = 100 // over 200 seconds
	steady := func(p *trials) {
		for range rounds {
			p.round(1000, 999)
		}
	}
	tests := map[string]struct {
		feed  func(p *trials)
		least time.Duration
		want  bool
	}{
		"all below pass, all above are refused": {steady, 3 * time.Minute, true},
		"not for so long":                       {steady, 4 * time.Minute, false},
		"one as large was accepted":             {func(p *trials) { steady(p); p.accept(p.now, 1000); p.round(5000, 999) }, 0, false},
		"one as large was accepted before": {func(p *trials) {
			p.round(1000, 1000)
			for range proofRounds {
				p.round(1000, 999)
			}
		}, 0, false},
		"one as small was refused":         {func(p *trials) { steady(p); p.refuse(p.now, 999, false) }, 0, false},
		"larger ones are refused as well":  {func(p *trials) { steady(p); p.refuse(p.now, 5000, false) }, time.Minute, true},
		"smaller ones, above all accepted": {func(p *trials) { p.round(5000, 999); steady(p) }, time.Minute, true},
		"nothing else was accepted": {func(p *trials) {
			for range rounds {
				p.now = p.now.Add(2 * time.Second)
				p.refuse(p.now, 1000, true)
			}
		}, 0, false},
		"refused in company only": {func(p *trials) {
			for range rounds {
				p.now = p.now.Add(2 * time.Second)
				p.refuse(p.now, 1000, false)
				p.accept(p.now, 999)
			}
		}, 0, false},
		"a gap": {func(p *trials) { steady(p); p.now = p.now.Add(proofGap); p.round(1000, 999) }, 0, false},
		"too few rounds": {func(p *trials) {
			for range proofRounds { // the first has no acceptance in front of it
				p.round(1000, 999)
			}
		}, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := newTrials()
			tt.feed(p)
			if got := p.proved(tt.least); got != tt.want {
				t.Errorf("proved is %v, want %v: %+v", got, tt.want, p.sizeProof)
			}
		})
	}
}

// TestSizeProofByChance: a share of all requests is refused, whatever their size. A lone
// record larger than all others is refused until it passes, and never proved bad.
func TestSizeProofByChance(t *testing.T) {
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 15))
		share := []float64{0.2, 0.34, 0.5, 0.8, 0.95}[seed%5]
		p := newTrials()
		for range 2000 {
			p.now = p.now.Add(time.Second)
			size, alone := 1+dice.IntN(1000), dice.IntN(2) == 0
			if dice.IntN(3) == 0 {
				size, alone = 2000, true
			}
			if dice.Float64() < share {
				p.refuse(p.now, size, alone)
			} else {
				p.accept(p.now, size)
			}
			if p.proved(serviceProofTime) {
				t.Fatalf("seed %d: with %v of all requests refused, a limit is proved: %+v", seed, share, p.sizeProof)
			}
		}
	}
}

// TestSizePasses: a request that was accepted shows for a minute that its size passes.
func TestSizePasses(t *testing.T) {
	p := newTrials()
	p.accept(p.now, 100)
	p.accept(p.now, 50)
	p.refuse(p.now, 100, true)
	if !p.passes(p.now, 100) || p.passes(p.now, 101) {
		t.Error("want 100 to pass, and not 101")
	}
	if p.now = p.now.Add(passedLately); p.passes(p.now, 1) {
		t.Error("what passed a minute ago proves nothing")
	}
	if p.accept(p.now, 50); !p.passes(p.now, 50) || p.passes(p.now, 51) {
		t.Error("want 50 to pass now, and not 51")
	}
}

func TestBodySize(t *testing.T) {
	w := &world{t: t, lease: offset.NewLease("orders", 3), reg: prometheus.NewPedanticRegistry()}
	w.use(nil, settings())
	for _, n := range []int{1, 2, 7} {
		p := &part{batch: w.batch(n, 100+n)}
		var records []types.Record
		for i := range n {
			records = append(records, types.Record{Data: p.batch.Record(i)})
		}
		if got, want := w.stream.bodySize(p), encodedLen("orders", records); got != want {
			t.Errorf("the body of %d records has %d bytes, bodySize says %d", n, want, got)
		}
	}
}
