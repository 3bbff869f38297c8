package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/kafka"
)

// AuditRequest describes one audit.
type AuditRequest struct {
	// From and To are the range, by the records' timestamps: From belongs to it and To does not.
	From, To time.Time
	// Topics are a part of those that the service reads; empty for all.
	Topics []string
	// Objects and Errors are where the stream delivers to, and its error output: s3://BUCKET/PREFIX or a directory.
	// Errors may be empty.
	Objects, Errors string
	// Due is how old a record has to be to be missed: the stream's longest buffering and then some.
	Due time.Duration
	// Late is how long after To objects are searched; 0 for up to now.
	Late time.Duration
	// ID is the member of the delivered objects that holds the id; empty for the envelope's.
	ID string
	// Parallel is how many objects are read at a time.
	Parallel int
	// Progress gets a line now and then; Terminal has each take the place of the one before.
	Progress io.Writer
	Terminal bool
}

// Validate returns the first fault of the request, as of now.
func (r AuditRequest) Validate(now time.Time) error {
	if r.Objects == "" {
		return errors.New("-objects is missing: want s3://BUCKET/PREFIX or a directory")
	}
	if err := validateRange(r.From, r.To, now); err != nil {
		return err
	}
	switch {
	case r.Due < 0:
		return fmt.Errorf("-due is %s; want 0s or more", r.Due)
	case r.Late < 0:
		return fmt.Errorf("-late is %s; want 0s or more", r.Late)
	case r.Parallel < 1 || r.Parallel > maxParallel:
		return fmt.Errorf("-parallel is %d; want 1 to %d", r.Parallel, maxParallel)
	}
	return nil
}

// maxParallel objects are read at a time: each takes a connection and some hundred KiB.
const maxParallel = 256

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Service is how the service that is audited treats records.
type Service struct {
	Kafka *kafka.RangeReader
	// Topics are those that it reads.
	Topics []string
	// Group is its consumer group, for messages.
	Group string
	// Sends reports whether it sends a record, or else why not, in a word. The error is that this can't be
	// found out. It is called by several goroutines.
	Sends func(context.Context, *kgo.Record) (reason string, err error)
	// ID and Timestamp are the names of the envelope's members; empty if it has none.
	ID, Timestamp string
	Log           *slog.Logger
}

// auditor is one run.
type auditor struct {
	AuditRequest
	service    Service
	now        time.Time
	id         string
	objects    Store
	errors     Store // nil without one
	partitions map[string][]*partitionAudit
	all        []*partitionAudit
	counts     auditCounts
	notes      []string

	mu         sync.Mutex
	unreadable []Unreadable
	unread     int64 // objects that could not be read, those that are not in the list as well
	messages   map[string]string
	withoutID  string // the first object with a document without an id
}

// Audit compares a range of Kafka with the delivered objects. An error means that there is no result.
func Audit(ctx context.Context, r AuditRequest, s Service) (AuditReport, error) {
	a := &auditor{AuditRequest: r, service: s, now: time.Now(), partitions: map[string][]*partitionAudit{}, messages: map[string]string{}}
	if err := r.Validate(a.now); err != nil {
		return AuditReport{}, err
	}
	if a.id = cmp.Or(r.ID, s.ID); a.id == "" {
		return AuditReport{}, errors.New("records are sent without an id: an audit needs RECORD_FORMAT=json, or RECORD_ENVELOPE=true, with id among RECORD_FIELDS; if something else writes an id of the form TOPIC-PARTITION-OFFSET, name its member with -id")
	}
	if err := a.openSources(ctx); err != nil {
		return AuditReport{}, err
	}
	cluster, err := a.findRanges(ctx)
	if err != nil {
		return AuditReport{}, err
	}
	stopProgress := ShowProgress(a.Progress, a.Terminal, a.counts.progressLine)
	err = a.readBoth(ctx)
	stopProgress()
	if err != nil {
		return AuditReport{}, err
	}
	if err := a.checkPlausible(); err != nil {
		return AuditReport{}, err
	}
	if err := a.findCompacted(ctx); err != nil {
		return AuditReport{}, err
	}
	return a.buildReport(cluster), nil
}

// findCompacted looks whether records that are in objects and not in Kafka may have been there: the cleaner removes records of
// a compacted topic that were delivered. Without such records nothing is asked.
func (a *auditor) findCompacted(ctx context.Context) error {
	for topic, partitions := range a.partitions {
		if !slices.ContainsFunc(partitions, (*partitionAudit).hasUnexpected) {
			continue
		}
		compacted, err := a.service.Kafka.IsCompacted(ctx, topic)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			a.notes = append(a.notes, "whether topic "+topic+" is compacted can't be read, so records that compaction has removed count as not expected: "+awsconfig.CleanMessage(err.Error()))
		}
		for _, p := range partitions {
			p.compacted = compacted
		}
	}
	return nil
}

