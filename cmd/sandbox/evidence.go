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
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// firehoseRecord is the most that Firehose takes as one record, delimiter included. It is written
// down here again because the proof must not believe the connector.
const firehoseRecord = 1_024_000

// topicLog reads one stretch of the topic.
type topicLog struct {
	addr, topic string
	from, to    offsets

	// What the last reading found that can't be delivered.
	tombstones int64
	tooLarge   []string // where
}

// topicQuiet is how long a partition may bring nothing before its end.
const topicQuiet = 30 * time.Second

// each visits the lines of the stretch's records. It reads as every consumer would, not through
// anything of the connector.
func (t *topicLog) each(ctx context.Context, visit visitor) error {
	t.tombstones, t.tooLarge = 0, nil
	left := map[int32]bool{}
	start := map[int32]kgo.Offset{}
	for p, to := range t.to {
		if t.from[p] < to {
			left[p], start[p] = true, kgo.NewOffset().At(t.from[p])
		}
	}
	if len(left) == 0 {
		return nil
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(t.addr),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.topic: start}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // what was aborted must not be delivered
		kgo.KeepControlRecords(),                     // they can be the last of a partition
		kgo.FetchMaxBytes(8<<20),
		kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return fmt.Errorf("read the topic again: %w", err)
	}
	defer client.Close()
	for len(left) > 0 {
		if err := t.poll(ctx, client, left, visit); err != nil {
			return fmt.Errorf("read the topic again: %w", err)
		}
	}
	return nil
}

func (t *topicLog) poll(ctx context.Context, client *kgo.Client, left map[int32]bool, visit visitor) error {
	ctx, cancel := context.WithTimeout(ctx, topicQuiet)
	defer cancel()
	fetches := client.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		return err
	}
	names := map[int32]string{}
	fetches.EachRecord(func(r *kgo.Record) {
		to := t.to[r.Partition]
		if r.Offset+1 >= to {
			delete(left, r.Partition)
		}
		if r.Offset >= to || r.Attrs.IsControl() {
			return
		}
		if names[r.Partition] == "" {
			names[r.Partition] = fmt.Sprintf("%s, partition %d, offset", t.topic, r.Partition)
		}
		t.visit(r, sighting{place: names[r.Partition], at: r.Offset}, visit)
	})
	return nil
}

// visit takes a record apart as it will be found in the objects: what does not end in a newline
// gets one.
func (t *topicLog) visit(r *kgo.Record, s sighting, visit visitor) {
	if r.Value == nil {
		t.tombstones++
		return
	}
	value := bytes.TrimSuffix(r.Value, []byte{'\n'})
	if len(value)+1 > firehoseRecord {
		s.text = value
		t.tooLarge = append(t.tooLarge, s.String())
		return
	}
	for line := range bytes.SplitSeq(value, []byte{'\n'}) {
		s.text = line
		visit(identify(line), s)
	}
}

// objectFiles are the delivered objects below a directory.
type objectFiles struct {
	root  string
	files int   // that the last reading found
	bytes int64 // their size on disk
}

// each visits the lines of all objects, as anybody would read them back from a bucket.
func (o *objectFiles) each(ctx context.Context, visit visitor) error {
	o.files, o.bytes = 0, 0
	return filepath.WalkDir(o.root, func(path string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || entry.IsDir() {
			return err
		}
		if info, err := entry.Info(); err == nil {
			o.bytes += info.Size()
		}
		o.files++
		if err := o.object(path, visit); err != nil {
			return fmt.Errorf("read the object %s: %w", path, err)
		}
		return nil
	})
}

func (o *objectFiles) object(path string, visit visitor) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		r = z
	}
	name, err := filepath.Rel(o.root, path)
	if err != nil {
		return err
	}
	s := sighting{place: name + ", line"}
	return eachLine(r, func(line []byte) error {
		s.at++
		s.text = line
		visit(identify(line), s)
		return nil
	})
}
