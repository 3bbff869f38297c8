package e2e_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"kafka-firehose/connector"
	"kafka-firehose/connector/kafka/kafkatest"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/proxytest"
)

// onSockets runs a case on an embedded Kafka with real sockets, in real time: what
// networks do to connections has no virtual form.
func onSockets(t *testing.T, body func(w *world)) {
	t.Helper()
	cluster := kfake.MustCluster(kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(time.Second),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	defer cluster.Close()
	var dialer net.Dialer
	run(t, broker{addrs: cluster.ListenAddrs(), dial: dialer.DialContext, adapt: hurry}, body)
}

// ways are one member's ways to the brokers, each through a proxy.
type ways struct {
	t     *testing.T
	mu    sync.Mutex
	to    map[string]*proxytest.Proxy // :: broker's address -> proxy
	apart bool                        // those that are found now are down too
}

// route has the members that are started from now on dial through ways of their own.
func (w *world) route() *ways {
	ways := &ways{t: w.t, to: map[string]*proxytest.Proxy{}}
	dial := w.broker.dial
	w.through = func(ctx context.Context, network, host string) (net.Conn, error) {
		return dial(ctx, network, ways.way(host).Addr())
	}
	return ways
}

func (y *ways) way(host string) *proxytest.Proxy {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.to[host] == nil {
		p, err := proxytest.New(host)
		if err != nil {
			y.t.Error(err)
		}
		y.t.Cleanup(p.Close)
		if y.to[host] = p; y.apart {
			p.Down()
		}
	}
	return y.to[host]
}

// each does something to all of them.
func (y *ways) each(do func(p *proxytest.Proxy)) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, p := range y.to {
		do(p)
	}
}

func (y *ways) add(faults ...proxytest.Fault) {
	y.each(func(p *proxytest.Proxy) { p.Add(faults...) })
}

func (y *ways) cut() { y.each((*proxytest.Proxy).Cut) }

func (y *ways) down() {
	y.set(true)
	y.each((*proxytest.Proxy).Down)
}

func (y *ways) up() {
	y.t.Helper()
	y.set(false)
	y.each(func(p *proxytest.Proxy) {
		if err := p.Up(); err != nil {
			y.t.Error(err)
		}
	})
}

func (y *ways) set(apart bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.apart = apart
}

// heal removes all faults. The connections of the time of trouble end.
func (y *ways) heal() {
	y.each(func(p *proxytest.Proxy) {
		p.Heal()
		p.Cut()
	})
}

// networks are what a network does to a member, for some seconds under load. Each is
// shorter than the session.
var networks = map[string]func(y *ways){
	"healthy": func(*ways) { time.Sleep(3 * time.Second) }, // the control
	"latency": func(y *ways) { y.during(5*time.Second, proxytest.Latency(300*time.Millisecond, 200*time.Millisecond)) },
	"narrow":  func(y *ways) { y.during(6*time.Second, proxytest.Bandwidth(32<<10)) },
	"connections cut": func(y *ways) {
		for range 5 {
			y.cut()
			time.Sleep(700 * time.Millisecond)
		}
	},
	"cut in requests": func(y *ways) { y.during(4*time.Second, proxytest.CutRequests(3000)) },
	"cut in answers":  func(y *ways) { y.during(4*time.Second, proxytest.CutAnswers(20_000)) },
	"reset":           func(y *ways) { y.during(4*time.Second, proxytest.Reset()) },
	"half-open":       func(y *ways) { y.during(6*time.Second, proxytest.Silence()) },
	"slow close": func(y *ways) {
		y.add(proxytest.SlowClose(2 * time.Second))
		y.cut()
		time.Sleep(4 * time.Second)
		y.heal()
	},
	"partition": func(y *ways) {
		y.down()
		time.Sleep(5 * time.Second)
		y.up()
	},
}

// during disturbs for a while.
func (y *ways) during(d time.Duration, faults ...proxytest.Fault) {
	y.add(faults...)
	time.Sleep(d)
	y.heal()
}

// disturbed is the case for one of networks. Nothing has a reason to come twice, unless
// the client gave up on the coordinator and with it on its partitions: then what it says
// that it had begun and not committed.
func disturbed(trouble func(y *ways)) func(w *world) {
	return func(w *world) {
		y := w.route()
		m := w.start()
		stop := w.load(0, 100, 50*time.Millisecond)
		w.until("something is delivered", patience, func() bool { return w.committed() > 0 })
		trouble(y)
		n := stop()
		w.untilCommitted(n)
		m.mustStop()
		w.wantAll(n, w.toldAgain())
	}
}

