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

// LimitRepeats returns a handler that passes a warning or an error on to next at most once in a period. The
// next one that passes says in "suppressed" how many did not. Lines are the same when they have the
// level, the message and the same topic, partition, stream, refused and what: the rest, such as an attempt or an
// error's text, changes with each repetition. Lines below a warning all pass, because each tells
// of a change.
//
// The clock is the time of the records.
func LimitRepeats(next slog.Handler, period time.Duration) slog.Handler {
	return &repeatHandler{next: next, limit: &repeatLimiter{period: period, lines: map[string]line{}}}
}

type repeatHandler struct {
	next  slog.Handler
	limit *repeatLimiter // shared by all handlers that With derived
	key   string         // what With added and identifies a line
}

// Enabled asks the next handler.
func (h *repeatHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes the record on unless it is repeated too soon.
func (h *repeatHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.next.Handle(ctx, r)
	}
	now := r.Time
	if now.IsZero() {
		now = time.Now()
	}
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	suppressed, ok := h.limit.allowLine(now, r.Level.String()+"\x00"+r.Message+h.key+lineIdentity(attrs))
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
func (h *repeatHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeatHandler{h.next.WithAttrs(attrs), h.limit, h.key + lineIdentity(attrs)}
}

// WithGroup returns a handler that shares the count with h.
func (h *repeatHandler) WithGroup(name string) slog.Handler {
	return &repeatHandler{h.next.WithGroup(name), h.limit, h.key}
}

// lineIdentity is the part of the attributes that makes two lines different.
func lineIdentity(attrs []slog.Attr) string {
	var b strings.Builder
	for _, a := range attrs {
		switch a.Key {
		case "topic", "partition", "stream", "refused", "what":
			b.WriteString("\x00" + a.Key + "=" + a.Value.String())
		}
	}
	return b.String()
}

// repeatLimiter counts repetitions. It takes the time from its caller.
type repeatLimiter struct {
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

// allowLine reports whether the line may pass, and how many like it did not since the last that did.
func (l *repeatLimiter) allowLine(now time.Time, key string) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.lines[key]
	if known && now.Sub(at.passed) < l.period {
		at.suppressed++
		l.lines[key] = at
		return 0, false
	}
	if !known && len(l.lines) >= maxLines {
		l.forgetOld(now)
	}
	l.lines[key] = line{passed: now}
	return at.suppressed, true
}

// forgetOld drops the lines that would pass anyway, or all of them if that isn't enough: to repeat a
// line early is better than to remember without end.
func (l *repeatLimiter) forgetOld(now time.Time) {
	for key, at := range l.lines {
		if now.Sub(at.passed) >= l.period {
			delete(l.lines, key)
		}
	}
	if len(l.lines) >= maxLines {
		clear(l.lines)
	}
}
