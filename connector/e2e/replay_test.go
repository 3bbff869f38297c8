package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/recovery"
)

// boundedOptions are what a bounded run needs in this world. kill cuts it off from one moment to the next, as kill -9 does.
func (w *world) boundedOptions() (o connector.Options, kill func()) {
	kafka, firehose := &wire{w: w, dials: w.dial}, &httpWire{w: w}
	return connector.Options{
		Log:       slog.New(slog.NewTextHandler(w.log, nil)),
		KafkaDial: kafka.dial,
		Kafka:     []kgo.Opt{kgo.MetadataMinAge(10 * time.Millisecond)},
		Firehose:  []func(*awsfirehose.Options){firehose.client},
		Registry:  w.registry,
	}, func() { kafka.cut(); firehose.down.Store(true) }
}

// replayChange adapts a replay.
type replayChange = func(*connector.Config, *recovery.ReplayRequest)

// replayOf is a replay of everything, which the changes have adapted.
func (w *world) replayOf(changes ...replayChange) (connector.Config, recovery.ReplayRequest) {
	w.t.Helper()
	cfg := w.config()
	r := recovery.ReplayRequest{From: time.Now().Add(-24 * time.Hour), To: time.Now(), MaxBytesPerSecond: 1 << 30, Name: "n"}
	for _, c := range changes {
		c(&cfg, &r)
	}
	if err := cfg.Validate(); err != nil {
		w.t.Fatal(err)
	}
	return cfg, r
}

func (w *world) replay(changes ...replayChange) (recovery.ReplayReport, error) {
	w.t.Helper()
	cfg, r := w.replayOf(changes...)
	o, _ := w.boundedOptions()
	return connector.Replay(w.t.Context(), cfg, r, o)
}

// commitsOf are the commits of a group.
func (w *world) commitsOf(group string) map[string]string {
	w.t.Helper()
	offsets, err := w.admin.FetchOffsets(context.Background(), group)
	if err != nil {
		w.t.Fatal(err)
	}
	commits := map[string]string{}
	offsets.Each(func(o kadm.OffsetResponse) { commits[fmt.Sprint(o.Topic, o.Partition)] = fmt.Sprint(o.At, o.Metadata) })
	return commits
}

// TestReplayDelivers: beside the running service, every record of the range comes once more, and none besides; the service's commits
// stay. The same request does nothing then, and another range under its name is refused.
func TestReplayDelivers(t *testing.T) { bubble(t, replayDelivers) }

func replayDelivers(w *world) {
	w.produce(0, 1000)
	time.Sleep(2 * time.Second)
	from := time.Now()
	w.produce(1000, 3000)
	time.Sleep(2 * time.Second)
	to := time.Now()
	w.produce(3000, 4000)
	m := w.start()
	w.untilCommitted(4000)
	before := w.commitsOf(w.group)
	between := func(_ *connector.Config, r *recovery.ReplayRequest) { r.From, r.To = from, to }
	report, err := w.replay(between)
	if err != nil || report.Records != 2000 || !report.Done || report.Partitions != 4 || report.Bytes == 0 {
		w.t.Fatalf("got %+v, %v\n%s", report, err, w.log.tail())
	}
	for i := range 4000 {
		if got, want := w.judge.copiesOf(fmt.Sprint(i)), 1; got != want && (i < 1000 || i >= 3000) || got != 2 && i >= 1000 && i < 3000 {
			w.t.Fatalf("record %d was stored %d times", i, got)
		}
	}
	if report, err = w.replay(between); err != nil || report.Records != 0 || !report.Done {
		w.t.Errorf("the second time: %+v, %v", report, err)
	}
	for want, change := range map[string]replayChange{
		"its progress is of another range, from": func(_ *connector.Config, r *recovery.ReplayRequest) { r.From, r.To = from, to.Add(-time.Second) },
		"repeat the flags of that run":           func(_ *connector.Config, r *recovery.ReplayRequest) { between(nil, r); r.Topics = []string{w.in} },
	} {
		if _, err := w.replay(change); !errors.Is(err, connector.ErrNotStarted) || connector.IsOutage(err) || !strings.Contains(err.Error(), want) {
			w.t.Errorf("got %v, want %q", err, want)
		}
	}
	if after := w.commitsOf(w.group); !maps.Equal(before, after) {
		w.t.Errorf("the commits of the service were %v and are %v", before, after)
	}
	m.mustStop()
}

