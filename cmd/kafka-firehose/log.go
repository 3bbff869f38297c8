package main

import (
	"io"
	"log/slog"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/logging"
)

const (
	logBytes = 1 << 20     // of the log that may wait for whoever takes it
	logFlush = time.Second // how long the last lines are waited for
	// logEvery is how often a warning that repeats is written. What is logged each minute as long as it lasts has to pass.
	logEvery = 50 * time.Second
)

// newLogger returns the logger of the process, and what ends it, with its last lines. An outage repeats its
// warnings with every attempt; once a minute is enough to know that it lasts. The log never holds up
// the process: where nobody takes it, lines are dropped and counted.
func newLogger(w io.Writer, cfg connector.Config) (log *slog.Logger, end func()) {
	out := logging.Detach(w, logBytes)
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var h slog.Handler = slog.NewJSONHandler(out, options)
	if cfg.LogFormat == "text" {
		h = slog.NewTextHandler(out, options)
	}
	log = slog.New(logging.Every(h, logEvery))
	out.OnLost(func(lines int) {
		log.Warn("the log was not taken as fast as it was written; lines are missing here", "lines", lines)
	})
	return log, func() { out.Close(logFlush) }
}
