package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/proxytest"
)

// process is the connector, running or not.
type process struct {
	n        int // :: its place in inquest.lives
	life     *life
	cmd      *exec.Cmd
	gone     chan struct{} // closed when it has ended
	firehose *firehosetest.Service
	server   *http.Server
	sink     *proxytest.Proxy // the way to it
	log      *os.File

	mu      sync.Mutex
	addr    string             // of its metrics
	stopped bool               // it said that the drain was complete
	asked   bool               // to end, by a signal, while it lived
	last    map[string]float64 // :: metric -> value at the last scrape
	looked  int64              // when that began, Unix microseconds
}

// follow keeps the log and reads in it until the process closes it.
func (p *process) follow(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = p.log.Write(append(lines.Bytes(), '\n'))
		p.read(lines.Bytes())
	}
}

// line is what matters of a line of the log.
type line struct {
	Time  time.Time `json:"time"`
	Msg   string    `json:"msg"`
	Addr  string    `json:"addr"`
	Again int       `json:"records_again"`
}

func (p *process) read(text []byte) {
	var l line
	if json.Unmarshal(text, &l) != nil {
		return
	}
	switch {
	case l.Msg == "serving metrics and probes":
		p.mu.Lock()
		p.addr = l.Addr
		p.mu.Unlock()
	case strings.HasPrefix(l.Msg, "drained:"):
		p.mu.Lock()
		p.stopped = true
		p.mu.Unlock()
	case strings.HasPrefix(l.Msg, "partitions lost"), strings.HasPrefix(l.Msg, "partitions revoked before"),
		strings.HasPrefix(l.Msg, "partitions revoked; their last commit failed"), strings.HasPrefix(l.Msg, "the partition went back"),
		strings.HasPrefix(l.Msg, "partitions revoked") && l.Again > 0:
		p.sign(l.Time.UnixMicro(), l.Time.UnixMicro(), signLost)
	}
}

func (p *process) sign(from, at int64, what signKind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life.signs = append(p.life.signs, sign{from, at, what})
}

// end enters how the process ended, and what its Firehose never told it.
func (p *process) end() {
	p.mu.Lock()
	p.life.died, p.life.clean = time.Now().UnixMicro(), p.stopped
	if p.life.ended == 0 {
		p.life.ended = p.life.died
	}
	p.mu.Unlock()
	_ = p.server.Close()
	p.sink.Close()
	p.harvest()
	_ = p.log.Close()
	close(p.gone)
}

// unproven are the effects after which a client can't know that its records were
// stored.
var unproven = map[firehosetest.Effect]bool{
	firehosetest.RefuseRequest: true, firehosetest.Reset: true, firehosetest.Close: true, firehosetest.Hang: true, firehosetest.CutBody: true,
	firehosetest.EmptyObject: true, firehosetest.EmptyBody: true, firehosetest.ShortAnswer: true, firehosetest.BlankEntries: true,
}

// harvest notes the calls that stored something and whose client was not told.
func (p *process) harvest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.firehose.Requests() {
		told := r.Status == http.StatusOK
		for _, e := range r.Faults {
			told = told && !unproven[e]
		}
		if r.Stored > 0 && !told {
			p.life.unanswered[int32(r.Call)] = true
		}
	}
}

// kill ends the process with SIGKILL, and returns when it is gone.
func (p *process) kill() {
	p.mu.Lock()
	p.life.killed = true
	p.mu.Unlock()
	p.ask(syscall.SIGKILL)
	<-p.gone
}

// ask sends a signal that ends the process.
func (p *process) ask(s syscall.Signal) {
	if !p.alive() {
		return
	}
	p.mu.Lock()
	if p.asked = true; p.life.ended == 0 {
		p.life.ended = time.Now().UnixMicro()
	}
	p.mu.Unlock()
	_ = p.cmd.Process.Signal(s)
}

// stop asks the process to drain, and kills it if that takes too long.
func (p *process) stop() error {
	p.ask(syscall.SIGTERM)
	select {
	case <-p.gone:
		return nil
	case <-time.After(30 * time.Second): // SHUTDOWN_TIMEOUT is 15 s
		p.kill()
		return fmt.Errorf("process %d did not end within 30 s of SIGTERM; %s", p.n, p.tail())
	}
}

// alive reports whether the process has not ended.
func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// tail is the end of the log, for a failure: the file may be gone when somebody reads of
// it.
func (p *process) tail() string {
	const lines = 15
	log, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	all := strings.SplitAfter(string(log), "\n")
	return fmt.Sprintf("%s ends with\n%s", p.log.Name(), strings.Join(all[max(0, len(all)-lines-1):], ""))
}

// hasLogged reports whether the log holds a text, or can't be read.
func (p *process) hasLogged(text string) bool {
	log, err := os.ReadFile(p.log.Name())
	return err != nil || bytes.Contains(log, []byte(text))
}
