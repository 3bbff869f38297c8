package main

import (
	"context"
	"fmt"
	"maps"
	"math"
)

// The proof. "Everything was delivered" is not read off any counter. Three things that exist
// outside the connector are compared as multisets of lines:
//
//	fed        what went into the topic from here, noted where it came in (journal)
//	topic      what a plain consumer, in no group, reads from the partitions (topicLines)
//	delivered  what the objects on disk hold when they are read back (objectLines)
//
// Each line has to be in the topic as often as it was fed, at least: others may produce as well. And
// it has to be delivered as often as it is in the topic. Less is lost, more is a duplicate, and a
// line that the topic never held is a stranger. A duplicate is in order only where the emulated
// Firehose stored a record and destroyed its answer, because then nobody can know; the emulator has
// counted those.
//
// Lines are compared because the objects have nothing else: a record that somebody produced with
// newlines inside counts as its lines. That these stayed together can't be proved from an object.
//
// A line is held as its identity, not its content. When there are too many different ones, a pass
// over everything counts only the lower identities and the next pass goes on from there, so that
// memory does not grow with the number of lines.
type proof struct {
	fed, topic, delivered lines
	most                  int // different lines in memory
}

// lines visits everything of one kind, again from the start each time.
type lines func(ctx context.Context, visit visitor) error

type visitor func(identity, sighting)

// sighting is where a line is. Its text is only valid during the visit.
type sighting struct {
	place string // a partition or a file
	at    int64  // its offset or line number
	text  []byte
}

func (s sighting) String() string {
	const most = 60
	text, more := s.text, ""
	if len(text) > most {
		text, more = text[:most], "..."
	}
	return fmt.Sprintf("%s %d: %q%s", s.place, s.at, text, more)
}

// verdict is what a proof found, in lines.
type verdict struct {
	fed, topic, delivered int64
	missing               int64 // fed, not in the topic
	lost                  int64 // in the topic, not delivered
	duplicated            int64 // delivered more often than they are in the topic
	strangers             int64 // delivered, not in the topic at all
	examples              []string
}

// tally is how often one line was seen.
type tally struct{ fed, topic, delivered int32 }

// run makes the comparison.
func (p proof) run(ctx context.Context) (verdict, error) {
	var v verdict
	wrong := map[identity]string{} // :: what is wrong with some lines, to find them again
	for from, more := uint64(0), true; more; {
		seen, to, err := p.count(ctx, from)
		if err != nil {
			return v, err
		}
		for id, t := range seen {
			if what := v.judge(t); what != "" && len(wrong) < examples {
				wrong[id] = what
			}
		}
		from, more = to+1, to < math.MaxUint64
	}
	if len(wrong) == 0 {
		return v, nil
	}
	return v, p.find(ctx, &v, wrong)
}

// count makes one pass: over the identities that begin with from or more, up to and including to,
// which it lowers while there are too many. What it drops then is counted by a later pass as a whole.
func (p proof) count(ctx context.Context, from uint64) (seen map[identity]tally, to uint64, err error) {
	seen, to = map[identity]tally{}, math.MaxUint64
	for _, part := range []struct {
		lines lines
		one   tally
	}{
		{p.fed, tally{fed: 1}},
		{p.topic, tally{topic: 1}},
		{p.delivered, tally{delivered: 1}},
	} {
		err := part.lines(ctx, func(id identity, _ sighting) {
			if id[0] < from || id[0] > to {
				return
			}
			t := seen[id]
			t.fed += part.one.fed
			t.topic += part.one.topic
			t.delivered += part.one.delivered
			seen[id] = t
			for len(seen) > p.most && to > from {
				to = from + (to-from)/2
				maps.DeleteFunc(seen, func(id identity, _ tally) bool { return id[0] > to })
			}
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return seen, to, nil
}

// judge counts a line with what is wrong with it, and says that.
func (v *verdict) judge(t tally) string {
	v.fed += int64(t.fed)
	v.topic += int64(t.topic)
	v.delivered += int64(t.delivered)
	missing, lost := int64(t.fed-t.topic), int64(t.topic-t.delivered)
	v.missing += max(missing, 0)
	v.lost += max(lost, 0)
	switch {
	case lost > 0:
		return fmt.Sprintf("lost: %d in the topic, %d delivered", t.topic, t.delivered)
	case t.topic == 0 && t.delivered > 0:
		v.strangers += int64(t.delivered)
		return "delivered, but never in the topic"
	case lost < 0:
		v.duplicated -= lost
		return fmt.Sprintf("duplicated: %d in the topic, %d delivered", t.topic, t.delivered)
	case missing > 0:
		return fmt.Sprintf("fed %d times, %d in the topic", t.fed, t.topic)
	}
	return ""
}

// examples is how many lines with something wrong are shown.
const examples = 10

// find goes through everything once more to say where the wrong lines are.
func (p proof) find(ctx context.Context, v *verdict, wrong map[identity]string) error {
	for _, where := range []lines{p.topic, p.delivered, p.fed} {
		err := where(ctx, func(id identity, s sighting) {
			if what, ok := wrong[id]; ok {
				v.examples = append(v.examples, what+": "+s.String())
				delete(wrong, id)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
