package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// patience is how long nothing may move, after the last trouble, while not everything is
// delivered and committed. How long all of it takes depends on the machine.
const patience = 2 * time.Minute

// outcome is what a run brought to light.
type outcome struct {
	run      options
	events   []event
	verdict  *verdict
	trouble  []string      // what went wrong beside the books
	caughtUp time.Duration // from the last trouble to the last commit
}

// failures are all that speaks against the connector.
func (o *outcome) failures() []string { return append(o.verdict.failures(), o.trouble...) }

// unleash makes the events happen, from the first record to the last commit. Its
// error is about the world; what the connector did wrong is in the outcome.
func unleash(ctx context.Context, run options, events []event, log *slog.Logger) (*outcome, error) {
	w, err := newWorld(ctx, run, log)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return nil, err
	}
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
	var auditErr, feedErr error
	audit.Go(func() { auditErr = w.audit(auditing) })
	feed.Go(func() { feedErr = w.feed(feeding) })

	o := &outcome{run: run, events: events}
	if err := w.play(ctx, o.events); err != nil {
		return nil, err
	}
	feed.Wait()
	if feedErr != nil {
		return nil, feedErr
	}
	quietAt := time.Now()
	w.blame(w.settled(ctx, patience))
	o.caughtUp = time.Since(quietAt)
	for _, m := range w.members[:members] {
		w.blame(m.current().stop())
	}
	stopAudit()
	audit.Wait()
	if auditErr != nil {
		return nil, fmt.Errorf("audit: %w", auditErr)
	}
	o.trouble = slices.Concat(w.trouble, w.ends())
	o.verdict = w.books.judge(w.inquest())
	return o, nil
}

// play has the events happen at their time. It returns when the last one is over.
func (w *world) play(ctx context.Context, events []event) error {
	begin := time.Now()
	done := make(chan error, len(events))
	last := begin.Add(w.run.duration)
	for _, e := range events {
		wait(ctx, time.Until(begin.Add(e.at)))
		w.log.Info("trouble", "kind", string(e.kind), "target", e.target, "for", e.lasts.String())
		go func() { done <- w.make(ctx, e) }()
	}
	for range events {
		if err := <-done; err != nil {
			return fmt.Errorf("make trouble: %w", err)
		}
	}
	wait(ctx, time.Until(last))
	return ctx.Err()
}

// ends looks at how the processes ended: by themselves only when they were asked to,
// and without having logged a secret.
func (w *world) ends() (trouble []string) {
	for _, p := range w.all() {
		if !p.asked {
			trouble = append(trouble, fmt.Sprintf("process %d ended by itself, exit code %d; %s", p.n, p.cmd.ProcessState.ExitCode(), p.tail()))
		}
		if p.leaked() {
			trouble = append(trouble, fmt.Sprintf("process %d logged a secret; see %s", p.n, p.log.Name()))
		}
	}
	return trouble
}
