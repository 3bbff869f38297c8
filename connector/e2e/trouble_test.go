package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestKilledAgainAndAgain: kill -9 under load, with partial failures, at any
// instant. What comes twice was never committed.
func TestKilledAgainAndAgain(t *testing.T) { bubble(t, killedAgainAndAgain) }

func killedAgainAndAgain(w *world) {
	rng := rand.New(rand.NewPCG(1, 1))
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.1})
	mortal := func(c *connector.Config) {
		c.Kafka.SessionTimeout = either(w, 6*time.Second, 3*time.Second)
		c.Kafka.RevokeDrainTimeout = time.Second
	}
	produced, exposed := 0, 0
	for range either(w, 20, 4) {
		before := w.stream.Stats().Streams["s"].Records
		w.produce(produced, produced+2000)
		produced += 2000
		m := w.start(mortal)
		w.until("something is delivered", patience, func() bool { return w.stream.Stats().Streams["s"].Records > before })
		time.Sleep(time.Duration(rng.Int64N(int64(either(w, 3*time.Second, 500*time.Millisecond)))))
		m.kill()
		time.Sleep(50 * time.Millisecond) // what was on its way arrives
		exposed += w.judge.exposed()
	}
	m := w.start()
	w.untilCommitted(produced)
	m.mustStop()
	w.wantAll(produced, exposed)
}

// TestFifteenSecondOutage under steady load: few requests while it lasts, quickly
// back after it.
func TestFifteenSecondOutage(t *testing.T) {
	bubble(t, func(w *world) {
		stop := w.load(0, 500, 100*time.Millisecond)
		m := w.start()
		time.Sleep(20 * time.Second)
		begin := time.Now()
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Outage, Until: 15 * time.Second})
		time.Sleep(15 * time.Second)
		end := time.Now()
		time.Sleep(25 * time.Second)
		n := stop()
		time.Sleep(20 * time.Second)
		m.mustStop()
		w.wantExactly(n)

		perSecond, firstAccepted, speed := map[int]int{}, time.Duration(-1), 0
		for _, r := range w.stream.Requests() {
			switch {
			case r.Start.Before(begin):
			case r.Start.Before(end):
				perSecond[int(r.Start.Sub(begin)/time.Second)]++
			case r.Stored > 0:
				if firstAccepted < 0 {
					firstAccepted = r.End.Sub(end)
				}
				if after := r.End.Sub(end); after >= 14*time.Second && after < 15*time.Second {
					speed += r.Stored
				}
			}
		}
		most := 0
		for s := 2; s < 15; s++ {
			most = max(most, perSecond[s])
			if perSecond[s] >= 5 {
				t.Errorf("%d requests in second %d of the outage", perSecond[s], s+1)
			}
		}
		t.Logf("at most %d requests/s from the third second on, first acceptance %v after the end, %d of 5,000 records/s 15 s after it", most, firstAccepted, speed)
		if firstAccepted < 0 || firstAccepted > 10*time.Second {
			t.Errorf("the first acceptance came %v after the outage", firstAccepted)
		}
		if speed < 2500 {
			t.Errorf("%d records/s 15 s after the outage, want half of 5,000", speed)
		}
	})
}

// TestOneStreamDown: its topics stop and are paused; the other stream's go on,
// memory is bounded, and it resumes by itself.
func TestOneStreamDown(t *testing.T) { bubble(t, oneStreamDown) }

