package main

import (
	"io"
	"log/slog"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/logging"
)

const (
	logBytes = 1 << 20     // of the log that may wait for its reader
	logFlush = time.Second // how long the last lines are waited for
	// logEvery is the interval of a repeated warning. It is shorter than a minute, so that the lines of a standing fault pass.
	logEvery = 50 * time.Second
)

// newLogger returns the logger of the process, its level, and a function that ends it after its last lines. An
// outage repeats its warnings with every attempt: of equal ones, one in logEvery is written. The log never
// blocks the process: lines without a reader are dropped and counted.
func newLogger(w io.Writer, cfg connector.Config) (log *slog.Logger, level *slog.LevelVar, end func()) {
	out := logging.DetachWriter(w, logBytes)
	level = new(slog.LevelVar)
	level.Set(cfg.LogLevel)
	options := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewJSONHandler(out, options)
	if cfg.LogFormat == "text" {
		h = slog.NewTextHandler(out, options)
	}
	log = slog.New(logging.LimitRepeats(h, logEvery))
	out.OnLost(func(lines int) {
		log.Warn("the log was not taken as fast as it was written; lines are missing here", "lines", lines)
	})
	return log, level, func() { out.Close(logFlush) }
}
