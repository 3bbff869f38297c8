package status

import (
	"cmp"
	"slices"
)

const (
	historySeconds = 600 // that are kept
	pointSeconds   = 5   // of one point of a history
	peakSeconds    = 60  // that the peak is of
)

// Totals are sums since the process began.
type Totals struct {
	OfferedBytes, OfferedRecords, Requests, AcceptedBytes, AcceptedRecords int64
}

// History keeps the last ten minutes of a stream, second by second. One goroutine uses it.
type History struct {
	seconds []Second // oldest first
	last    Totals
	begun   bool
}

// AddTotals enters the totals a second after the last call. The first call only remembers them.
func (h *History) AddTotals(now Totals) {
	if h.begun {
		if len(h.seconds) == historySeconds {
			h.seconds = slices.Delete(h.seconds, 0, 1)
		}
		h.seconds = append(h.seconds, Second{
			OfferedBytes: float64(now.OfferedBytes - h.last.OfferedBytes), OfferedRecords: float64(now.OfferedRecords - h.last.OfferedRecords),
			Requests:      float64(now.Requests - h.last.Requests),
			AcceptedBytes: float64(now.AcceptedBytes - h.last.AcceptedBytes), AcceptedRecords: float64(now.AcceptedRecords - h.last.AcceptedRecords),
		})
	}
	h.last, h.begun = now, true
}

// PeakSecond is the highest of each figure in the last minute.
func (h *History) PeakSecond() (peak Second) {
	for _, s := range h.seconds[max(len(h.seconds)-peakSeconds, 0):] {
		peak = Second{
			max(peak.OfferedBytes, s.OfferedBytes), max(peak.OfferedRecords, s.OfferedRecords), max(peak.Requests, s.Requests),
			max(peak.AcceptedBytes, s.AcceptedBytes), max(peak.AcceptedRecords, s.AcceptedRecords),
		}
	}
	return peak
}

// ListPoints are the means of five seconds each, oldest first. The newest seconds that are fewer are left out.
func (h *History) ListPoints() []Second {
	points := make([]Second, 0, len(h.seconds)/pointSeconds)
	for p := range slices.Chunk(h.seconds, pointSeconds) {
		if len(p) == pointSeconds {
			points = append(points, meanSecond(p))
		}
	}
	return points
}

// PeakBytes are the accepted bytes in the highest second of each of ListPoints.
func (h *History) PeakBytes() []float64 {
	peaks := make([]float64, 0, len(h.seconds)/pointSeconds)
	for p := range slices.Chunk(h.seconds, pointSeconds) {
		if len(p) == pointSeconds {
			peaks = append(peaks, slices.MaxFunc(p, func(a, b Second) int { return cmp.Compare(a.AcceptedBytes, b.AcceptedBytes) }).AcceptedBytes)
		}
	}
	return peaks
}

// RefusedShare is the share of the records sent in the last ten minutes that were not accepted, from 0 to 1. Those in
// flight count as not accepted.
func (h *History) RefusedShare() float64 {
	sum := meanSecond(h.seconds)
	if sum.OfferedRecords == 0 {
		return 0
	}
	return max(0, 1-sum.AcceptedRecords/sum.OfferedRecords)
}

func meanSecond(seconds []Second) (m Second) {
	n := float64(max(len(seconds), 1))
	for _, s := range seconds {
		m.OfferedBytes += s.OfferedBytes / n
		m.OfferedRecords += s.OfferedRecords / n
		m.Requests += s.Requests / n
		m.AcceptedBytes += s.AcceptedBytes / n
		m.AcceptedRecords += s.AcceptedRecords / n
	}
	return m
}
