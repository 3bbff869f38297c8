package recovery

import (
	"fmt"
	"strings"
	"time"
)

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
