package deadletter

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

// office is a Writer with a cluster to write to, in one synctest bubble.
type office struct {
	*Writer
	t       *testing.T
	net     kfake.VirtualNetwork
	cluster *kfake.Cluster
	log     bytes.Buffer
	lease   *offset.Lease

	mu           sync.Mutex
	acknowledged []string // keys, in the order of Done
	givenUp      int
}

// bubble runs f with a Writer that is running, to a topic that takes batches of so
// many bytes.
func bubble(t *testing.T, limit int, f func(o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, lease: offset.NewLease("in", 0)}
		o.cluster = kfake.MustCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(o.net.Listen))
		defer o.cluster.Close()
		o.create(limit)
		o.Writer = New(Config{Topic: "dead"}, Options{
			Log: slog.New(slog.NewTextHandler(&o.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()).DeadLetter, Group: "g", Client: o.dial(),
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			o.Run(ctx)
		}()
		f(o)
		cancel()
		<-done
	})
}

func (o *office) create(limit int) {
	o.t.Helper()
	if err := o.cluster.CreateTopic("dead", 1, map[string]string{"max.message.bytes": fmt.Sprint(limit)}); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) dial() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(o.cluster.ListenAddrs()...), kgo.Dialer(o.net.DialContext), kgo.MetadataMinAge(10 * time.Millisecond)}
}

// send sends letters with the keys and values.
func (o *office) send(value []byte, keys ...string) {
	for i, key := range keys {
		o.SendLetter(Letter{
			Record: &kgo.Record{Topic: "in", Offset: int64(i), Key: []byte(key), Value: value}, Reason: "refused", Error: "why", Leases: []*offset.Lease{o.lease},
			Done: func(ok bool) {
				o.mu.Lock()
				defer o.mu.Unlock()
				if ok {
					o.acknowledged = append(o.acknowledged, key)
				} else {
					o.givenUp++
				}
			},
		})
	}
}

// want fails unless the letters with these keys have been acknowledged, in order.
func (o *office) want(keys ...string) {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := strings.Join(o.acknowledged, " "); got != strings.Join(keys, " ") {
		o.t.Errorf("acknowledged %q, want %q", got, keys)
	}
}

// up is how many letters were given up.
func (o *office) up() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.givenUp
}

// stored is what the topic holds.
func (o *office) stored(n int) (all []*kgo.Record) {
	o.t.Helper()
	client, err := kgo.NewClient(append(o.dial(), kgo.ConsumeTopics("dead"))...)
	if err != nil {
		o.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for len(all) < n && ctx.Err() == nil {
		all = append(all, client.PollFetches(ctx).Records()...)
	}
	if len(all) != n {
		o.t.Errorf("the topic holds %d letters, want %d", len(all), n)
	}
	return all
}

func TestWritesInOrder(t *testing.T) {
	bubble(t, 1_048_588, func(o *office) {
		var keys []string
		for i := range 3 * groupLetters {
			keys = append(keys, fmt.Sprint(i))
		}
		o.send([]byte("v"), keys...)
		o.FlushLetters(context.Background())
		o.want(keys...)
		for i, r := range o.stored(len(keys)) {
			if string(r.Key) != keys[i] {
				t.Fatalf("letter %d has the key %s", i, r.Key)
			}
		}
	})
}

// TestUnknownLimit: the configuration of the topic may not be read, and its limit is
// below what we take for it. Only the letter that is too large loses its value.
func TestUnknownLimit(t *testing.T) {
	bubble(t, 50_000, func(o *office) {
		o.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: "dead", Err: kerr.TopicAuthorizationFailed, Count: -1})
		small, large := bytes.Repeat([]byte("s"), 20_000), incompressible(200_000)
		o.send(incompressible(20_000), "a", "b", "c", "d", "e")
		o.send(large, "large")
		o.send(small, "f", "g")
		o.FlushLetters(context.Background())
		o.want("a", "b", "c", "d", "e", "large", "f", "g")
		for _, r := range o.stored(8) {
			if whole := r.Value != nil; whole == (string(r.Key) == "large") {
				t.Errorf("letter %s has %d bytes of value", r.Key, len(r.Value))
			}
		}
		if got := testutil.ToFloat64(o.metrics.Digests); got != 1 {
			t.Errorf("%v digests counted, want 1", got)
		}
	})
}

