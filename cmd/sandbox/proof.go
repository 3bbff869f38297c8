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

// proof compares the lines of the topic with the delivered lines. It uses no counter and no code of the connector:
//
//	topic      the records that a consumer without a group reads from the partitions (topicReader)
//	delivered  the lines of the objects on disk (objectReader)
//
// Each line must be delivered as often as it is in the topic. Fewer copies are losses, more are duplicates, and a
// line that is not in the topic is a stranger. A duplicate is allowed only where the emulated Firehose stored a record
// and destroyed the answer; the emulator counts these lines. The records with the id of our producer must be
// the records that were fed: see multiset.
//
// A record with newlines counts as several lines, because objects only have lines.
//
// Each pass counts a part of the lines, which bounds the memory.
type proof struct {
	topic, delivered lineReader
	passes           uint64 // 1 or more
}

// lineReader calls visit for all lines of the topic or of the objects. Each call begins at the start.
type lineReader func(ctx context.Context, visit lineVisitor) error

type lineVisitor func(lineHash, linePlace)

// lineHash identifies the content of a line: 128 bits of two independently seeded hashes. A collision
// is less likely than a memory error.
type lineHash [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func hashLine(line []byte) lineHash {
	return lineHash{maphash.Bytes(seeds[0], line), maphash.Bytes(seeds[1], line)}
}

// multiset is a sum over lines in any order. Two are equal if they have the same lines the same number of times.
type multiset struct {
	lines int64
	sum   lineHash
}

func (m *multiset) add(id lineHash) {
	m.lines++
	m.sum[0] += id[0]
	m.sum[1] += id[1]
}

// linePlace is the place of a line. Its text is only valid during the visit.
type linePlace struct {
	place string // a partition or a file
	at    int64  // its offset or line number
	text  []byte
}

func (s linePlace) String() string {
	return fmt.Sprintf("%s %d: %q", s.place, s.at, s.text[:min(len(s.text), 60)])
}

// verdict is the result of a proof, in lines.
type verdict struct {
	topic, delivered int64
	lost             int64 // in the topic, not delivered
	duplicated       int64 // delivered more often than they are in the topic
	strangers        int64 // delivered, not in the topic at all
	examples         []string
}

// maxExamples limits the wrong lines that are printed.
const maxExamples = 10

// lineCount counts the copies of one line in the topic and among the delivered lines.
type lineCount [2]int64

// compareLines reads everything once a pass, and once more to find the places of wrong lines.
func (p proof) compareLines(ctx context.Context) (verdict, error) {
	var v verdict
	wrong := map[lineHash]string{} // :: line -> its fault
	for pass := range p.passes {
		seen, err := p.countPass(ctx, pass)
		if err != nil {
			return v, err
		}
		for id, t := range seen {
			if what := v.judgeLine(t); what != "" && len(wrong) < maxExamples {
				wrong[id] = what
			}
		}
	}
	for _, each := range []lineReader{p.topic, p.delivered} {
		if len(wrong) == 0 {
			break
		}
		err := each(ctx, func(id lineHash, s linePlace) {
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

// countPass counts the lines that belong to the pass.
func (p proof) countPass(ctx context.Context, pass uint64) (map[lineHash]lineCount, error) {
	seen := map[lineHash]lineCount{}
	for i, each := range []lineReader{p.topic, p.delivered} {
		err := each(ctx, func(id lineHash, _ linePlace) {
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

// judgeLine adds the copies of a line to the verdict and returns its fault, empty for none.
func (v *verdict) judgeLine(t lineCount) string {
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

// asError returns all faults, nil for none. fed are the lines that were produced here, found are those of them in the
// topic, and explained is the number of duplicates that destroyed answers explain.
func (v verdict) asError(fed, found multiset, explained int64) error {
	var errs []error
	add := func(n int64, what string) {
		if n > 0 {
			errs = append(errs, fmt.Errorf("%s lines %s", formatCount(n), what))
		}
	}
	if fed != found {
		errs = append(errs, fmt.Errorf("%s lines were fed, and the %s of them in the topic are not the same", formatCount(fed.lines), formatCount(found.lines)))
	}
	add(v.lost, "are in the topic and were not delivered: LOST")
	add(v.strangers, "were delivered and never were in the topic")
	add(v.duplicated-explained, "were delivered more than once without an answer that was destroyed")
	return errors.Join(errs...)
}

// topicReader reads the topic from its beginning.
type topicReader struct {
	addr     string
	to       offsets
	producer int64 // id of our producer

	// Results of the last reading.
	found      multiset // records of that producer
	tombstones int64    // records without a value
	tooLarge   []string // places of records that Firehose does not take
}

// visitLines reads with a plain consumer and without code of the connector.
func (t *topicReader) visitLines(ctx context.Context, visit lineVisitor) error {
	t.found, t.tombstones, t.tooLarge = multiset{}, 0, nil
	client, err := kgo.NewClient(
		kgo.SeedBrokers(t.addr),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // the connector does not deliver aborted records
		kgo.KeepControlRecords(),                     // a partition may end with them
	)
	if err != nil {
		return fmt.Errorf("read the topic again: %w", err)
	}
	defer client.Close()
	for at := (offsets{}); !at.reaches(t.to); {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // without any record
		fetches := client.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the topic again: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if r.Offset < t.to[r.Partition] && !r.Attrs.IsControl() {
				t.visitRecord(r, visit)
			}
		})
	}
	return nil
}

// visitRecord visits the lines of a record. The connector adds a newline to a value that ends without one.
func (t *topicReader) visitRecord(r *kgo.Record, visit lineVisitor) {
	value := bytes.TrimSuffix(r.Value, []byte{'\n'})
	if r.ProducerID == t.producer {
		t.found.add(hashLine(r.Value))
	}
	s := linePlace{fmt.Sprintf("%s, partition %d, offset", topic, r.Partition), r.Offset, value}
	switch {
	case r.Value == nil:
		t.tombstones++
	case len(value)+1 > batch.MaxRecordBytes:
		t.tooLarge = append(t.tooLarge, s.String())
	default:
		for s.text = range bytes.SplitSeq(value, []byte{'\n'}) {
			visit(hashLine(s.text), s)
		}
	}
}

// objectReader reads the delivered objects below a directory.
type objectReader struct {
	root  string
	files int64 // of the last reading
	bytes int64 // of these, on disk
}

// visitLines reads the objects of the directory, and unpacks those that are compressed.
func (o *objectReader) visitLines(ctx context.Context, visit lineVisitor) error {
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
		s := linePlace{place: path + ", line"}
		for line := range bytes.Lines(content) {
			s.at++
			s.text = bytes.TrimSuffix(line, []byte{'\n'})
			visit(hashLine(s.text), s)
		}
		return nil
	})
}
