package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestLogNobodyTakes: the disk for the log is full, whoever read it is gone, or has
// stopped reading. None of it may stop a delivery or the process, or its drain.
func TestLogNobodyTakes(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) *os.File{
		"disk full": func(t *testing.T) *os.File {
			t.Helper()
			f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skipf("there is no disk that is always full here: %v", err)
			}
			return f
		},
		"reader gone": func(t *testing.T) *os.File {
			t.Helper()
			r, w := pipe(t)
			_ = r.Close()
			return w
		},
		"reader asleep": func(t *testing.T) *os.File {
			t.Helper()
			_, w := pipe(t)
			fill(t, w)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			c := &child{Cmd: exec.Command(h.binary())}
			c.Env = h.environ("KAFKA_SESSION_TIMEOUT=15s", "LOG_LEVEL=debug")
			file := open(t)
			c.Stdout, c.Stderr = file, file
			h.run(c)
			_ = file.Close()
			for range 5 {
				h.produce(500)
				h.delivered(time.Minute)
			}
			begin := time.Now()
			_ = c.Process.Signal(syscall.SIGTERM)
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("after SIGTERM: %v", err)
				}
				t.Logf("drained in %v", time.Since(begin).Round(time.Millisecond))
			case <-time.After(time.Minute):
				t.Fatal("it does not end")
			}
			h.wantAll(0)
		})
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, w
}

// fill writes into a pipe until it takes no more, and leaves it as the next writer
// would have found it: with writes that block.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	fd := int(w.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for line := make([]byte, 4096); ; {
		if _, err := syscall.Write(fd, line); errors.Is(err, syscall.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}
