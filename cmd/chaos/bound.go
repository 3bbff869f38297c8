package main

// bound is the most that can be delivered twice, counted without looking at what was:
// the records of answers that may not have arrived, and, at each impolite end of a
// process's hold on a partition, what it had delivered and nobody had committed.
func (in *inquest) bound(b *books) (n int) {
	for _, r := range b.records {
		n += in.exposed(b, r, r.first)
	}
	for id, more := range b.spare {
		for _, p := range more {
			n += in.exposed(b, b.records[id], p)
		}
	}
	return n
}

// exposed is 1 if the copy may be followed by another one.
func (in *inquest) exposed(b *books, r record, p put) int {
	if p.at == 0 {
		return 0
	}
	l := in.lives[p.process]
	if l.unanswered[p.call] || in.struck(l.member, p.at, p.at+requestSlack, atSink) ||
		in.frozen(l.member, p.at, p.at+requestSlack) || l.told(signAmbiguous, p.at, p.at+requestSlack+scrapeSlack) {
		return 1
	}
	covered := b.covered(r.partition, r.offset) // when a commit first went beyond it
	ends := func(from, at int64) bool { return p.at <= at && from <= covered }
	if l.died != 0 && (l.killed || !l.clean) && ends(l.ended, l.died) {
		return 1
	}
	for _, s := range l.signs {
		from := s.from
		if s.what == signLost && in.struck(l.member, s.at-groupSlack, s.at, atKafka) {
			from -= groupSlack // that it was lost is known only from then on
		}
		if s.what != signAmbiguous && ends(from, s.at) {
			return 1
		}
	}
	if in.aggregate && l.told(signLost, p.sent-stuckSlack, p.at) || in.frozen(l.member, p.at-groupSlack, covered) || in.impolite(p.process, p.sent-scrapeSlack, p.at+groupSlack) {
		return 1 // it may itself be the second
	}
	return 0
}

// covered is when the group first committed beyond an offset, in Unix microseconds.
func (b *books) covered(partition int32, offset int64) int64 {
	commits := b.commits[partition]
	low, high := 0, len(commits)
	for low < high { // offsets only go up
		if mid := (low + high) / 2; commits[mid].offset > offset {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low == len(commits) {
		return 1 << 62
	}
	return commits[low].at * 1000
}