// TestReplayBehindATransaction: a replay doesn't begin while a transaction is open in its range, so its progress has no end before
// the records behind it. A range before the transaction, and a transaction that ends within seconds, are no obstacle.
func TestReplayBehindATransaction(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 40)
		time.Sleep(time.Second)
		before := time.Now()
		time.Sleep(time.Second)
		var clients []*kgo.Client
		defer func() {
			for _, c := range clients {
				c.Close()
			}
		}()
		begin := func() (end func()) {
			tx := w.client(kgo.TransactionalID("tx"), kgo.TransactionTimeout(15*time.Minute))
			clients = append(clients, tx)
			if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(context.Background(), &kgo.Record{Topic: w.in, Value: []byte("aborted")}).FirstErr()); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := tx.EndTransaction(context.Background(), kgo.TryAbort); err != nil {
					t.Error(err)
				}
			}
		}
		end := begin()
		w.produce(40, 1000)
		time.Sleep(2 * time.Second)
		to := time.Now()
		between := func(_ *connector.Config, r *recovery.ReplayRequest) { r.From, r.To = before.Add(-time.Hour), to }
		for range 2 {
			_, err := w.replay(between)
			if !errors.Is(err, connector.ErrNotStarted) || !connector.IsOutage(err) || !strings.Contains(err.Error(), "topic in partition 0: a transaction is open at offset 10, and 241 offsets of the range are not before it") {
				t.Fatalf("got %v", err)
			}
		}
		report, err := w.replay(func(_ *connector.Config, r *recovery.ReplayRequest) {
			r.Name, r.From, r.To = "before", before.Add(-time.Hour), before
		})
		if err != nil || report.Records != 40 || !report.Done {
			t.Errorf("before the transaction: %+v, %v", report, err)
		}
		end()
		if report, err = w.replay(between); err != nil || report.Records != 1000 || !report.Done {
			t.Errorf("after the transaction: %+v, %v", report, err)
		}
		end = begin()
		time.Sleep(time.Second)
		time.AfterFunc(3*time.Second, end)
		if report, err = w.replay(func(_ *connector.Config, r *recovery.ReplayRequest) { r.Name = "near-now" }); err != nil || report.Records != 1000 || !report.Done {
			t.Errorf("beside a short transaction: %+v, %v", report, err)
		}
	})
}

// TestReplayKilled: killed again and again at any moment, it delivers everything of the range; copies are of records that
// were not committed, and records that come meanwhile are not in the range.
func TestReplayKilled(t *testing.T) { bubble(t, replayKilled) }

func replayKilled(w *world) {
	const records = 20_000
	w.produce(0, records)
	time.Sleep(time.Second)
	cfg, r := w.replayOf(func(_ *connector.Config, r *recovery.ReplayRequest) { r.MaxBytesPerSecond = 10 << 10 })
	exposed := 0
	for i := range 10 {
		o, kill := w.boundedOptions()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { _, err := connector.Replay(ctx, cfg, r, o); done <- err }()
		time.Sleep(time.Duration(i)*137*time.Millisecond + 20*time.Millisecond)
		kill()
		cancel()
		if err := <-done; err == nil {
			w.t.Fatal("it has ended before it was killed")
		}
		exposed += w.progressExposed(w.group + ".replay.n")
		w.produce(records+i*10, records+i*10+10)
	}
	r.MaxBytesPerSecond = 1 << 30
	o, _ := w.boundedOptions()
	report, err := connector.Replay(w.t.Context(), cfg, r, o)
	if err != nil || !report.Done {
		w.t.Fatalf("got %+v, %v", report, err)
	}
	w.wantAll(records, exposed)
	if lost, _ := w.judge.count(records + 100); lost != 100 {
		w.t.Errorf("%d of the 100 records behind the range were not sent, want all", lost)
	}
	if exposed == 0 || report.Records == records {
		w.t.Errorf("%d records were sent and not committed at a kill, and the last start has sent %d: the kills have hit nothing", exposed, report.Records)
	}
}

