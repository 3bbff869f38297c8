package e2e_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/longtest"
)

// TestDestinationDownForDays: a destination fails for 72 hours while records come, and Firehose drops what is older than
// 24. Without the guard two days of records are lost. With it only those are lost that Firehose had accepted before the
// stream was held, and the batches that try the destination; the log names the time in which Firehose accepted them.
func TestDestinationDownForDays(t *testing.T) {
	t.Parallel()
	longtest.Require(t)
	for name, pauseAfter := range map[string]time.Duration{"unguarded": 0, "guarded": 12 * time.Hour, "guarded early": 30 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) { downForDays(w, pauseAfter) })
		})
	}
}

func downForDays(w *world, pauseAfter time.Duration) {
	b := w.withBackend()
	const tried = 20 // records of a batch that tries the destination
	m := w.start(watching(pauseAfter), func(c *connector.Config) { c.Firehose.BatchMaxRecords = tried })
	stop := w.load(0, 4, 4*time.Minute)
	time.Sleep(time.Hour)
	down := time.Now()
	b.take(0)
	if pauseAfter > 0 {
		m.untilHeld(true, pauseAfter+10*time.Minute)
		held := time.Now().Add(time.Minute)
		time.Sleep(4 * time.Hour)
		if n := b.acceptedSince(held); n > 0 {
			w.t.Errorf("%d records were sent in the first hours of the hold", n)
		}
		m.wantAlive(w.t)
	}
	time.Sleep(time.Until(down.Add(72 * time.Hour)))
	b.take(anyLease)
	n := stop()
	m.untilHeld(false, time.Hour)
	w.untilCommitted(n)
	time.Sleep(time.Hour)
	got, twice, dropped := b.books()
	w.t.Logf("%d records, %d delivered, %d dropped", n, got, len(dropped))
	if got+len(dropped) != n || twice > 0 {
		w.t.Errorf("of %d records %d were delivered, %d of them twice, and %d dropped", n, got, twice, len(dropped))
	}
	lost := time.Duration(len(dropped)) * time.Minute // one record a minute
	switch {
	case pauseAfter == 0 && lost < 47*time.Hour:
		w.t.Errorf("records of %v are lost without the guard, want two days", lost)
	case pauseAfter > 0 && len(dropped) > int((pauseAfter+10*time.Minute).Minutes())+2*tried:
		w.t.Errorf("%d records are lost with the guard at %v", len(dropped), pauseAfter)
	}
	w.wantNamed(dropped)
}

var droppedLine = regexp.MustCompile(`Firehose has probably dropped records.* from=(\S+) to=(\S+)`)

// wantNamed fails the test unless the log names the times in which each of the dropped records was accepted.
func (w *world) wantNamed(dropped []accepted) {
	w.t.Helper()
	unnamed := 0
	for _, a := range dropped {
		named := false
		for _, span := range droppedLine.FindAllStringSubmatch(w.log.String(), -1) {
			from, err := time.Parse(time.RFC3339, span[1])
			to, err2 := time.Parse(time.RFC3339, span[2])
			named = named || err == nil && err2 == nil && !a.at.Before(from) && !a.at.After(to)
		}
		if !named {
			unnamed++
		}
	}
	if unnamed > 0 {
		w.t.Errorf("the log does not name when %d of %d dropped records were accepted", unnamed, len(dropped))
	}
}

// TestSlowDestination: for 72 hours a destination takes half of what comes. With the guard most of the loss is prevented, and
// not all of it: each release sends everything that has waited in Kafka, and a destination that stays too slow does not get
// through with that in a day. No record arrives twice.
func TestSlowDestination(t *testing.T) {
	t.Parallel()
	longtest.Require(t)
	for name, pauseAfter := range map[string]time.Duration{"unguarded": 0, "guarded": 6 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) { slowDestination(w, pauseAfter) })
		})
	}
}

