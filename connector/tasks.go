package connector

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// taskGroup are goroutines with names, which are waited for together and with a limit.
type taskGroup struct {
	all sync.WaitGroup

	mu      sync.Mutex
	running map[string]bool
}

// startTask runs do in a goroutine.
func (t *taskGroup) startTask(name string, do func()) {
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

// waitTasks waits until all of them have ended, for at most limit, and returns the names of those
// that have not, sorted.
func (t *taskGroup) waitTasks(limit time.Duration) (left []string) {
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

// wakeUp leaves a signal in a channel that holds one. It never blocks.
func wakeUp(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// repeatEvery does the work every interval until ctx ends.
func repeatEvery(ctx context.Context, interval time.Duration, work func()) {
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
