package e2e_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"kafka-firehose/connector/longtest"
)

// startCommand runs a command that sends records again, with a log that is kept.
func (h *host) startCommand(env []string, args ...string) *child {
	h.t.Helper()
	c := &child{Cmd: exec.Command(h.binary(), args...)}
	c.Env = h.environ(env...)
	c.Stderr, c.Stdout = &c.log, &c.log
	h.run(c)
	return c
}

// commitsOf are the offsets of a group.
func (h *host) commitsOf(group string) map[part]int64 {
	h.t.Helper()
	offsets, err := h.admin.FetchOffsets(context.Background(), group)
	if err != nil {
		h.t.Fatal(err)
	}
	commits := map[part]int64{}
	offsets.Each(func(o kadm.OffsetResponse) { commits[part{o.Topic, o.Partition}] = o.At })
	return commits
}

// storedBehind is how many values were stored more than so many times, and are behind the commits.
func (j *judge) storedBehind(commits map[part]int64, times int) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, p := range j.places {
		if j.copies[value] > times && p.offset >= commits[p.part] {
			n++
		}
	}
	return n
}

// storedFewer is how many values were stored fewer than so many times.
func (j *judge) storedFewer(times int) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value := range j.places {
		if j.copies[value] < times {
			n++
		}
	}
	return n
}

func TestReplaySIGKILL(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	replaySIGKILL(newHost(t))
}

// replaySIGKILL kills a replay again and again, at any moment, beside the running service. Everything of the range is delivered
// once more, copies are of records that were not committed at a kill, and the service's commits stay as they are.
func replaySIGKILL(h *host) {
	c := h.start("KAFKA_GROUP_INSTANCE_ID=one")
	from := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	h.produce(8000)
	h.delivered(time.Minute)
	<-time.After(10 * time.Millisecond)
	before, to := h.commitsOf(h.group), time.Now().UTC().Format(time.RFC3339Nano)
	rng, exposed := rand.New(rand.NewPCG(5, 5)), 0
	flags := []string{"replay", "-from", from, "-to", to, "-name", "killed", "-max-bytes-per-second"}
	kills := 10
	for range kills {
		sent := h.sent()
		r := h.startCommand(nil, append(flags, "8KiB")...)
		h.until(r, "it sends", func() bool { return h.sent() > sent })
		<-time.After(time.Duration(rng.IntN(400)) * time.Millisecond)
		_ = r.Process.Kill()
		_ = r.Wait()
		h.until(r, "the last request is over", func() bool { return h.stream.Stats().InFlight == 0 })
		exposed += h.judge.storedBehind(h.commitsOf(h.group+".replay.killed"), 1)
	}
	r := h.startCommand(nil, append(flags, "1GiB")...)
	_ = r.Wait()
	if code := r.ProcessState.ExitCode(); code != 0 {
		h.t.Errorf("exit code %d\n%s", code, r.log.tail())
	}
	copies := h.sent() - 2*h.produced
	if lost := h.judge.storedFewer(2); lost > 0 || copies > exposed {
		h.t.Errorf("of %d records %d were not sent again, and %d came once more, of which %d were not committed at a kill", h.produced, lost, copies, exposed)
	}
	if after := h.commitsOf(h.group); !maps.Equal(before, after) {
		h.t.Errorf("the commits of the service were %v and are %v", before, after)
	}
	h.drain(c)
	h.judge.verdict(h.t)
	h.t.Logf("%d records sent again, 0 lost, %d once more after %d kills", h.produced, copies, kills)
}
