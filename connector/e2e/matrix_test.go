package e2e_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kafka-firehose/connector"
	"kafka-firehose/connector/kafka/kafkatest"
	"kafka-firehose/connector/longtest"
)

// release is a release of Kafka whose protocol the embedded broker can be held to.
type release struct {
	name     string
	versions func() *kversion.Versions // nil for the newest
	consumer bool                      // has the group protocol consumer
}

var releases = []release{
	{name: "0.11", versions: kversion.V0_11_0},
	{name: "1.0", versions: kversion.V1_0_0},
	{name: "2.1", versions: kafka21},
	{name: "2.4", versions: kversion.V2_4_0},
	{name: "2.8", versions: kversion.V2_8_0},
	{name: "3.6", versions: kversion.V3_6_0},
	{name: "3.9", versions: kversion.V3_9_0},
	{name: "4.0", versions: kversion.V4_0_0, consumer: true},
	{name: "newest", consumer: true},
}

// kafka21 is 2.1 with OffsetForLeaderEpoch of version 3, which is version 2 and the reader's id: the
// embedded broker has no version 2.
func kafka21() *kversion.Versions {
	v := kversion.V2_1_0()
	v.SetMaxKeyVersion(kmsg.OffsetForLeaderEpoch.Int16(), 3)
	return v
}

// promise is one row of the table of supported brokers, with its test.
type promise struct {
	name  string // of the test
	text  string // for the table
	since string // the first release that can keep it
	until string // why older ones can't
	test  func(w *world, s start)
}

var promises = []promise{
	{name: "delivery", text: "every record from the start on is delivered, over a restart, too", since: "0.11", test: matrixDelivery},
	{name: "rebalance", text: "members join and leave under load, and nothing is delivered twice", since: "0.11", test: matrixRebalance},
	{name: "partitions added", text: "partitions that are added are read from their beginning", since: "1.0", until: "0.11 has no request that adds partitions", test: matrixGrown},
	{
		name: "partitions added while down", text: "the same for partitions that are added while no member runs", since: "1.0",
		until: "0.11 has no request that adds partitions", test: matrixGrownWhileDown,
	},
	{name: "retention", text: "records that retention deletes before they are read are counted, and the rest is delivered", since: "0.11", test: matrixRetention},
	{name: "re-created shorter", text: "a topic that is deleted and created again, with fewer records than were read, is read from its beginning", since: "0.11", test: matrixRecreated(4)},
	{name: "re-created", text: "the same with as many records as were read, or more", since: "2.8", until: "topics have no id before 2.8", test: matrixRecreated(200)},
	{
		name: "re-created while down", text: "the same for a topic that is deleted and created again while no member runs (with `latest`, if the group has read another topic, too)", since: "2.8",
		until: "topics have no id before 2.8", test: matrixRecreatedWhileDown,
	},
}

// start is a way to begin without commits. prepare produces records from before a member runs.
type start struct {
	mode  string
	proto string
	other string    // another topic to read, empty for none
	skip  int       // records that the start leaves out
	n     int       // records to be delivered, the first ones
	again int       // records that may come twice
	names bool      // the broker is asked for records by the topic's name, not by its id
	at    time.Time // of mode time
}

var startModes = []string{"earliest", "latest", "time"}

func (s *start) prepare(w *world) {
	w.t.Helper()
	switch s.mode {
	case "earliest":
		s.n = 40
	case "latest":
		s.skip = 40
	case "time":
		s.n, s.skip = 40, 40
	}
	w.history(s.skip)
	time.Sleep(either(w, time.Hour, time.Second))
	s.at = time.Now()
	time.Sleep(10 * time.Millisecond)
	w.produce(0, s.n)
}

// begin starts a member. The first one of a world returns when it has read all that is there.
func (s *start) begin(w *world) *member {
	w.t.Helper()
	return w.start(func(c *connector.Config) {
		c.Kafka.GroupProtocol = s.proto
		c.Kafka.AutoOffsetReset.Mode = s.mode
		if s.mode == "time" {
			c.Kafka.AutoOffsetReset.At = s.at
		}
		if s.other != "" {
			c.Kafka.Topics = append(c.Kafka.Topics, s.other)
		}
	})
}

// produce adds records, and produceTo does so in so many partitions.
func (s *start) produce(w *world, n int) { w.t.Helper(); s.produceTo(w, n, 4) }

