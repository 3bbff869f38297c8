package status

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestEvents: the newest fifty lines that tell of a change are kept, with their attributes, and every line goes on.
func TestEvents(t *testing.T) {
	var e Events
	var out bytes.Buffer
	log := slog.New(e.LogHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}), "delivered"))
	log.Debug("a detail")
	log.Info("delivered", "records", 1)
	for i := range 60 {
		log.Info("joined", "n", i)
	}
	log.With("stream", "orders").Warn("slow", "error", strings.Repeat("é", maxEventText))
	all := e.NewestEvents()
	if len(all) != maxEvents || !strings.HasPrefix(all[0].Text, "slow stream=orders error=éé") || all[0].Level != "WARN" || len(all[0].Text) > maxEventText+3 {
		t.Errorf("%d events, the newest is %+v", len(all), all[0])
	}
	if all[1].Text != "joined n=59" || all[49].Text != fmt.Sprintf("joined n=%d", 60-49) {
		t.Errorf("from %+v to %+v", all[1], all[49])
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "msg=slow stream=orders") {
		t.Errorf("the next handler got %q", got)
	}
}
