package connector

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/kafka/fetch"
	"kafka-firehose/connector/offset"
)

// A poll asks for at most maxPoll records, so that rebalances are never held
// back for long, and for no more than a pipeline has room for.
const maxPoll = 5000

// fetchedHalf is after how long the largest batch that came counts half. Large ones come
// and go.
const fetchedHalf = 30 * time.Second

// fullFor is how long a pipeline has to be full before its topics are paused.
// Pausing discards fetched records, to fetch them again later: it is for a
// stream that is down beside one that is not, never for flow control.
const fullFor = time.Second

// poller decides how much may be polled and which pipelines and partitions are paused. It belongs to
// the polling goroutine.
type poller struct {
	source       *kafka.Source // opened after the pipelines, before the first poll
	pipelines    map[string]*pipeline
	state        map[*pipeline]*pipelineState
	budget       budget
	streamOf     func(topic string) string
	backpressure prometheus.Counter // seconds without room
	log          *slog.Logger
	freed        chan struct{} // a pipeline has room again; holds one

	fetched float64 // bytes the client may come to hold, by the fetches since the last call
	looked  time.Time
}

type pipelineState struct {
	fullSince time.Time                   // zero when the pipeline has room
	paused    []string                    // topics
	waiting   map[*offset.Lease]time.Time // partitions that are paused because they wait for a schema -> when they last did
}

// wakePoller says that some memory is free again. It never blocks.
func (r *poller) wakePoller() { wakeUp(r.freed) }

// divideBudget gives each pipeline its share. A quarter of memory is the client's; but it holds a
// fetch of each broker, and a fetch has a whole batch, which may be larger than the
// client asked for. Fetch memory beyond the quarter is deducted from the pipelines, up to
// half of their memory: with less, they would send record by record. held is the
// minimum that the client comes to hold, in bytes; the bytes it holds at the moment say too little,
// because polled records are replaced by the next fetch at once.
func (r *poller) divideBudget(now time.Time, held int64) {
	r.fetched *= math.Exp2(-now.Sub(r.looked).Seconds() / fetchedHalf.Seconds())
	r.fetched, r.looked = max(r.fetched, float64(held)), now
	beyond := max(int64(r.fetched)-(r.budget.fetch.Aim+r.budget.fetch.Pooled()), 0) / int64(len(r.pipelines))
	for _, l := range r.pipelines {
		l.share.Store(r.budget.pipeline - min(beyond, lentShare.of(r.budget.pipeline)))
	}
}

// waitForRoom returns how many records may be polled now, 0 when ctx is over.
func (r *poller) waitForRoom(ctx context.Context) int {
	begin := time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		r.divideBudget(now, r.source.MinHeld())
		r.pauseOrResume(now)
		r.holdBack(now)
		if n := r.pollLimit(); n > 0 {
			if waited := time.Since(begin); waited > 0 {
				r.backpressure.Add(waited.Seconds())
			}
			return n
		}
		t := time.NewTimer(fullFor)
		select {
		case <-ctx.Done():
		case <-r.freed:
		case <-t.C: // a pipeline that stayed full may have to be paused
		}
		t.Stop()
	}
	return 0
}

// pollLimit is how many records every pipeline that isn't paused could take, judged by
// the average size of fetched records. An empty pipeline takes one of any
// size: a fetch may be larger than the pipeline's whole share.
func (r *poller) pollLimit() int {
	least, empty, tight := r.budget.pipeline, true, false
	for _, l := range r.pipelines {
		if r.state[l].paused == nil {
			room := l.freeBytes()
			least, tight = min(least, room), tight || room < l.maxQueue/8
			empty = empty && l.heldBytes() == 0
		}
	}
	records, bytes := r.source.FetchedBytes()
	if records == 0 {
		// The next records may be of any size. One of them is polled, and then
		// their size is known.
		if tight && !empty {
			return 0
		}
		return 1
	}
	weight := fetch.RecordBytes + bytes/records
	switch n := least / weight; {
	case empty:
		return int(min(max(n, 1), maxPoll))
	case tight: // a poll for a handful of records costs as much as one for many
		return 0
	default:
		return int(min(n, maxPoll))
	}
}

// pauseOrResume stops the topics of a pipeline that has stayed full and resumes them at half of
// the memory beside its room for a batch: of its whole share, with little memory,
// a full one could hold less than half.
// A single pipeline needs no pausing: not polling does the same and keeps fetched
// records.
// The topics of a held stream are paused in any case, because that may last for days.
func (r *poller) pauseOrResume(now time.Time) {
	for stream, l := range r.pipelines {
		st := r.state[l]
		switch {
		case l.onHold():
			r.pauseTopics(stream, st)
		case st.paused != nil && l.heldBytes() < (l.share.Load()-l.batchReserve())/2:
			r.source.ResumeTopics(st.paused)
			r.log.Info("topics resumed: their stream takes records again", "stream", stream, "topics", st.paused)
			st.fullSince, st.paused = time.Time{}, nil
		case st.paused != nil:
			r.pauseTopics(stream, st) // those too that were assigned since
		case len(r.pipelines) < 2 || l.freeBytes() >= l.share.Load()/8:
			st.fullSince = time.Time{}
		case st.fullSince.IsZero():
			st.fullSince = now
		case now.Sub(st.fullSince) >= fullFor:
			if r.pauseTopics(stream, st); st.paused != nil {
				r.log.Warn("topics paused: their stream does not take records as fast as they come", "stream", stream, "topics", st.paused)
			}
		}
	}
}

// holdBack pauses the partitions that wait for a schema and have the most records queued, once the
// records that wait take half of the bytes that a pipeline may queue (maxQueue). It resumes
// all of them at half of that, and each partition when it has not waited for fullFor: partitions whose
// producers write one unknown schema after the other wait again and again.
func (r *poller) holdBack(now time.Time) {
	for _, l := range r.pipelines {
		st, bytes, most := r.state[l], l.queue.asideBytes(), l.maxQueue/2
		if len(st.waiting) == 0 && bytes < most {
			continue
		}
		waiting := l.queue.waitingBytes()
		var pause, resume []*offset.Lease
		for lease, n := range waiting {
			if _, paused := st.waiting[lease]; !paused && bytes >= most && n >= bytes/int64(2*len(waiting)) {
				pause = append(pause, lease)
				st.waiting[lease] = now
			}
		}
		for lease, last := range st.waiting {
			_, waits := waiting[lease]
			if waits {
				st.waiting[lease] = now
			}
			if bytes < most/2 || !waits && now.Sub(last) >= fullFor {
				resume = append(resume, lease)
				delete(st.waiting, lease)
			}
		}
		r.source.PauseWaiting(pause)
		r.source.ResumeWaiting(resume)
	}
}

// pauseTopics pauses the topics of a stream and remembers them. One that has left and comes back is paused
// still, so none is forgotten until all are resumed.
func (r *poller) pauseTopics(stream string, st *pipelineState) {
	for _, t := range r.source.PauseTopics(func(topic string) bool { return r.streamOf(topic) == stream }) {
		if !slices.Contains(st.paused, t) {
			st.paused = append(st.paused, t)
		}
	}
}

// anyPaused reports whether a pipeline or a partition waits to be resumed, which a poll that
// is parked would not notice.
func (r *poller) anyPaused() bool {
	for _, st := range r.state {
		if st.paused != nil || len(st.waiting) > 0 {
			return true
		}
	}
	return false
}