// progressExposed is how many records were stored and are not covered by the progress of a bounded run.
func (w *world) progressExposed(group string) (n int) {
	w.t.Helper()
	offsets, err := w.admin.FetchOffsets(context.Background(), group)
	if err != nil {
		w.t.Fatal(err)
	}
	w.judge.mu.Lock()
	defer w.judge.mu.Unlock()
	for value, p := range w.judge.places {
		if o, ok := offsets.Lookup(p.topic, p.n); w.judge.copies[value] > 0 && (!ok || p.offset >= o.At) {
			n++
		}
	}
	return n
}

// TestReplayDrains: a stop sends what it has begun, commits that, and nothing of it comes twice.
func TestReplayDrains(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 5000)
		time.Sleep(time.Second)
		cfg, r := w.replayOf(func(_ *connector.Config, r *recovery.ReplayRequest) { r.MaxBytesPerSecond = 4 << 10 })
		o, _ := w.boundedOptions()
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
		defer cancel()
		report, err := connector.Replay(ctx, cfg, r, o)
		if err == nil || report.Done || report.Records == 0 || report.Records == 5000 {
			t.Fatalf("got %+v, %v", report, err)
		}
		if report, err = w.replay(func(_ *connector.Config, again *recovery.ReplayRequest) { *again = r }); err != nil || !report.Done {
			t.Fatalf("got %+v, %v", report, err)
		}
		w.wantExactly(5000)
	})
}

// TestReplayDryRun counts what a replay sends, and sends and commits nothing; with aggregation the bill is that of the packed records.
func TestReplayDryRun(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 1000)
		time.Sleep(time.Second)
		dry := func(c *connector.Config, r *recovery.ReplayRequest) {
			r.DryRun, c.Firehose.StartupCheck = true, true
		}
		report, err := w.replay(dry)
		if err != nil || !report.DryRun || report.Records != 1000 || report.Bytes != 3890 || report.Billed != 1000*5120 {
			t.Fatalf("got %+v, %v", report, err)
		}
		aggregated := func(c *connector.Config, _ *recovery.ReplayRequest) {
			c.Record.Aggregate, c.Record.Delimiter = true, "\n"
		}
		if report, err = w.replay(dry, aggregated); err != nil || report.Records != 1000 || report.Bytes != 3890 || report.Billed >= 100*5120 {
			t.Fatalf("got %+v, %v", report, err)
		}
		if n := w.sentRecords(); n != 0 {
			t.Errorf("%d records were sent", n)
		}
		w.produce(1000, 1001)
		m := w.start() // the judge wants a commit
		w.untilCommitted(1001)
		m.mustStop()
	})
}

func (w *world) sentRecords() int { return w.stream.Stats().Streams["s"].Records }

// TestReplayBadRecords: records that can't be delivered are left out, counted by reason, and make the replay incomplete, also
// for a start that continues behind them. Those that the settings leave out do not.
func TestReplayBadRecords(t *testing.T) {
	bubble(t, func(w *world) {
		w.produceWith(0, 400, func(i int) *kgo.Record {
			r := w.numbered(i)
			switch {
			case i < 8:
				r.Value = nil
			case i < 12:
				r.Value = make([]byte, 1_024_001)
			}
			return r
		})
		time.Sleep(time.Second)
		for n := range int32(4) {
			w.judge.allow(place{part{w.in, n}, 2})
		}
		_, r := w.replayOf()
		same := func(_ *connector.Config, again *recovery.ReplayRequest) { *again = r }
		report, err := w.replay(same)
		if !errors.Is(err, recovery.ErrIncomplete) || report.Records != 388 || report.LeftOut["tombstone"] != 8 || report.Bad["too_large"] != 4 || report.AllBad != 4 || !report.Done {
			t.Fatalf("got %+v, %v", report, err)
		}
		var first strings.Builder
		if err := report.WriteTable(&first); err != nil || strings.Count(first.String(), "could not be delivered: in/") != 4 || !strings.Contains(first.String(), "could not be delivered: in/3: offsets 2\n") {
			t.Errorf("%v: %s, want the offset of each record that could not be delivered", err, &first)
		}
		if report, err = w.replay(same); !errors.Is(err, recovery.ErrIncomplete) || report.Records != 0 || report.AllBad != 4 {
			t.Errorf("the second time: %+v, %v", report, err)
		}
		var table strings.Builder
		if err := report.WriteTable(&table); err != nil || !strings.Contains(table.String(), "4 records could not be delivered in earlier starts\nnot complete, in ") {
			t.Errorf("%v: %s", err, &table)
		}
	})
}

