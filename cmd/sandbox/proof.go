package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
)

// The proof. "Everything was delivered" is not read off any counter. Two things that exist
// outside the connector are compared as multisets of lines:
//
//	topic      what a plain consumer, in no group, reads from the partitions (topicLog)
//	delivered  what the objects on disk hold when they are read back (objectFiles)
//
// Each line has to be delivered as often as it is in the topic. Less is lost, more is a duplicate, and a
// line that the topic never held is a stranger. A duplicate is in order only where the emulated
// Firehose stored a record and destroyed its answer, because then nobody can know; the emulator has
// counted those. The records with the feeder's producer id have to be those that were fed: see multiset.
//
// Lines are compared because the objects have nothing else: a record that somebody produced with
// newlines inside counts as its lines. That these stayed together can't be proved from an object.
//
// With many lines, several passes over everything each count a part of them, so that memory does not grow.
type proof struct {
	topic, delivered lines
	passes           uint64 // 1 or more
}

// lines visits everything of one kind, again from the start each time.
type lines func(ctx context.Context, visit visitor) error

type visitor func(identity, sighting)

// identity stands for the content of a line: 128 bits of two independently seeded hashes. That two
// different lines of a run share one is less likely than a wrong bit in memory.
type identity [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func identify(line []byte) identity {
	return identity{maphash.Bytes(seeds[0], line), maphash.Bytes(seeds[1], line)}
}

// multiset stands for lines in any order: two are equal if they hold the same lines equally often.
type multiset struct {
	lines int64
	sum   identity
}

func (m *multiset) add(id identity) {
	m.lines++
	m.sum[0] += id[0]
	m.sum[1] += id[1]
}

// sighting is where a line is. Its text is only valid during the visit.
type sighting struct {
	place string // a partition or a file
	at    int64  // its offset or line number
	text  []byte
}

func (s sighting) String() string {
	return fmt.Sprintf("%s %d: %q", s.place, s.at, s.text[:min(len(s.text), 60)])
}

// verdict is what a proof found, in lines.
type verdict struct {
	topic, delivered int64
	lost             int64 // in the topic, not delivered
	duplicated       int64 // delivered more often than they are in the topic
	strangers        int64 // delivered, not in the topic at all
	examples         []string
}

// maxExamples is how many lines with something wrong are shown.
const maxExamples = 10

// tally is how often one line is in the topic, and how often it was delivered.
type tally [2]int64

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
	for _, each := range []lines{p.topic, p.delivered} {
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
	for i, each := range []lines{p.topic, p.delivered} {
		err := each(ctx, func(id identity, _ sighting) {
			if id[0]%p.passes == pass {
				t := seen[id]
				t[i]++
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
	topic, delivered := t[0], t[1]
	v.topic += topic
	v.delivered += delivered
	v.lost += max(topic-delivered, 0)
	switch {
	case delivered < topic:
		return fmt.Sprintf("lost: %d in the topic, %d delivered", topic, delivered)
	case topic == 0:
		v.strangers += delivered
		return "delivered, but never in the topic"
	case delivered > topic:
		v.duplicated += delivered - topic
		return fmt.Sprintf("duplicated: %d in the topic, %d delivered", topic, delivered)
	}
	return ""
}

// err says what is wrong with lines of which fed were produced here and found are in the topic, nil if nothing is.
// So many lines may be delivered more than once as explained says.
func (v verdict) err(fed, found multiset, explained int64) error {
	var errs []error
	add := func(n int64, what string) {
		if n > 0 {
			errs = append(errs, fmt.Errorf("%s lines %s", count(n), what))
		}
	}
	if fed != found {
		errs = append(errs, fmt.Errorf("%s lines were fed, and the %s of them in the topic are not the same", count(fed.lines), count(found.lines)))
	}
	add(v.lost, "are in the topic and were not delivered: LOST")
	add(v.strangers, "were delivered and never were in the topic")
	add(v.duplicated-explained, "were delivered more than once without an answer that was destroyed")
	return errors.Join(errs...)
}

// topicLog reads the topic from its beginning.
type topicLog struct {
	addr     string
	to       offsets
	producer int64 // id of the feeder's

	// What the last reading found.
	found      multiset // of that producer
	tombstones int64    // that can't be delivered
	tooLarge   []string // where, likewise
}

// each visits the lines of the records. It reads as every consumer would, not through
// anything of the connector.
func (t *topicLog) each(ctx context.Context, visit visitor) error {
	t.found, t.tombstones, t.tooLarge = multiset{}, 0, nil
	client, err := kgo.NewClient(
		kgo.SeedBrokers(t.addr),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // what was aborted must not be delivered
		kgo.KeepControlRecords(),                     // they can be the last of a partition
	)
	if err != nil {
		return fmt.Errorf("read the topic again: %w", err)
	}
	defer client.Close()
	for at := (offsets{}); !at.reaches(t.to); {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // for which it may bring nothing
		fetches := client.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the topic again: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if r.Offset < t.to[r.Partition] && !r.Attrs.IsControl() {
				t.visit(r, visit)
			}
		})
	}
	return nil
}

// visit takes a record apart as it will be found in the objects: what does not end in a newline
// gets one.
func (t *topicLog) visit(r *kgo.Record, visit visitor) {
	value := bytes.TrimSuffix(r.Value, []byte{'\n'})
	if r.ProducerID == t.producer {
		t.found.add(identify(r.Value))
	}
	s := sighting{fmt.Sprintf("%s, partition %d, offset", topic, r.Partition), r.Offset, value}
	switch {
	case r.Value == nil:
		t.tombstones++
	case len(value)+1 > batch.MaxRecordBytes:
		t.tooLarge = append(t.tooLarge, s.String())
	default:
		for s.text = range bytes.SplitSeq(value, []byte{'\n'}) {
			visit(identify(s.text), s)
		}
	}
}

// objectFiles are the delivered objects below a directory.
type objectFiles struct {
	root  string
	files int64 // that the last reading found
	bytes int64 // their size on disk
}

// each visits the lines of all objects, as anybody would read them back from a bucket.
func (o *objectFiles) each(ctx context.Context, visit visitor) error {
	o.files, o.bytes = 0, 0
	objects := os.DirFS(o.root)
	return fs.WalkDir(objects, ".", func(path string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(objects, path)
		o.files++
		o.bytes += int64(len(content))
		if err == nil && strings.HasSuffix(path, ".gz") {
			var z io.Reader
			if z, err = gzip.NewReader(bytes.NewReader(content)); err == nil {
				content, err = io.ReadAll(z)
			}
		}
		if err != nil {
			return fmt.Errorf("read the object %s: %w", path, err)
		}
		s := sighting{place: path + ", line"}
		for line := range bytes.Lines(content) {
			s.at++
			s.text = bytes.TrimSuffix(line, []byte{'\n'})
			visit(identify(s.text), s)
		}
		return nil
	})
}