// failForDays has the destination take so many records a minute for 72 hours. It then ends the load and returns the number of its records
// when all are committed.
func (w *world) failForDays(m *member, b *backend, records int, stop func() int) (n int) {
	time.Sleep(time.Hour)
	b.take(records)
	time.Sleep(72 * time.Hour)
	b.take(anyLease)
	n = stop()
	m.untilHeld(false, time.Hour)
	w.untilCommitted(n)
	time.Sleep(time.Hour)
	return n
}

func slowDestination(w *world, pauseAfter time.Duration) {
	b := w.withBackend()
	m := w.start(watching(pauseAfter))
	n := w.failForDays(m, b, 2, w.load(0, 16, 4*time.Minute)) // of four a minute
	got, twice, dropped := b.books()
	w.t.Logf("%d records, %d delivered, %d dropped", n, got, len(dropped))
	holds := w.lines("level=WARN", "stream held")
	switch {
	case pauseAfter == 0 && len(dropped) < 2500:
		w.t.Errorf("%d records are lost without the guard", len(dropped))
	case pauseAfter > 0 && (got+len(dropped) != n || twice > 0 || len(dropped) > 1000 || holds < 2):
		w.t.Errorf("of %d records %d were delivered, %d of them twice, and %d dropped; held %d times", n, got, twice, len(dropped), holds)
	}
}

// TestHeldStreamIsLeftCleanly: partitions move, members come and go while a stream is held. None of it sends a record, and
// afterwards each was delivered once.
func TestHeldStreamIsLeftCleanly(t *testing.T) {
	bubble(t, func(w *world) {
		b := w.withBackend()
		first := w.start(watching(30 * time.Minute))
		stop := w.load(0, 40, time.Minute)
		time.Sleep(5 * time.Minute)
		b.take(0)
		first.untilHeld(true, 40*time.Minute)
		time.Sleep(time.Minute)
		held := time.Now()
		second := w.start(watching(30 * time.Minute))
		w.untilShared(2, first, second)
		time.Sleep(5 * time.Minute)
		first.mustStop()
		w.untilShared(4, second)
		time.Sleep(10 * time.Minute)
		if n := b.acceptedSince(held); n > 0 {
			t.Errorf("%d records were sent while the stream was held", n)
		}
		wantHeld(w, second)
		b.take(anyLease)
		second.untilHeld(false, 10*time.Minute)
		n := stop()
		w.untilCommitted(n)
		second.mustStop()
		w.wantExactly(n)
	})
}

var atRisk = regexp.MustCompile(`at risk are those that Firehose accepted from 2000-\S+Z to 2000-\S+Z: repair`)

