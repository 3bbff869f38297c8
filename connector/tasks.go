package connector

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// tasks are goroutines with names, which are waited for together and with a limit.
type tasks struct {
	all sync.WaitGroup

	mu      sync.Mutex
	running map[string]bool
}

// start runs do in a goroutine.
func (t *tasks) start(name string, do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		t.running = map[string]bool{}
	}
	t.running[name] = true
	t.all.Go(func() {
		do()
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.running, name)
	})
}

// wait waits until all of them have ended, for at most limit, and returns the names of those
// that have not, sorted.
func (t *tasks) wait(limit time.Duration) (left []string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	go func() {
		t.all.Wait() // if some never end, this goroutine doesn't either
		cancel()
	}()
	<-ctx.Done()
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.running))
}

// repeat does the work every interval until ctx ends.
func repeat(ctx context.Context, interval time.Duration, work func()) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			work()
		}
	}
}
