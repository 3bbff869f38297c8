package logging

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// door is a writer that lets nothing through while it is shut.
type door struct {
	mu  sync.Mutex
	out bytes.Buffer
	err error
}

func (d *door) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out.Write(p)
	return len(p), d.err
}

func (d *door) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.String()
}

func TestDetachedKeepsOrder(t *testing.T) {
	t.Parallel()
	to := &door{err: errors.New("no space left on device")} // which stops nothing
	d := DetachWriter(to, 1<<20)
	var want strings.Builder
	line := make([]byte, 0, 16)
	for i := range 1000 {
		line = fmt.Appendf(line[:0], "%d\n", i) // the caller's buffer is the caller's
		if n, err := d.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
		want.Write(line)
	}
	d.Close(time.Minute)
	if got := to.text(); got != want.String() {
		t.Errorf("got %d bytes, want %d in order", len(got), want.Len())
	}
}

// TestDetachedDoesNotWait: nothing gets through for a while. Writers go on, what fits
// is kept, the rest is counted.
func TestDetachedDoesNotWait(t *testing.T) {
	t.Parallel()
	to := &door{}
	lost := make(chan int, 10)
	d := DetachWriter(to, 30)
	d.OnLost(func(n int) { lost <- n })
	to.mu.Lock()
	_, _ = d.Write([]byte("first----\n"))
	for writing := false; !writing; {
		d.mu.Lock()
		writing = d.writing
		d.mu.Unlock()
	}
	for i := range 5 {
		_, _ = d.Write(fmt.Appendf(nil, "line %04d\n", i)) // ten bytes each
	}
	begin := time.Now()
	d.Close(10 * time.Millisecond)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it was closed after 10 ms, and took %v", took)
	}
	to.mu.Unlock()
	d.Close(time.Minute)
	if got, want := to.text(), "first----\nline 0000\nline 0001\nline 0002\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := <-lost; n != 2 {
		t.Errorf("%d lines are counted as lost, want 2", n)
	}
}
