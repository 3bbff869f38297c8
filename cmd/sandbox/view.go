package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/status"
)

// pricePerGB is the list price of ingestion in us-east-1 for the first 500 TB of a month, in US
// dollars, for 2^30 bytes. https://aws.amazon.com/firehose/pricing/
const pricePerGB = 0.029

func dollars(b firehose.Bill) float64 { return float64(b.Billed) / (1 << 30) * pricePerGB }

// figures are the numbers of a line, at one moment.
type figures struct {
	at                  time.Duration // since the view began
	produced, delivered int64         // records that came into the topic, lines that Firehose stored
}

// watch prints a line each second, and one for each change of faults and readiness, until stop is called. The status page
// and kafka-firehose top show more.
func (s *sandbox) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		begin, before, seen := time.Now(), figures{}, changes{}
		for {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
			at := time.Since(begin)
			for _, change := range seen.next(at, s.service.service.ActiveEffects(), s.bridge.current.Load().Ready()) {
				s.print(change + "\n")
			}
			if line, now, err := s.line(ctx, at, before); err == nil {
				s.print(line)
				before = now
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

// line returns the line for the time since before.
func (s *sandbox) line(ctx context.Context, at time.Duration, before figures) (string, figures, error) {
	ends, err := s.broker.ends(ctx)
	if err != nil {
		return "", before, err
	}
	committed, err := s.broker.committed(ctx)
	if err != nil {
		return "", before, err
	}
	now := figures{at: at, produced: ends.sum(), delivered: s.service.lines.Load()}
	perSecond := func(n int64) string { return count(int64(float64(n) / (at - before.at).Seconds())) }
	bill := s.service.bill()
	return fmt.Sprintf("%s  produced %s (%s/s)  delivered %s (%s/s)  lag %s  retries %s  billed %s for %s (%.1f times) $%.4f\n", clock(at),
		count(now.produced), perSecond(now.produced-before.produced), count(now.delivered), perSecond(now.delivered-before.delivered),
		count(max(ends.sum()-committed.sum(), 0)), count(s.bridge.counters()[retriedTotal]),
		status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), dollars(bill)), now, nil
}

// changes holds the state that was last reported. It is a state machine: the time is passed in.
type changes struct {
	active   []firehosetest.Effect
	notReady time.Duration // since when; 0 while it is ready, or has not been ready yet
	started  bool          // the connector has been ready
}

// next returns a line for each fault that has begun or ended since the last call, and when the connector is no longer ready,
// and ready again.
func (c *changes) next(at time.Duration, active []firehosetest.Effect, ready error) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, clock(at)+"  "+fmt.Sprintf(format, args...)) }
	for _, effect := range active {
		if !slices.Contains(c.active, effect) {
			add("fault begins: %s", effect)
		}
	}
	for _, effect := range c.active {
		if !slices.Contains(active, effect) {
			add("fault ends: %s", effect)
		}
	}
	c.active = active
	switch {
	case ready == nil && c.notReady > 0:
		add("the connector is ready again, after %s", (at - c.notReady).Round(time.Second))
		c.notReady = 0
	case ready == nil:
		c.started = true
	case c.started && c.notReady == 0:
		c.notReady = at
		reason, _, _ := strings.Cut(ready.Error(), "\n")
		add("the connector is not ready: %s", reason)
	}
	return lines
}

func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}

// count prints a number with commas.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
