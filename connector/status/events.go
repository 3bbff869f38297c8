package status

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

const (
	// maxEvents is how many events are kept.
	maxEvents = 50
	// maxEventText bounds the text of one, in bytes.
	maxEventText = 1000
)

// Events keeps the newest lines of a log. It is safe for concurrent use.
type Events struct {
	mu   sync.Mutex
	ring []Event
}

// LogHandler passes lines on to next, and keeps those of level INFO and above, but for the messages that are left out.
func (e *Events) LogHandler(next slog.Handler, leftOut ...string) slog.Handler {
	return &eventHandler{next: next, events: e, leftOut: leftOut}
}

// NewestEvents returns the events, the newest first.
func (e *Events) NewestEvents() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := slices.Clone(e.ring)
	slices.Reverse(all)
	return all
}

func (e *Events) addEvent(one Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ring) == maxEvents {
		e.ring = slices.Delete(e.ring, 0, 1)
	}
	e.ring = append(e.ring, one)
}

type eventHandler struct {
	next    slog.Handler
	events  *Events
	leftOut []string
	attrs   string // what With added, as text
}

func (h *eventHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

func (h *eventHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && !slices.Contains(h.leftOut, r.Message) {
		var text strings.Builder
		text.WriteString(r.Message + h.attrs)
		r.Attrs(func(a slog.Attr) bool { text.WriteString(textOf(a)); return true })
		kept := text.String()
		if len(kept) > maxEventText {
			kept = strings.ToValidUTF8(kept[:maxEventText], "") + "…"
		}
		h.events.addEvent(Event{At: r.Time, Level: r.Level.String(), Text: kept})
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func textOf(a slog.Attr) string { return " " + a.Key + "=" + a.Value.Resolve().String() }

func (h *eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *h
	more.next = h.next.WithAttrs(attrs)
	for _, a := range attrs {
		more.attrs += textOf(a)
	}
	return &more
}

func (h *eventHandler) WithGroup(name string) slog.Handler {
	more := *h
	more.next = h.next.WithGroup(name)
	return &more
}
