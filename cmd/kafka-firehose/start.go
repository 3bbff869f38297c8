package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/status"
	"kafka-firehose/metrics"
)

// startConnector runs the connector until ctx ends and it is drained. Metrics and probes
// are there from the first moment to the last, so that a process that waits for
// its stream, or drains, can be told from one that hangs.
func startConnector(ctx context.Context, cfg connector.Config, log *slog.Logger, level *slog.LevelVar) error {
	listener, err := net.Listen("tcp", cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR holds %q: %w", cfg.HTTPAddr, err)
	}
	build := buildIdentity()
	registry := metrics.NewRegistry(build.version, build.revision)
	var c atomic.Pointer[connector.Connector]
	live := func() error {
		if c := c.Load(); c != nil {
			return c.Live()
		}
		return nil
	}
	ready := func() error {
		if c := c.Load(); c != nil {
			if err := c.Ready(); err != nil {
				return err
			}
			return metrics.Passes(c.Notes())
		}
		return errors.New("starting")
	}
	snapshot := func() status.Snapshot {
		if c := c.Load(); c != nil {
			return c.Status()
		}
		return status.EmptySnapshot(time.Now(), cfg.Kafka.GroupID)
	}
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var server sync.WaitGroup
	server.Go(func() {
		if err := metrics.Serve(serving, listener, status.PageHandler(snapshot, metrics.Handler(registry, live, ready)), log); err != nil {
			log.Error("metrics and probes are gone", "error", err)
		}
	})
	defer server.Wait()
	defer stopServing()
	log.Info("serving metrics and probes", "addr", listener.Addr().String())

	bridge, err := connector.New(ctx, cfg, connector.Options{Log: log, LogLevel: level, Metrics: metrics.New(registry, metrics.NativeHistograms(cfg.NativeHistograms))})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // stopped before anything was begun
	case err != nil:
		return err
	}
	c.Store(bridge)
	return bridge.Run(ctx)
}
