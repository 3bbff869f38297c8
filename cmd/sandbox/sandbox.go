package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"kafka-firehose/connector/logging"
	"kafka-firehose/metrics"
)

// sandbox is all that runs, and where the topic stood when it began.
type sandbox struct {
	world   world
	o       options
	dir     string
	broker  *broker
	service *emulator
	bridge  *bridge
	feeder  *feeder
	probes  net.Listener
	start   offsets  // what is committed before these is not ours to prove
	closers []func() // in the order of opening
}

// open starts everything but the connector. Its error is for the user.
func open(ctx context.Context, w world, o options) (_ *sandbox, err error) {
	s := &sandbox{world: w, o: o}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err = s.openDirectory(); err != nil {
		return nil, err
	}
	log, logFile, err := openLog(s.logPath(), w.stderr, o.verbose)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = logFile.Close() })
	if s.broker, err = openBroker(ctx, o); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.broker.close)
	if s.start, err = s.broker.committed(ctx); err != nil {
		return nil, err
	}
	if s.service, err = openEmulator(w, o, s.dir, w.stderr); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.service.close)
	if s.bridge, err = newBridge(s.broker, s.service, o, log); err != nil {
		return nil, err
	}
	if err = s.openFeeding(); err != nil {
		return nil, err
	}
	return s, s.openProbes(ctx)
}

func (s *sandbox) openDirectory() (err error) {
	if s.o.dir == "" {
		if s.dir, err = os.MkdirTemp("", "kafka-firehose-"); err != nil {
			return fmt.Errorf("make a directory for the objects (choose one with -dir): %w", err)
		}
		s.closers = append(s.closers, func() { _ = os.Remove(s.dir) }) // only if nothing is in it
		return nil
	}
	s.dir = s.o.dir
	if err = os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of -dir: %w", err)
	}
	return nil
}

func (s *sandbox) openFeeding() (err error) {
	if s.feeder, err = openFeeder(s.broker, s.o, s.dir); err != nil {
		return err
	}
	s.closers = append(s.closers, s.feeder.close)
	return nil
}

func (s *sandbox) openProbes(ctx context.Context) (err error) {
	if s.probes, err = s.o.listen("tcp", s.o.http, "http"); err != nil {
		return fmt.Errorf("serve metrics and probes: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := metrics.Serve(ctx, s.probes, s.bridge, s.bridge.log); err != nil {
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

// print writes text at once: the view prints beside the rounds.
func (s *sandbox) print(text string) { _, _ = io.WriteString(s.world.stdout, text) }

// openLog makes the connector's logger: everything into a file, and warnings, or with verbose
// everything, onto standard error.
func openLog(path string, errs io.Writer, verbose bool) (*slog.Logger, *os.File, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, fmt.Errorf("make the connector's log: %w", err)
	}
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	onScreen := slog.NewTextHandler(errs, &slog.HandlerOptions{Level: level, ReplaceAttr: noTime})
	inFile := slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(slog.NewMultiHandler(inFile, logging.LimitRepeats(onScreen, 10*time.Second))), f, nil
}

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
	defer cancel()
	go func() { // a connector that gave up delivers nothing more
		select {
		case <-r.done:
			cancel()
		case <-working.Done():
		}
	}()
	err = work(working)
	ends, endsErr := s.broker.ends(after)
	if endsErr == nil {
		err = errors.Join(err, s.await(after, r, ends))
	}
	stopView()
	err = errors.Join(err, endsErr, r.stop())
	return s.prove(after, ends, err)
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
	const look = 100 * time.Millisecond
	var before int64 = -1
	moved := time.Now()
	for {
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
		case <-time.After(look):
		}
	}
}
