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
type lineCount struct{ topic, delivered int64 }

// compareLines compares the lines of the topic with the delivered lines. It uses no counter and no code of the connector:
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
// If lines are wrong, both are read again, to find the places of some.
func compareLines(ctx context.Context, topic, delivered lineReader) (v verdict, err error) {
	counts := map[lineHash]lineCount{}
	count := func(one lineCount) func(line) {
		return func(l line) {
			id := hashLine(l.text)
			n := counts[id]
			counts[id] = lineCount{n.topic + one.topic, n.delivered + one.delivered}
		}
	}
	err = errors.Join(topic(ctx, count(lineCount{topic: 1})), delivered(ctx, count(lineCount{delivered: 1})))
	if err != nil {
		return v, err
	}
	wrong := map[lineHash]string{} // :: line -> its fault
	for id, n := range counts {
		if fault := v.judgeLine(n); fault != "" && len(wrong) < maxExamples {
			wrong[id] = fault
		}
	}
	if len(wrong) == 0 {
		return v, nil
	}
	addExample := func(l line) {
		id := hashLine(l.text)
		if fault, ok := wrong[id]; ok {
			v.examples = append(v.examples, fault+": "+l.String())
			delete(wrong, id)
		}
	}
	err = errors.Join(topic(ctx, addExample), delivered(ctx, addExample))
	return v, err
}

// judgeLine adds the copies of a line to the verdict and returns its fault, empty for none.
func (v *verdict) judgeLine(n lineCount) string {
	v.topic += n.topic
	v.delivered += n.delivered
	switch {
	case n.delivered < n.topic:
		v.lost += n.topic - n.delivered
		return fmt.Sprintf("lost: %d in the topic, %d delivered", n.topic, n.delivered)
	case n.topic == 0:
		v.strangers += n.delivered
		return "delivered, but never in the topic"
	case n.delivered > n.topic:
		v.duplicated += n.delivered - n.topic
		return fmt.Sprintf("duplicated: %d in the topic, %d delivered", n.topic, n.delivered)
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

// lineReader calls visit for all lines of the topic or of the objects. Each call begins at the start.
type lineReader func(ctx context.Context, visit func(line)) error

// line is a line and its place. Its text is only valid during the visit.
type line struct {
	place string // a partition or a file
	at    int64  // its offset or line number
	text  []byte
}

func (l line) String() string {
	return fmt.Sprintf("%s %d: %q", l.place, l.at, l.text[:min(len(l.text), 60)])
}

// lineHash identifies the content of a line: 128 bits of two independently seeded hashes. A collision
// is less likely than a memory error.
type lineHash [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func hashLine(text []byte) lineHash {
	return lineHash{maphash.Bytes(seeds[0], text), maphash.Bytes(seeds[1], text)}
}

// multiset is a sum over lines in any order. Two are equal if they have the same lines the same number of times.
type multiset struct {
	lines int64
	sum   lineHash
}

func (m *multiset) add(text []byte) {
	id := hashLine(text)
	m.lines++
	m.sum[0] += id[0]
	m.sum[1] += id[1]
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
func (t *topicReader) visitLines(ctx context.Context, visit func(line)) error {
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
func (t *topicReader) visitRecord(r *kgo.Record, visit func(line)) {
	if r.ProducerID == t.producer {
		t.found.add(r.Value)
	}
	value := bytes.TrimSuffix(r.Value, []byte{'\n'})
	l := line{fmt.Sprintf("%s, partition %d, offset", topic, r.Partition), r.Offset, value}
	switch {
	case r.Value == nil:
		t.tombstones++
	case len(value)+1 > batch.MaxRecordBytes:
		t.tooLarge = append(t.tooLarge, l.String())
	default:
		for l.text = range bytes.SplitSeq(value, []byte{'\n'}) {
			visit(l)
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
func (o *objectReader) visitLines(ctx context.Context, visit func(line)) error {
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
		l := line{place: path + ", line"}
		for text := range bytes.Lines(content) {
			l.at++
			l.text = bytes.TrimSuffix(text, []byte{'\n'})
			visit(l)
		}
		return nil
	})
}
