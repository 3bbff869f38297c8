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
	RefusedRecords                                                         int64 // by their own entries of answers
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
			RefusedRecords: float64(now.RefusedRecords - h.last.RefusedRecords),
		})
	}
	h.last, h.begun = now, true
}

// PeakSecond is the highest of each figure in the last minute.
func (h *History) PeakSecond() (peak Second) {
	for _, s := range h.seconds[max(len(h.seconds)-peakSeconds, 0):] {
		peak = Second{
			max(peak.OfferedBytes, s.OfferedBytes), max(peak.OfferedRecords, s.OfferedRecords), max(peak.Requests, s.Requests),
			max(peak.AcceptedBytes, s.AcceptedBytes), max(peak.AcceptedRecords, s.AcceptedRecords), max(peak.RefusedRecords, s.RefusedRecords),
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

// RefusedShare is the share of refused records among those that were answered one by one in the last ten minutes, from 0 to 1.
// Records of requests that failed as a whole were not answered.
func (h *History) RefusedShare() float64 {
	mean := meanSecond(h.seconds)
	if mean.RefusedRecords == 0 {
		return 0
	}
	return mean.RefusedRecords / (mean.RefusedRecords + mean.AcceptedRecords)
}

func meanSecond(seconds []Second) (m Second) {
	n := float64(max(len(seconds), 1))
	for _, s := range seconds {
		m.OfferedBytes += s.OfferedBytes / n
		m.OfferedRecords += s.OfferedRecords / n
		m.Requests += s.Requests / n
		m.AcceptedBytes += s.AcceptedBytes / n
		m.AcceptedRecords += s.AcceptedRecords / n
		m.RefusedRecords += s.RefusedRecords / n
	}
	return m
}
