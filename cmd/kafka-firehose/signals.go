package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/pprof"
	"syscall"
)

// untilSignal returns a context that ends at the first signal, which asks for a drain. The second
// signal means that the operator does not wait for it: the process ends at once, and records that
// are not committed are delivered again by the next reader.
//
// stop ends the watch; a signal after that is too late to matter.
func (p process) untilSignal(ctx context.Context, log *slog.Logger, endLog func()) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-p.signals:
			log.Info("stopping: draining; a second signal ends the process at once", "signal", s.String())
			cancel()
			if s == syscall.SIGQUIT { // an operator asks which goroutine hangs; the reader of standard error may be that
				go func() { _ = pprof.Lookup("goroutine").WriteTo(p.stderr, 2) }()
			}
		case <-done:
			return
		}
		select {
		case s := <-p.signals:
			log.Error("ended by a second signal, before the drain was complete", "signal", s.String())
			endLog()
			p.exit(exitSignal + signalNumber(s))
		case <-done:
		}
	}()
	return ctx, func() { close(done); cancel() }
}

func signalNumber(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return int(n)
	}
	return 0
}