// TestReplayOffsets sends the records of a file, and no others.
func TestReplayOffsets(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 4000)
		m := w.start()
		w.untilCommitted(4000)
		m.mustStop()
		file := `{"version":1,"cluster":"","from":"2026-01-31T00:00:00Z","to":"2026-02-01T00:00:00Z","partitions":[
{"topic":"in","partition":1,"records":4,"offsets":[[17,19],[900,900]]},
{"topic":"in","partition":3,"records":1,"offsets":[[0,0]]}
]}`
		of := func(_ *connector.Config, r *recovery.ReplayRequest) {
			f, err := recovery.ReadOffsetFile(strings.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			r.From, r.To, r.Offsets = time.Time{}, time.Time{}, f
		}
		report, err := w.replay(of)
		if err != nil || report.Records != 5 || report.Partitions != 2 {
			t.Fatalf("got %+v, %v", report, err)
		}
		for _, want := range []int{17*4 + 1, 18*4 + 1, 19*4 + 1, 900*4 + 1, 3} {
			if w.judge.copiesOf(fmt.Sprint(want)) != 2 {
				t.Errorf("record %d is missing", want)
			}
		}
		if n := w.sentRecords(); n != 4005 {
			t.Errorf("%d records were sent", n)
		}
		whole := file
		for want, changed := range map[string][2]string{
			"topic in partition 1 ends before offset 1000 of the file, at offset 1000": {"[900,900]", "[1000,1000]"},
			"topic in has no partition 7":         {`"partition":3`, `"partition":7`},
			"topic other is not among the topics": {`"in","partition":3`, `"other","partition":3`},
			"the file is of cluster elsewhere":    {`"cluster":""`, `"cluster":"elsewhere"`},
		} {
			file = strings.Replace(whole, changed[0], changed[1], 1)
			_, err := w.replay(of, func(_ *connector.Config, r *recovery.ReplayRequest) { r.Name = "" })
			if !errors.Is(err, connector.ErrNotStarted) || connector.IsOutage(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		file = strings.Replace(whole, "[900,900]", "[901,901]", 1)
		if _, err := w.replay(of); err == nil || !strings.Contains(err.Error(), "its progress is of another range, of other offsets") {
			t.Errorf("got %v", err)
		}
	})
}

// TestReplayShards: three processes share the range; each record is sent by one of them.
func TestReplayShards(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 4000)
		time.Sleep(time.Second)
		_, r := w.replayOf()
		partitions := 0
		for i := range 3 {
			report, err := w.replay(func(_ *connector.Config, again *recovery.ReplayRequest) {
				*again = r
				again.Shard = recovery.Shard{Index: i, Count: 3}
			})
			if err != nil || !report.Done {
				t.Fatalf("got %+v, %v", report, err)
			}
			partitions += report.Partitions
		}
		if partitions != 4 {
			t.Errorf("%d partitions were replayed", partitions)
		}
		w.wantExactly(4000)
	})
}

