package recovery

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	// progressEvery is the time between two lines.
	progressEvery = 10 * time.Second
	// redrawEvery is the time between two versions of the line on a terminal.
	redrawEvery = 500 * time.Millisecond
)

// ShowProgress writes what line returns, given the time since the call, until stop is called: on a terminal again and again
// in the same place, elsewhere a line every ten seconds. A nil w gets nothing.
func ShowProgress(w io.Writer, terminal bool, line func(since time.Duration) string) (stop func()) {
	if w == nil {
		return func() {}
	}
	every, format := progressEvery, "%s\n"
	if terminal {
		every, format = redrawEvery, "\r\x1b[K%s"
	}
	begin, done := time.Now(), make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(w, format, line(time.Since(begin)))
			case <-done:
				if terminal {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			}
		}
	})
	return func() {
		close(done)
		showing.Wait()
	}
}

// barWidth is the number of characters of a bar.
const barWidth = 20

// ProgressBar draws how much of a run is done, from 0 to 1, and the time that the rest takes at the rate since the run began,
// when done was at start. The bar itself is for terminals.
func ProgressBar(terminal bool, start, done float64, since time.Duration) string {
	done = min(max(done, 0), 1)
	text := fmt.Sprintf("%.0f%%", 100*done)
	if terminal {
		full := int(done * barWidth)
		text = "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "] " + text
	}
	if advance := done - start; advance > 0 && done < 1 {
		left := time.Duration(float64(since) * (1 - done) / advance)
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}
