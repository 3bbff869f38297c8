package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/status"
)

func (s *sandbox) banner() {
	s.print(fmt.Sprintf(`An embedded Kafka, an emulated Firehose, and the connector between them:

  Kafka      %[1]s, topic %[2]s, %[3]d partitions
  Firehose   http://%[4]s, stream %[5]s, faults: %[6]s
  connector  http://%[7]s/ is its status page, beside /status, /metrics, /livez, /readyz
  objects    %[8]s
  log        %[9]s

In another terminal, while this runs:

  echo hello | kcat -P -b %[1]s -t %[2]s
  go run ./cmd/kafka-firehose top -addr %[7]s
  curl -s http://%[7]s/metrics | grep ^kafka_firehose
  curl -X PUT -d '[{"effect": "refuse-records", "share": 0.2}]' http://%[4]s/_emulator/faults
  AWS_ACCESS_KEY_ID=%[10]s AWS_SECRET_ACCESS_KEY=%[10]s aws --region %[11]s --endpoint-url http://%[4]s \
    firehose describe-delivery-stream --delivery-stream-name %[5]s

%[12]s. Ctrl-C ends it and goes on to the proof.

`, s.broker.addr, topic, s.o.partitions, s.service.addr, stream, s.o.faults, s.probes.Addr(), s.service.objects, s.logPath(), key, region, s.o.plan()))
}

// plan says in words what the flags say.
func (o options) plan() string {
	if o.records == 0 {
		return "Feeding nothing, waiting for records that others produce"
	}
	what := "Feeding " + cmp.Or(map[string]string{"": "sample events", "-": "standard input"}[o.input], o.input)
	if o.records > 0 {
		what += fmt.Sprintf(", %s records at most", count(o.records))
	}
	if o.rate > 0 {
		what += fmt.Sprintf(", %s a second", count(o.rate))
	}
	if o.lasts > 0 {
		what += fmt.Sprintf(", for %s", o.lasts)
	}
	return what
}

// passLines is how many lines one pass of the proof counts, in about 250 MiB of memory.
const passLines = 4_000_000

// prove compares what is in the topic with what was delivered, and prints what it found. ends is
// where the topic ended when feeding did, err what went wrong before.
func (s *sandbox) prove(ctx context.Context, ends offsets, err error) bool {
	begin := time.Now()
	s.print("\nReading the topic and the objects back ...\n")
	// Others may have produced since, and the connector may have delivered it: up to its commit.
	to, committedErr := s.broker.committed(ctx)
	if err = errors.Join(err, s.service.directory.Flush(), committedErr); committedErr != nil {
		s.print(failed(err))
		return false
	}
	for p, at := range ends {
		to[p] = max(to[p], at)
	}
	producer, _, producerErr := s.feeder.client.ProducerID(ctx)
	err = errors.Join(err, producerErr)
	read, objects := &topicLog{addr: s.broker.addr, to: to, producer: producer}, &objectFiles{root: s.service.objects}
	v, proofErr := proof{
		topic: read.each, delivered: objects.each,
		passes: 1 + uint64(max(to.sum(), s.service.lines.Load()))/passLines,
	}.run(ctx)
	if proofErr != nil {
		s.print(failed(errors.Join(err, fmt.Errorf("the proof could not be made: %w", proofErr))))
		return false
	}
	perRecord := 1
	if s.o.aggregate {
		perRecord = s.cfg.Record.AggregateMaxRecords
	}
	explained := s.service.unanswered(int64(perRecord))
	err = errors.Join(err, v.err(s.feeder.fed, read.found, explained), tooLarge(read.tooLarge))
	s.print(s.report(v, explained, read, objects, time.Since(begin)))
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

func (s *sandbox) report(v verdict, explained int64, read *topicLog, objects *objectFiles, took time.Duration) string {
	nulls, reason := "", ""
	if read.tombstones > 0 {
		nulls = fmt.Sprintf(", and %s records without a value, which are skipped", count(read.tombstones))
	}
	if explained+v.duplicated > 0 {
		reason = fmt.Sprintf(" of %s lines that were stored and whose answer was destroyed", count(explained))
	}
	return fmt.Sprintf(`
The topic, read by a consumer of its own, and the objects, read back from disk (%s):

  fed        %14s lines
  topic      %14s lines%s
  delivered  %14s lines in %s objects, %s: %s
  lost       %14s
  duplicated %14s%s
  refused    %14s records, which were sent again
`, took.Round(time.Millisecond), count(s.feeder.fed.lines), count(v.topic), nulls,
		count(v.delivered), count(objects.files), status.FormatBytes(objects.bytes), objects.root,
		count(v.lost), count(v.duplicated), reason, count(s.service.stats().Refused)) + s.billed(v.delivered)
}

// billed is the line about money, with a hint if aggregation would halve the bill.
func (s *sandbox) billed(lines int64) string {
	bill := billOf(s.service.stats())
	if bill.Bytes == 0 {
		return ""
	}
	text := fmt.Sprintf("  billed     %14s for %s of data, %.1f times as much: $%.4f for a million lines\n",
		status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), dollars(bill)/float64(max(lines, 1))*1e6)
	if with := connector.AggregatedRatio(s.cfg.Record, bill); !s.o.aggregate && with*2 < bill.Ratio() {
		text += fmt.Sprintf("             %14s or so with -aggregate: Firehose bills each record as a multiple of 5 KiB\n", status.FormatBytes(with*float64(bill.Bytes)))
	}
	return text
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
