// Package logging keeps a log readable through an outage: a line that repeats is let through once in
// a while, with the number of those that were held back.
package logging

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Every returns a handler that passes a warning or an error on to next at most once in a period. The
// next one that passes says in "suppressed" how many did not. Lines are the same when they have the
// level, the message and the same topic, partition, stream, refused and what: the rest, such as an attempt or an
// error's text, changes with each repetition. Lines below a warning all pass, because each tells
// of a change.
//
// The clock is the time of the records.
func Every(next slog.Handler, period time.Duration) slog.Handler {
	return &handler{next: next, limit: &limiter{period: period, lines: map[string]line{}}}
}

type handler struct {
	next  slog.Handler
	limit *limiter // shared by all handlers that With derived
	key   string   // what With added and identifies a line
}

// Enabled asks the next handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes the record on unless it is repeated too soon.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.next.Handle(ctx, r)
	}
	now := r.Time
	if now.IsZero() {
		now = time.Now()
	}
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	suppressed, ok := h.limit.allow(now, r.Level.String()+"\x00"+r.Message+h.key+identity(attrs))
	if !ok {
		return nil
	}
	if suppressed > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs returns a handler that shares the count with h.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.next.WithAttrs(attrs), h.limit, h.key + identity(attrs)}
}

// WithGroup returns a handler that shares the count with h.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.limit, h.key}
}

// identity is the part of the attributes that makes two lines different.
func identity(attrs []slog.Attr) string {
	var b strings.Builder
	for _, a := range attrs {
		switch a.Key {
		case "topic", "partition", "stream", "refused", "what":
			b.WriteString("\x00" + a.Key + "=" + a.Value.String())
		}
	}
	return b.String()
}

// limiter counts repetitions. It takes the time from its caller.
type limiter struct {
	period time.Duration

	mu    sync.Mutex
	lines map[string]line
}

type line struct {
	passed     time.Time // when it was let through last
	suppressed int       // how often it was held back since
}

// maxLines is when lines that are quiet again are forgotten; it bounds the memory, not the log.
const maxLines = 1000

// allow reports whether the line may pass, and how many like it did not since the last that did.
func (l *limiter) allow(now time.Time, key string) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.lines[key]
	if known && now.Sub(at.passed) < l.period {
		at.suppressed++
		l.lines[key] = at
		return 0, false
	}
	if !known && len(l.lines) >= maxLines {
		l.forget(now)
	}
	l.lines[key] = line{passed: now}
	return at.suppressed, true
}

// forget drops the lines that would pass anyway, or all of them if that isn't enough: to repeat a
// line early is better than to remember without end.
func (l *limiter) forget(now time.Time) {
	for key, at := range l.lines {
		if now.Sub(at.passed) >= l.period {
			delete(l.lines, key)
		}
	}
	if len(l.lines) >= maxLines {
		clear(l.lines)
	}
}
