package logtest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Lines that are written at the same time stay whole, whoever reads meanwhile.
func TestBuffer(t *testing.T) {
	t.Parallel()
	const writers, lines = 8, 100
	var b Buffer
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range lines {
				fmt.Fprintln(&b, "line")
				if !strings.HasSuffix(b.String(), "line\n") {
					t.Error("half a line was read")
				}
			}
		})
	}
	all.Wait()
	if want := strings.Repeat("line\n", writers*lines); b.String() != want {
		t.Errorf("the buffer holds %d bytes, want %d", len(b.String()), len(want))
	}
}
