package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
)

// The proof. "Everything was delivered" is not read off any counter. Three things that exist
// outside the connector are compared as multisets of lines:
//
//	fed        what went into the topic from here, noted where it came in (feeder)
//	topic      what a plain consumer, in no group, reads from the partitions (topicLog)
//	delivered  what the objects on disk hold when they are read back (objectFiles)
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
// A line is held as its identity, not its content. With many lines, several passes over everything
// each count a part of the identities, so that memory does not grow with the number of lines.
type proof struct {
	fed, topic, delivered lines
	passes                uint64 // 1 or more
}

// lines visits everything of one kind, again from the start each time.
type lines func(ctx context.Context, visit visitor) error

type visitor func(identity, sighting)

// identity stands for the content of a line: 128 bits of two independently seeded hashes. That two
// different lines of a run share one is less likely than a wrong bit in memory.
type identity [16]byte

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func identify(line []byte) (id identity) {
	binary.LittleEndian.PutUint64(id[:8], maphash.Bytes(seeds[0], line))
	binary.LittleEndian.PutUint64(id[8:], maphash.Bytes(seeds[1], line))
	return id
}

// sighting is where a line is. Its text is only valid during the visit.
type sighting struct {
	place string // a partition or a file
	at    int64  // its offset or line number
	text  []byte
}

func (s sighting) String() string {
	const max = 60
	text, more := s.text, ""
	if len(text) > max {
		text, more = text[:max], "..."
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

// maxExamples is how many lines with something wrong are shown.
const maxExamples = 10

// tally is how often one line was seen.
type tally struct{ fed, topic, delivered int32 }

// run makes the comparison.
func (p proof) run(ctx context.Context) (verdict, error) {
	var v verdict
	wrong := map[identity]string{} // :: what is wrong with some lines, to find them again
	for pass := range p.passes {
		seen, err := p.count(ctx, pass)
		if err != nil {
			return v, err
		}
		for id, t := range seen {
			if what := v.judge(t); what != "" && len(wrong) < maxExamples {
				wrong[id] = what
			}
		}
	}
	// Once more, to say where the wrong lines are.
	for _, each := range []lines{p.topic, p.delivered, p.fed} {
		if len(wrong) == 0 {
			break
		}
		err := each(ctx, func(id identity, s sighting) {
			if what, ok := wrong[id]; ok {
				v.examples = append(v.examples, what+": "+s.String())
				delete(wrong, id)
			}
		})
		if err != nil {
			return v, err
		}
	}
	return v, nil
}

// count counts the lines whose identity belongs to the pass.
func (p proof) count(ctx context.Context, pass uint64) (map[identity]tally, error) {
	seen := map[identity]tally{}
	for _, part := range []struct {
		each lines
		add  func(*tally)
	}{
		{p.fed, func(t *tally) { t.fed++ }},
		{p.topic, func(t *tally) { t.topic++ }},
		{p.delivered, func(t *tally) { t.delivered++ }},
	} {
		err := part.each(ctx, func(id identity, _ sighting) {
			if binary.LittleEndian.Uint64(id[:8])%p.passes == pass {
				t := seen[id]
				part.add(&t)
				seen[id] = t
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return seen, nil
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