// TestReplayErrors: each has its message, and nothing is sent.
func TestReplayErrors(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 100)
		time.Sleep(time.Second)
		for want, change := range map[string]replayChange{
			"topic absent is not among the topics that the service reads": func(_ *connector.Config, r *recovery.ReplayRequest) { r.Topics = []string{"absent"} },
			"-topic has topic in twice":                                   func(_ *connector.Config, r *recovery.ReplayRequest) { r.Topics = []string{"in", "in"} },
			"-topic has an empty name":                                    func(_ *connector.Config, r *recovery.ReplayRequest) { r.Topics = []string{"in", ""} },
			"topic gone does not exist":                                   func(c *connector.Config, _ *recovery.ReplayRequest) { c.Kafka.Topics = []string{"gone"} },
			"the range is in the future":                                  func(_ *connector.Config, r *recovery.ReplayRequest) { r.To = r.To.Add(time.Minute) },
			"-partitions names 9":                                         func(_ *connector.Config, r *recovery.ReplayRequest) { r.Partitions = []int32{0, 9} },
			"want it without -from and -to":                               func(_ *connector.Config, r *recovery.ReplayRequest) { r.Offsets = &recovery.OffsetFile{} },
		} {
			if _, err := w.replay(change); !errors.Is(err, connector.ErrNotStarted) || connector.IsOutage(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
		for want, denied := range map[string]kfake.Fault{
			"offsets of group g.replay.n: GROUP_AUTHORIZATION_FAILED":         {Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.GroupAuthorizationFailed, Count: -1},
			"commit progress to group g.replay.n: GROUP_AUTHORIZATION_FAILED": {Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1},
			"topic in: TOPIC_AUTHORIZATION_FAILED":                            {Keys: []kmsg.Key{kmsg.Metadata}, Topic: w.in, Err: kerr.TopicAuthorizationFailed, Count: -1},
			"list offsets: TOPIC_AUTHORIZATION_FAILED":                        {Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: w.in, Err: kerr.TopicAuthorizationFailed, Count: -1},
		} {
			fault := w.cluster.Fault(denied)
			if _, err := w.replay(); !errors.Is(err, connector.ErrNotStarted) || connector.IsOutage(err) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "needs the operations READ and DESCRIBE on ") {
				t.Errorf("got %v, want %q and the operations", err, want)
			}
			fault.Remove()
		}
		if n := w.sentRecords(); n != 0 {
			t.Errorf("%d records were sent", n)
		}
		w.judge.commits++ // nothing is committed
	})
}

// TestReplayAbsentStream: the check of the stream ends the replay before it begins, so that the name of its progress can be used
// again, and a stream that refuses everything ends it after a minute. Another start continues.
func TestReplayAbsentStream(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 100)
		time.Sleep(time.Second)
		checked := func(c *connector.Config, r *recovery.ReplayRequest) {
			c.Firehose.StartupCheck, r.Stream, r.Name = true, "absent", "a"
		}
		if _, err := w.replay(checked); !errors.Is(err, connector.ErrNotStarted) {
			t.Errorf("got %v, want that nothing was sent", err)
		}
		for want, change := range map[string]replayChange{
			"does not exist in this account": func(c *connector.Config, r *recovery.ReplayRequest) {
				c.Firehose.StartupCheck, r.Stream, r.Name = true, "absent", "a"
			},
			"blocked for 1m0s": func(_ *connector.Config, r *recovery.ReplayRequest) { r.Stream, r.Name = "absent", "b" },
		} {
			begin := time.Now()
			if _, err := w.replay(change); err == nil || !strings.Contains(err.Error(), want) || time.Since(begin) > 5*time.Minute {
				t.Errorf("got %v after %s, want %q", err, time.Since(begin), want)
			}
		}
		if _, err := w.replay(func(_ *connector.Config, r *recovery.ReplayRequest) { r.Name = "a" }); err != nil {
			t.Error(err)
		}
		w.wantExactly(100)
	})
}

// TestReplayChecksOnce: a stream whose check passes before the replay begins is not checked again.
func TestReplayChecksOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 100)
		time.Sleep(time.Second)
		w.stream.SetFaults([]firehosetest.Fault{describeFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException"})})
		if _, err := w.replay(func(c *connector.Config, _ *recovery.ReplayRequest) { c.Firehose.StartupCheck = true }); err != nil {
			t.Error(err)
		}
		if n := strings.Count(w.log.String(), "could not describe the delivery stream"); n != 1 {
			t.Errorf("the log says %d times that the stream can't be described, want once", n)
		}
		w.wantExactly(100)
	})
}

