package connector

import (
	"context"
	"math"
	"slices"
	"time"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/offset"
)

// A poll asks for at most pollMost records, so that rebalances are never held
// back for long, and for no more than a lane has room for.
const pollMost = 5000

// fetchedHalf is after how long the largest batch that came counts half. Large ones come
// and go.
const fetchedHalf = 30 * time.Second

// fullFor is how long a lane has to be full before its topics are paused.
// Pausing discards fetched records, to fetch them again later: it is for a
// stream that is down beside one that is not, never for flow control.
const fullFor = time.Second

// room decides how much may be polled and which lanes and partitions are paused. It belongs to
// the polling goroutine.
type room struct {
	c     *Connector
	freed chan struct{} // a lane has room again; holds one
	state map[*lane]*roomState

	fetched float64 // bytes the client may come to hold, by the fetches since the last call
	looked  time.Time
}

type roomState struct {
	fullSince time.Time                   // zero when the lane has room
	paused    []string                    // topics
	waiting   map[*offset.Lease]time.Time // partitions that are paused because they wait for a schema -> when they last did
}

// pause remembers topics as paused. One that has left and comes back is paused
// still, so none is forgotten until all are resumed.
func (st *roomState) pause(topics []string) {
	for _, t := range topics {
		if !slices.Contains(st.paused, t) {
			st.paused = append(st.paused, t)
		}
	}
}

// tell says that some memory is free again. It never blocks.
func (r *room) tell() {
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// divide gives each lane its share. A quarter of memory is the client's; but it holds a
// fetch of each broker, and a fetch has a whole batch, which may be larger than the
// client asked for. Fetch memory beyond the quarter is deducted from the lanes, up to
// half of their memory: with less, they would send record by record. held is the
// minimum that the client comes to hold, in bytes; the bytes it holds at the moment say too little,
// because polled records are replaced by the next fetch at once.
func (r *room) divide(now time.Time, held int64) {
	r.fetched *= math.Exp2(-now.Sub(r.looked).Seconds() / fetchedHalf.Seconds())
	r.fetched, r.looked = max(r.fetched, float64(held)), now
	beyond := max(int64(r.fetched)-(r.c.budget.fetch.Aim+r.c.budget.fetch.Pooled), 0) / int64(len(r.c.lanes))
	for _, l := range r.c.lanes {
		l.share.Store(r.c.budget.pipeline - min(beyond, lentShare.of(r.c.budget.pipeline)))
	}
}

// wait returns how many records may be polled now, 0 when ctx is over.
func (r *room) wait(ctx context.Context) int {
	begin := time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		r.divide(now, r.c.source.LeastHeld())
		r.pause(now)
		r.holdBack(now)
		if n := r.records(); n > 0 {
			if waited := time.Since(begin); waited > 0 {
				r.c.metrics.Pipeline.Backpressure.Add(waited.Seconds())
			}
			return n
		}
		t := time.NewTimer(fullFor)
		select {
		case <-ctx.Done():
		case <-r.freed:
		case <-t.C: // a lane that stayed full may have to be paused
		}
		t.Stop()
	}
	return 0
}

// records is how many records every lane that isn't paused could take, judged by
// the average size of fetched records. An empty lane takes one of any
// size: a fetch may be larger than the lane's whole share.
func (r *room) records() int {
	least, empty, tight := r.c.budget.pipeline, true, false
	for _, l := range r.c.lanes {
		if r.state[l].paused == nil {
			room := l.room()
			least, tight = min(least, room), tight || room < l.queueMost/8
			empty = empty && l.held() == 0
		}
	}
	records, bytes := r.c.source.Buffered()
	if records == 0 {
		// The next records may be of any size. One of them is polled, and then
		// their size is known.
		if tight && !empty {
			return 0
		}
		return 1
	}
	weight := kafka.RecordBytes + bytes/records
	switch n := least / weight; {
	case empty:
		return int(min(max(n, 1), pollMost))
	case tight: // a poll for a handful of records costs as much as one for many
		return 0
	default:
		return int(min(n, pollMost))
	}
}

// pause stops the topics of a lane that has stayed full and resumes them at half of
// the memory beside its room for a batch: of its whole share, with little memory,
// a full one could hold less than half.
// A single lane needs no pausing: not polling does the same and keeps fetched
// records.
// The topics of a held stream are paused in any case, because that may last for days.
func (r *room) pause(now time.Time) {
	for stream, l := range r.c.lanes {
		st := r.state[l]
		switch {
		case l.onHold():
			st.pause(r.pauseTopics(stream))
		case st.paused != nil && l.held() < (l.share.Load()-l.reserve())/2:
			r.c.source.ResumeTopics(st.paused)
			r.c.log.Info("topics resumed: their stream takes records again", "stream", stream, "topics", st.paused)
			st.fullSince, st.paused = time.Time{}, nil
		case st.paused != nil:
			st.pause(r.pauseTopics(stream)) // those too that were assigned since
		case len(r.c.lanes) < 2 || l.room() >= l.share.Load()/8:
			st.fullSince = time.Time{}
		case st.fullSince.IsZero():
			st.fullSince = now
		case now.Sub(st.fullSince) >= fullFor:
			if st.pause(r.pauseTopics(stream)); st.paused != nil {
				r.c.log.Warn("topics paused: their stream does not take records as fast as they come", "stream", stream, "topics", st.paused)
			}
		}
	}
}

// holdBack pauses the partitions that wait for a schema and have the most records queued, once the
// records that wait take half of the bytes that a lane may queue of the others (queueMost). It resumes
// all of them at half of that, and each partition when it has not waited for fullFor: partitions whose
// producers write one unknown schema after the other wait again and again.
func (r *room) holdBack(now time.Time) {
	for _, l := range r.c.lanes {
		st, bytes, most := r.state[l], l.queue.waits(), l.queueMost/2
		if st.waiting == nil && bytes < most {
			continue
		}
		waiting := l.queue.waiting()
		var pause, resume []*offset.Lease
		for lease, n := range waiting {
			if _, paused := st.waiting[lease]; !paused && bytes >= most && n >= bytes/int64(2*len(waiting)) {
				pause = append(pause, lease)
			}
		}
		for lease, last := range st.waiting {
			if _, waits := waiting[lease]; waits {
				st.waiting[lease] = now
			} else if now.Sub(last) >= fullFor {
				resume = append(resume, lease)
			}
			if bytes < most/2 {
				resume = append(resume, lease)
			}
		}
		st.hold(now, pause, resume)
		r.c.source.PauseWaiting(pause)
		r.c.source.ResumeWaiting(resume)
	}
}

// hold notes the leases that were paused and resumed.
func (st *roomState) hold(now time.Time, pause, resume []*offset.Lease) {
	if st.waiting == nil {
		st.waiting = map[*offset.Lease]time.Time{}
	}
	for _, lease := range pause {
		st.waiting[lease] = now
	}
	for _, lease := range resume {
		delete(st.waiting, lease)
	}
	if len(st.waiting) == 0 {
		st.waiting = nil
	}
}

func (r *room) pauseTopics(stream string) []string {
	return r.c.source.PauseTopics(func(topic string) bool { return r.c.streamOf(topic) == stream })
}

// anyPaused reports whether a lane or a partition waits to be resumed, which a poll that
// is parked would not notice.
func (r *room) anyPaused() bool {
	for _, st := range r.state {
		if st.paused != nil || st.waiting != nil {
			return true
		}
	}
	return false
}
