package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"kafka-firehose/connector/logging"
	"kafka-firehose/metrics"
)

// sandbox is all that runs.
type sandbox struct {
	world   world
	o       options
	dir     string
	broker  *broker
	service *emulator
	bridge  *bridge
	feeder  *feeder
	probes  net.Listener
	closers []func() // in the order of opening
}

// open starts everything but the connector. Its error is for the user. close ends what was opened, in any case.
func (s *sandbox) open(ctx context.Context) (err error) {
	if s.dir, err = makeDirectory(s.o.dir); err != nil {
		return fmt.Errorf("make the directory for the objects (choose one with -dir): %w", err)
	}
	log, logFile, err := openLog(s.logPath(), s.world.stderr)
	if err != nil {
		return fmt.Errorf("make the connector's log: %w", err)
	}
	s.closers = append(s.closers, func() { _ = logFile.Close() })
	if s.broker, err = openBroker(s.o); err != nil {
		return err
	}
	s.closers = append(s.closers, s.broker.close)
	if s.service, err = openEmulator(s.world, s.o, s.dir); err != nil {
		return err
	}
	s.closers = append(s.closers, s.service.close)
	if s.bridge, err = newBridge(s.broker, s.service, s.o, log); err != nil {
		return err
	}
	if s.feeder, err = openFeeder(s.broker, s.dir); err != nil {
		return err
	}
	s.closers = append(s.closers, s.feeder.close)
	if s.probes, err = s.o.listen("tcp", s.o.http, "http"); err != nil {
		return fmt.Errorf("serve metrics and probes: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := metrics.Serve(ctx, s.probes, s.bridge, log); err != nil {
			fmt.Fprintln(s.world.stderr, err)
		}
	}()
	s.closers = append(s.closers, func() { cancel(); <-ended })
	return nil
}

func (s *sandbox) close() {
	for i := range s.closers {
		s.closers[len(s.closers)-1-i]()
	}
}

func makeDirectory(name string) (string, error) {
	if name == "" {
		return os.MkdirTemp("", "kafka-firehose-")
	}
	return name, os.MkdirAll(name, 0o755)
}

func (s *sandbox) logPath() string { return filepath.Join(s.dir, "connector.log") }

// openLog makes the connector's logger: everything into a file, and warnings onto standard error.
func openLog(path string, stderr io.Writer) (*slog.Logger, *os.File, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, err
	}
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	onScreen := slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: noTime})
	inFile := slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(slog.NewMultiHandler(inFile, logging.LimitRepeats(onScreen, 10*time.Second))), f, nil
}

// print writes text at once: the view prints beside the rounds.
func (s *sandbox) print(text string) { _, _ = io.WriteString(s.world.stdout, text) }

// round runs the connector while work lasts and until what is in the topic then is delivered, and
// proves that it is. It goes on when ctx ends: that is how work ends.
func (s *sandbox) round(ctx context.Context, work func(context.Context) error) (proved bool) {
	after := context.WithoutCancel(ctx)
	r, err := s.bridge.start(after)
	if err != nil {
		s.print(failed(err))
		return false
	}
	stopView := s.watch(after)
	working, cancel := context.WithCancel(ctx)
	go func() { <-r.done; cancel() }() // a connector that gave up delivers nothing more
	err = work(working)
	ends, endsErr := s.broker.ends(after)
	if endsErr == nil {
		err = errors.Join(err, s.await(after, r, ends))
	}
	stopView()
	return s.prove(after, ends, errors.Join(err, endsErr, r.stop()))
}

// feed is the work of the first round.
func (s *sandbox) feed(ctx context.Context) error {
	if s.o.lasts > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.o.lasts)
		defer cancel()
	}
	if s.o.records == 0 {
		return untilDone(ctx)
	}
	return s.feeder.feed(ctx, newSource(s.world, s.o), s.o.records, s.o.rate)
}

// untilDone is the work of the rounds in which others produce.
func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// await returns when the connector has committed up to ends, has ended, or has not come further for
// the time of -patience.
func (s *sandbox) await(ctx context.Context, r *running, ends offsets) error {
	var before int64
	for moved := time.Now(); ; {
		at, err := s.broker.committed(ctx)
		if err == nil && at.reaches(ends) {
			return nil
		}
		if now := at.sum() + s.service.lines.Load(); now != before {
			before, moved = now, time.Now()
		}
		if time.Since(moved) > s.o.patience {
			return fmt.Errorf("nothing was delivered for %s, though %d records are left; see %s (-patience waits longer)",
				s.o.patience, ends.sum()-at.sum(), s.logPath())
		}
		select {
		case <-r.done: // its error is reported by stop
			return errors.New("the connector ended before everything was delivered")
		case <-time.After(100 * time.Millisecond):
		}
	}
}
