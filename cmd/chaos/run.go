package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"kafka-firehose/connector/retry"
)

// patience is how long nothing may move, after the last trouble, while not everything is
// delivered and committed. How long all of it takes depends on the machine.
const patience = 2 * time.Minute

// outcome is the result of one run.
type outcome struct {
	run      options
	events   []event
	verdict  *verdict      // nil if the world broke
	trouble  []string      // failures beside the books
	caughtUp time.Duration // from the last trouble to the last commit
	unnamed  int           // processes that ended because they lost their name while they joined
	world    error         // why there is no verdict
}

// failures are all that speaks against the connector.
func (o *outcome) failures() []string {
	if o.verdict == nil {
		return nil
	}
	return append(o.verdict.failures(), o.trouble...)
}

// The parts of a run beside its trouble, at most.
const (
	startLimit  = 10 * time.Minute // building the connector, fetching the jars, starting the cluster
	settleLimit = 15 * time.Minute // until everything is delivered, as long as something moves
	stopLimit   = 3 * time.Minute  // stopping the members, judging
	closeLimit  = time.Minute      // killing everything that runs
)

// limit is when a run ends, whatever happens.
func (o options) limit() time.Duration {
	return startLimit + o.duration + settleLimit + stopLimit
}

// bounded runs one seed, and returns an outcome within its limit and closeLimit, even if the run
// never returns: then it says that the world stands still, and where its goroutines do.
func bounded(ctx context.Context, run options, do func(context.Context, options) (*outcome, error)) *outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, run.limit(), fmt.Errorf("it was not done after %v", run.limit()))
	defer cancel()
	done := make(chan *outcome, 1)
	go func() {
		o, err := do(ctx, run)
		if err != nil {
			o = &outcome{run: run, world: err}
		}
		done <- o
	}()
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
	}
	select {
	case o := <-done:
		return o
	case <-time.After(closeLimit):
		return &outcome{run: run, world: fmt.Errorf("%w, %w; %s", context.Cause(ctx), errStandsStill, goroutines(run.dir))}
	}
}

// errStandsStill is a run that does not end when its context does.
var errStandsStill = errors.New("and it stands still")

// goroutines writes the stacks of all goroutines into a file, and returns a text that names it.
func goroutines(dir string) string {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	file := filepath.Join(dir, "goroutines.txt")
	if err := os.WriteFile(file, stacks, 0o600); err != nil {
		return "its goroutines can't be written: " + err.Error()
	}
	return "its goroutines are in " + file
}

// unleash makes the events happen, from the first record to the last commit. Its
// error is about the world; faults of the connector are in the outcome.
func unleash(ctx context.Context, run options, events []event, log *slog.Logger) (*outcome, error) {
	w, err := newWorld(ctx, run, log)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return nil, err
	}
	// The first thing in the world that breaks ends the run.
	ctx, broke := context.WithCancelCause(ctx)
	defer broke(nil)
	for _, m := range w.members[:members] {
		if err := m.launch(ctx); err != nil {
			return nil, err
		}
	}
	auditing, stopAudit := context.WithCancel(ctx)
	defer stopAudit()
	feeding, stopFeed := context.WithTimeout(ctx, run.duration)
	defer stopFeed()
	var audit, feed sync.WaitGroup
	audit.Go(func() {
		if err := w.audit(auditing); err != nil {
			broke(fmt.Errorf("audit: %w", err))
		}
	})
	feed.Go(func() {
		if err := w.feed(feeding); err != nil {
			broke(fmt.Errorf("feed: %w", err))
		}
	})
	w.play(ctx, events, broke)
	feed.Wait()
	o := &outcome{run: run, events: events}
	quietAt := time.Now()
	blame, err := w.settled(ctx, patience, settleLimit)
	if err != nil {
		broke(err)
		audit.Wait()
		return nil, err
	}
	w.blame(blame)
	o.caughtUp = time.Since(quietAt)
	for _, m := range w.members[:members] {
		w.blame(m.current().stop())
	}
	stopAudit()
	audit.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ends, unnamed := w.ends()
	o.trouble, o.unnamed = slices.Concat(w.trouble, ends), unnamed
	o.verdict = w.books.judge(w.inquest())
	return o, nil
}

// play has the events happen at their time. It returns when the last one is over, or when
// the world broke.
func (w *world) play(ctx context.Context, events []event, broke func(error)) {
	begin := time.Now()
	var all sync.WaitGroup
	defer all.Wait()
	for _, e := range events {
		if retry.Sleep(ctx, time.Until(begin.Add(e.at))) != nil || ctx.Err() != nil {
			return
		}
		w.log.Info("trouble", "kind", string(e.kind), "target", e.target, "for", e.lasts.String())
		all.Go(func() {
			if err := w.make(ctx, e); err != nil {
				broke(fmt.Errorf("trouble %q: %w", e.kind, err))
			}
		})
	}
	_ = retry.Sleep(ctx, time.Until(begin.Add(w.run.duration)))
}

// ends looks at how the processes ended: by themselves only when they were asked to, or lost their name while
// they joined, and without having logged a secret.
func (w *world) ends() (trouble []string, unnamed int) {
	for _, p := range w.all() {
		switch {
		case p.asked:
		case w.run.static && p.hasLogged("away while this process joined"):
			unnamed++
		default:
			trouble = append(trouble, fmt.Sprintf("process %d ended by itself, exit code %d; %s", p.n, p.cmd.ProcessState.ExitCode(), p.tail()))
		}
		if p.hasLogged(secretKey) {
			trouble = append(trouble, fmt.Sprintf("process %d logged a secret; see %s", p.n, p.log.Name()))
		}
	}
	return trouble, unnamed
}
