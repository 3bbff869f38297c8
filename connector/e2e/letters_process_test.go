package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/longtest"
)

// produceMixed writes the next n records, of which one in a thousand is bad, and waits
// until Kafka has them. The good ones are numbers without a gap; h.produced counts both.
func (h *host) produceMixed(good *int, n int) (bad []place) {
	h.t.Helper()
	var mu sync.Mutex
	for i := h.produced; i < h.produced+n; i++ {
		r := &kgo.Record{Topic: h.topic, Partition: int32(i % 4)}
		wrong := i%1000 == 7
		if wrong {
			r.Key = fmt.Appendf(nil, "%d", i)
		} else {
			r.Value = fmt.Appendf(nil, "%d", *good)
			*good++
		}
		h.producer.Produce(context.Background(), r, func(r *kgo.Record, err error) {
			at := place{part{h.topic, r.Partition}, r.Offset}
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

func TestSIGKILLWithDeadLetters(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	sigkillWithDeadLetters(newHost(t))
}

// sigkillWithDeadLetters kills the process again and again at full speed, while one
// record in a thousand is bad. All good ones are delivered, all bad ones are in the
// dead-letter topic, and no commit is ever ahead of either.
func sigkillWithDeadLetters(h *host) {
	dead := h.topic + "-dead"
	made, err := h.admin.CreateTopic(context.Background(), 3, -1, nil, dead)
	if err != nil {
		h.t.Fatal(err)
	}
	h.judge.name(made.ID, dead)
	env := []string{"BAD_RECORD_POLICY=dead-letter", "DEAD_LETTER_TOPIC=" + dead, "RECORD_TOMBSTONES=bad", "KAFKA_GROUP_INSTANCE_ID=one"}
	rng := rand.New(rand.NewPCG(11, 11))
	var bad []place
	good := 0
	for range 10 {
		before := h.sent()
		c := h.start(env...)
		bad = append(bad, h.produceMixed(&good, 20_000)...)
		h.untilSent(c, before)
		<-time.After(time.Duration(rng.IntN(250)) * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	c := h.start(env...)
	h.delivered(time.Minute)
	h.drain(c)
	lost, copies := h.judge.count(good)
	if lost > 0 {
		h.t.Errorf("%d of %d good records are lost", lost, good)
	}
	letters := lettersIn(h.t, dead, []kgo.Opt{kgo.SeedBrokers(h.addrs...)})
	found := wantLetters(h.t, letters, bad, len(bad))
	h.t.Logf("%d good records, %d lost, %d delivered again; %d bad ones, %d with a letter, %d letters in all after 10 kills",
		good, lost, copies, len(bad), len(found), len(letters))
	h.judge.verdict(h.t)
}