// wantHeld fails the test unless everything that shows the state says that the stream is held.
func wantHeld(w *world, m *member) {
	w.t.Helper()
	m.wantAlive(w.t)
	s := m.connector.Status()
	one := s.Streams[0]
	if one.State != "held" || !strings.Contains(one.Reason, "its destination is") || !atRisk.MatchString(one.Reason) || one.Lag == 0 || one.Destination == nil || !one.Destination.Held || one.Destination.Late < 30*60 || one.InFlight > 0 {
		w.t.Errorf("%+v, %+v", one, one.Destination)
	}
	if len(s.Faults) != 1 || !s.Ready {
		w.t.Errorf("faults: %+v", s.Faults)
	}
	if n := w.lines("level=WARN", "a fault lasts", "held: its destination is"); n < 10 {
		w.t.Errorf("%d lines tell that it lasts, want one a minute", n)
	}
	for name, want := range map[string]float64{"destination_held": 1, "destination_watch_errors_total": 0, "destination_success_ratio": 0} {
		if got := m.metric(name); got != want {
			w.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if m.metric("destination_freshness_seconds") < 30*60 || m.metric("destination_last_value_timestamp_seconds") == 0 {
		w.t.Error("the metrics don't tell how late the destination is")
	}
}

// TestHoldOutlivesItsProcess: a process that begins after Firehose has dropped everything sends one batch, and waits with
// the rest until that is delivered.
func TestHoldOutlivesItsProcess(t *testing.T) {
	bubble(t, func(w *world) {
		b := w.withBackend()
		b.take(0)
		b.cloudWatch.Publish("s", "DeliveryToS3.DataFreshness", time.Now().Add(-90*time.Minute), firehoseKeeps.Seconds())
		b.cloudWatch.Publish("s", "DeliveryToS3.DataFreshness", time.Now().Add(-89*time.Minute), 0)
		w.produce(0, 100)
		m := w.start(watching(30*time.Minute), func(c *connector.Config) { c.Firehose.BatchMaxRecords = 10 })
		time.Sleep(10 * time.Minute)
		if n := b.acceptedSince(time.Time{}); n == 0 || n > 20 {
			t.Errorf("%d records were sent to try the destination, want those of one batch\n%s", n, w.log.tail())
		}
		m.wantAlive(t)
		b.take(anyLease)
		m.untilHeld(false, 10*time.Minute)
		w.untilCommitted(100)
		m.mustStop()
		w.wantExactly(100)
	})
}

// TestBlindWatchHoldsNothing: whatever CloudWatch does, a stream that is not held is not held because of it, and the
// failure is told without costing readiness.
func TestBlindWatchHoldsNothing(t *testing.T) {
	longtest.Require(t)
	bubble(t, func(w *world) {
		b := w.withBackend()
		m := w.start(watching(30 * time.Minute))
		stop := w.load(0, 4, time.Minute)
		time.Sleep(10 * time.Minute)
		const denied = "User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: cloudwatch:GetMetricData"
		b.cloudWatch.Refuse("AccessDenied", denied)
		b.take(0)
		time.Sleep(2 * time.Hour)
		m.wantAlive(t)
		if m.metric("destination_held") != 0 || m.metric("destination_watch_errors_total") < 100 {
			t.Errorf("held %v, errors %v", m.metric("destination_held"), m.metric("destination_watch_errors_total"))
		}
		if n := w.lines("level=WARN", "a fault lasts", "allow cloudwatch:GetMetricData"); n < 100 {
			t.Errorf("%d lines tell of the failure, want one a minute", n)
		}
		b.cloudWatch.Refuse("", "")
		m.untilHeld(true, 5*time.Minute)
		b.cloudWatch.Cut(true)
		time.Sleep(3 * time.Hour)
		if m.metric("destination_held") != 1 {
			t.Error("a failure of CloudWatch has released the stream")
		}
		b.cloudWatch.Cut(false)
		b.take(anyLease)
		m.untilHeld(false, 10*time.Minute)
		n := stop()
		w.untilCommitted(n)
		m.mustStop()
		w.wantExactly(n)
	})
}

// TestHeldStreamBesideAnother: the other stream does not notice.
func TestHeldStreamBesideAnother(t *testing.T) {
	bubble(t, func(w *world) {
		b := w.withBackend()
		w.topic(w.name("second"), 4)
		m := w.start(watching(30*time.Minute), func(c *connector.Config) {
			c.Kafka.Topics = append(c.Kafka.Topics, w.name("second"))
			c.Firehose.Routes = decodeRoutes(t, w.name("second")+"=other")
		})
		stop := w.load(0, 4, time.Minute)
		time.Sleep(5 * time.Minute)
		b.take(0)
		m.untilHeld(true, 40*time.Minute)
		n := stop()
		w.produceWith(n, n+400, func(i int) *kgo.Record { r := w.numbered(i); r.Topic = w.name("second"); return r })
		w.until("the other stream has its records", time.Minute, func() bool { return w.stream.Stats().Streams["other"].Records == 400 })
		m.wantAlive(t)
		b.take(anyLease)
		m.untilHeld(false, 10*time.Minute)
		w.untilCommitted(n + 400)
		m.mustStop()
		w.wantExactly(n + 400)
	})
}
