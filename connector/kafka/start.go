package kafka

// Where a partition starts is decided from the offsets that the group has
// committed for the whole topic, once, and is committed before the first record
// is read. A process that crashes after that, and every other member, finds the
// decision in the commit.

// committedOffset is an offset of the group as Kafka has it.
type committedOffset struct {
	offset int64 // -1 for no commit
	epoch  int32 // leader epoch of the record before it, -1 if unknown
	marker commitMarker
	marked bool  // the metadata is a marker
	err    error // the coordinator refuses to say
}

// groupSighting is what the group's offsets tell of the time when it first saw a topic.
type groupSighting struct {
	known bool         // the group has read a topic of this name
	first commitMarker // of the topic that has the name now, zero if all of its partitions are read from their beginning
	older bool         // the group has read other topics of this subscription
	born  int64        // since when at least, in milliseconds of Unix time; 0 if unknown
}

// findSighting reads the offsets of all partitions of a topic, by partition. other calls for those of the group's
// other topics, which are only needed for a topic without any.
//
// The coordinator may refuse to tell an offset. Partition 0 was there whenever the group first saw the topic: if it has
// no offset, the group is new to the topic, and if that is not known, there is no answer.
func findSighting(now commitMarker, ofTopic []committedOffset, other func() ([]committedOffset, error)) (s groupSighting, err error) {
	for n, c := range ofTopic {
		if c.err != nil && n == 0 {
			err = c.err
		}
		if c.offset < 0 || c.err != nil {
			continue
		}
		s.known = true
		if c.marked && c.marker.isOf(now.cluster, now.topic) && c.marker.partitions > s.first.partitions {
			s.first = c.marker
		}
	}
	if s.first.partitions > 0 {
		return s, nil
	}
	if s.known || err != nil {
		return s, err
	}
	others, err := other()
	if err != nil {
		return s, err
	}
	for _, c := range others {
		switch {
		case c.err != nil:
			err = c.err
		case c.offset < 0 || !c.marked || c.marker.cluster != now.cluster || c.marker.subscription != now.subscription:
		default:
			s.older = true
			if c.marker.since > 0 && (s.born == 0 || c.marker.since < s.born) {
				s.born = c.marker.since
			}
		}
	}
	if s.older {
		return s, nil
	}
	return s, err
}

// youngGroup is the age up to which a group counts as new: its members and topics start together, some of them
// later than others because of a broker that does not answer.
const youngGroup = 10 * 60_000 // milliseconds

// startFrom says where a partition starts.
type startFrom int

const (
	fromCommit    startFrom = iota // at the group's offset
	fromBeginning                  // at the log start offset
	fromEnd                        // at the end of the log
	fromTime                       // at the first record that is not older than start.since
	fromNowhere                    // nowhere: KAFKA_AUTO_OFFSET_RESET is none
)

// startDecision is where a partition starts, and the marker that its commits carry from then on.
type startDecision struct {
	from      startFrom
	since     int64 // in milliseconds of Unix time, for fromTime
	marker    commitMarker
	recreated bool // the group's offset belongs to a topic of the same name that was deleted
}

// unanswered is what ListOffsets is asked for the offset: a place in the log, or a time.
func (s startDecision) unanswered() int64 {
	switch s.from {
	case fromBeginning:
		return logStart
	case fromEnd:
		return logEnd
	default:
		return s.since
	}
}

// startQuestion is everything that the decision for one partition rests on.
type startQuestion struct {
	reset      OffsetReset
	now        commitMarker // cluster, topic and subscription of this process
	partition  int32
	partitions int   // of the topic now
	joined     int64 // the first millisecond of Unix time after this process first was in the group
	appeared   bool  // the topic was not there at that time
	late       bool  // that was long ago, so records may have come to the end since
	own        committedOffset
	sighting   groupSighting
}

// decideStart says where a partition starts:
//
//   - An offset of the group counts, unless its marker says that it belongs to a topic
//     of the same name that was deleted. Offsets without a marker, and those of another
//     cluster, were put there on purpose.
//   - With earliest and with a time nothing else matters.
//   - With latest, a partition that was there when the group first saw the topic starts
//     at the end it had then. Partitions that were added, topics that were created again
//     and topics that appeared later have no records from before: they start at their
//     beginning.
//   - none is like latest, but it is an error where latest would choose the end.
func (q startQuestion) decideStart() startDecision {
	m := q.now
	if q.own.offset >= 0 && q.own.marker.isOf(q.now.cluster, q.now.topic) {
		switch {
		case q.own.marked:
			m.subscription, m.partitions, m.since = q.own.marker.subscription, q.own.marker.partitions, q.own.marker.since
		case q.reset.Mode == "none": // partitions that are added from here on are new
			m.partitions, m.since = q.partitions, q.joined
		}
		return startDecision{from: fromCommit, marker: m}
	}
	recreated := q.own.offset >= 0
	switch q.reset.Mode {
	case "earliest":
		return startDecision{from: fromBeginning, marker: m, recreated: recreated}
	case "time":
		return startDecision{from: fromTime, since: q.reset.At.UnixMilli(), marker: m, recreated: recreated}
	}
	first := q.sighting.first
	if first.partitions > 0 {
		m.subscription, m.partitions, m.since = first.subscription, first.partitions, first.since
	}
	switch {
	case recreated, q.appeared && first.partitions == 0, q.isNew():
		return startDecision{from: fromBeginning, marker: m, recreated: recreated}
	case q.reset.Mode == "none":
		return startDecision{from: fromNowhere}
	case q.sighting.known: // another member saw the topic first
		return startDecision{from: fromTime, since: first.since, marker: m}
	case q.sighting.older: // so did the group, some minutes ago: the topic was there, or has no older records
		m.partitions, m.since = q.partitions, q.sighting.born
		return startDecision{from: fromTime, since: m.since, marker: m}
	}
	m.partitions, m.since = q.partitions, q.joined
	if q.late {
		return startDecision{from: fromTime, since: q.joined, marker: m}
	}
	return startDecision{from: fromEnd, marker: m}
}

// isNew reports whether the group's offsets show that the partition is newer than the group. Offsets without a marker
// show it with latest only: none is for those who set the offsets of each partition by hand.
func (q startQuestion) isNew() bool {
	if q.reset.Mode == "none" && q.sighting.first.partitions == 0 {
		return false
	}
	if q.sighting.older && (q.sighting.born == 0 || q.joined-q.sighting.born > youngGroup) {
		return true
	}
	return q.sighting.known && int(q.partition) >= q.sighting.first.partitions
}
