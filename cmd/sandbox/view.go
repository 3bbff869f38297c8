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
			for _, change := range seen.next(at, s.service.service.ActiveEffects(), s.current.Load().Ready()) {
				s.print(change + "\n")
			}
			ends, endsErr := s.broker.ends(ctx)
			committed, committedErr := s.broker.committed(ctx)
			if endsErr == nil && committedErr == nil {
				now := figures{at, ends.sum(), s.service.lines.Load(), ends.sum() - committed.sum(), s.service.stats()}
				s.print(now.line(before))
				before = now
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

// figures are the numbers of a line, at one moment.
type figures struct {
	at                  time.Duration // since the view began
	produced, delivered int64         // records that came into the topic, lines that Firehose stored
	lag                 int64         // records that are not committed
	firehose            firehosetest.StreamStats
}

func (f figures) line(before figures) string {
	perSecond := func(n int64) string { return count(int64(float64(n) / (f.at - before.at).Seconds())) }
	bill := billOf(f.firehose)
	return fmt.Sprintf("%s  produced %s (%s/s)  delivered %s (%s/s)  lag %s  refused %s  billed %s for %s (%.1f times) $%.4f\n", clock(f.at),
		count(f.produced), perSecond(f.produced-before.produced), count(f.delivered), perSecond(f.delivered-before.delivered), count(max(f.lag, 0)),
		count(f.firehose.Refused), status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), dollars(bill))
}

// billOf is what AWS would bill.
func billOf(st firehosetest.StreamStats) firehose.Bill {
	return firehose.Bill{Records: int64(st.Records), Bytes: st.Bytes, Billed: st.Billed, Requests: int64(st.Requests)}
}

// dollars is the list price of ingestion in us-east-1 for the first 500 TB of a month, which is of 2^30 bytes:
// https://aws.amazon.com/firehose/pricing/
func dollars(b firehose.Bill) float64 { return float64(b.Billed) / (1 << 30) * 0.029 }

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
	without := func(all, others []firehosetest.Effect) []firehosetest.Effect {
		return slices.DeleteFunc(slices.Clone(all), func(e firehosetest.Effect) bool { return slices.Contains(others, e) })
	}
	for _, effect := range without(active, c.active) {
		add("fault begins: %s", effect)
	}
	for _, effect := range without(c.active, active) {
		add("fault ends: %s", effect)
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
	return fmt.Sprintf("%02d:%02d", d/time.Minute, d%time.Minute/time.Second)
}

// count prints a number with commas.
func count[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
