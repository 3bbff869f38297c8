package e2e_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// signals are what a supervisor, an impatient one and a busy machine do to a process.
// They run on both brokers.
var signals = map[string]func(h *host){
	"SIGKILL": sigkill, "SIGTERM": sigterm, "SIGSTOP": sigstop, "SIGSTOP of a static member": sigstopStatic("classic"), "SIGSTOP of a static consumer": sigstopStatic("consumer"),
	"SIGKILL with dead letters": sigkillWithDeadLetters, "SIGKILL of a replay": replaySIGKILL, "SIGKILL of a redrive": redriveSIGKILL,
}

func TestSIGKILL(t *testing.T) { t.Parallel(); sigkill(newHost(t)) }

// sigkill kills the process again and again under load, at any instant, most of the
// time as a static member, which comes back at once. Nothing is lost, no commit is
// ever ahead of what Firehose has, and what comes twice was not committed at a kill.
func sigkill(h *host) {
	h.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.1})
	rng, exposed := rand.New(rand.NewPCG(7, 7)), 0
	kills, nameless := longtest.Pick(4, 20), longtest.Pick(2, 5)
	for i := range kills {
		var env []string
		if i >= nameless {
			env = append(env, "KAFKA_GROUP_INSTANCE_ID=one")
		}
		before := h.sent()
		c := h.start(env...)
		h.produce(4000)
		h.untilSent(c, before)
		<-time.After(time.Duration(rng.IntN(250)) * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
		h.until(c, "the last request is over", func() bool { return h.stream.Stats().InFlight == 0 })
		exposed += h.judge.exposed()
	}
	c := h.start("KAFKA_GROUP_INSTANCE_ID=one")
	h.delivered(time.Minute)
	h.drain(c)
	copies := h.wantAll(exposed)
	h.t.Logf("%d records, 0 lost, %d delivered again after %d kills", h.produced, copies, kills)
}

func TestSIGTERM(t *testing.T) { t.Parallel(); sigterm(newHost(t)) }

// sigterm under load, and each other signal that drains, with a restart after it: nothing is lost
// and nothing comes twice. The session is long enough for a machine that is busy with other things.
func sigterm(h *host) {
	const session = "KAFKA_SESSION_TIMEOUT=15s"
	every := []syscall.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	for _, s := range longtest.Pick(every[:1], every) {
		c := h.start(session)
		h.produce(10000)
		<-time.After(300 * time.Millisecond)
		h.drainBy(c, s)
	}
	c := h.start(session)
	h.delivered(time.Minute) // perhaps by the process before
	h.until(c, "it is ready", func() bool { status, _ := c.probe(h.t, "/readyz"); return status == http.StatusOK })
	for path, want := range map[string]string{"/status": `"phase":"running"`, "/": "</html>", "/readyz": "ok", "/metrics": "kafka_firehose_peak_second_bytes"} {
		if status, body := c.probe(h.t, path); status != http.StatusOK || !strings.Contains(body, want) {
			h.t.Errorf("%s answers %d, without %s", path, status, want)
		}
	}
	h.drain(c)
	h.wantAll(0)
}

// TestSecondSignal ends a drain that would wait for a stream that hangs.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Hang})
	h.produce(100)
	c := h.start()
	h.until(c, "something is sent", func() bool { return h.stream.Stats().InFlight > 0 })
	_ = c.Process.Signal(syscall.SIGTERM)
	<-time.After(200 * time.Millisecond)
	begin := time.Now()
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	// The drain would go on for SHUTDOWN_TIMEOUT, 25 s.
	if code := c.ProcessState.ExitCode(); code <= 0 || time.Since(begin) > 10*time.Second {
		t.Errorf("exit code %d after %v, want one above 0 at once\n%s", code, time.Since(begin), c.log.String())
	}
	h.stream.ClearFaults()
}

// TestDrainTooLate: the stream hangs until the time for a drain is over; the line
// that says so holds the number of records.
func TestDrainTooLate(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Hang})
	h.produce(100)
	c := h.start("SHUTDOWN_TIMEOUT=4s")
	h.until(c, "something is sent", func() bool { return h.stream.Stats().InFlight > 0 })
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(c.log.String(), "100 records will be delivered again") {
		t.Errorf("exit code %d, want 1 and the number of records\n%s", code, c.log.String())
	}
	h.stream.ClearFaults()
}

// TestFirstRecordAfterStart measures the time from the start of the process to the first accepted record, of
// five starts. The aim is 300 ms on a machine that is idle, of which batches linger for 50 ms and the stream takes 20 ms
// for each request. The figures are logged and not judged, because they depend on the machine's load; TestStartWithoutWaits
// judges the waits of a start exactly, in virtual time.
func TestFirstRecordAfterStart(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.binary() // building it is no part of a start
	var took []time.Duration
	for range 5 {
		h.produce(10)
		before, begin := h.sent(), time.Now()
		c := h.start("FIREHOSE_STARTUP_CHECK=true", "KAFKA_GROUP_INSTANCE_ID=one")
		h.untilSent(c, before)
		took = append(took, time.Since(begin).Round(time.Millisecond))
		h.delivered(time.Minute)
		h.drain(c)
	}
	h.wantAll(0)
	t.Logf("first record accepted after %v", took)
}

// TestMissingStream: the check at the start ends the process and names the
// stream. It runs beside the group's join: the process has left the group, and nothing is committed.
func TestMissingStream(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.produce(10)
	c := h.start("FIREHOSE_STREAM=absent", "FIREHOSE_STARTUP_CHECK=true")
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(c.log.String(), "absent") {
		t.Errorf("exit code %d, want 1 and the name of the stream\n%s", code, c.log.String())
	}
	if g := h.cluster.GroupInfo(group); g != nil && len(g.Members) > 0 {
		t.Error("it has ended and is still in the group")
	}
	if n := h.judge.committedParts(); n > 0 {
		t.Errorf("%d partitions were committed although the stream does not exist", n)
	}
}
