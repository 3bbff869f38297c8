package recovery

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
	end    int64       // of those in before that have the same filter; 0 without one
	runs   []letterRun // of this one, in their order; the last one is open
	size   int         // of the compact form of the runs, in bytes; 0 if it has to be computed again
}

const (
	// letterMarkerVersion begins the metadata of a commit.
	letterMarkerVersion = "kafka-firehose-redrive/1"
	// compactMarkerVersion begins metadata in the compact form, which is written if the other one is too long.
	compactMarkerVersion = "kafka-firehose-redrive/2"
)

const (
	// maxLetterMarker is the maximum length of a commit's metadata, in bytes. Brokers take 4096 by default.
	maxLetterMarker = 4000
	// maxUnfilteredMarker is the length at which a redrive of all letters stops. The rest is for redrives with a filter: they may
	// pass letters that always fail.
	maxUnfilteredMarker = 3500
	// minNewLetters is how many letters have to have room before new ones are sent: a few at a time would take days.
	minNewLetters = 64
)

// errManyHoles says that the progress does not fit into a commit.
var errManyHoles = errors.New("too many letters that failed again lie between others")

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
	for _, r := range p.before {
		if r.LetterFilter == filter {
			p.end = max(p.end, r.to)
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
	if last.to < p.end {
		p.size = 0 // it may close holes
	}
	last.to = max(last.to, offset)
}

// Fail says that the letter at offset is not done, and that those of the filter before it are, as with Pass.
func (p *LetterProgress) Fail(offset int64) {
	p.Pass(offset)
	p.size = 0
	last := &p.runs[len(p.runs)-1]
	if last.from == last.to {
		last.from, last.to = offset+1, offset+1
		return
	}
	p.runs = append(p.runs, letterRun{p.filter, offset + 1, offset + 1})
}

// HasRoom reports whether a commit has room for the results of letters that are pending, the last of which is at offset, even if all
// of them fail. A letter that failed before and is tried again always has room if it is the only one.
func (p *LetterProgress) HasRoom(pending int, offset int64) bool {
	if p.size == 0 {
		_, runs := p.remainingRuns()
		p.size = len(appendCompactRuns(nil, runs))
	}
	const splitHole, header = 4, 32 // bytes of a letter that splits a hole, and of a filter's first run
	passed := p.runs[len(p.runs)-1].to
	limit, more := maxLetterMarker, splitHole*pending
	switch window := offset + 1 - passed; {
	case offset < p.end && pending <= 1:
		return true
	case offset >= p.end:
		if p.filter == (LetterFilter{}) {
			limit = maxUnfilteredMarker
		}
		if passed >= p.end {
			more = max(pending, minNewLetters)
		}
		// A run below 64 offsets and the letter behind it are one byte, and each further byte is of 64 offsets or more.
		more = int(min(int64(more)+window/63, int64(more*len(binary.AppendUvarint(nil, uint64(2*window))))))
	}
	bytes := p.size + more + header + len(p.filter.Topic) + len(p.filter.Reason)
	return len(p.markerPrefix(compactMarkerVersion))+base64.RawURLEncoding.EncodedLen(bytes) <= limit
}

func (p *LetterProgress) markerPrefix(version string) string {
	return fmt.Sprintf("%s topic=%s done=", version, kafka.FormatTopicID(p.topic))
}

// Commit returns the offset and the metadata of a commit. The error is that there is no room for the progress, which HasRoom has
// said before.
func (p *LetterProgress) Commit() (base int64, metadata string, err error) {
	base, runs := p.remainingRuns()
	var text strings.Builder
	text.WriteString(p.markerPrefix(letterMarkerVersion))
	for _, r := range runs {
		fmt.Fprintf(&text, "%d-%d:%s:%s,", r.from, r.to, r.Topic, r.Reason)
	}
	if text.Len() <= maxLetterMarker {
		return base, text.String(), nil
	}
	metadata = p.markerPrefix(compactMarkerVersion) + base64.RawURLEncoding.EncodeToString(appendCompactRuns(nil, runs))
	if len(metadata) > maxLetterMarker {
		return 0, "", errManyHoles
	}
	return base, metadata, nil
}

// remainingRuns returns the offset before which all letters are done, and the runs behind it.
func (p *LetterProgress) remainingRuns() (base int64, runs []letterRun) {
	base, runs = p.Base, mergeRuns(slices.Concat(p.before, p.runs))
	for moved := true; moved; {
		moved = false
		for _, r := range runs {
			if r.LetterFilter == (LetterFilter{}) && r.from <= base && r.to > base {
				base, moved = r.to, true
			}
		}
	}
	runs = slices.DeleteFunc(runs, func(r letterRun) bool { return r.to <= base })
	for i := range runs {
		runs[i].from = max(runs[i].from, base)
	}
	return base, runs
}

// mergeRuns joins runs of the same filter that touch, and leaves out those that are inside of a run of all letters. They are
// sorted by their beginning.
func mergeRuns(runs []letterRun) (merged []letterRun) {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b letterRun) int { return cmp.Compare(a.from, b.from) })
	last := map[LetterFilter]int{} // :: filter -> the index in merged
	for _, r := range runs {
		if r.from >= r.to {
			continue
		}
		if i, ok := last[r.LetterFilter]; ok && r.from <= merged[i].to {
			merged[i].to = max(merged[i].to, r.to)
			continue
		}
		last[r.LetterFilter] = len(merged)
		merged = append(merged, r)
	}
	ofAll := slices.DeleteFunc(slices.Clone(merged), func(r letterRun) bool { return r.LetterFilter != (LetterFilter{}) })
	return slices.DeleteFunc(merged, func(r letterRun) bool {
		i, _ := slices.BinarySearchFunc(ofAll, r.to, func(a letterRun, to int64) int { return cmp.Compare(a.to, to) })
		return r.LetterFilter != (LetterFilter{}) && i < len(ofAll) && ofAll[i].from <= r.from
	})
}

