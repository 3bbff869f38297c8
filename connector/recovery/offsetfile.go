package recovery

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"time"

	"kafka-firehose/connector/kafka"
)

// OffsetFile is a file that WriteMissing has written: offsets of the records to replay.
type OffsetFile struct {
	Version    int                      `json:"version"`
	Cluster    string                   `json:"cluster"`
	From       time.Time                `json:"from"`
	To         time.Time                `json:"to"`
	Partitions []OffsetFilePartition    `json:"partitions"`
	digest     [sha256.Size]byte        // of the partitions
	of         map[string]map[int32]int // :: topic -> partition -> index of Partitions
}

// OffsetFilePartition is the offsets of one partition.
type OffsetFilePartition struct {
	Topic     string     `json:"topic"`
	TopicID   string     `json:"topic_id,omitempty"` // of the topic that the offsets are of; empty where brokers have none
	Partition int32      `json:"partition"`
	Records   int64      `json:"records"`
	Offsets   [][2]int64 `json:"offsets"` // the first and the last of each stretch, going up
}

// ReadOffsetFile reads a file and checks all of it.
func ReadOffsetFile(r io.Reader) (*OffsetFile, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	f := &OffsetFile{of: map[string]map[int32]int{}}
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("want the JSON that `kafka-firehose audit -missing FILE` writes: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the JSON object")
	}
	if f.Version != missingVersion {
		return nil, fmt.Errorf("its version is %d; this program reads version %d", f.Version, missingVersion)
	}
	for i := range f.Partitions {
		p := &f.Partitions[i]
		if err := p.validateRanges(); err != nil {
			return nil, fmt.Errorf("topic %q partition %d: %w", p.Topic, p.Partition, err)
		}
		if f.of[p.Topic] == nil {
			f.of[p.Topic] = map[int32]int{}
		}
		if _, twice := f.of[p.Topic][p.Partition]; twice {
			return nil, fmt.Errorf("topic %q partition %d is there twice", p.Topic, p.Partition)
		}
		f.of[p.Topic][p.Partition] = i
	}
	if len(f.Partitions) == 0 {
		return nil, errors.New("it holds no offsets: nothing is missing")
	}
	sum := sha256.New()
	if err := json.NewEncoder(sum).Encode(f.Partitions); err != nil {
		return nil, err
	}
	sum.Sum(f.digest[:0])
	return f, nil
}

// validateRanges returns the first fault of a partition.
func (p *OffsetFilePartition) validateRanges() error {
	if p.Topic == "" || p.Partition < 0 {
		return errors.New("want the name of a topic and the number of a partition")
	}
	if _, legal := kafka.ParseTopicID(p.TopicID); !legal && p.TopicID != "" {
		return fmt.Errorf("its topic_id is %q, which is no id of a topic", p.TopicID)
	}
	if len(p.Offsets) == 0 {
		return errors.New("it has no offsets")
	}
	end, records := int64(-1), int64(0)
	for _, pair := range p.Offsets {
		switch {
		case pair[0] < 0 || pair[1] < pair[0] || pair[1] == math.MaxInt64:
			return fmt.Errorf("[%d,%d] is no stretch of offsets; want the first and the last one", pair[0], pair[1])
		case pair[0] < end:
			return fmt.Errorf("[%d,%d] overlaps the stretch before it, or comes before it", pair[0], pair[1])
		}
		end = pair[1] + 1
		records += end - pair[0]
	}
	if records != p.Records {
		return fmt.Errorf("its stretches hold %d offsets, and its member records says %d", records, p.Records)
	}
	return nil
}

// Topics returns the topics in the order of the file.
func (f *OffsetFile) Topics() (topics []string) {
	for _, p := range f.Partitions {
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	return topics
}

// partitionOf returns the offsets of a partition, nil if the file has none.
func (f *OffsetFile) partitionOf(topic string, partition int32) *OffsetFilePartition {
	if i, ok := f.of[topic][partition]; ok {
		return &f.Partitions[i]
	}
	return nil
}

// isOfTopic reports whether the offsets are of the topic with the id. It is true where that can't be told.
func (p *OffsetFilePartition) isOfTopic(id [16]byte) bool {
	of, ok := kafka.ParseTopicID(p.TopicID)
	return !ok || id == [16]byte{} || of == id
}

// nextOffset returns the first offset of the file from the given one on, and math.MaxInt64 if there is none.
func (p *OffsetFilePartition) nextOffset(offset int64) int64 {
	i := sort.Search(len(p.Offsets), func(i int) bool { return p.Offsets[i][1] >= offset })
	if i == len(p.Offsets) {
		return math.MaxInt64
	}
	return max(offset, p.Offsets[i][0])
}

// countOffsets returns how many offsets of the file are in the range from begin up to and without end.
func (p *OffsetFilePartition) countOffsets(begin, end int64) (n int64) {
	for _, pair := range p.Offsets {
		n += max(min(pair[1]+1, end)-max(pair[0], begin), 0)
	}
	return n
}

// firstOffset and endOffset are the bounds of all of its offsets.
func (p *OffsetFilePartition) firstOffset() int64 { return p.Offsets[0][0] }
func (p *OffsetFilePartition) endOffset() int64   { return p.Offsets[len(p.Offsets)-1][1] + 1 }