// partitionedMember is cut off from Kafka for longer than its session, under load, and
// can still reach Firehose. The other member takes over; when the first is back, it
// commits nothing of what it has lost (the judge sees to that), and what came twice
// it had read and not committed.
func partitionedMember(w *world) {
	short := func(c *connector.Config) {
		c.Kafka.SessionTimeout, c.Kafka.RebalanceTimeout, c.Kafka.RevokeDrainTimeout = 3*time.Second, 5*time.Second, time.Second
	}
	y := w.route()
	a := w.start(short)
	w.through = nil
	b := w.start(short)
	w.untilShared(2, a, b)
	stop := w.load(0, 100, 50*time.Millisecond)
	w.until("something is delivered", patience, func() bool { return w.committed() > 0 })
	committed := a.metric("kafka_committed_offset")
	y.down()
	w.until("the other member has everything", patience, func() bool { return b.owns() == 4 })
	w.until("the member knows that it is out", patience, func() bool { return a.metric("kafka_rebalances_total", `"lost"`) > 0 })
	exposed := int(a.metric("kafka_records_consumed_total") - committed)
	y.up()
	w.untilShared(2, a, b)
	n := stop()
	w.untilCommitted(n)
	a.mustStop()
	b.mustStop()
	w.wantAll(n, exposed)
}

// brokerApart is one broker of three that the member does not reach, for longer than the
// client tries: the partitions that it leads wait, the others go on. If it coordinates the
// group, too, the member may be out for a moment; then it has to say what comes twice.
func brokerApart(w *world) {
	y := w.route()
	m := w.start()
	stop := w.load(0, 100, 50*time.Millisecond)
	w.until("something is delivered", patience, func() bool { return w.committed() > 0 })
	y.way(w.addrs[1]).Down()
	time.Sleep(8 * time.Second)
	if err := y.way(w.addrs[1]).Up(); err != nil {
		w.t.Fatal(err)
	}
	n := stop()
	w.untilCommitted(n)
	m.mustStop()
	w.wantAll(n, w.toldAgain())
}

// nameFails: the brokers' name is unknown when the process starts, comes up, and fails
// again under load while the connections break. It waits, says so, and does not spin.
func nameFails(w *world) {
	const name = "brokers.kafka.test"
	var known atomic.Bool
	var asked atomic.Int64
	dial := w.broker.dial
	w.through = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if asked.Add(1); !known.Load() {
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}}
		}
		return dial(ctx, network, w.addrs[0])
	}
	w.produce(0, 100)
	m := w.start(func(c *connector.Config) { c.Kafka.Brokers = []string{net.JoinHostPort(name, "9092")} })
	time.Sleep(4 * time.Second)
	if n := asked.Load(); n == 0 || n > 100 {
		w.t.Errorf("it dialed %d times in 4 s, want some and not many", n)
	}
	if !strings.Contains(w.log.String(), "no such host") {
		w.t.Error("nobody was told")
	}
	known.Store(true)
	w.untilCommitted(100)
	known.Store(false)
	m.kafka.cut()
	m.kafka.mend()
	w.produce(100, 200)
	time.Sleep(2 * time.Second)
	known.Store(true)
	w.untilCommitted(200)
	m.mustStop()
	w.wantExactly(200)
}

// kafkaNetworks are all cases of this file.
func kafkaNetworks() map[string]func(w *world) {
	cases := map[string]func(w *world){"member apart": partitionedMember, "broker apart": brokerApart}
	for name, trouble := range networks {
		cases[name] = disturbed(trouble)
	}
	return cases
}

// TestKafkaNetwork disturbs the way to an embedded Kafka.
func TestKafkaNetwork(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	for name, body := range kafkaNetworks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onSockets(t, body)
		})
	}
}

// TestKafkaNameFails on an embedded Kafka of a single broker, which the name stands for.
func TestKafkaNameFails(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	cluster := kfake.MustCluster(kfake.NumBrokers(1))
	defer cluster.Close()
	var dialer net.Dialer
	run(t, broker{addrs: cluster.ListenAddrs(), dial: dialer.DialContext, adapt: hurry}, nameFails)
}

// TestApacheNetwork disturbs the way to Apache Kafka.
func TestApacheNetwork(t *testing.T) { //nolint:tparallel // other tests start brokers of their own; that is enough of them one after the other
	kafkatest.Require(t)
	cluster := startApache(t)
	for name, body := range kafkaNetworks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onApache(t, cluster, body)
		})
	}
}
