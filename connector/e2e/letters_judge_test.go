package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// wrote looks at letters on their way to Kafka. The answer, if it comes, says which of
// them Kafka has: only they may be committed from then on.
func (j *judge) wrote(r *kmsg.ProduceRequest) (acknowledged func(*kmsg.ProduceResponse)) {
	return func(a *kmsg.ProduceResponse) {
		j.mu.Lock()
		defer j.mu.Unlock()
		refused := map[part]bool{}
		for i := 0; a != nil && i < len(a.Topics); i++ {
			for _, p := range a.Topics[i].Partitions {
				refused[part{j.topic(a.Topics[i].Topic, a.Topics[i].TopicID), p.Partition}] = p.ErrorCode != 0
			}
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if !refused[part{j.topic(t.Topic, t.TopicID), p.Partition}] {
					j.buried(r.Acks, p.Records)
				}
			}
		}
	}
}

// buried enters the letters of a batch. mu is held.
func (j *judge) buried(acks int16, batch []byte) {
	fetched := kmsg.NewFetchResponseTopicPartition()
	fetched.RecordBatches = batch
	got, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{}, &fetched, kgo.DefaultDecompressor(), nil)
	for _, r := range got.Records {
		if header(r, "__connect.errors.topic") == "" {
			continue // written by a test
		}
		if acks != -1 || r.ProducerID < 0 {
			j.fault("the letter of %v was written with acks=%d by producer %d, want all and an idempotent one", origin(r), acks, r.ProducerID)
		}
		j.letters[origin(r)] = true
		delete(j.pending, origin(r))
	}
}

// bad says that the record at p has to have a letter before it is committed. It may
// have one already: faster than the producer's acknowledgement.
func (j *judge) bad(p place) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.letters[p] {
		j.pending[p] = true
	}
}

// header is the last value of a header, "" without one.
func header(r *kgo.Record, name string) string {
	value := ""
	for _, h := range r.Headers {
		if h.Key == name {
			value = string(h.Value)
		}
	}
	return value
}

// origin is where a letter says that it comes from.
func origin(r *kgo.Record) place {
	partition, _ := strconv.Atoi(header(r, "__connect.errors.partition"))
	offset, _ := strconv.ParseInt(header(r, "__connect.errors.offset"), 10, 64)
	return place{part{header(r, "__connect.errors.topic"), int32(partition)}, offset}
}

// post is the dead-letter topic of a world.
type post struct {
	w     *world
	topic string
	bad   []place            // the records that are to be in it
	fault *kfake.FaultHandle // nil while it takes letters
}

// post makes a dead-letter topic with a max.message.bytes, and a configuration that
// uses it.
func (w *world) post(limit int) (*post, func(*connector.Config)) {
	w.t.Helper()
	p := &post{w: w, topic: w.name("dead")}
	p.make(limit)
	return p, func(c *connector.Config) {
		c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", p.topic
		c.Record.Tombstones = "bad"
	}
}

func (p *post) make(limit int) {
	p.w.t.Helper()
	p.w.topic(p.topic, 3, "max.message.bytes", strconv.Itoa(limit))
}

// refuses has the embedded broker refuse all letters with an error, or take them
// again with nil.
func (p *post) refuses(err *kerr.Error) {
	if p.fault != nil {
		p.fault.Remove()
		p.fault = nil
	}
	if err != nil {
		p.fault = p.w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: p.topic, Err: err, Count: -1})
	}
}

// produce writes n records that can't be delivered, over four partitions unless they
// say where to.
func (p *post) produce(n int, record func(i int) *kgo.Record) {
	w := p.w
	w.t.Helper()
	for i := range n {
		r := record(i)
		if r.Topic == "" {
			r.Topic, r.Partition = w.in, int32(i%4)
		}
		if err := w.producer.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
		at := place{part{w.in, r.Partition}, r.Offset}
		w.judge.bad(at)
		p.bad = append(p.bad, at)
	}
}

// mixed produces 18 good records, in two halves, to each bad one between them, which is
// a tombstone with a key and a header.
func (p *post) mixed(bad int) {
	p.w.t.Helper()
	p.w.produce(0, 9*bad)
	p.produce(bad, func(i int) *kgo.Record {
		return &kgo.Record{Key: fmt.Appendf(nil, "key %d", i), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{0xff, byte(i)}}}}
	})
	p.w.produce(9*bad, 18*bad)
}

// letters reads what the topic holds.
func (p *post) letters() []*kgo.Record { return lettersIn(p.w.t, p.topic, p.w.dialing()) }

// want fails unless each bad record has a letter, no other has one, and at most so many
// have two.
func (p *post) want(twice int) map[place]*kgo.Record {
	p.w.t.Helper()
	return wantLetters(p.w.t, p.letters(), p.bad, twice)
}

// failing is the part of *testing.T that the helpers below need.
type failing interface {
	Helper()
	Errorf(string, ...any)
	Fatal(...any)
}

func lettersIn(t failing, topic string, dial []kgo.Opt) (all []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(append(dial, kgo.ConsumeTopics(topic), kgo.FetchMaxBytes(100<<20))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	ends.Each(func(o kadm.ListedOffset) { left += int(o.Offset) })
	for len(all) < left {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatal(fmt.Sprintf("read %d of %d letters", len(all), left))
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

func wantLetters(t failing, letters []*kgo.Record, bad []place, twice int) map[place]*kgo.Record {
	t.Helper()
	found, copies := map[place]*kgo.Record{}, 0
	for _, r := range letters {
		if found[origin(r)] != nil {
			copies++
		}
		found[origin(r)] = r
	}
	missing, others := 0, maps.Clone(found)
	for _, at := range bad {
		if found[at] == nil {
			missing++
		}
		delete(others, at)
	}
	if missing > 0 || len(others) > 0 || copies > twice {
		t.Errorf("of %d dead letters %d are missing, %d came twice (at most %d may), and %d are not bad at all", len(bad), missing, copies, twice, len(others))
	}
	return found
}