func (s *start) produceTo(w *world, n, partitions int) {
	w.t.Helper()
	w.produceWith(s.n, s.n+n, func(i int) *kgo.Record {
		return &kgo.Record{Topic: w.in, Partition: int32(i % partitions), Value: fmt.Appendf(nil, "%d", i)}
	})
	s.n += n
}

// read waits until everything is committed.
func (s *start) read(w *world) { w.t.Helper(); w.untilCommitted(s.skip + s.n) }

// done fails unless each record from the start on was delivered once, and no other.
func (s *start) done(w *world) {
	w.t.Helper()
	w.wantAll(s.n, s.again)
	s.wantNoHistory(w)
}

func (s *start) wantNoHistory(w *world) {
	w.t.Helper()
	for i := range s.skip {
		if w.judge.copiesOf(fmt.Sprint(100000+i)) > 0 {
			w.t.Fatalf("record %d from before the start was delivered", i)
		}
	}
}

func matrixDelivery(w *world, s start) {
	s.prepare(w)
	m := s.begin(w)
	s.read(w)
	s.produce(w, 100)
	s.read(w)
	m.mustStop()
	s.produce(w, 100)
	m = s.begin(w)
	s.read(w)
	m.mustStop()
	s.done(w)
}

func matrixRebalance(w *world, s start) {
	s.prepare(w)
	a := s.begin(w)
	s.read(w)
	stop := w.load(s.n, 20, 100*time.Millisecond)
	b := s.begin(w)
	w.untilShared(2, a, b)
	time.Sleep(either(w, 10*time.Second, time.Second))
	a.mustStop()
	w.untilShared(4, b)
	c := s.begin(w)
	w.untilShared(2, b, c)
	s.n = stop()
	s.read(w)
	b.mustStop()
	c.mustStop()
	s.done(w)
}

func matrixGrown(w *world, s start) {
	s.prepare(w)
	m := s.begin(w)
	s.read(w)
	w.grow(w.in, 6)
	s.produceTo(w, 60, 6)
	s.read(w)
	m.mustStop()
	s.done(w)
}

func matrixGrownWhileDown(w *world, s start) {
	s.prepare(w)
	m := s.begin(w)
	s.read(w)
	m.mustStop()
	w.grow(w.in, 6)
	s.produceTo(w, 60, 6)
	m = s.begin(w)
	s.read(w)
	m.mustStop()
	s.done(w)
}

// matrixRetention: of 10 records in partition 1 that are not read yet, retention takes 5.
func matrixRetention(w *world, s start) {
	s.prepare(w)
	m := s.begin(w)
	s.read(w)
	m.mustStop()
	committed := int64((s.skip + s.n) / 4)
	s.produce(w, 40)
	cut := kadm.Offsets{}
	cut.AddOffset(w.in, 1, committed+5, -1)
	if _, err := w.admin.DeleteRecords(context.Background(), cut); err != nil {
		w.t.Fatal(err)
	}
	for o := committed; o < committed+5; o++ {
		w.judge.allow(place{part{w.in, 1}, o})
	}
	m = s.begin(w)
	s.read(w)
	m.mustStop()
	w.wantExpired(m, s.n, 5)
	s.wantNoHistory(w)
}

// matrixRecreated creates the topic again while a member runs, and writes so many records
// before the member can have noticed; then some more.
func matrixRecreated(records int) func(w *world, s start) {
	return func(w *world, s start) {
		s.prepare(w)
		m := s.begin(w)
		s.read(w)
		s.produce(w, 40)
		s.read(w)
		w.anew(w.in, 4)
		before := s.n
		s.produce(w, records)
		w.untilArrived(before, s.n)
		s.produce(w, 40)
		w.untilArrived(before, s.n)
		w.untilCommitted(records + 40)
		m.mustStop()
		if s.names { // some records of the new topic were fetched at the offset of the old one
			s.again = records + 40
		}
		s.done(w)
	}
}

// matrixRecreatedWhileDown: brokers delete the group's offsets with the topic. Those of another topic say that the
// group is not new.
func matrixRecreatedWhileDown(w *world, s start) {
	s.other = w.name("other")
	w.topic(s.other, 1)
	s.prepare(w)
	m := s.begin(w)
	s.read(w)
	s.produce(w, 40)
	s.read(w)
	m.mustStop()
	w.anew(w.in, 4)
	before := s.n
	s.produce(w, 200)
	m = s.begin(w)
	w.untilArrived(before, s.n)
	w.untilCommitted(200)
	m.mustStop()
	s.done(w)
}

