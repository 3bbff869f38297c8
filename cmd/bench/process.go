package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"kafka-firehose/connector/childtest"
)

// process is one of those that take part.
type process struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string   // of its standard output
	log   string        // file that has its standard error
	gone  chan struct{} // closed when it has ended
	peak  atomic.Int64  // bytes of memory at most, while it lived
}

// start runs a binary. Its standard error goes to a file in dir.
func start(dir, name, binary string, args, env []string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p := &process{name: name, log: log.Name(), lines: make(chan string, 100), gone: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), binary, args...) // it is told to end, in its order
	childtest.DieWithParent(p.cmd)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	p.cmd.Stderr = log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	go func() {
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			p.lines <- scanner.Text()
		}
		close(p.lines)
		_ = p.cmd.Wait() // how it ended is in its state
		close(p.gone)
	}()
	go p.watch()
	return p, nil
}

// line is the next one that the process prints.
func (p *process) line(ctx context.Context) (string, error) {
	select {
	case text, ok := <-p.lines:
		if ok {
			return text, nil
		}
		return "", p.ended()
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the %s: %w", p.name, ctx.Err())
	}
}

// ended tells of a process that is not there any more, with the last it had to say.
func (p *process) ended() error {
	<-p.gone
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("the %s ended: %s: %s", p.name, p.cmd.ProcessState, strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

func (p *process) tell(command string) error {
	_, err := fmt.Fprintln(p.in, command)
	return err
}

// stop ends the process and returns when it is gone: with SIGTERM, and where that is not
// enough by force, which is an error.
func (p *process) stop() error {
	_ = p.in.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	go func() {
		for range p.lines { // nobody reads them any more
		}
	}()
	select {
	case <-p.gone:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.gone
		return fmt.Errorf("the %s did not end within a minute of SIGTERM; see %s", p.name, p.log)
	}
	return nil
}

// cpu is what the process has used of the processors: user and system time.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name of the program, in parentheses, may hold blanks. utime and stime are the
	// 12th and 13th fields after it, in hundredths of a second on every Linux.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("/proc has no times of the process; this runs on Linux alone")
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// watch follows the most memory that the process has had, until it is gone.
func (p *process) watch() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		if _, rest, ok := strings.Cut(string(text), "VmHWM:"); ok {
			if kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
				p.peak.Store(kib << 10)
			}
		}
		select {
		case <-p.gone:
			return
		case <-tick.C:
		}
	}
}
