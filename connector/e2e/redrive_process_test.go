package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/longtest"
)

func TestRedriveSIGKILL(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	redriveSIGKILL(newHost(t))
}

// redriveSIGKILL kills a redrive again and again. The record of every letter is delivered, copies are of letters that were not
// committed at a kill, and the service's commits stay as they are.
func redriveSIGKILL(h *host) {
	const letters = 400
	dead := h.topic + "-dead"
	made, err := h.admin.CreateTopic(context.Background(), 3, -1, nil, dead)
	if err != nil {
		h.t.Fatal(err)
	}
	h.judge.name(made.ID, dead)
	env := []string{"BAD_RECORD_POLICY=dead-letter", "DEAD_LETTER_TOPIC=" + dead, "KAFKA_GROUP_INSTANCE_ID=one"}
	c := h.start(append(env, "RECORD_TOMBSTONES=bad")...)
	for i := range letters {
		h.producer.Produce(context.Background(), &kgo.Record{Topic: h.topic, Partition: int32(i % 4), Key: fmt.Appendf(nil, "%d", i)}, nil)
	}
	if err := h.producer.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	h.produced = letters
	h.delivered(time.Minute)
	before := h.commitsOf(h.group)
	repaired := slices.Concat(env, []string{"RECORD_FORMAT=json", "RECORD_TOMBSTONES=envelope"})
	rng, exposed := rand.New(rand.NewPCG(6, 6)), 0
	for range 10 {
		sent := h.sent()
		r := h.startCommand(append(repaired, "FIREHOSE_MAX_BYTES_PER_SECOND=2000"), "redrive")
		h.until(r, "it sends", func() bool { return h.sent() > sent })
		<-time.After(time.Duration(rng.IntN(400)) * time.Millisecond)
		_ = r.Process.Kill()
		_ = r.Wait()
		h.until(r, "the last request is over", func() bool { return h.stream.Stats().InFlight == 0 })
		exposed += h.judge.envelopes()
		for _, at := range h.commitsOf(h.group + ".redrive") {
			exposed -= int(at)
		}
	}
	r := h.startCommand(repaired, "redrive")
	_ = r.Wait()
	if code := r.ProcessState.ExitCode(); code != 0 {
		h.t.Errorf("exit code %d\n%s", code, r.log.tail())
	}
	if n, copies := h.judge.envelopes(), h.sent()-letters; n != letters || copies > exposed {
		h.t.Errorf("%d of %d letters were sent, and %d came once more, of which %d were not committed at a kill", n, letters, copies, exposed)
	}
	if after := h.commitsOf(h.group); !maps.Equal(before, after) {
		h.t.Errorf("the commits of the service were %v and are %v", before, after)
	}
	h.drain(c)
	h.judge.verdict(h.t)
	h.t.Logf("%d letters sent, 0 lost, %d once more, at most %d", letters, h.sent()-letters, exposed)
}

// envelopes is how many different envelopes were stored.
func (j *judge) envelopes() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value := range j.copies {
		if strings.Contains(value, `"id":"`) {
			n++
		}
	}
	return n
}
