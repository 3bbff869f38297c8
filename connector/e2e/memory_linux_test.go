package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

const (
	buffered = 32 << 20 // MAX_BUFFERED_BYTES
	// beside is what the process takes beside that, its code not counted.
	beside = 48 << 20
)

// TestMemoryOfTheProcess: Firehose is down, and four times as much as memory may hold
// waits in Kafka, half of it compressed to next to nothing. What the kernel counts stays
// within the bound, and everything arrives when Firehose is back. A tenth is for the
// collector, to whom the limit is a goal.
func TestMemoryOfTheProcess(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	h := newHost(t)
	c := h.fillUp(t, func() *child {
		return h.start("KAFKA_SESSION_TIMEOUT=15s", fmt.Sprintf("MAX_BUFFERED_BYTES=%d", buffered))
	})
	most := c.status(t, "VmHWM:") - c.status(t, "RssFile:")
	if want := buffered + beside; most > want+want/10 {
		t.Errorf("the process took %d MiB, want at most %d", most>>20, want>>20)
	}
	t.Logf("the process took %d MiB, and %d for its code", most>>20, c.status(t, "RssFile:")>>20)
	h.drain(c)
	h.wantAll(0)
}

// TestMemoryOfTheContainer: the same in a container that has room for no more than that.
// The kernel must not have to end the process.
func TestMemoryOfTheContainer(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	const limit = (buffered + beside) * 10 / 9 // a tenth of it is left alone
	procs := cgroup(t, limit)
	h := newHost(t)
	c := h.fillUp(t, func() *child {
		c := &child{Cmd: exec.Command("sh", "-c", `echo $$ >"$0" && exec "$1"`, procs, h.binary())}
		c.Env = h.environ("KAFKA_SESSION_TIMEOUT=15s", fmt.Sprintf("MAX_BUFFERED_BYTES=%d", buffered))
		c.Stderr = &c.log
		h.run(c)
		h.until(c, "it runs", func() bool { return strings.Contains(c.log.String(), "serving metrics") })
		return c
	})
	if want := fmt.Sprintf(`"container_limit_bytes":%d`, limit&^4095); !strings.Contains(c.log.String(), want) {
		t.Errorf("it does not know its limit, %s\n%s", want, c.log.String())
	}
	h.drain(c)
	h.wantAll(0)
}

// cgroup makes one with a limit of memory, and returns the file that takes processes
// into it.
func cgroup(t *testing.T, limit int) (procs string) {
	t.Helper()
	name := fmt.Sprintf("kafka-firehose-test-%d", os.Getpid())
	var errs []error
	for file, root := range map[string]string{"memory.limit_in_bytes": "/sys/fs/cgroup/memory", "memory.max": "/sys/fs/cgroup"} {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0) // never made where there is none
		if err == nil {
			_, err = fmt.Fprint(f, limit)
			err = errors.Join(err, f.Close())
		}
		if err == nil {
			return filepath.Join(dir, "cgroup.procs")
		}
		errs = append(errs, err)
	}
	t.Skipf("needs a cgroup with a limit of memory, which takes root: %v", errors.Join(errs...))
	return ""
}

// fillUp starts a member while Firehose is down, gives it time to take what it can, and
// then lets it deliver everything.
func (h *host) fillUp(t *testing.T, start func() *child) *child {
	t.Helper()
	if testing.Short() {
		t.Skip("moves 128 MiB; the run without the race detector has it")
	}
	const size, each = 4 * buffered, 10 << 10
	h.judge.made = func(r *kgo.Record) string { return number(string(r.Value)) }
	h.judge.read = number
	h.stream.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRequest, Code: "ServiceUnavailableException"})
	rng := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, each)
	h.produceWith(size/each, func(i int) []byte {
		for n := range noise {
			if noise[n] = ' '; i%2 == 0 {
				noise[n] = 'a' + byte(rng.IntN(26))
			}
		}
		return fmt.Appendf(nil, "%d %s", i, noise)
	})
	c := start()
	h.until(c, "it is full", func() bool {
		_, text := c.probe(t, "/metrics")
		return strings.Contains(text, "kafka_firehose_backpressure_seconds_total ") && !strings.Contains(text, "kafka_firehose_backpressure_seconds_total 0\n")
	})
	<-time.After(3 * time.Second)
	h.stream.ClearFaults()
	h.delivered(2 * time.Minute)
	return c
}

// number is the beginning of a value.
func number(value string) string {
	n, _, _ := strings.Cut(value, " ")
	return n
}

// status is a line of what the kernel says of the process, in bytes.
func (c *child) status(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("there is no %s:\n%s", name, text)
	return 0
}

// wantMemory checks the most memory that the process has taken, code included, in bytes.
func (c *child) wantMemory(t *testing.T, limit int) {
	t.Helper()
	most := c.status(t, "VmHWM:")
	t.Logf("the process took %d MiB", most>>20)
	if most > limit {
		t.Errorf("the process took %d MiB, want at most %d", most>>20, limit>>20)
	}
}
