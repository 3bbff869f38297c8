package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// TestLagBehindAnOpenTransaction: records behind a transaction that nobody ends count as lag and have a metric
// of their own, and one line says where the transaction begins.
func TestLagBehindAnOpenTransaction(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 40)
		m := w.start()
		w.untilCommitted(40)
		tx := w.client(kgo.TransactionalID("tx"), kgo.TransactionTimeout(15*time.Minute))
		defer tx.Close()
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := tx.ProduceSync(context.Background(), &kgo.Record{Topic: w.in, Value: []byte("aborted")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		const line = `msg="records wait behind an open transaction`
		for minute := range 10 {
			from := 40 + minute*40
			w.produceWith(from, from+40, func(i int) *kgo.Record {
				return &kgo.Record{Topic: w.in, Partition: 0, Value: fmt.Appendf(nil, "%d", i)}
			})
			time.Sleep(time.Minute)
			if minute == 0 && strings.Contains(w.log.String(), line) {
				t.Error("a transaction of a minute is reported")
			}
		}
		for name, want := range map[string]float64{
			"kafka_lag_records": 401, "kafka_open_transaction_records": 401, "kafka_group_member": 1,
		} {
			if got := m.metric(name); got != want {
				t.Errorf("%s is %v behind the transaction, want %v", name, got, want)
			}
		}
		if got := m.metric("kafka_open_transaction_records", `value:"1"`); got != 0 {
			t.Errorf("%v records wait in partition 1, which has no transaction", got)
		}
		if got := strings.Count(w.log.String(), line); got != 2 || !strings.Contains(w.log.String(), "topic=in partition=0 offset=10 records=") {
			t.Errorf("%d lines about it in ten minutes, want one every five, with topic, partition and offset\n%s", got, w.log.tail())
		}
		m.ready()
		if err := tx.EndTransaction(context.Background(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		w.untilStored(440, 440)
		m.untilNoLag()
		if got := m.metric("kafka_open_transaction_records"); got != 0 {
			t.Errorf("%v records wait after the transaction has ended", got)
		}
		if !strings.Contains(w.log.String(), `msg="the transaction has ended`) {
			t.Error("no line says that the transaction has ended")
		}
		m.mustStop()
		w.wantExactly(440)
	})
}

// TestLagOfAHangingBroker: a broker that never says where its partitions end, and is the group's coordinator,
// delays neither the lag of the other partitions, nor commits, nor the look at the group's position, and leaves
// no old value behind.
func TestLagOfAHangingBroker(t *testing.T) {
	three := door{cluster: []kfake.Opt{kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094)}}
	t.Parallel()
	guarded(t, func() door { return three }, func(w *world) {
		const topic, partitions, n = "spread", 6, 600
		w.topic(topic, partitions)
		coordinator := w.cluster.CoordinatorFor(w.group)
		theirs := 0
		for p := range int32(partitions) {
			if err := w.cluster.MoveTopicPartition(topic, p, p%3); err != nil {
				t.Fatal(err)
			}
			if p%3 == coordinator {
				theirs++
			}
		}
		m := w.start(func(c *connector.Config) { c.Kafka.Topics = []string{topic} })
		spread := func(i int) *kgo.Record {
			return &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: fmt.Appendf(nil, "%d", i)}
		}
		w.produceWith(0, n, spread)
		w.untilCommitted(n)
		w.until("the lag of all partitions is known", patience, func() bool { _, series := m.series("kafka_lag_records"); return series == partitions })

		var hangs atomic.Bool
		hangs.Store(true)
		w.cluster.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if w.cluster.CurrentNode() == coordinator {
				w.cluster.SleepControl(func() {
					for hangs.Load() {
						time.Sleep(time.Second)
					}
				})
			}
			return nil, nil, false
		})
		var looks atomic.Int32
		w.cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			looks.Add(1)
			return nil, nil, false
		})
		m.firehose.down.Store(true)
		w.produceWith(n, 2*n, spread)
		time.Sleep(30 * time.Second)
		lag, series := m.series("kafka_lag_records")
		if want := n / partitions * (partitions - theirs); series != partitions-theirs || lag != float64(want) {
			t.Errorf("a lag of %v in %d partitions, want %d in the %d of other brokers", lag, series, want, partitions-theirs)
		}
		if _, series := m.series("kafka_retention_headroom_records"); series != partitions-theirs {
			t.Errorf("%d partitions have a headroom, want the %d of other brokers", series, partitions-theirs)
		}
		if got := looks.Load(); got < 2 {
			t.Errorf("%d looks at the group's position in half a minute, want 2", got)
		}
		m.firehose.down.Store(false)
		w.untilStored(2*n, 2*n)
		time.Sleep(3 * time.Second)
		if got := w.committed(); got != 2*n {
			t.Errorf("committed %d within three seconds, want %d", got, 2*n)
		}
		time.Sleep(5 * time.Minute)
		if got := m.metric("kafka_rebalances_total", "lost"); got != 0 {
			t.Errorf("partitions were lost %v times", got)
		}
		if got := strings.Count(w.log.String(), `msg="the lag of some partitions is unknown`); got < 20 {
			t.Errorf("%d lines about it in five and a half minutes, want one every 15 s\n%s", got, w.log.tail())
		}
		hangs.Store(false)
		w.until("the lag of all partitions is known again", patience, func() bool {
			lag, series := m.series("kafka_lag_records")
			return series == partitions && lag == 0
		})
		m.mustStop()
		w.wantExactly(2 * n)
	})
}

