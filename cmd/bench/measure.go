package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kafka-firehose/cmd/bench/broker"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/retry"
)

// sample is what one run came to.
type sample struct {
	setup  setup
	wall   time.Duration // from the first fetch to the last byte stored
	speed  float64       // bytes of values a second, in the window
	cpu    time.Duration // user and system, in that time
	peak   int64         // bytes of memory, of the whole life of the process
	stored firehosetest.StreamStats
}

const (
	maxRun = 3 * time.Minute // for all of the bytes, beside an outage
	calm   = 300 * time.Millisecond
	look   = 10 * time.Millisecond // between two looks at what is stored
)

// measure runs s once. Its error says that the run is not one, because something was
// lost, came twice, or did not end.
func (b *bench) measure(ctx context.Context, s setup) (out sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxRun+s.outage)
	defer cancel()
	k, err := b.kafka(ctx, s)
	if err != nil {
		return out, err
	}
	var proof *certificate
	if s.tls {
		proof = b.certificate
	}
	e, err := startEmulator(ctx, b.dir, b.dir+"/firehose-emulator", b.latency, proof)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	if err := k.tell(broker.Hold); err != nil {
		return out, err
	}
	b.runs++
	p, err := b.mover(s, k, e)
	if err != nil {
		return out, err
	}
	out, err = b.follow(ctx, s, k, p, e)
	if err != nil {
		err = fmt.Errorf("%s, %s: %w", s.mover, s, err)
	}
	err = errors.Join(err, p.stop())
	out.peak = p.peak.Load() // a drain may be what takes most
	return out, err
}

// follow lets the process begin when it has done all that it does once, and ends with the
// last byte.
func (b *bench) follow(ctx context.Context, s setup, k *kafka, p *process, e *emulator) (out sample, err error) {
	out.setup = s
	if line, err := k.line(ctx); err != nil || line != broker.SayHeld {
		return out, errors.Join(err, errors.New("no fetch has come: "+line))
	}
	_ = retry.Sleep(ctx, calm)
	from, err := p.cpu()
	if err != nil {
		return out, err
	}
	profiled, err := b.beginProfile(s, p)
	if err != nil {
		return out, err
	}
	began := time.Now()
	if err := k.tell(broker.Release); err != nil {
		return out, err
	}
	if s.outage > 0 {
		if err := suffer(ctx, s, e); err != nil {
			return out, err
		}
	}
	var w window
	for s.done(out.stored) < 1 {
		_ = retry.Sleep(ctx, look)
		out.stored, err = e.stats(ctx)
		w.look(time.Now(), s.done(out.stored))
		if err != nil {
			return out, fmt.Errorf("%w; %d records and %d bytes are stored of %d and %d", err, out.stored.Records, out.stored.Bytes, s.records(), s.delivered())
		}
		select {
		case <-p.gone:
			return out, p.ended()
		default:
		}
	}
	out.wall, out.speed = time.Since(began), w.speed(s.payload())
	to, err := p.cpu()
	out.cpu = to - from
	err = errors.Join(err, profiled(ctx))
	if s.format == "raw" && out.stored.Bytes != s.delivered() || !s.aggregate && int64(out.stored.Records) != s.records() {
		err = errors.Join(err, fmt.Errorf("%d records and %d bytes are stored, want %d and %d", out.stored.Records, out.stored.Bytes, s.records(), s.delivered()))
	}
	return out, err
}

// delivered is how many bytes the stream stores: each value has a newline behind it.
func (s setup) delivered() int64 { return s.records() * int64(s.size+1) }

// done is the share of all that is stored. How long a line is that a format makes is not
// known beforehand, and how many records aggregation makes isn't either.
func (s setup) done(st firehosetest.StreamStats) float64 {
	if s.format != "raw" {
		return float64(st.Records) / float64(s.records())
	}
	return float64(st.Bytes) / float64(s.delivered())
}

// suffer lets a tenth through, and then nothing while the outage lasts.
func suffer(ctx context.Context, s setup, e *emulator) error {
	for {
		st, err := e.stats(ctx)
		if err != nil {
			return err
		}
		if st.Bytes > s.delivered()/10 {
			break
		}
		_ = retry.Sleep(ctx, look)
	}
	if err := e.script(ctx, `[{"effect": "refuse-request"}]`); err != nil {
		return err
	}
	_ = retry.Sleep(ctx, s.outage)
	return e.script(ctx, `[]`)
}
