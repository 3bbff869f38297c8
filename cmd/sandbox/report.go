package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/status"
)

// passLines is how many lines one pass of the proof counts, in about 250 MiB of memory.
const passLines = 4_000_000

func (s *sandbox) logPath() string { return filepath.Join(s.dir, "connector.log") }

func (s *sandbox) banner() {
	probes := reachable(s.probes.Addr().String())
	var b strings.Builder
	fmt.Fprintf(&b, "An embedded Kafka, an emulated Firehose, and the connector between them:\n\n")
	fmt.Fprintf(&b, "  Kafka      %s, topic %s, %d partitions\n", s.broker.addr, s.o.topic, len(s.start))
	fmt.Fprintf(&b, "  Firehose   http://%s, stream %s, faults: %s\n", s.service.addr, stream, s.o.faults)
	fmt.Fprintf(&b, "  connector  http://%s/ is its status page, beside /status, /metrics, /livez, /readyz\n", probes)
	fmt.Fprintf(&b, "  objects    %s\n", s.service.objects)
	fmt.Fprintf(&b, "  log        %s\n\n", s.logPath())
	fmt.Fprintf(&b, "In another terminal, while this runs:\n\n")
	fmt.Fprintf(&b, "  echo hello | kcat -P -b %s -t %s\n", s.broker.addr, s.o.topic)
	fmt.Fprintf(&b, "  go run ./cmd/kafka-firehose top -addr %s\n", probes)
	fmt.Fprintf(&b, "  curl -s http://%s/metrics | grep ^kafka_firehose\n", probes)
	fmt.Fprintf(&b, "  curl -X PUT -d '[{\"effect\": \"refuse-records\", \"share\": 0.2}]' http://%s/_emulator/faults\n", s.service.addr)
	fmt.Fprintf(&b, "  AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s aws --region %s --endpoint-url http://%s \\\n", key, key, region, s.service.addr)
	fmt.Fprintf(&b, "    firehose describe-delivery-stream --delivery-stream-name %s\n\n", stream)
	fmt.Fprintf(&b, "%s. Ctrl-C ends it and goes on to the proof.\n\n", s.plan())
	s.print(b.String())
}

// plan says in words what the flags say.
func (s *sandbox) plan() string {
	o := s.o
	what := "Feeding " + o.input
	switch {
	case o.records == 0:
		what = "Feeding nothing, waiting for records that others produce"
	case o.input == "-":
		what = "Feeding standard input"
	case o.input == "":
		what = "Feeding sample events"
	}
	if o.records > 0 {
		what += fmt.Sprintf(", %s records at most", count(o.records))
	}
	if o.rate > 0 && o.records != 0 {
		what += fmt.Sprintf(", %s a second", count(int64(o.rate)))
	}
	if o.lasts > 0 {
		what += fmt.Sprintf(", for %s", o.lasts)
	}
	return what
}

// prove compares what is in the topic with what was delivered, and prints what it found. ends is
// where the topic ended when feeding did, err what went wrong before.
func (s *sandbox) prove(ctx context.Context, ends offsets, err error) bool {
	begin := time.Now()
	s.print("\nReading the topic and the objects back ...\n")
	err = errors.Join(err, s.service.directory.Flush())
	// Others may have produced since, and the connector may have delivered it: up to its commit.
	to, committedErr := s.broker.committed(ctx)
	if err = errors.Join(err, committedErr); committedErr != nil {
		s.print(failed(err))
		return false
	}
	for p, at := range ends {
		to[p] = max(to[p], at)
	}
	topic := &topicLog{addr: s.broker.addr, topic: s.o.topic, from: s.start, to: to}
	objects := &objectFiles{root: s.service.objects}
	p := proof{fed: s.feeder.each, topic: topic.each, delivered: objects.each, passes: 1 + uint64(max(to.sum()-s.start.sum(), s.service.lines.Load()))/passLines}
	v, proofErr := p.run(ctx)
	if proofErr != nil {
		s.print(failed(errors.Join(err, fmt.Errorf("the proof could not be made: %w", proofErr))))
		return false
	}
	explained := s.service.unanswered(s.perRecord())
	err = errors.Join(err, v.err(explained), tooLarge(topic.tooLarge))
	s.print(s.report(v, topic, objects, time.Since(begin)))
	if err != nil {
		for _, e := range v.examples {
			s.print("  ! " + e + "\n")
		}
		s.print(failed(err))
		return false
	}
	s.print(proved(v))
	return true
}

