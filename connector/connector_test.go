package connector_test

import (
	"testing"
	"time"
)

func TestDeliversAndCommits(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 5000)
		m := w.start()
		time.Sleep(30 * time.Second)
		w.wantExactly(5000)
		if got := w.committed(); got != 5000 {
			t.Errorf("committed %d while running, want 5000", got)
		}
		m.mustStop()
	})
}
