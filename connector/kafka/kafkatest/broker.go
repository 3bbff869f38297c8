package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"kafka-firehose/connector/childtest"
)

// broker is one process, or the place where one was and will be.
type broker struct {
	id    int
	dir   string
	addrs map[string]string // :: listener -> host:port

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil while there is no process
	gone chan struct{} // closed when cmd has ended
}

func (b *broker) config() string  { return filepath.Join(b.dir, "server.properties") }
func (b *broker) data() string    { return filepath.Join(b.dir, "data") }
func (b *broker) logFile() string { return filepath.Join(b.dir, "broker.log") }
func (b *broker) rack() string    { return "rack-" + strconv.Itoa(b.id-1) }

// startTimeout is generous: a broker takes three seconds on an idle machine. stopTimeout
// is the time to hand over its partitions, which it can't while the quorum
// has no leader; it would wait for five minutes.
const (
	startTimeout = 2 * time.Minute
	stopTimeout  = 30 * time.Second
)

// java is a command of Kafka's. The compiler stops at the first tier and the
// collector is the smallest one, because three brokers share a machine with what
// they are there to test.
func (c *Cluster) java(ctx context.Context, args ...string) (*exec.Cmd, error) {
	r, err := chosen()
	if err != nil {
		return nil, err
	}
	dir, err := jars()
	if err != nil {
		return nil, err
	}
	cp := filepath.Join(dir, "*")
	if c.options.Classpath != "" {
		cp = c.options.Classpath + string(filepath.ListSeparator) + cp
	}
	flags := []string{
		"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-D" + r.loggingProperty + "=file:" + filepath.Join(dir, r.loggingFile), "-cp", cp,
	}
	if c.archive != "" {
		flags = append(flags, c.archive)
	}
	cmd := exec.CommandContext(ctx, "java", append(flags, args...)...)
	childtest.DieWithParent(cmd)
	return cmd, nil
}

// format writes the first records of the metadata log: the features, and the users
// of SCRAM.
func (b *broker) format(ctx context.Context, c *Cluster) error {
	args := []string{"kafka.tools.StorageTool", "format", "--cluster-id", c.id, "--config", b.config()}
	for _, u := range c.options.Scram {
		args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", u.Mechanism, u.Name, u.Password))
	}
	cmd, err := c.java(ctx, args...)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("broker %d: %w: %s", b.id, err, out)
	}
	return nil
}

// launch runs the process and waits until it takes requests.
func (b *broker) launch(ctx context.Context, c *Cluster) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd != nil {
		return fmt.Errorf("broker %d runs already", b.id)
	}
	log, err := os.OpenFile(b.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd, err := c.java(context.WithoutCancel(ctx), "kafka.Kafka", b.config())
	if err != nil {
		return err
	}
	cmd.Stderr = log
	started := make(chan struct{})
	cmd.Stdout = &watcher{file: b.logFile(), text: []byte("Kafka Server started"), seen: started}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.cmd, b.gone = cmd, make(chan struct{})
	go func(gone chan struct{}) {
		_ = cmd.Wait() // how it ended is in its log
		close(gone)
	}(b.gone)

	select {
	case <-started:
		return nil
	case <-b.gone:
		err = errors.New("it ended")
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(startTimeout):
		err = fmt.Errorf("it is not ready after %v", startTimeout)
	}
	b.signalAndWait(syscall.SIGKILL)
	return fmt.Errorf("broker %d: %w: %s", b.id, err, b.tail())
}

// kill ends the process at once, stopped or not.
func (b *broker) kill() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.signalAndWait(syscall.SIGKILL)
	return nil
}

// signalAndWait needs b.mu.
func (b *broker) signalAndWait(s syscall.Signal) {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Signal(s)
	<-b.gone
	b.cmd = nil
}

func (b *broker) signal(s syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return fmt.Errorf("broker %d does not run", b.id)
	}
	return b.cmd.Process.Signal(s)
}

// tail is the end of the log.
func (b *broker) tail() []byte {
	log, _ := os.ReadFile(b.logFile())
	return log[max(len(log)-4000, 0):]
}

// Launch starts broker n again, on its addresses and with its data, and waits until
// it takes requests.
func (c *Cluster) Launch(ctx context.Context, n int) error { return c.brokers[n].launch(ctx, c) }

// Kill ends broker n with SIGKILL.
func (c *Cluster) Kill(n int) error { return c.brokers[n].kill() }

// Stop asks broker n to move its leaders away and end, and waits for it. One that does
// not come to its end is killed, as supervisors do.
func (c *Cluster) Stop(n int) error {
	b := c.brokers[n]
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		return nil
	}
	process := b.cmd.Process
	late := time.AfterFunc(stopTimeout, func() { _ = process.Kill() })
	defer late.Stop()
	b.signalAndWait(syscall.SIGTERM)
	return nil
}

// Pause freezes broker n: its connections stay, nothing is answered. Resume wakes
// it.
func (c *Cluster) Pause(n int) error { return c.brokers[n].signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (c *Cluster) Resume(n int) error { return c.brokers[n].signal(syscall.SIGCONT) }

// watcher appends to a file and closes seen when text has come by.
type watcher struct {
	file string
	text []byte
	seen chan struct{}
	line []byte // since the last line end
	done bool
}

// Write implements io.Writer; exec calls it from one goroutine.
func (w *watcher) Write(p []byte) (int, error) {
	f, err := os.OpenFile(w.file, os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = f.Write(p) // a full disk must not end the broker
		_ = f.Close()
	}
	if !w.done {
		w.line = append(w.line, p...)
		if bytes.Contains(w.line, w.text) {
			w.done, w.line = true, nil
			close(w.seen)
		} else if end := bytes.LastIndexByte(w.line, '\n'); end >= 0 {
			w.line = append(w.line[:0], w.line[end+1:]...)
		}
	}
	return len(p), nil
}
