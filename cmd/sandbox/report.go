package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/status"
)

func (s *sandbox) printBanner() {
	s.printf(`An embedded Kafka, an emulated Firehose, and the connector between them:

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

`, s.broker.addr, topic, s.o.partitions, s.emulator.addr, stream, s.o.faults, s.addr, s.emulator.objects, s.logPath(), key, region, s.o.feedingPlan())
}

// feedingPlan describes the feeding that the flags choose.
func (o options) feedingPlan() string {
	if o.records == 0 {
		return "Feeding nothing, waiting for records that others produce"
	}
	what := "Feeding " + o.inputName()
	if o.records > 0 {
		what += fmt.Sprintf(", %s records at most", formatCount(o.records))
	}
	if o.rate > 0 {
		what += fmt.Sprintf(", %s a second", formatCount(o.rate))
	}
	if o.lasts > 0 {
		what += fmt.Sprintf(", for %s", o.lasts)
	}
	return what
}

// watchProgress prints a line each second, and one for each change of faults and readiness, until stop is called. The status
// page and kafka-firehose top show more.
func (s *sandbox) watchProgress(ctx context.Context, c *connector.Connector) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		begin, before, changes := time.Now(), progress{}, stateChanges{}
		for {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
			at := time.Since(begin)
			for _, line := range changes.observeState(at, s.emulator.service.ActiveEffects(), c.Ready()) {
				s.printf("%s\n", line)
			}
			ends, err := s.broker.endOffsets(ctx)
			committed, committedErr := s.broker.committedOffsets(ctx)
			if err != nil || committedErr != nil {
				continue
			}
			now := progress{at, ends.sum(), s.emulator.lines.Load(), ends.sum() - committed.sum(), s.emulator.streamStats()}
			s.printf("%s", now.formatLine(before))
			before = now
		}
	})
	return func() { cancel(); watching.Wait() }
}

// progress are the numbers of a line, at one moment.
type progress struct {
	at                  time.Duration // since the view began
	produced, delivered int64         // records that came into the topic, lines that Firehose stored
	lag                 int64         // records that are not committed
	firehose            firehosetest.StreamStats
}

func (p progress) formatLine(before progress) string {
	perSecond := func(n int64) string { return formatCount(int64(float64(n) / (p.at - before.at).Seconds())) }
	bill := streamBill(p.firehose)
	return fmt.Sprintf("%s  produced %s (%s/s)  delivered %s (%s/s)  lag %s  refused %s  billed %s for %s (%.1f times) $%.4f\n",
		formatClock(p.at),
		formatCount(p.produced), perSecond(p.produced-before.produced),
		formatCount(p.delivered), perSecond(p.delivered-before.delivered),
		formatCount(p.lag), formatCount(p.firehose.Refused),
		status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), billDollars(bill))
}

// streamBill is the bill of AWS for the stored records.
func streamBill(st firehosetest.StreamStats) firehose.Bill {
	return firehose.Bill{Records: int64(st.Records), Bytes: st.Bytes, Billed: st.Billed, Requests: int64(st.Requests)}
}

// billDollars is the list price of ingestion in us-east-1 for the first 500 TB of a month, in US dollars for 2^30 bytes:
// https://aws.amazon.com/firehose/pricing/
func billDollars(b firehose.Bill) float64 { return float64(b.Billed) / (1 << 30) * 0.029 }

// stateChanges holds the state that was last reported. It is a state machine: the time is passed in.
type stateChanges struct {
	active   []firehosetest.Effect
	notReady time.Duration // since when; 0 while it is ready, or has not been ready yet
	started  bool          // the connector has been ready
}

// observeState returns a line for each fault that has begun or ended since the last call, and one when the connector is no
// longer ready, or ready again.
func (c *stateChanges) observeState(at time.Duration, active []firehosetest.Effect, ready error) (lines []string) {
	add := func(format string, args ...any) {
		lines = append(lines, formatClock(at)+"  "+fmt.Sprintf(format, args...))
	}
	for _, effect := range active {
		if !slices.Contains(c.active, effect) {
			add("fault begins: %s", effect)
		}
	}
	for _, effect := range c.active {
		if !slices.Contains(active, effect) {
			add("fault ends: %s", effect)
		}
	}
	c.active = active
	switch {
	case ready == nil && c.notReady > 0:
		add("the connector is ready again, after %s", (at - c.notReady).Round(time.Second))
		c.notReady = 0
	case ready == nil:
		c.started = true
	case c.started && c.notReady == 0:
		c.notReady = at
		reason, _, _ := strings.Cut(ready.Error(), "\n")
		add("the connector is not ready: %s", reason)
	}
	return lines
}

