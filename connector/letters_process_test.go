package connector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceMixed writes the next n records, of which one in a thousand is bad, and waits
// until Kafka has them. The good ones are numbers without a gap; h.produced counts both.
func (h *host) produceMixed(good *int, n int) (bad []place) {
	h.t.Helper()
	var mu sync.Mutex
	for i := h.produced; i < h.produced+n; i++ {
		r := &kgo.Record{Topic: "in", Partition: int32(i % 4)}
		wrong := i%1000 == 7
		if wrong {
			r.Key = fmt.Appendf(nil, "%d", i)
		} else {
			r.Value = fmt.Appendf(nil, "%d", *good)
			*good++
		}
		h.producer.Produce(context.Background(), r, func(r *kgo.Record, err error) {
			at := place{part{"in", r.Partition}, r.Offset}
			switch {
			case err != nil:
				h.t.Errorf("produce: %v", err)
			case wrong:
				h.judge.bad(at)
				mu.Lock()
				bad = append(bad, at)
				mu.Unlock()
			default:
				h.judge.produced(r)
			}
		})
	}
	h.produced += n
	if err := h.producer.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return bad
}

// TestSIGKILLWithDeadLetters: one record in a thousand is bad, and the process is killed
// again and again at full speed. All good ones are delivered, all bad ones are in the
// dead-letter topic, and no commit is ever ahead of either.
func TestSIGKILLWithDeadLetters(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := h.cluster.CreateTopic("dead", 3, nil); err != nil {
		t.Fatal(err)
	}
	h.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		h.cluster.KeepControl()
		h.judge.letter(r.(*kmsg.ProduceRequest), "dead")
		return nil, nil, false
	})
	h.judge.name(h.cluster.TopicInfo("dead").TopicID, "dead")
	env := []string{"BAD_RECORD_POLICY=dead-letter", "DEAD_LETTER_TOPIC=dead", "RECORD_TOMBSTONES=bad", "KAFKA_GROUP_INSTANCE_ID=one"}
	rng := rand.New(rand.NewPCG(11, 11))
	var bad []place
	good := 0
	for range 10 {
		before := h.stream.Stats().Streams["s"].Records
		c := h.start(env...)
		bad = append(bad, h.produceMixed(&good, 20_000)...)
		h.until(c, "something is delivered", func() bool { return h.stream.Stats().Streams["s"].Records > before })
		<-time.After(time.Duration(rng.IntN(250)) * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	c := h.start(env...)
	h.delivered(time.Minute)
	h.drain(c)
	lost, copies := h.judge.count(good)
	if lost > 0 {
		t.Errorf("%d of %d good records are lost", lost, good)
	}
	letters := lettersIn(t, "dead", []kgo.Opt{kgo.SeedBrokers(h.cluster.ListenAddrs()...)})
	found := wantLetters(t, letters, bad, len(bad))
	t.Logf("%d good records, %d lost, %d delivered again; %d bad ones, %d with a letter, %d letters in all after 10 kills",
		good, lost, copies, len(bad), len(found), len(letters))
	h.judge.verdict(t)
}
