package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
)

// topicLog reads the topic from its beginning.
type topicLog struct {
	addr string
	to   offsets

	// What the last reading found that can't be delivered.
	tombstones int64
	tooLarge   []string // where
}

// topicQuiet is how long the topic may bring nothing before its end.
const topicQuiet = 30 * time.Second

// each visits the lines of the records. It reads as every consumer would, not through
// anything of the connector.
func (t *topicLog) each(ctx context.Context, visit visitor) error {
	t.tombstones, t.tooLarge = 0, nil
	start := map[int32]kgo.Offset{}
	for p := range t.to {
		start[p] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(t.addr),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // what was aborted must not be delivered
		kgo.KeepControlRecords(),                     // they can be the last of a partition
		kgo.FetchMaxBytes(8<<20),
		kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return fmt.Errorf("read the topic again: %w", err)
	}
	defer client.Close()
	for at := (offsets{}); !at.reaches(t.to); {
		ctx, cancel := context.WithTimeout(ctx, topicQuiet)
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
			content, err = gunzip(content)
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

func gunzip(content []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
