package main

import (
	"io"
	"log/slog"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/logging"
)

// newLogger returns the logger of the process. An outage repeats its warnings with every attempt;
// once a minute is enough to know that it lasts.
func newLogger(w io.Writer, cfg connector.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var h slog.Handler = slog.NewJSONHandler(w, options)
	if cfg.LogFormat == "text" {
		h = slog.NewTextHandler(w, options)
	}
	return slog.New(logging.Every(h, time.Minute))
}