// TestReplayOutage: the stream is down for an hour. The replay waits, within its memory, and loses nothing.
func TestReplayOutage(t *testing.T) {
	bubble(t, func(w *world) {
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Outage, Until: time.Hour})
		w.produce(0, 40_000)
		time.Sleep(time.Second)
		report, err := w.replay(func(c *connector.Config, _ *recovery.ReplayRequest) { c.MaxBufferedBytes = 16 * env.MiB })
		if err != nil || !report.Done {
			t.Fatalf("got %+v, %v", report, err)
		}
		w.wantExactly(40_000)
	})
}

// TestReplayRefusedCredentials: a replay waits a while for credentials that are accepted, and then ends and says so. The same command
// continues with better ones.
func TestReplayRefusedCredentials(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 4000)
		time.Sleep(time.Second)
		to := time.Now()
		whole := func(c *connector.Config, r *recovery.ReplayRequest) {
			c.Firehose.StartupCheck, r.From, r.To = true, to.Add(-time.Hour), to
		}
		w.stream.AddFault(firehosetest.Fault{Operation: "*", Effect: firehosetest.RefuseRequest, Code: "InvalidSignatureException"})
		_, err := w.replay(whole)
		if took := time.Since(to); err == nil || errors.Is(err, connector.ErrNotStarted) || !strings.Contains(err.Error(), "no usable credentials for 1m0s: InvalidSignatureException") || took > 3*time.Minute {
			t.Errorf("after %s: %v", took, err)
		}
		w.stream.ClearFaults()
		w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ExpiredTokenException", Until: 30 * time.Second})
		if report, err := w.replay(whole); err != nil || !report.Done {
			t.Errorf("got %+v, %v", report, err)
		}
		w.wantExactly(4000)
	})
}

// TestReplayGaps: what retention has taken of the range is an error that says how much, and -allow-gaps sends the rest.
func TestReplayGaps(t *testing.T) {
	bubble(t, func(w *world) {
		w.produce(0, 4000)
		time.Sleep(time.Second)
		var to kadm.Offsets
		to.Add(kadm.Offset{Topic: w.in, Partition: 2, At: 600, LeaderEpoch: -1})
		if _, err := w.admin.DeleteRecords(context.Background(), to); err != nil {
			t.Fatal(err)
		}
		if _, err := w.replay(); !errors.Is(err, connector.ErrNotStarted) || !strings.Contains(err.Error(), "topic in partition 2: its log begins at offset 600 with a record of ") {
			t.Errorf("got %v", err)
		}
		report, err := w.replay(func(_ *connector.Config, r *recovery.ReplayRequest) { r.AllowGaps = true })
		if err != nil || report.Records != 3400 {
			t.Errorf("got %+v, %v", report, err)
		}
	})
}

// TestReplayWithoutKafka ends with what to do.
func TestReplayWithoutKafka(t *testing.T) {
	bubble(t, func(w *world) {
		cfg, r := w.replayOf()
		o, _ := w.boundedOptions()
		o.KafkaDial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		if _, err := connector.Replay(w.t.Context(), cfg, r, o); !errors.Is(err, connector.ErrNotStarted) || !connector.IsOutage(err) {
			t.Errorf("got %v, want that nothing was sent because of an outage", err)
		}
		w.judge.commits++ // nothing is committed
	})
}

// replayOfCompacted: of a topic that the cleaner has gone over, with aborted transactions, the records that are left are sent, each
// once, and the range has its end although its last offsets hold no record.
func replayOfCompacted(w *world) {
	topic, left, _ := w.compacted("replayed")
	of := func(c *connector.Config, r *recovery.ReplayRequest) {
		c.Kafka.Topics, c.Record.Format, r.To = []string{topic}, "json", time.Now().Add(-time.Second)
	}
	time.Sleep(2 * time.Second)
	report, err := w.replay(of)
	if err != nil || report.Records != int64(len(left)) || w.sentRecords() != len(left) {
		w.t.Errorf("got %+v, %v; %d were sent of %d", report, err, w.sentRecords(), len(left))
	}
}
