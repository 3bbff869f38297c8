package main

import (
	"cmp"
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

func (s *sandbox) banner() {
	s.print(`An embedded Kafka, an emulated Firehose, and the connector between them:

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

`, s.broker.addr, topic, s.o.partitions, s.service.addr, stream, s.o.faults, s.probes.Addr(), s.service.objects, s.logPath(), key, region, s.o.plan())
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

// watch prints a line each second, and one for each change of faults and readiness, until stop is called. The status page
// and kafka-firehose top show more.
func (s *sandbox) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		begin, before, seen := time.Now(), figures{}, changes{}
		for {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return
			}
			at := time.Since(begin)
			for _, change := range seen.next(at, s.service.service.ActiveEffects(), s.current.Load().Ready()) {
				s.print("%s\n", change)
			}
			if committed, ends, err := s.broker.offsets(ctx); err == nil {
				now := figures{at, ends.sum(), s.service.lines.Load(), ends.sum() - committed.sum(), s.service.stats()}
				s.print("%s", now.line(before))
				before = now
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

// figures are the numbers of a line, at one moment.
type figures struct {
	at                  time.Duration // since the view began
	produced, delivered int64         // records that came into the topic, lines that Firehose stored
	lag                 int64         // records that are not committed
	firehose            firehosetest.StreamStats
}

func (f figures) line(before figures) string {
	perSecond := func(n int64) string { return count(int64(float64(n) / (f.at - before.at).Seconds())) }
	bill := billOf(f.firehose)
	return fmt.Sprintf("%s  produced %s (%s/s)  delivered %s (%s/s)  lag %s  refused %s  billed %s for %s (%.1f times) $%.4f\n", clock(f.at),
		count(f.produced), perSecond(f.produced-before.produced), count(f.delivered), perSecond(f.delivered-before.delivered), count(f.lag),
		count(f.firehose.Refused), status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), dollars(bill))
}

// billOf is what AWS would bill.
func billOf(st firehosetest.StreamStats) firehose.Bill {
	return firehose.Bill{Records: int64(st.Records), Bytes: st.Bytes, Billed: st.Billed, Requests: int64(st.Requests)}
}

// dollars is the list price of ingestion in us-east-1 for the first 500 TB of a month, which is of 2^30 bytes:
// https://aws.amazon.com/firehose/pricing/
func dollars(b firehose.Bill) float64 { return float64(b.Billed) / (1 << 30) * 0.029 }

// changes holds the state that was last reported. It is a state machine: the time is passed in.
type changes struct {
	active   []firehosetest.Effect
	notReady time.Duration // since when; 0 while it is ready, or has not been ready yet
	started  bool          // the connector has been ready
}

// next returns a line for each fault that has begun or ended since the last call, and when the connector is no longer ready,
// and ready again.
func (c *changes) next(at time.Duration, active []firehosetest.Effect, ready error) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, clock(at)+"  "+fmt.Sprintf(format, args...)) }
	without := func(all, others []firehosetest.Effect) []firehosetest.Effect {
		return slices.DeleteFunc(slices.Clone(all), func(e firehosetest.Effect) bool { return slices.Contains(others, e) })
	}
	for _, effect := range without(active, c.active) {
		add("fault begins: %s", effect)
	}
	for _, effect := range without(c.active, active) {
		add("fault ends: %s", effect)
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

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", d/time.Minute, d%time.Minute/time.Second)
}

// count prints a number with commas.
func count[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// passLines is how many lines one pass of the proof counts, in about 250 MiB of memory.
const passLines = 4_000_000

// prove compares what is in the topic with what was delivered, and prints what it found. ends is
// where the topic ended when feeding did, err what went wrong before. The error is all that is wrong.
func (s *sandbox) prove(ctx context.Context, ends offsets, err error) error {
	begin := time.Now()
	s.print("\nReading the topic and the objects back ...\n")
	// Others may have produced since, and the connector may have delivered it: up to its commit.
	to, _, committedErr := s.broker.offsets(ctx)
	producer, _, producerErr := s.broker.client.ProducerID(ctx)
	if err = errors.Join(err, s.service.directory.Flush(), committedErr, producerErr); committedErr != nil {
		return err
	}
	for p, at := range ends {
		to[p] = max(to[p], at)
	}
	read, objects := &topicLog{addr: s.broker.addr, to: to, producer: producer}, &objectFiles{root: s.service.objects}
	passes := 1 + uint64(max(to.sum(), s.service.lines.Load()))/passLines
	v, proofErr := proof{topic: read.each, delivered: objects.each, passes: passes}.run(ctx)
	if proofErr != nil {
		return errors.Join(err, fmt.Errorf("the proof could not be made: %w", proofErr))
	}
	if n := len(read.tooLarge); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d records are larger than Firehose takes (%s bytes) and were skipped, the first in %s", n, count(batch.MaxRecordBytes), read.tooLarge[0]))
	}
	explained := s.service.unanswered.Load()
	s.report(v, explained, read, objects, time.Since(begin))
	err = errors.Join(err, v.err(s.broker.fed, read.found, explained))
	switch {
	case err != nil:
		for _, e := range v.examples {
			s.print("  ! %s\n", e)
		}
	case v.duplicated > 0:
		s.print("\nPROVED: nothing is lost; %s lines were delivered twice or more, each because an answer was destroyed.\n", count(v.duplicated))
	default:
		s.print("\nPROVED: produced = delivered, line by line: each of the %s exactly once.\n", count(v.topic))
	}
	return err
}

func (s *sandbox) report(v verdict, explained int64, read *topicLog, objects *objectFiles, took time.Duration) {
	nulls, reason := "", ""
	if read.tombstones > 0 {
		nulls = fmt.Sprintf(", and %s records without a value, which are skipped", count(read.tombstones))
	}
	if explained+v.duplicated > 0 {
		reason = fmt.Sprintf(" of %s lines that were stored and whose answer was destroyed", count(explained))
	}
	s.print(`
The topic, read by a consumer of its own, and the objects, read back from disk (%s):

  fed        %14s lines
  topic      %14s lines%s
  delivered  %14s lines in %s objects, %s: %s
  lost       %14s
  duplicated %14s%s
  refused    %14s records, which were sent again
`, took.Round(time.Millisecond), count(s.broker.fed.lines), count(v.topic), nulls,
		count(v.delivered), count(objects.files), status.FormatBytes(objects.bytes), objects.root,
		count(v.lost), count(v.duplicated), reason, count(s.service.stats().Refused))
	bill := billOf(s.service.stats())
	if bill.Bytes == 0 {
		return
	}
	s.print("  billed     %14s for %s of data, %.1f times as much: $%.4f for a million lines\n",
		status.FormatBytes(bill.Billed), status.FormatBytes(bill.Bytes), bill.Ratio(), dollars(bill)/float64(max(v.delivered, 1))*1e6)
	if with := connector.AggregatedRatio(connector.DefaultConfig().Record, bill); !s.o.aggregate && with*2 < bill.Ratio() {
		s.print("             %14s or so with -aggregate: Firehose bills each record as a multiple of 5 KiB\n", status.FormatBytes(with*float64(bill.Bytes)))
	}
}