// TestHeadroomWithoutACommit: a group that has committed nothing has no headroom, and says so.
func TestHeadroomWithoutACommit(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 400)
		m := w.start()
		m.firehose.down.Store(true)
		time.Sleep(20 * time.Second)
		if sum, series := m.series("kafka_retention_headroom_records"); sum != 0 || series != 4 {
			t.Errorf("a headroom of %v records in %d partitions, want 0 in 4", sum, series)
		}
		if sum, series := m.series("kafka_lag_records"); sum != 400 || series != 4 {
			t.Errorf("a lag of %v records in %d partitions, want 400 in 4", sum, series)
		}
		m.firehose.down.Store(false)
		w.untilStored(400, 400)
		m.mustStop()
	})
}

// TestBrokersThrottle: the time for which brokers hold a member up by a quota is counted.
func TestBrokersThrottle(t *testing.T) {
	bubble(t, func(w *world) {
		left := 5
		w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			if left--; left < 0 {
				return nil, nil, false
			}
			resp := r.ResponseKind().(*kmsg.OffsetCommitResponse)
			resp.ThrottleMillis = 1500
			return resp, nil, true
		})
		m := w.start()
		if sum, series := m.series("kafka_broker_throttle_seconds_total"); sum != 0 || series != 1 {
			t.Errorf("%v s in %d series before anything happened, want 0 in 1", sum, series)
		}
		w.produce(0, 40)
		w.untilCommitted(40)
		if got := m.metric("kafka_broker_throttle_seconds_total"); got != 7.5 {
			t.Errorf("throttled for %v s, want 7.5", got)
		}
		m.mustStop()
		w.wantExactly(40)
	})
}

// TestOpenTransactionIsLag: the records behind an open transaction are lag, on every broker, until it ends.
func TestOpenTransactionIsLag(t *testing.T) { bubble(t, openTransactionIsLag) }

func openTransactionIsLag(w *world) {
	tx := w.client(kgo.TransactionalID(w.name("tx")), kgo.TransactionTimeout(5*time.Minute))
	defer tx.Close()
	m := w.start()
	if err := tx.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	if err := tx.ProduceSync(context.Background(), &kgo.Record{Topic: w.in, Value: []byte("aborted")}).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	w.produceWith(0, 20, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: 0, Value: fmt.Appendf(nil, "%d", i)}
	})
	w.until("the records behind the transaction are lag", patience, func() bool {
		return m.metric("kafka_lag_records") == 21 && m.metric("kafka_open_transaction_records") == 21
	})
	if err := tx.EndTransaction(context.Background(), kgo.TryAbort); err != nil {
		w.t.Fatal(err)
	}
	w.untilStored(20, 20)
	m.untilNoLag()
	if got := m.metric("kafka_open_transaction_records"); got != 0 {
		w.t.Errorf("%v records wait after the transaction has ended", got)
	}
	m.mustStop()
	w.wantExactly(20)
}

// TestPositionThatHangs: a coordinator that never says where the group stands delays neither commits, nor heartbeats, nor
// the lag.
func TestPositionThatHangs(t *testing.T) {
	bubble(t, func(w *world) {
		m := w.start()
		w.produce(0, 40)
		w.untilCommitted(40)
		var hangs atomic.Bool
		hangs.Store(true)
		var asked atomic.Int32
		w.cluster.ControlKey(kmsg.OffsetFetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			asked.Add(1)
			w.cluster.SleepControl(func() {
				for hangs.Load() {
					time.Sleep(time.Second)
				}
			})
			return nil, nil, false
		})
		time.Sleep(20 * time.Second)
		if asked.Load() == 0 {
			t.Fatal("nobody has asked for the group's position")
		}
		for i := range 10 {
			w.produce(40+i*40, 80+i*40)
			time.Sleep(4 * time.Second)
			if got := w.judge.lastCommit(w.in, 0); got != int64(20+i*10) {
				t.Errorf("partition 0 is committed to %d within four seconds, want %d", got, 20+i*10)
			}
			time.Sleep(19 * time.Second) // another part of the time between two questions
			if lag, series := m.series("kafka_lag_records"); lag != 0 || series != 4 {
				t.Errorf("a lag of %v in %d partitions, want 0 in 4", lag, series)
			}
		}
		if got := m.metric("kafka_rebalances_total", "lost"); got != 0 {
			t.Errorf("partitions were lost %v times", got)
		}
		hangs.Store(false)
		m.mustStop()
		w.wantExactly(440)
	})
}