// perRecord is the most lines in one Firehose record.
func (s *sandbox) perRecord() int64 {
	if s.o.aggregate {
		return int64(s.bridge.cfg.Record.AggregateMaxRecords)
	}
	return 1
}

func (s *sandbox) report(v verdict, topic *topicLog, objects *objectFiles, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe topic, read by a consumer of its own, and the objects, read back from disk (%s):\n\n", took.Round(time.Millisecond))
	fmt.Fprintf(&b, "  fed        %14s lines\n", count(v.fed))
	fmt.Fprintf(&b, "  topic      %14s lines%s\n", count(v.topic), nulls(topic.tombstones))
	fmt.Fprintf(&b, "  delivered  %14s lines in %s objects, %s: %s\n", count(v.delivered), count(int64(objects.files)), status.FormatBytes(objects.bytes), objects.root)
	fmt.Fprintf(&b, "  lost       %14s\n", count(v.lost))
	fmt.Fprintf(&b, "  duplicated %14s%s\n", count(v.duplicated), s.ambiguity(v))
	c := s.bridge.counters()
	fmt.Fprintf(&b, "  retried    %14s records, %s of them after an ambiguous answer\n", count(c[retriedTotal]), count(c[ambiguousTotal]))
	b.WriteString(s.billed(v.delivered))
	return b.String()
}

// billed is the line about money, with a hint if aggregation would halve the bill.
func (s *sandbox) billed(lines int64) string {
	bill := s.service.bill()
	if bill.Bytes == 0 {
		return ""
	}
	text := fmt.Sprintf("  billed     %14s for %s of data, %.1f times as much: $%.4f for a million lines\n",
		status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), dollars(bill)/float64(max(lines, 1))*1e6)
	if with := connector.AggregatedRatio(s.bridge.cfg.Record, bill); !s.o.aggregate && with*2 < bill.Ratio() {
		text += fmt.Sprintf("             %14s or so with -aggregate: Firehose bills each record as a multiple of 5 KiB\n", status.FormatBytes(with*float64(bill.Bytes)))
	}
	return text
}

func (s *sandbox) ambiguity(v verdict) string {
	n := s.service.unanswered(s.perRecord())
	if n == 0 && v.duplicated == 0 {
		return ""
	}
	return fmt.Sprintf(" of %s lines that were stored and whose answer was destroyed", count(n))
}

func nulls(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s records without a value, which are skipped", count(n))
}

// err says what is wrong, nil if nothing is.
func (v verdict) err(explained int64) error {
	var errs []error
	add := func(n int64, what string) {
		if n > 0 {
			errs = append(errs, fmt.Errorf("%s lines %s", count(n), what))
		}
	}
	add(v.missing, "were fed and are not in the topic")
	add(v.lost, "are in the topic and were not delivered: LOST")
	add(v.strangers, "were delivered and never were in the topic")
	add(v.duplicated-explained, "were delivered more than once without an answer that was destroyed")
	return errors.Join(errs...)
}

func tooLarge(where []string) error {
	if len(where) == 0 {
		return nil
	}
	return fmt.Errorf("%d records are larger than Firehose takes (%s bytes) and were skipped, the first in %s",
		len(where), count(batch.MaxRecordBytes), where[0])
}

func proved(v verdict) string {
	if v.duplicated > 0 {
		return fmt.Sprintf("\nPROVED: nothing is lost; %s lines were delivered twice or more, each because an answer was destroyed.\n", count(v.duplicated))
	}
	return fmt.Sprintf("\nPROVED: produced = delivered, line by line: each of the %s exactly once.\n", count(v.topic))
}

func failed(err error) string {
	return "\nFAILED:\n  " + strings.ReplaceAll(err.Error(), "\n", "\n  ") + "\n"
}