// answersConfigs has DescribeConfigs answered with change applied to the entry of each resource.
func (o *office) answersConfigs(change func(*kmsg.DescribeConfigsResponseResource)) {
	o.cluster.ControlKey(kmsg.DescribeConfigs.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		o.cluster.KeepControl()
		req, _ := r.(*kmsg.DescribeConfigsRequest)
		resp, _ := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.Resources {
			one := kmsg.NewDescribeConfigsResponseResource()
			one.ResourceType, one.ResourceName = asked.ResourceType, asked.ResourceName
			change(&one)
			resp.Resources = append(resp.Resources, one)
		}
		return resp, nil, true
	})
}

// entry is what DescribeConfigs says of max.message.bytes.
func entry(value *string) func(*kmsg.DescribeConfigsResponseResource) {
	return func(r *kmsg.DescribeConfigsResponseResource) {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value = "max.message.bytes", value
		r.Configs = append(r.Configs, c)
	}
}

// TestDigestNeedsALimit: the topic takes 2,000,000 bytes, and for good nothing says so, or
// something else does. A letter of 1,900,000 bytes keeps its value.
func TestDigestNeedsALimit(t *testing.T) {
	number := func(s string) *string { return &s }
	for name, change := range map[string]func(*kmsg.DescribeConfigsResponseResource){
		"time-out":  func(r *kmsg.DescribeConfigsResponseResource) { r.ErrorCode = kerr.RequestTimedOut.Code },
		"denied":    func(r *kmsg.DescribeConfigsResponseResource) { r.ErrorCode = kerr.TopicAuthorizationFailed.Code },
		"no entry":  func(*kmsg.DescribeConfigsResponseResource) {},
		"no value":  entry(nil),
		"no number": entry(number("many")),
		"negative":  entry(number("-1")),
		"the limit": entry(number("2000000")),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 2_000_000, func(o *office) {
				o.answersConfigs(change)
				fits := incompressible(1_900_000)
				o.send(fits, "a", "b")
				o.FlushLetters(context.Background())
				for _, r := range o.stored(2) {
					if !bytes.Equal(r.Value, fits) {
						t.Errorf("letter %s has %d bytes of value, want %d\n%s", r.Key, len(r.Value), len(fits), &o.log)
					}
				}
			})
		})
	}
}

// TestPassingRefusal: the brokers find everything too large for a while, as they do while
// a setting is changed. A letter that fits keeps its value, whether the topic's limit can
// be read or not.
func TestPassingRefusal(t *testing.T) {
	for _, fault := range []*kerr.Error{kerr.MessageTooLarge, kerr.RecordListTooLarge} {
		for _, denied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/denied=%v", fault.Message, denied), func(t *testing.T) {
				bubble(t, 2_000_000, func(o *office) {
					if denied {
						o.answersConfigs(func(r *kmsg.DescribeConfigsResponseResource) { r.ErrorCode = kerr.TopicAuthorizationFailed.Code })
					}
					passing := o.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dead", Err: fault, Count: -1})
					time.AfterFunc(RefusalTime-time.Second, passing.Remove)
					o.send(incompressible(1_000), "a", "b")
					o.send(incompressible(1_900_000), "c")
					o.FlushLetters(context.Background())
					o.want("a", "b", "c")
					for _, r := range o.stored(3) {
						if r.Value == nil {
							t.Errorf("letter %s has lost its value\n%s", r.Key, &o.log)
						}
					}
				})
			})
		}
	}
}