// openSources opens the stores.
func (a *auditor) openSources(ctx context.Context) (err error) {
	if a.objects, err = openStore(ctx, a.Objects, a.service.Log); err != nil {
		return fmt.Errorf("-objects: %w", err)
	}
	switch empty, err := a.objects.Empty(ctx); {
	case err != nil:
		return fmt.Errorf("-objects: %w", err)
	case empty:
		return fmt.Errorf("-objects: %s has no object; want the prefix of the stream's destination", a.objects)
	}
	if a.Errors == "" {
		return nil
	}
	if a.errors, err = openStore(ctx, a.Errors, a.service.Log); err != nil {
		return fmt.Errorf("-errors: %w", err)
	}
	if samePlace(a.errors, a.objects) {
		return errors.New("-errors is the same place as -objects; want the prefix of the stream's error output")
	}
	return nil
}

func openStore(ctx context.Context, place string, log *slog.Logger) (Store, error) {
	if awsconfig.IsBucketAddress(place) {
		return OpenBucket(ctx, place, log)
	}
	return OpenDirectory(place)
}

// findRanges looks the range up in every partition.
func (a *auditor) findRanges(ctx context.Context) (cluster string, err error) {
	topics := a.Topics
	if len(topics) == 0 {
		topics = a.service.Topics
	}
	ranges, cluster, err := a.service.Kafka.FindStableRanges(ctx, topics, a.From, a.To)
	if err != nil {
		return "", err
	}
	commits, err := a.service.Kafka.RangeCommits(ctx, ranges, cluster)
	if err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		a.notes = append(a.notes, "the offsets of the group can't be read, so records that were not sent yet count as missing: "+awsconfig.CleanMessage(err.Error()))
		commits = slices.Repeat([]int64{-1}, len(ranges))
	}
	for i, g := range ranges {
		p := newPartitionAudit(g, commits[i])
		a.partitions[g.Topic] = append(a.partitions[g.Topic], p) // in the order of the numbers
		a.all = append(a.all, p)
		a.counts.recordsTotal.Add(g.End - g.Begin)
	}
	return cluster, nil
}

// readBoth reads Kafka and the objects at the same time.
func (a *auditor) readBoth(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reading sync.WaitGroup
	for _, read := range []func(context.Context) error{a.readKafka, a.readObjects, a.readErrors} {
		reading.Go(func() {
			if err := read(ctx); err != nil {
				cancel(err) // the first one is the cause
			}
		})
	}
	reading.Wait()
	return context.Cause(ctx)
}

func (a *auditor) readKafka(ctx context.Context) error {
	ranges := make([]kafka.OffsetRange, len(a.all))
	for i, p := range a.all {
		ranges[i] = p.OffsetRange
	}
	due := a.now.Add(-a.Due).UnixMilli()
	return a.service.Kafka.ReadRanges(ctx, ranges, func(records []*kgo.Record) error {
		a.counts.records.Add(int64(len(records)))
		for _, r := range records {
			if err := a.expectRecord(ctx, r, due); err != nil {
				return fmt.Errorf("topic %s partition %d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			}
		}
		return nil
	})
}

// expectRecord notes a record of Kafka. due is the time of the newest record that has to be delivered, in milliseconds.
func (a *auditor) expectRecord(ctx context.Context, r *kgo.Record, due int64) error {
	p := a.partitions[r.Topic][r.Partition]
	reason, err := a.service.Sends(ctx, r)
	switch {
	case err != nil:
		return err
	case reason != "":
		p.leftOut[reason]++
	default:
		p.expectOffset(r.Offset, r.Timestamp.UnixMilli() <= due)
	}
	return nil
}

// checkPlausible returns an error if the objects can't be those of the audited service.
func (a *auditor) checkPlausible() error {
	c := &a.counts
	switch documents := c.documents.Load(); {
	case a.unread > 0, c.objects.Load() == 0, documents > c.withoutID.Load():
		return nil
	case documents == 0 && c.foreign.Load() == 0:
		return nil
	case documents == 0:
		return fmt.Errorf("-objects: none of the %d objects holds a JSON document; want those that RECORD_FORMAT=json writes", c.objects.Load())
	default:
		return fmt.Errorf("-objects: none of the %d documents has an id of the form TOPIC-PARTITION-OFFSET in its member %q: look at RECORD_FIELDS, or name the member with -id (the first such document is in %s)", documents, a.id, a.withoutID)
	}
}
