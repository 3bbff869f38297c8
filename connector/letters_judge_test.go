package connector_test

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
)

// post is the dead-letter topic of a cluster. It looks at what is produced to it
// and tells the judge of each letter at the moment in which Kafka stores it, so that
// a commit that is ahead of one is seen.
type post struct {
	t       *testing.T
	cluster *kfake.Cluster
	judge   *judge
	topic   string
	most    int // max.message.bytes

	mu       sync.Mutex
	buried   map[place]bool
	refuse   *kerr.Error // what is answered instead of storing anything, nil for nothing
	attempts int         // produce requests to the topic
}

// openPost makes the topic and watches it. The watch sees requests before other
// faults do, so those must go through refused.
func openPost(t *testing.T, cluster *kfake.Cluster, j *judge, topic string, most int) *post {
	t.Helper()
	p := &post{t: t, cluster: cluster, judge: j, topic: topic, most: most, buried: map[place]bool{}}
	if err := cluster.CreateTopic(topic, 3, map[string]string{"max.message.bytes": strconv.Itoa(most)}); err != nil {
		t.Fatal(err)
	}
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp, refused := p.produced(r.(*kmsg.ProduceRequest))
		return resp, nil, refused
	})
	return p
}

// post makes the dead-letter topic of a world, and a configuration that uses it.
func (w *world) post(most int) (*post, func(*connector.Config)) {
	w.t.Helper()
	p := openPost(w.t, w.cluster, w.judge, "dead", most)
	w.judge.name(w.cluster.TopicInfo("dead").TopicID, "dead")
	return p, func(c *connector.Config) {
		c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "dead"
		c.Record.Tombstones = "bad"
	}
}

// refused has the topic refuse everything with an error, or take it again with nil.
func (p *post) refused(err *kerr.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = err
}

func (p *post) tries() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.attempts
}

func (p *post) produced(req *kmsg.ProduceRequest) (answer kmsg.Response, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ours := false
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for i := range req.Topics {
		topic := req.Topics[i].Topic
		if topic == "" {
			topic = p.judge.nameOf(req.Topics[i].TopicID)
		}
		if topic != p.topic {
			continue
		}
		ours = true
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = req.Topics[i].Topic, req.Topics[i].TopicID
		for _, part := range req.Topics[i].Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition = part.Partition
			if p.refuse != nil {
				rp.ErrorCode = p.refuse.Code
			} else if len(part.Records) <= p.most {
				p.note(part.Records)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if ours {
		p.attempts++
		if req.Acks != -1 {
			p.judge.fail("a letter was written with acks=%d", req.Acks)
		}
	}
	return resp, ours && p.refuse != nil
}

// note tells the judge of a batch that is about to be stored.
func (p *post) note(batch []byte) {
	fetched := kmsg.NewFetchResponseTopicPartition()
	fetched.RecordBatches = batch
	got, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Topic: p.topic}, &fetched, kgo.DefaultDecompressor(), nil)
	for _, r := range got.Records {
		if r.ProducerID < 0 {
			p.judge.fail("the letter of %v is from a producer that is not idempotent", origin(r))
		}
		p.buried[origin(r)] = true
		p.judge.allow(origin(r))
	}
}

// bad says that the record at a place is to be here before it is committed.
func (p *post) bad(at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.buried[at] { // faster than the producer's acknowledgement
		p.judge.bad(at)
	}
}

// letters reads what the topic holds.
func (p *post) letters(opts ...kgo.Opt) (all []*kgo.Record) {
	p.t.Helper()
	left := int64(0)
	for _, info := range p.cluster.PartitionInfos(p.topic) {
		left += info.HighWatermark
	}
	client, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(p.topic), kgo.FetchMaxBytes(100<<20))...)
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for int64(len(all)) < left {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			p.t.Fatalf("read %d of %d letters", len(all), left)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

// wantLetters fails unless each of the places has a letter, nobody else has, and at
// most so many come twice.
func (p *post) wantLetters(places []place, twice int, opts ...kgo.Opt) map[place]*kgo.Record {
	p.t.Helper()
	found, copies := map[place]*kgo.Record{}, 0
	for _, r := range p.letters(opts...) {
		if found[origin(r)] != nil {
			copies++
		}
		found[origin(r)] = r
	}
	missing, others := 0, maps.Clone(found)
	for _, at := range places {
		if found[at] == nil {
			missing++
		}
		delete(others, at)
	}
	if missing > 0 || len(others) > 0 || copies > twice {
		p.t.Errorf("of %d dead letters %d are missing, %d came twice (at most %d may), and %d are not bad at all", len(places), missing, copies, twice, len(others))
	}
	return found
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

// bad says that the record at p may not be committed before it is allowed.
func (j *judge) bad(p place) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending[p] = true
}

// fail notes what went against the rules, from outside of the judge.
func (j *judge) fail(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fault(format, args...)
}

func (j *judge) nameOf(id [16]byte) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.names[id]
}

// raiseProducer has the world's producer write larger batches.
func (w *world) raiseProducer(most int32) {
	w.t.Helper()
	w.producer.Close()
	var err error
	w.producer, err = kgo.NewClient(append(w.dial(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(most), kgo.MetadataMinAge(10*time.Millisecond))...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.admin = kadm.NewClient(w.producer)
}

// alter changes a topic's configuration.
func (w *world) alter(topic, name, value string) {
	w.t.Helper()
	_, err := w.admin.AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Name: name, Value: &value}}, topic)
	if err != nil {
		w.t.Fatal(err)
	}
}
