package logging_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/logging"
)

// capture returns a limited logger and the lines that passed it, without their times.
func capture() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	text := slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(logging.LimitRepeats(text, time.Minute)), &out
}

func TestEveryHoldsRepetitionsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := capture()
		for i := range 90 { // an outage of a minute and a half
			log.Error("blocked", "stream", "orders", "attempt", i)
			time.Sleep(time.Second)
		}
		const want = "level=ERROR msg=blocked stream=orders attempt=0\n" +
			"level=ERROR msg=blocked stream=orders attempt=60 suppressed=59\n"
		if out.String() != want {
			t.Errorf("got\n%swant\n%s", out, want)
		}
	})
}

func TestEveryStartsCountingAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := capture()
		log.Warn("slow")
		log.Warn("slow")
		time.Sleep(time.Minute)
		log.Warn("slow") // tells of one
		time.Sleep(time.Minute)
		log.Warn("slow") // nothing in between
		if got := strings.Count(out.String(), "suppressed=1"); got != 1 || strings.Count(out.String(), "\n") != 3 {
			t.Errorf("got\n%s", out)
		}
	})
}

func TestEveryTellsLinesApart(t *testing.T) {
	tests := []struct {
		name  string
		write func(*slog.Logger)
		want  int
	}{
		{"message", func(l *slog.Logger) { l.Warn("a"); l.Warn("b") }, 2},
		{"level", func(l *slog.Logger) { l.Warn("a"); l.Error("a") }, 2},
		{"stream", func(l *slog.Logger) { l.Warn("a", "stream", "x"); l.Warn("a", "stream", "y") }, 2},
		{"partition", func(l *slog.Logger) { l.Warn("a", "partition", 1); l.Warn("a", "partition", 2) }, 2},
		{"attempt is no difference", func(l *slog.Logger) { l.Warn("a", "attempt", 1); l.Warn("a", "attempt", 2) }, 1},
		{"stream of With", func(l *slog.Logger) { l.With("stream", "x").Warn("a"); l.With("stream", "y").Warn("a") }, 2},
		{"the count is shared", func(l *slog.Logger) { l.With("attempt", 1).Warn("a"); l.WithGroup("g").Warn("a") }, 1},
		{"info always passes", func(l *slog.Logger) { l.Info("a"); l.Info("a") }, 2},
		{"debug is the next handler's to refuse", func(l *slog.Logger) { l.Debug("a") }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log, out := capture()
			test.write(log)
			if got := strings.Count(out.String(), "\n"); got != test.want {
				t.Errorf("%d lines, want %d:\n%s", got, test.want, out)
			}
		})
	}
}

// Many different lines don't fill the memory, and don't keep a new one from passing.
func TestEveryForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := capture()
		for i := range 5000 {
			log.Warn(fmt.Sprint("line ", i))
			time.Sleep(time.Second)
		}
		if got := strings.Count(out.String(), "\n"); got != 5000 {
			t.Errorf("%d lines passed, want 5000", got)
		}
	})
}

func TestEveryReadsTheRecordsClock(t *testing.T) {
	var out bytes.Buffer
	h := logging.LimitRepeats(slog.NewTextHandler(&out, nil), time.Minute)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, 59 * time.Second, time.Minute} {
		if err := h.Handle(context.Background(), slog.NewRecord(start.Add(after), slog.LevelWarn, "a", 0)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(out.String(), "\n"); got != 2 {
		t.Errorf("%d lines, want 2:\n%s", got, &out)
	}
}