// TestRefusedForGood: nothing says what the topic takes, and the brokers refuse a letter
// for half a minute: it goes with a digest, and so do the next as large, soon.
func TestRefusedForGood(t *testing.T) {
	for name, value := range map[string]string{"unknown": "", "the configuration says more": "9000000"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 50_000, func(o *office) {
				o.answersConfigs(func(r *kmsg.DescribeConfigsResponseResource) {
					if value != "" {
						entry(&value)(r)
					}
				})
				begin := time.Now()
				o.send(incompressible(200_000), "a")
				o.FlushLetters(context.Background())
				if took := time.Since(begin); took < RefusalTime || took > 2*RefusalTime {
					t.Errorf("the first digest took %v", took)
				}
				begin = time.Now()
				o.send(incompressible(200_000), "b", "c")
				o.send(incompressible(40_000), "d")
				o.FlushLetters(context.Background())
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("the next digests took %v", took)
				}
				for _, r := range o.stored(4) {
					if whole := r.Value != nil; whole != (string(r.Key) == "d") {
						t.Errorf("letter %s has %d bytes of value", r.Key, len(r.Value))
					}
				}
				if got := strings.Count(o.log.String(), "refuse a dead letter as too large"); got != 1 {
					t.Errorf("told %d times, want once\n%s", got, &o.log)
				}
			})
		})
	}
}

// incompressible are n bytes that no codec makes fewer.
func incompressible(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

// TestTopicIsMadeAnew: the topic is deleted while the process runs, and created again.
func TestTopicIsMadeAnew(t *testing.T) {
	bubble(t, 1_048_588, func(o *office) {
		o.send(nil, "a")
		o.FlushLetters(context.Background())
		if err := o.cluster.DeleteTopic("dead"); err != nil {
			t.Fatal(err)
		}
		o.send(nil, "b", "c")
		time.Sleep(5 * time.Minute)
		o.want("a")
		if got := o.CurrentOutage(); got == nil || !got.Blocked || !strings.Contains(got.Err.Error(), "create it") {
			t.Errorf("trouble %+v, want one that says to create the topic", got)
		}
		if got := strings.Count(o.log.String(), "level=ERROR"); got != 1 {
			t.Errorf("told %d times, want once\n%s", got, &o.log)
		}
		o.create(1_048_588)
		time.Sleep(time.Minute)
		o.want("a", "b", "c")
		if o.CurrentOutage() != nil {
			t.Errorf("still in trouble: %v", o.CurrentOutage().Err)
		}
		o.stored(2)
	})
}

// TestBrokerHangs: nothing is answered for a minute. That is told after a while, and
// the letters are there once.
func TestBrokerHangs(t *testing.T) {
	bubble(t, 1_048_588, func(o *office) {
		o.send(nil, "a")
		o.FlushLetters(context.Background())
		var hangs atomic.Bool
		hangs.Store(true)
		o.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			o.cluster.KeepControl()
			return nil, nil, hangs.Load()
		})
		o.send(nil, "b")
		time.Sleep(patience + 2*time.Second)
		if got := o.CurrentOutage(); got == nil {
			t.Error("nobody noticed")
		}
		if !o.LetterStuck(o.lease) || o.LetterStuck(offset.NewLease("in", 1)) {
			t.Error("the lease of the letter is stuck, and no other")
		}
		time.Sleep(time.Minute)
		hangs.Store(false)
		time.Sleep(time.Minute)
		o.want("a", "b")
		o.stored(2)
	})
}

// TestFence: letters of leases that have ended are given up, those in a queue behind
// an attempt that takes long, too; one that belongs to another lease as well is not.
func TestFence(t *testing.T) {
	bubble(t, 1_048_588, func(o *office) {
		fault := o.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dead", Err: kerr.NotEnoughReplicas, Count: -1})
		o.send(nil, "a", "b")
		time.Sleep(time.Minute)
		o.send(nil, "c")
		other := offset.NewLease("in", 1)
		var shared atomic.Bool
		o.SendLetter(Letter{Record: &kgo.Record{}, Leases: []*offset.Lease{o.lease, other}, Done: shared.Store})
		o.lease.Close()
		time.Sleep(30 * time.Second)
		if up, pending := o.up(), testutil.ToFloat64(o.metrics.Pending); up != 3 || pending != 1 {
			t.Errorf("%d letters were given up and %v are pending, want 3 and 1", up, pending)
		}
		fault.Remove()
		time.Sleep(time.Minute)
		if !shared.Load() {
			t.Error("a letter that is still somebody's was not written")
		}
		o.stored(1)
	})
}
