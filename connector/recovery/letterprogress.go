package recovery

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kafka-firehose/connector/kafka"
)

// LetterFilter selects dead letters. Empty fields select all.
type LetterFilter struct{ Topic, Reason string }

// Matches reports whether a letter of the topic and reason is selected.
func (f LetterFilter) Matches(topic, reason string) bool {
	return (f.Topic == "" || f.Topic == topic) && (f.Reason == "" || f.Reason == reason)
}

// letterRun is offsets of the dead-letter topic, from up to and without to, in which the letters of a filter are done.
type letterRun struct {
	LetterFilter
	from, to int64
}

// LetterProgress says which letters of one partition of the dead-letter topic are done: all before Base, and those in
// runs behind it. A letter that failed again is a hole between two runs, so that a later redrive tries it again. It
// has no lock: the caller owns it.
type LetterProgress struct {
	Base int64

	topic  [16]byte // id of the dead-letter topic
	filter LetterFilter
	before []letterRun // of earlier redrives
	runs   []letterRun // of this one, in their order; the last one is open
}

// letterMarkerVersion begins the metadata of a commit.
const letterMarkerVersion = "kafka-firehose-redrive/1"

// maxLetterMarker is the length of a commit's metadata, in bytes. Brokers take 4096 by default.
const maxLetterMarker = 4000

// ErrManyHoles says that the progress does not fit into a commit.
var ErrManyHoles = errors.New("too many letters that failed again lie between others: repair what makes them fail, or choose others with -reason, -topic or -since")

// NewLetterProgress continues behind an earlier commit of the progress, none with an empty metadata. Letters are looked at
// from begin on, and those of the filter are done. An offset of another topic of the same name does not count.
func NewLetterProgress(topic [16]byte, filter LetterFilter, base, begin int64, metadata string) (*LetterProgress, error) {
	p := &LetterProgress{topic: topic, filter: filter}
	if metadata != "" {
		of, runs, err := parseLetterMarker(metadata)
		if err != nil {
			return nil, err
		}
		if of == topic {
			p.Base, p.before = base, runs
		}
	}
	p.runs = []letterRun{{filter, max(begin, p.Base), max(begin, p.Base)}}
	return p, nil
}

// IsDone reports whether an earlier redrive is done with a letter.
func (p *LetterProgress) IsDone(offset int64, topic, reason string) bool {
	return offset < p.Base || slices.ContainsFunc(p.before, func(r letterRun) bool {
		return r.from <= offset && offset < r.to && r.Matches(topic, reason)
	})
}

// Begin is the first offset that may be a letter that is not done.
func (p *LetterProgress) Begin() int64 { return p.runs[0].from }

// Pass says that all letters of the filter before offset are done, but for those that have failed.
func (p *LetterProgress) Pass(offset int64) {
	last := &p.runs[len(p.runs)-1]
	last.to = max(last.to, offset)
}

// Fail says that the letter at offset is not done, and that those of the filter before it are, as with Pass.
func (p *LetterProgress) Fail(offset int64) {
	p.Pass(offset)
	last := &p.runs[len(p.runs)-1]
	if last.from == last.to {
		last.from, last.to = offset+1, offset+1
		return
	}
	p.runs = append(p.runs, letterRun{p.filter, offset + 1, offset + 1})
}

// Commit returns the offset and the metadata of a commit. The error is ErrManyHoles.
func (p *LetterProgress) Commit() (base int64, metadata string, err error) {
	base, runs := p.Base, slices.Concat(p.before, p.runs)
	for moved := true; moved; {
		moved = false
		for _, r := range runs {
			if r.LetterFilter == (LetterFilter{}) && r.from <= base && r.to > base {
				base, moved = r.to, true
			}
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s topic=%s done=", letterMarkerVersion, kafka.FormatTopicID(p.topic))
	for _, r := range mergeRuns(runs) {
		if r.to > base && r.from < r.to {
			fmt.Fprintf(&text, "%d-%d:%s:%s,", max(r.from, base), r.to, r.Topic, r.Reason)
		}
	}
	if text.Len() > maxLetterMarker {
		return 0, "", ErrManyHoles
	}
	return base, text.String(), nil
}

// mergeRuns joins runs of the same filter that touch.
func mergeRuns(runs []letterRun) (merged []letterRun) {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b letterRun) int { return int(min(max(a.from-b.from, -1), 1)) })
next:
	for _, r := range runs {
		for i := range merged {
			if m := &merged[i]; m.LetterFilter == r.LetterFilter && r.from <= m.to {
				m.to = max(m.to, r.to)
				continue next
			}
		}
		merged = append(merged, r)
	}
	return merged
}

// parseLetterMarker reads the metadata of a commit.
func parseLetterMarker(metadata string) (topic [16]byte, runs []letterRun, err error) {
	bad := fmt.Errorf("its progress was not committed by a redrive, or by a newer version: %q", metadata[:min(len(metadata), 60)])
	rest, ok := strings.CutPrefix(metadata, letterMarkerVersion+" topic=")
	id, list, found := strings.Cut(rest, " done=")
	topic, legal := kafka.ParseTopicID(id)
	if !ok || !found || !legal {
		return topic, nil, bad
	}
	for entry := range strings.SplitSeq(strings.TrimSuffix(list, ","), ",") {
		if entry == "" {
			continue
		}
		var r letterRun
		fields := strings.Split(entry, ":")
		if n, _ := fmt.Sscanf(fields[0], "%d-%d", &r.from, &r.to); n != 2 || len(fields) != 3 || r.from >= r.to {
			return topic, nil, bad
		}
		r.Topic, r.Reason = fields[1], fields[2]
		runs = append(runs, r)
	}
	return topic, runs, nil
}
