package e2e_test

import (
	"context"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/preflight/check"
)

// obstacle keeps a member out of the group.
type obstacle struct {
	door    door
	change  func(*connector.Config)
	build   func(w *world) (remove func())
	refused string   // what is refused, for the metric and the line
	words   []string // of readiness
	check   string   // a finding of the check; empty where another test has it
}

func obstacles() map[string]obstacle {
	none := func(*connector.Config) {}
	consumer := func(c *connector.Config) { c.Kafka.GroupProtocol = "consumer" }
	answers := func(key kmsg.Key, answer func(kmsg.Request) kmsg.Response) func(w *world) func() {
		return func(w *world) func() {
			var over atomic.Bool
			w.cluster.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
				w.cluster.KeepControl()
				if over.Load() {
					return nil, nil, false
				}
				return answer(r), nil, true
			})
			return func() { over.Store(true) }
		}
	}
	join := func(code *kerr.Error) func(w *world) func() {
		return answers(kmsg.JoinGroup, func(r kmsg.Request) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
			resp.ErrorCode = code.Code
			return resp
		})
	}
	heartbeat := func(code *kerr.Error) func(w *world) func() {
		return answers(kmsg.ConsumerGroupHeartbeat, func(r kmsg.Request) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
			resp.ErrorCode = code.Code
			return resp
		})
	}
	other := func(o ...kgo.Opt) func(w *world) func() {
		return func(w *world) func() {
			c := w.client(append(o, kgo.ConsumerGroup(w.group), kgo.ConsumeTopics(w.in), kgo.DisableAutoCommit())...)
			w.until("the other member is in the group", patience, func() bool {
				info := w.cluster.GroupInfo(w.group)
				return info != nil && info.State == "Stable"
			})
			return c.Close
		}
	}
	three := door{cluster: []kfake.Opt{kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094)}}
	return map[string]obstacle{
		"other strategy": {
			change: none, build: other(kgo.Balancers(kgo.RangeBalancer())), refused: "group",
			words: []string{"this process offers cooperative-sticky alone", "KAFKA_GROUP_ID"}, check: "share partitions by range",
		},
		"group is full": {
			door:   door{cluster: []kfake.Opt{kfake.BrokerConfigs(map[string]string{"group.max.size": "1"})}},
			change: none, build: other(kgo.Balancers(kgo.CooperativeStickyBalancer())), refused: "group",
			words: []string{"as many members as the brokers allow", "group.max.size"}, check: "has 1 member, and the brokers allow 1 (group.max.size): one more would not be let in",
		},
		"session timeout": {
			change: none, build: join(kerr.InvalidSessionTimeout), refused: "group",
			words: []string{"KAFKA_SESSION_TIMEOUT=45s", "group.min.session.timeout.ms"},
		},
		"name of the group":    {change: none, build: join(kerr.InvalidGroupID), refused: "group", words: []string{"KAFKA_GROUP_ID"}},
		"coordinator loads":    {change: none, build: join(kerr.CoordinatorLoadInProgress), refused: "group", words: []string{"still reads its partition of __consumer_offsets"}},
		"unknown server error": {change: none, build: join(kerr.UnknownServerError), refused: "group", words: []string{"UNKNOWN_SERVER_ERROR"}},
		"coordinator of the consumer protocol": {
			change: consumer, build: heartbeat(kerr.CoordinatorNotAvailable), refused: "group",
			words: []string{"no coordinator", "__consumer_offsets has no leader"},
		},
		"full with the consumer protocol": {
			change: consumer, build: heartbeat(kerr.GroupMaxSizeReached), refused: "group",
			words: []string{"group.consumer.max.size"},
		},
		"assignor": {change: consumer, build: heartbeat(kerr.UnsupportedAssignor), refused: "group", words: []string{"group.consumer.assignors"}},
		"advertised address": {
			door: three, change: none, refused: "connection",
			build: func(w *world) func() {
				var over atomic.Bool
				coordinator, _ := w.coordinatorAddr()
				w.through = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if addr == coordinator && !over.Load() {
						return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
					}
					return w.dial(ctx, network, addr)
				}
				return func() { over.Store(true) }
			},
			words: []string{"nothing listens at this address", "advertised.listeners"},
			check: "advertised.listeners that it is to be reached there",
		},
	}
}

// coordinatorAddr is the address of the group's, and another broker's.
func (w *world) coordinatorAddr() (addr, other string) {
	id := w.cluster.CoordinatorFor(w.group)
	addrs := w.cluster.ListenAddrs()
	return addrs[id], addrs[(id+1)%int32(len(addrs))]
}

// TestNotInTheGroup: whatever keeps a member out of the group is named by readiness, in the metric and in lines of
// the connector's own, and the member joins by itself when it is gone.
func TestNotInTheGroup(t *testing.T) {
	t.Parallel()
	for name, o := range obstacles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guarded(t, func() door { return o.door }, func(w *world) {
				remove := o.build(w)
				m := w.start(o.change, func(c *connector.Config) {
					if w.through != nil {
						_, other := w.coordinatorAddr()
						c.Kafka.Brokers = []string{other}
					}
				})
				w.produce(0, 40)
				time.Sleep(5 * time.Minute)
				m.notReady(o.refused, append(o.words, "not in the consumer group g")...)
				if w.refusals(o.refused) == 0 {
					t.Errorf("no line says so\n%s", w.log.tail())
				}
				for _, wrong := range []string{`topic=""`, "partition=-1", "fetching failed", "kafka client:"} {
					if strings.Contains(w.log.String(), wrong) {
						t.Errorf("a line has %s\n%s", wrong, w.log.tail())
					}
				}
				remove()
				time.Sleep(2 * time.Minute)
				m.ready()
				w.untilStored(40, 40)
				m.mustStop()
			})
		})
	}
}

// TestInspectObstacles: the check sees ahead what would keep a member out.
func TestInspectObstacles(t *testing.T) {
	t.Parallel()
	for name, o := range obstacles() {
		if o.check == "" || o.door.cluster != nil && o.refused == "connection" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			surroundings(t, func() door { return o.door }, func(w *world) {
				remove := o.build(w)
				w.inspect(o.change).wantFinding(t, check.Error, check.Group, o.check)
				remove()
				time.Sleep(10 * time.Second)
				if i := w.inspect(o.change); i.has(check.Error, check.Group, "") {
					t.Errorf("an error although it is gone: %+v", i.Findings)
				}
			})
		})
	}
}

// TestInspectSessionTimeout: the advice names the limit that the timeout is beyond.
func TestInspectSessionTimeout(t *testing.T) {
	for timeout, advice := range map[time.Duration]string{2 * time.Second: "or change group.min.session.timeout.ms", time.Minute: "", time.Hour: "or change group.max.session.timeout.ms"} {
		surroundings(t, noDoor, func(w *world) {
			i := w.inspect(func(c *connector.Config) {
				c.Kafka.SessionTimeout, c.Kafka.RevokeDrainTimeout = timeout, time.Second
			})
			if got := i.has(check.Error, check.Group, "KAFKA_SESSION_TIMEOUT is "+timeout.String()); got != (advice != "") {
				t.Errorf("%v is an error: %v; %+v", timeout, got, i.Findings)
			}
			if advice != "" {
				i.wantFinding(t, check.Error, check.Group, advice)
			}
		})
	}
}