// TestBrokerMatrix holds the embedded broker to the protocol of each release, and runs each promise
// with each start and each group protocol that the release has. The quick run has a diagonal of it.
func TestBrokerMatrix(t *testing.T) {
	t.Parallel()
	for i, r := range releases {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			cell := 0
			for _, proto := range protocols {
				if proto == "consumer" && !r.consumer {
					continue
				}
				for _, mode := range startModes {
					for _, p := range promises {
						cell++
						if i < releaseIndex(t, p.since) || !longtest.Enabled() && cell%17 != i%17 {
							continue
						}
						t.Run(proto+"/"+mode+"/"+p.name, func(t *testing.T) {
							t.Parallel()
							open := func() door {
								if r.versions == nil {
									return door{}
								}
								return door{cluster: []kfake.Opt{kfake.MaxVersions(r.versions())}}
							}
							guarded(t, open, func(w *world) { p.test(w, start{mode: mode, proto: proto, names: i < releaseIndex(t, "3.6")}) })
						})
					}
				}
			}
		})
	}
}

func releaseIndex(t *testing.T, name string) int {
	t.Helper()
	for i, r := range releases {
		if r.name == name {
			return i
		}
	}
	t.Fatalf("no release %s", name)
	return 0
}

// The lines between which deploy/docs/brokers.md has the table of supported brokers.
const (
	matrixBegins = "<!-- the table of supported brokers begins; make brokers writes it -->\n"
	matrixEnds   = "<!-- the table of supported brokers ends -->\n"
)

var update = flag.Bool("update", false, "write the table of supported brokers into the documentation instead of comparing it")

// TestBrokersDocument: the table of supported brokers is the one that TestBrokerMatrix runs.
// With -update it is written.
func TestBrokersDocument(t *testing.T) {
	t.Parallel()
	const file = "../../deploy/docs/brokers.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), matrixBegins)
	_, after, ends := strings.Cut(rest, matrixEnds)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + matrixBegins + matrixTable(t) + matrixEnds + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("the table in %s is not the one of TestBrokerMatrix; make brokers writes it", file)
	}
}

// matrixTable is a row for each promise and a column for each release, with the reasons below.
func matrixTable(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("| promise |")
	for _, r := range releases {
		fmt.Fprintf(&b, " %s |", r.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(releases)) + "\n")
	var reasons []string
	for _, p := range promises {
		fmt.Fprintf(&b, "| %s |", p.text)
		note := ""
		if p.until != "" {
			n := 0
			for ; n < len(reasons) && reasons[n] != p.until; n++ {
			}
			if n == len(reasons) {
				reasons = append(reasons, p.until)
			}
			note = fmt.Sprintf(" no (%d) |", n+1)
		}
		since := releaseIndex(t, p.since)
		b.WriteString(strings.Repeat(note, since) + strings.Repeat(" yes |", len(releases)-since) + "\n")
	}
	b.WriteString("| group protocol `consumer` |")
	for _, r := range releases {
		b.WriteString(map[bool]string{false: " – |", true: " yes |"}[r.consumer])
	}
	b.WriteString("\n\n")
	for i, reason := range reasons {
		fmt.Fprintf(&b, "%d. %s.\n", i+1, strings.ToUpper(reason[:1])+reason[1:])
	}
	return b.String()
}

// TestApacheMatrix runs the promises that the release keeps on Apache Kafka: the newest, or the older
// one (APACHE_KAFKA_RELEASE).
func TestApacheMatrix(t *testing.T) { //nolint:tparallel // other tests start brokers of their own; that is enough of them one after the other
	kafkatest.Require(t)
	cluster := startApache(t)
	r := releases[releaseIndex(t, kafkatest.Release())]
	for _, proto := range protocols {
		if proto == "consumer" && !r.consumer {
			continue
		}
		for _, mode := range startModes {
			for _, p := range promises {
				if releaseIndex(t, r.name) < releaseIndex(t, p.since) {
					continue
				}
				t.Run(proto+"/"+mode+"/"+p.name, func(t *testing.T) {
					t.Parallel()
					onApache(t, cluster, func(w *world) { p.test(w, start{mode: mode, proto: proto}) })
				})
			}
		}
	}
}