func oneStreamDown(w *world) {
	good := w.name("good")
	w.stream.AddStream(firehosetest.Stream{Name: "other"})
	w.topic(good, 2)
	w.stream.AddFault(firehosetest.Fault{Stream: "s", Effect: firehosetest.RefuseRequest, Code: "ResourceNotFoundException"})
	m := w.start(func(c *connector.Config) {
		c.Kafka.Topics = []string{w.in, good}
		if err := c.Firehose.Routes.Decode(good + "=other"); err != nil {
			w.t.Fatal(err)
		}
		c.MaxBufferedBytes = 26 << 20
	})
	const big, small = 400, 2000
	w.produceWith(0, big, func(i int) *kgo.Record { // 40 MB, more than memory has room for
		return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d%s", i, strings.Repeat(" ", 100_000))}
	})
	for i := range big {
		w.judge.alias(fmt.Sprintf("%d%s", i, strings.Repeat(" ", 100_000)), fmt.Sprint(i))
	}
	time.Sleep(5 * time.Second)
	for i := range 20 {
		w.produceWith(big+i*100, big+i*100+100, func(i int) *kgo.Record {
			return &kgo.Record{Topic: good, Partition: int32(i % 2), Value: fmt.Appendf(nil, "%d", i)}
		})
		time.Sleep(either(w, 5*time.Second, 200*time.Millisecond))
		if held := m.metric("buffered_bytes"); held > 26<<20 {
			w.t.Errorf("%.0f bytes held, the bound is 26 MiB", held)
		}
	}
	w.until("the good topic has arrived beside the stream that is down", 20*time.Second, func() bool {
		return w.stream.Stats().Streams["other"].Records == small
	})
	if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "stream s: blocked") {
		w.t.Errorf("readiness says %v with a stream blocked", err)
	}
	if err := m.connector.Live(); err != nil {
		w.t.Errorf("a restart would not cure it, yet: %v", err)
	}
	w.stream.ClearFaults()
	w.untilCommitted(big + small)
	if err := m.connector.Ready(); err != nil {
		w.t.Errorf("not ready after the repair: %v", err)
	}
	if decoded, consumed := m.metric("kafka_records_decoded_total"), m.metric("kafka_records_consumed_total"); decoded > 3*consumed {
		w.t.Errorf("%.0f records decoded for %.0f consumed", decoded, consumed)
	}
	m.mustStop()
	w.wantExactly(big + small)
}

// TestStuckRecord: one record is refused for ever. The others pass, its
// partition goes on until it is too far ahead, and no further.
func TestStuckRecord(t *testing.T) {
	bubble(t, func(w *world) {
		var accepted atomic.Bool
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Refuse: func(_, _ int, data []byte) string {
			if !accepted.Load() && string(data) == "1\n" {
				return "InternalFailure"
			}
			return ""
		}})
		m := w.start(func(c *connector.Config) { c.Kafka.MaxUncommittedRecords = 1000 })
		for i := range 80 {
			w.produce(i*400, i*400+400) // 100 for each partition
			time.Sleep(5 * time.Second)
		}
		if got := m.metric("kafka_paused_partitions"); got != 1 {
			t.Errorf("%v partitions paused, want 1", got)
		}
		if got := m.metric("kafka_uncommitted_records", `value:"1"`); got > 1100 {
			t.Errorf("%v records wait behind the stuck one, want 1,000 and a poll", got)
		}
		if at := w.judge.lastCommit("in", 0); at != 8000 {
			t.Errorf("partition 0 is committed to %d, want 8000", at)
		}
		if at := w.judge.lastCommit("in", 1); at > 0 {
			t.Errorf("partition 1 is committed to %d, past the record that was never accepted", at)
		}
		if !strings.Contains(w.log.String(), "again and again") {
			t.Error("nobody was told of the record")
		}
		accepted.Store(true)
		time.Sleep(2 * time.Minute)
		m.mustStop()
		w.wantExactly(32000)
	})
}

// TestReadiness: a short throttle is no reason, half a minute without anything
// accepted is; members without partitions are ready.
func TestReadiness(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 100)
		m := w.start()
		if m.connector.Ready() == nil {
			t.Error("ready before it is in the group")
		}
		time.Sleep(10 * time.Second)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Code: "ServiceUnavailableException", Until: 60 * time.Second})
		w.produce(100, 200)
		time.Sleep(20 * time.Second)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("a throttle of 20 s: %v", err)
		}
		time.Sleep(20 * time.Second)
		if m.connector.Ready() == nil {
			t.Error("ready although nothing was accepted for 40 s")
		}
		time.Sleep(2 * time.Minute)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("after the throttle: %v", err)
		}
		idle := []*member{w.start(), w.start(), w.start(), w.start()}
		time.Sleep(20 * time.Second)
		for _, i := range idle {
			if err := i.connector.Ready(); err != nil {
				t.Errorf("one of five members for four partitions: %v", err)
			}
			i.mustStop()
		}
		m.mustStop()
	})
}

// TestMemoryIsBounded: the sink is slow, records are large, memory is small.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 81 MB; the run without the race detector has it")
	}
	bubble(t, memoryIsBounded)
}

func memoryIsBounded(w *world) {
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: 2 * time.Second})
	const bound = 32 << 20
	n := either(w, 90, 50)
	pad := strings.Repeat(" ", 900_000)
	w.produceWith(0, n, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: int32(i % 4), Value: fmt.Appendf(nil, "%d%s", i, pad)}
	})
	for i := range n {
		w.judge.alias(fmt.Sprintf("%d%s", i, pad), fmt.Sprint(i))
	}
	m := w.start(func(c *connector.Config) { c.MaxBufferedBytes = bound })
	var most float64
	w.until("all of it is delivered", patience, func() bool {
		most = max(most, m.metric("buffered_bytes"))
		return w.stream.Stats().Streams["s"].Records >= n
	})
	if most > bound || most < bound/4 {
		w.t.Errorf("%.0f bytes held at most, the bound is %d, and much less would prove nothing", most, bound)
	}
	w.untilCommitted(n)
	m.mustStop()
	w.wantExactly(n)
}

