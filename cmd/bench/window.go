package main

import "time"

// The part of a run in which its speed is measured, as shares of what is to be stored. What comes
// before is the start: the connector finds out what the stream takes, and the floor doesn't. What
// comes after is the end: the last batches wait for more, each mover as long as it likes. Between
// the two all batches are full, and how long one may linger makes no difference.
const windowFrom, windowTo = 0.25, 0.95

// window is what was stored at the first look inside of that part, and at the first one after it.
type window struct{ from, to point }

type point struct {
	at   time.Time // zero before it is reached
	done float64   // share of what is to be stored
}

// look enters what share of all is stored.
func (w *window) look(now time.Time, done float64) {
	if w.from.at.IsZero() && done >= windowFrom {
		w.from = point{now, done}
	}
	if w.to.at.IsZero() && done >= windowTo {
		w.to = point{now, done}
	}
}

// speed is the bytes a second of a run of so many bytes; 0 if it was over between two looks.
func (w *window) speed(bytes int64) float64 {
	took := w.to.at.Sub(w.from.at).Seconds()
	if took <= 0 {
		return 0
	}
	return (w.to.done - w.from.done) * float64(bytes) / took
}
