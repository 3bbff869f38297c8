package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// The most that a request holds: 500 records, or so many bytes.
const (
	requestRecords = 500
	requestBytes   = 4_000_000
)

// figures are what the view shows, at one moment.
type figures struct {
	at                 time.Duration // since the view began
	produced           int64         // records that came into the topic, by its offsets
	delivered          int64         // lines that the emulated Firehose stored
	lag                int64         // records that are in the topic and not committed
	retried, ambiguous int64
	firehose           firehosetest.StreamStats
	ready              error
}

// steady is how far back the figures a second look, so that they don't jump about.
const steady = 2 * time.Second

// watch shows the figures until the function that it returns is called.
func (s *sandbox) watch(ctx context.Context) (stop func()) {
	stopped, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	every := time.Second
	if s.screen.terminal {
		every = steady / 8
	}
	begin := time.Now()
	go func() {
		defer close(ended)
		past := []figures{{}}
		var reported changes
		for stopped.Err() == nil {
			select {
			case <-time.After(every):
			case <-stopped.Done():
				if !s.screen.terminal {
					return
				}
			}
			// What stays on a terminal is from after the end.
			if now, err := s.figures(ctx, time.Since(begin)); err == nil {
				for _, line := range reported.next(now.at, s.service.service.Faults(), now.ready) {
					s.screen.warn(line + "\n")
				}
				s.show(now, past[0])
				if past = append(past, now); now.at-past[0].at >= steady {
					past = past[1:]
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func (s *sandbox) figures(ctx context.Context, at time.Duration) (figures, error) {
	ends, err := s.broker.ends(ctx)
	if err != nil {
		return figures{}, err
	}
	committed, err := s.broker.committed(ctx)
	if err != nil {
		return figures{}, err
	}
	counters := s.bridge.counters()
	return figures{
		at: at, produced: ends.sum() - s.start.sum(), delivered: s.service.lines.Load(), lag: max(ends.sum()-committed.sum(), 0),
		retried: int64(counters[retriedTotal]), ambiguous: int64(counters[ambiguousTotal]),
		firehose: s.service.stats(), ready: s.bridge.ready(),
	}, nil
}

func (s *sandbox) show(now, before figures) {
	if s.screen.terminal {
		s.screen.draw(now.block(before, s.o)...)
		return
	}
	s.screen.draw(now.line(before))
}

// perSecond is the speed of n since before.
func (f figures) perSecond(before figures, n int64) string {
	return count(int64(float64(n) / max(f.at-before.at, time.Millisecond).Seconds()))
}

// fill is how full the requests were: the share, of records or of bytes, whichever is more, and the
// average number of records and bytes.
func (f figures) fill() (percent, records int, bytes int64) {
	st := f.firehose
	if st.Requests == 0 || st.Records == 0 {
		return 0, 0, 0
	}
	each := float64(st.Bytes) / float64(st.Records)
	r := float64(st.Records+st.Refused) / float64(st.Requests)
	return int(100 * max(r/requestRecords, r*each/requestBytes)), int(r), int64(r * each)
}

// block is what a terminal shows; no line is longer than 79 characters.
func (f figures) block(before figures, o options) []string {
	state := "ready"
	if f.ready != nil {
		state, _, _ = strings.Cut(f.ready.Error(), "\n")
	}
	percent, records, bytes := f.fill()
	lines := []string{
		fmt.Sprintf("  %s%s   connector: %s", clock(f.at), of(f.at, o.lasts), state),
		fmt.Sprintf("  produced   %13s records %11s a second", count(f.produced), f.perSecond(before, f.produced-before.produced)),
		fmt.Sprintf("  delivered  %13s records %11s a second   lag %s", count(f.delivered), f.perSecond(before, f.delivered-before.delivered), count(f.lag)),
		fmt.Sprintf("  requests   %13s, %d %% full: %d records, %s each", count(int64(f.firehose.Requests)), percent, records, size(bytes)),
		fmt.Sprintf("  retries    %13s records, %s after an ambiguous answer", count(f.retried), count(f.ambiguous)),
		fmt.Sprintf("  billed     %13s for %s of data, %.1f times: $%.4f", size(f.firehose.Billed), size(f.firehose.Bytes),
			times(f.firehose.Billed, f.firehose.Bytes), dollars(f.firehose.Billed)),
	}
	for i, l := range lines {
		if r := []rune(l); len(r) > 79 {
			lines[i] = string(r[:78]) + "…"
		}
	}
	return lines
}

// line is the same for a log.
func (f figures) line(before figures) string {
	percent, _, _ := f.fill()
	return fmt.Sprintf("%s  produced %s (%s/s)  delivered %s (%s/s)  lag %s  retries %s  fill %d %%  billed %s for %s (%.1f times) $%.4f",
		clock(f.at), count(f.produced), f.perSecond(before, f.produced-before.produced),
		count(f.delivered), f.perSecond(before, f.delivered-before.delivered), count(f.lag), count(f.retried), percent,
		size(f.firehose.Billed), size(f.firehose.Bytes), times(f.firehose.Billed, f.firehose.Bytes), dollars(f.firehose.Billed))
}

func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
}

// of is how much of the time is over, if there is one.
func of(at, lasts time.Duration) string {
	switch {
	case lasts == 0:
		return ""
	case at > lasts:
		return ", delivering the rest"
	}
	return " of " + clock(lasts)
}