// TestStopInsideARevoke: the poller does not come back while a partition is
// revoked, and yet SHUTDOWN_TIMEOUT holds.
func TestStopInsideARevoke(t *testing.T) { bubble(t, stopInsideARevoke) }

func stopInsideARevoke(w *world) {
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Code: "InternalFailure"})
	w.produce(0, 400)
	const timeout = 8 * time.Second
	first := w.start(func(c *connector.Config) {
		c.ShutdownTimeout = timeout
		c.Kafka.RevokeDrainTimeout = 10 * time.Second
	})
	w.until("all records are in retries", patience, func() bool { return first.metric("records_retried_total") >= 400 })
	second := w.start()
	time.Sleep(4 * time.Second) // the revoke of first is on its way
	begin := time.Now()
	_ = first.stop()
	if took := time.Since(begin); took > timeout+either(w, 100*time.Millisecond, time.Second) {
		w.t.Errorf("SHUTDOWN_TIMEOUT is %v, it took %v", timeout, took)
	}
	w.stream.ClearFaults()
	w.untilCommitted(400)
	second.mustStop()
	w.wantAll(400, 400)
}

// TestRevokeInsideADrain: a member drains, with requests on their way, as another one comes, which is
// what a Deployment does. The partitions that are taken from it meanwhile go when the answers are here, and
// their records don't come twice.
func TestRevokeInsideADrain(t *testing.T) {
	t.Parallel()
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) { bubble(t, revokeInsideADrain(proto)) })
	}
}

func revokeInsideADrain(proto string) func(*world) {
	return func(w *world) {
		speaks := func(c *connector.Config) {
			c.Kafka.GroupProtocol = proto
			c.Kafka.RevokeDrainTimeout = 10 * time.Second // twice the delay and more: a busy machine makes two requests of it, one after the other
		}
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Delay, Delay: either(w, 7*time.Second, 3*time.Second), Stored: true})
		first := w.start(speaks)
		w.untilShared(4, first)
		w.produce(0, 400)
		w.until("a request is on its way", patience, func() bool { return w.stream.Stats().InFlight > 0 })
		second := w.start(speaks)
		first.mustStop()
		if w.cluster != nil && !strings.Contains(w.log.String(), "removed=2 owned=2") {
			w.t.Error("no partition was taken from the member while it was draining")
		}
		w.stream.ClearFaults()
		w.untilShared(4, second)
		w.produce(400, 500)
		w.untilCommitted(500)
		second.mustStop()
		w.wantExactly(500)
	}
}

// TestNewTopicOfAPausedStream: a topic that is found while its stream is down is
// paused like the others.
func TestNewTopicOfAPausedStream(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddStream(firehosetest.Stream{Name: "d"})
		w.stream.AddFault(firehosetest.Fault{Stream: "d", Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException"})
		w.topic("log-a", 1)
		value := make([]byte, 10_000)
		for i := range value {
			value[i] = byte('a' + i%7)
		}
		to := func(topic string) func(int) *kgo.Record {
			return func(int) *kgo.Record { return &kgo.Record{Topic: topic, Value: value} }
		}
		m := w.start(func(c *connector.Config) {
			c.Kafka.Topics, c.Kafka.TopicPattern = nil, "log-[a-z]|in"
			c.Firehose.Stream = ""
			if err := c.Firehose.Routes.Decode("in=s,/log-.*/=d"); err != nil {
				t.Fatal(err)
			}
			c.MaxBufferedBytes = 32 << 20
			c.ShutdownTimeout = 5 * time.Second
		})
		time.Sleep(5 * time.Second)
		w.produceWith(0, 4000, to("log-a")) // 40 MB
		time.Sleep(30 * time.Second)
		w.topic("log-b", 1)
		w.produceWith(0, 10000, to("log-b")) // 100 MB
		time.Sleep(2 * time.Minute)
		if got := m.metric("buffered_bytes"); got > 40<<20 {
			t.Errorf("%v bytes are held, MAX_BUFFERED_BYTES is 32 MiB", got)
		}
		_ = m.stop()
		w.judge.commits++ // there is nothing to commit
	})
}
