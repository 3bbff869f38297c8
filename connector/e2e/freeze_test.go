package e2e_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"kafka-firehose/connector/longtest"
)

func TestSIGSTOP(t *testing.T) { t.Parallel(); sigstop(newHost(t)) }

// sigstop freezes a member under load for longer than its session. Another takes
// over. When the first wakes up it still has what it had read, requests that were
// answered long ago, and no doubt that it is in the group. It must not commit, which
// the judge sees to; what it sends before it finds out, and what it had sent and not
// committed, comes twice, and nothing else does. Then it is a member again.
func sigstop(h *host) {
	zombie := h.start()
	h.produce(2000)
	h.delivered(time.Minute)
	commits := freeze(h, zombie)
	heir := h.start()
	h.produce(4000)
	h.delivered(time.Minute)
	_ = zombie.Process.Signal(syscall.SIGCONT)
	h.until(zombie, "it knows that it was thrown out", func() bool { return strings.Contains(zombie.log.String(), "partitions lost") })
	h.until(zombie, "it is a member again", func() bool { return strings.Count(zombie.log.String(), "partitions assigned") >= 2 })
	h.produce(2000)
	h.delivered(time.Minute)
	h.drain(zombie)
	h.drain(heir)
	explained(h, commits)
}

func TestSIGSTOPStatic(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) { t.Parallel(); sigstopStatic(proto)(newHost(t)) })
	}
}

// sigstopStatic: the member that takes over comes under the same name, as a
// supervisor that gave up on the first would start it. The first finds out when it
// wakes up, and ends: two processes under one name would take turns for ever.
func sigstopStatic(proto string) func(h *host) {
	return func(h *host) { replaced(h, "KAFKA_GROUP_PROTOCOL="+proto, "KAFKA_GROUP_INSTANCE_ID=one") }
}

func replaced(h *host, name ...string) {
	zombie := h.start(name...)
	h.produce(2000)
	h.delivered(time.Minute)
	commits := freeze(h, zombie)
	heir := h.start(name...)
	h.produce(4000)
	h.delivered(time.Minute)
	_ = zombie.Process.Signal(syscall.SIGCONT)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = zombie.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		h.t.Fatalf("it goes on under a name that is another's\n%s", zombie.log.tail())
	}
	if code := zombie.ProcessState.ExitCode(); code != 1 || !strings.Contains(zombie.log.String(), "KAFKA_GROUP_INSTANCE_ID") {
		h.t.Errorf("exit code %d, want 1 and the name of the setting\n%s", code, zombie.log.tail())
	}
	h.produce(2000)
	h.delivered(time.Minute)
	h.drain(heir)
	explained(h, commits)
}

// freeze stops a process that has requests on their way, and returns what is
// committed then. The producer goes on until it is seen so: however much there is to
// send, a process can be done with it between two looks.
func freeze(h *host, c *child) map[part]int64 {
	h.t.Helper()
	before := h.sent()
	h.produce(20000)
	h.untilSent(c, before)
	h.until(c, "something is on its way", func() bool {
		if h.stream.Stats().InFlight > 0 {
			return true
		}
		h.produce(1000)
		return false
	})
	_ = c.Process.Signal(syscall.SIGSTOP)
	return h.judge.commitsNow()
}

// explained fails the test if a record came twice that was committed before the
// freeze.
func explained(h *host, commits map[part]int64) {
	h.t.Helper()
	copies := h.wantAll(h.produced)
	if n := h.judge.repeatedBefore(commits); n > 0 {
		h.t.Errorf("%d records came again that were committed before the freeze", n)
	}
	h.t.Logf("%d records, 0 lost, %d came twice", h.produced, copies)
}
