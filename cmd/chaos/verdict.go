package main

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// verdict is what the books say at the end.
type verdict struct {
	records   int // in the topic, as a reader of committed records sees it
	oversized int // of them, left out by policy
	aborted   int // produced and not in the topic
	accepted  int // copies
	lost      []int64
	strangers []int64  // accepted, though no committed record of the topic
	foreign   int      // accepted values that are not even ours
	ahead     []string // commits of what was not accepted yet
	back      []string // commits that went backwards
	commits   int
	twice     int            // copies after the first
	reasons   map[reason]int // :: why a copy came -> copies
	puzzling  []string       // copies without a reason
	bound     int            // most that twice may be
}

func (v *verdict) failures() (failures []string) {
	tell := func(n int, what string) {
		if n > 0 {
			failures = append(failures, fmt.Sprintf("%d %s", n, what))
		}
	}
	tell(len(v.lost), "records lost")
	tell(len(v.strangers)+v.foreign, "records delivered that no reader of the topic sees")
	tell(len(v.ahead), "commits ahead of what was accepted")
	tell(len(v.back), "commits that went backwards")
	tell(len(v.puzzling), "copies without a reason")
	if v.twice > v.bound {
		failures = append(failures, fmt.Sprintf("%d copies, the bound is %d", v.twice, v.bound))
	}
	for what, n := range map[string]int{"no records": v.records, "no commits": v.commits, "nothing accepted": v.accepted} {
		if n == 0 {
			failures = append(failures, what+": the run proves nothing")
		}
	}
	slices.Sort(failures)
	return failures
}

// judge closes the books.
func (b *books) judge(in *inquest) *verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &verdict{reasons: map[reason]int{}, foreign: b.foreign}
	byPartition := map[int32][]int64{} // :: partition -> ids
	for id, r := range b.records {
		if r.first.at != 0 {
			v.accepted += 1 + len(b.spare[int64(id)])
		}
		switch {
		case r.offset < 0 && r.first.at != 0:
			v.strangers = append(v.strangers, int64(id))
		case r.offset < 0:
			v.aborted++
		default:
			v.records++
			byPartition[r.partition] = append(byPartition[r.partition], int64(id))
			if r.oversized {
				v.oversized++
			} else if r.first.at == 0 {
				v.lost = append(v.lost, int64(id))
			}
		}
	}
	for partition, commits := range b.commits {
		v.commits += len(commits)
		b.judgeCommits(v, partition, byPartition[partition], commits)
	}
	b.judgeCopies(v, in)
	v.bound = in.bound(b)
	return v
}

// judgeCommits holds each commit against the latest of the acceptances in front of
// it. A commit is made after the answer, which is after the acceptance, so a
// millisecond that is equal is in order.
func (b *books) judgeCommits(v *verdict, partition int32, ids []int64, commits []commit) {
	slices.SortFunc(ids, func(x, y int64) int { return cmp.Compare(b.records[x].offset, b.records[y].offset) })
	latest := make([]int64, len(ids)+1) // :: how many records -> when the last of them was accepted
	for i, id := range ids {
		latest[i+1] = latest[i]
		switch r := b.records[id]; {
		case r.oversized:
		case r.first.at == 0:
			latest[i+1] = 1 << 62 // never
		default:
			latest[i+1] = max(latest[i], r.first.at)
		}
	}
	for i, c := range commits {
		n := sort.Search(len(ids), func(i int) bool { return b.records[ids[i]].offset >= c.offset })
		if latest[n]/1000 > c.at {
			v.ahead = append(v.ahead, fmt.Sprintf("partition %d: offset %d committed before everything in front of it was accepted", partition, c.offset))
		}
		if i > 0 && c.offset < commits[i-1].offset {
			v.back = append(v.back, fmt.Sprintf("partition %d: from %d back to %d", partition, commits[i-1].offset, c.offset))
		}
	}
}

// judgeCopies asks of every copy why it came.
func (b *books) judgeCopies(v *verdict, in *inquest) {
	for id, more := range b.spare {
		r := b.records[id]
		copies := append([]put{r.first}, more...)
		slices.SortFunc(copies, func(x, y put) int { return cmp.Compare(x.at, y.at) })
		covered := b.covered(r.partition, r.offset)
		for i, later := range copies[1:] {
			v.twice++
			why, ok := in.explain(copies[i], later, covered)
			if !ok {
				v.puzzling = append(v.puzzling, fmt.Sprintf("record %d (partition %d offset %d, commit %s): %s, then %s",
					id, r.partition, r.offset, clock(covered), in.describe(copies[i]), in.describe(later)))
				continue
			}
			v.reasons[why]++
		}
	}
}