func formatClock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", d/time.Minute, d%time.Minute/time.Second)
}

// formatCount groups the digits of a number with commas.
func formatCount[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// proveDelivery compares the topic with the delivered objects, prints the report, and returns all faults. ends are the end
// offsets at the end of the feeding.
func (s *sandbox) proveDelivery(ctx context.Context, ends offsets) (verdict, error) {
	begin := time.Now()
	s.printf("\nReading the topic and the objects back ...\n")
	flushErr := s.emulator.directory.Flush()
	// The connector may have delivered records that others produced later: up to its commits.
	to, err := s.broker.committedOffsets(ctx)
	producer, _, producerErr := s.broker.client.ProducerID(ctx)
	if err = errors.Join(err, producerErr); err != nil {
		return verdict{}, fmt.Errorf("the proof could not be made: %w", err)
	}
	for p, at := range ends {
		to[p] = max(to[p], at)
	}
	records := &topicReader{addr: s.broker.addr, to: to, producer: producer}
	objects := &objectReader{root: s.emulator.objects}
	v, err := compareLines(ctx, records.visitLines, objects.visitLines)
	if err != nil {
		return v, fmt.Errorf("the proof could not be made: %w", err)
	}
	explained := s.emulator.unanswered.Load()
	s.printReport(v, explained, records, objects, time.Since(begin))
	if n := len(records.tooLarge); n > 0 {
		err = fmt.Errorf("%d records are larger than Firehose takes (%s bytes) and were skipped, the first in %s", n, formatCount(batch.MaxRecordBytes), records.tooLarge[0])
	}
	return v, errors.Join(flushErr, err, v.asError(s.broker.fed, records.found, explained))
}

// printVerdict prints that the delivery is proved or, after an error, examples of wrong lines. It returns the error.
func (s *sandbox) printVerdict(v verdict, err error) error {
	switch {
	case err != nil:
		for _, e := range v.examples {
			s.printf("  ! %s\n", e)
		}
	case v.duplicated > 0:
		s.printf("\nPROVED: nothing is lost; %s lines were delivered twice or more, each because an answer was destroyed.\n", formatCount(v.duplicated))
	default:
		s.printf("\nPROVED: produced = delivered, line by line: each of the %s exactly once.\n", formatCount(v.topic))
	}
	return err
}

func (s *sandbox) printReport(v verdict, explained int64, records *topicReader, objects *objectReader, took time.Duration) {
	nulls, reason := "", ""
	if records.tombstones > 0 {
		nulls = fmt.Sprintf(", and %s records without a value, which are skipped", formatCount(records.tombstones))
	}
	if explained+v.duplicated > 0 {
		reason = fmt.Sprintf(" of %s lines that were stored and whose answer was destroyed", formatCount(explained))
	}
	s.printf(`
The topic, read by a consumer of its own, and the objects, read back from disk (%s):

  fed        %14s lines
  topic      %14s lines%s
  delivered  %14s lines in %s objects, %s: %s
  lost       %14s
  duplicated %14s%s
  refused    %14s records, which were sent again
`, took.Round(time.Millisecond), formatCount(s.broker.fed.lines), formatCount(v.topic), nulls,
		formatCount(v.delivered), formatCount(objects.files), status.FormatBytes(objects.bytes), objects.root,
		formatCount(v.lost), formatCount(v.duplicated), reason, formatCount(s.emulator.streamStats().Refused))
	bill := streamBill(s.emulator.streamStats())
	if bill.Bytes == 0 {
		return
	}
	s.printf("  billed     %14s for %s of data, %.1f times as much: $%.4f for a million lines\n",
		status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), billDollars(bill)/float64(max(v.delivered, 1))*1e6)
	if with := connector.AggregatedRatio(connector.DefaultConfig().Record, bill); !s.o.aggregate && with*2 < bill.Ratio() {
		s.printf("             %14s or so with -aggregate: Firehose bills each record as a multiple of 5 KiB\n", status.FormatBytes(with*float64(bill.Bytes)))
	}
}