// appendCompactRuns appends the compact form of runs, which are merged: for each filter its topic and reason, the beginning
// of the first run, the number of runs, and each run. A run is twice its length, plus 1 if the hole behind it is longer than one
// offset and its length follows. All numbers are unsigned varints, so a run of up to 63 offsets and the letter that failed
// behind it are one byte.
func appendCompactRuns(b []byte, runs []letterRun) []byte {
	byFilter := map[LetterFilter][]letterRun{}
	var filters []LetterFilter
	for _, r := range runs {
		if byFilter[r.LetterFilter] == nil {
			filters = append(filters, r.LetterFilter)
		}
		byFilter[r.LetterFilter] = append(byFilter[r.LetterFilter], r)
	}
	for _, f := range filters {
		of := byFilter[f]
		for _, s := range []string{f.Topic, f.Reason} {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
		b = binary.AppendUvarint(b, uint64(of[0].from))
		b = binary.AppendUvarint(b, uint64(len(of)))
		for i, r := range of {
			hole := int64(1)
			if i+1 < len(of) {
				hole = of[i+1].from - r.to
			}
			length := 2 * uint64(r.to-r.from)
			if hole == 1 {
				b = binary.AppendUvarint(b, length)
			} else {
				b = binary.AppendUvarint(binary.AppendUvarint(b, length+1), uint64(hole))
			}
		}
	}
	return b
}

// compactReader reads the compact form of runs.
type compactReader struct {
	left []byte
	bad  bool
}

// number reads an unsigned varint that is an offset or a length.
func (c *compactReader) number() int64 {
	v, n := binary.Uvarint(c.left)
	if n <= 0 || v > math.MaxInt64 {
		c.bad, c.left = true, nil
		return 0
	}
	c.left = c.left[n:]
	return int64(v)
}

func (c *compactReader) text() string {
	n := c.number()
	if n > int64(len(c.left)) {
		c.bad, c.left = true, nil
		return ""
	}
	s := string(c.left[:n])
	c.left = c.left[n:]
	return s
}

// parseCompactRuns reads the form that appendCompactRuns writes.
func parseCompactRuns(b []byte) (runs []letterRun, ok bool) {
	c := compactReader{left: b}
	for len(c.left) > 0 {
		f := LetterFilter{Topic: c.text(), Reason: c.text()}
		from := c.number()
		for n := c.number(); n > 0 && !c.bad; n-- {
			length, hole := c.number(), int64(1)
			if length%2 == 1 {
				hole = c.number()
			}
			to := from + length/2
			if to <= from || hole < 1 || to+hole < to {
				c.bad = true
			}
			runs = append(runs, letterRun{f, from, to})
			from = to + hole
		}
	}
	return runs, !c.bad
}

// parseLetterMarker reads the metadata of a commit.
func parseLetterMarker(metadata string) (topic [16]byte, runs []letterRun, err error) {
	bad := fmt.Errorf("its progress was not committed by a redrive, or by a newer version: %q", metadata[:min(len(metadata), 60)])
	rest, isCompact := strings.CutPrefix(metadata, compactMarkerVersion+" topic=")
	ok := isCompact
	if !isCompact {
		rest, ok = strings.CutPrefix(metadata, letterMarkerVersion+" topic=")
	}
	id, list, found := strings.Cut(rest, " done=")
	topic, legal := kafka.ParseTopicID(id)
	if !ok || !found || !legal {
		return topic, nil, bad
	}
	if isCompact {
		b, err := base64.RawURLEncoding.DecodeString(list)
		runs, ok := parseCompactRuns(b)
		if err != nil || !ok {
			return topic, nil, bad
		}
		return topic, runs, nil
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
