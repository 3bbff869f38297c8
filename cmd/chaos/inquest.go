package main

import (
	"fmt"
	"time"
)

// reason is why a record was delivered twice.
type reason string

const (
	answerDestroyed reason = "ambiguous: Firehose stored it and did not say so"
	answerLost      reason = "ambiguous: the answer was lost or late on the network"
	answerLate      reason = "ambiguous: the process counted it as such (timeout)"
	afterKill       reason = "kill -9 before the commit"
	afterFreeze     reason = "frozen for longer than the session"
	afterLoss       reason = "impolite revoke: thrown out, or drained or committed too late"
	afterDrain      reason = "a stop that ran out of time"
	onItsWay        reason = "impolite revoke: a request was on its way when the partition went"
	wentWhole       reason = "impolite revoke: an aggregated record went whole, the partitions that had left included"
	zombie          reason = "a process that did not know yet that it had been thrown out"
	kafkaAway       reason = "impolite revoke: Kafka could not be reached to commit"
	unexplained     reason = "no reason"
)

// sign is something that a process told about itself: in its log, with the time, or in
// its metrics, which say only that it was between two scrapes.
type sign struct {
	from, at int64 // Unix microseconds
	what     signKind
}

type signKind int

const (
	signLost      signKind = iota // partitions were lost, or revoked before they were drained or committed
	signAmbiguous                 // records are sent again because an answer proved nothing
	signCommit                    // a commit failed
)

// life is one process of a member.
type life struct {
	member     int
	ended      int64 // Unix microseconds: when it was asked to end, or was found to have,
	died       int64 // and when it was gone; 0 while it lives
	killed     bool
	clean      bool // it said that everything was committed
	signs      []sign
	unanswered map[int32]bool // calls of its Firehose whose client was not told
}

// incident is a trouble as it was made.
type incident struct {
	kind     kind
	place    place
	target   int
	from, to int64 // Unix microseconds; to is 0 while it lasts
}

// inquest knows what happened to whom.
type inquest struct {
	lives     []*life
	incidents []incident
	aggregate bool // Firehose records hold records of several partitions
}

// The times around an event in which its effects show: a process counts and logs right
// after, a request takes up to its timeout of 3 s, three times that after answers that
// did not come and 16 s for a large body, and a member that can't reach the group finds
// out after its session timeout of 6 s.
const (
	scrapeSlack  = 2_000_000
	requestSlack = 27_000_000
	groupSlack   = 15_000_000
	// stuckSlack is how long an aggregated record may wait in a stream that takes nothing.
	// It goes whole, those of its partitions that have left included.
	stuckSlack = 60_000_000
)

// explain says why a record came a second time, if there is a reason. covered is when
// the group first committed beyond it.
func (in *inquest) explain(earlier, later put, covered int64) (reason, bool) {
	if earlier.process == later.process {
		return in.again(earlier, later)
	}
	if in.aggregate && (in.lives[earlier.process].told(signLost, earlier.sent-stuckSlack, earlier.at) ||
		in.lives[later.process].told(signLost, later.sent-stuckSlack, later.at)) {
		return wentWhole, true
	}
	// Who sends what the group has committed does not know that it was thrown out. It
	// must have been, and find out.
	if covered < later.sent {
		return onlyIf(in.impolite(later.process, later.sent, later.at+groupSlack), zombie)
	}
	switch l := in.lives[earlier.process]; {
	case l.killed && min(earlier.sent, earlier.at) <= l.died && l.ended <= later.at:
		return afterKill, true // what was under way when it was killed may be accepted after that
	case in.frozen(l.member, earlier.at-groupSlack, later.at):
		return afterFreeze, true
	case l.told(signLost, earlier.at-scrapeSlack, later.at+scrapeSlack):
		return afterLoss, true
	case in.struck(l.member, earlier.at-groupSlack, later.at, atKafka) && in.impolite(earlier.process, earlier.at, later.at+groupSlack):
		return afterLoss, true // its network hid from it that it was thrown out, for longer than its successor took to commit
	case l.died != 0 && !l.killed && !l.clean && l.ended <= later.at:
		return afterDrain, true
	case l.told(signCommit, earlier.at-scrapeSlack, later.at+scrapeSlack):
		return kafkaAway, true
	}
	// The partition may have gone the other way, from the process whose copy came later:
	// its request was long on its way, or it woke up and went on.
	if later.sent <= earlier.at {
		return onlyIf(in.impolite(later.process, later.sent-scrapeSlack, later.at+groupSlack), onItsWay)
	}
	return onlyIf(in.impolite(later.process, later.sent, later.at+groupSlack), zombie)
}

func onlyIf(ok bool, why reason) (reason, bool) {
	if !ok {
		return unexplained, false
	}
	return why, true
}

// again is explain for two copies from one process.
func (in *inquest) again(earlier, later put) (reason, bool) {
	l := in.lives[earlier.process]
	switch {
	case l.unanswered[earlier.call]:
		return answerDestroyed, true
	case in.struck(l.member, earlier.at, later.at, atSink):
		return answerLost, true
	case in.frozen(l.member, earlier.at, later.at):
		return answerLate, true
	case l.told(signAmbiguous, earlier.sent, later.at+scrapeSlack):
		return answerLate, true
	case l.told(signLost, earlier.at-scrapeSlack, later.at):
		return afterLoss, true
	}
	return unexplained, false
}

// impolite reports whether a process was frozen, thrown out of the group, or made to
// give up what it had not delivered, between two times; or was killed, and so could not
// tell.
func (in *inquest) impolite(process int32, from, to int64) bool {
	l := in.lives[process]
	return l.killed && from <= l.died && l.ended <= to || l.told(signLost, from, to) || in.frozen(l.member, from-groupSlack, to)
}

// struck reports whether there was trouble at one of the places of a member between
// two times.
func (in *inquest) struck(member int, from, to int64, places ...place) bool {
	for _, i := range in.incidents {
		if i.from > to || i.to != 0 && i.to < from {
			continue
		}
		for _, p := range places {
			if i.place == p && (p == atBroker || i.target == member) {
				return true
			}
		}
	}
	return false
}

func (in *inquest) frozen(member int, from, to int64) bool {
	for _, i := range in.incidents {
		if i.kind == freezeMember && i.target == member && i.from <= to && (i.to == 0 || i.to >= from) {
			return true
		}
	}
	return false
}

func (l *life) told(what signKind, from, to int64) bool {
	for _, s := range l.signs {
		if s.what == what && from <= s.at && s.from <= to {
			return true
		}
	}
	return false
}

// describe names an acceptance.
func (in *inquest) describe(p put) string {
	l := in.lives[p.process]
	return fmt.Sprintf("by process %d (member %d) at %s, sent at %s", p.process, l.member, clock(p.at), clock(p.sent))
}

// clock is a time as the logs have it.
func clock(micro int64) string { return time.UnixMicro(micro).UTC().Format("15:04:05.000") }
