package connector

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestTasks: the wait ends with the last of them, or with its limit, and names those that are
// left.
func TestTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var some, none taskGroup
		end := make(chan struct{})
		some.startTask("quick", func() { time.Sleep(time.Second) })
		begin := time.Now()
		if left := some.waitTasks(time.Minute); left != nil || time.Since(begin) != time.Second {
			t.Errorf("%q are left after %v", left, time.Since(begin))
		}
		some.startTask("b", func() { <-end })
		some.startTask("a", func() { <-end })
		some.startTask("slow", func() { time.Sleep(59 * time.Second) })
		begin = time.Now()
		if left := some.waitTasks(time.Minute); !slices.Equal(left, []string{"a", "b"}) || time.Since(begin) != time.Minute {
			t.Errorf("%q are left after %v, want a and b after a minute", left, time.Since(begin))
		}
		close(end)
		if left := none.waitTasks(time.Minute); left != nil {
			t.Errorf("%q of none are left", left)
		}
	})
}
