package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/proxytest"
)

const (
	stream    = "s"
	accessKey = "AKIDEXAMPLE"
	secretKey = "a-secret-that-must-not-be-logged"
)

// member is a place for one process at a time, with a way to each broker and to its
// own Firehose. One goroutine at a time starts and ends processes in it.
type member struct {
	w       *world
	n       int
	kafka   []*proxytest.Proxy // :: broker -> the way there
	trouble sync.Mutex         // held by the one that has it now
	mu      sync.Mutex
	process *process // the newest
}

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
	last    map[string]float64 // :: metric -> value at the last scrape
}

// start runs a new process. Each has a Firehose of its own, which writes into the
// common books under the number of the process.
func (m *member) start() error {
	p := &process{life: &life{member: m.n, unanswered: map[int32]bool{}}, gone: make(chan struct{}), last: map[string]float64{}}
	p.firehose = firehosetest.New(firehosetest.Options{
		Streams:     []firehosetest.Stream{{Name: stream}},
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Latency:     firehosetest.Fixed(20 * time.Millisecond),
		Keep:        firehosetest.KeepCounts,
		OnStored:    func(s firehosetest.Stored) { m.w.books.accepted(s.Data, p.n, s.Call, s.Time, s.Signed) },
	})
	p.n = m.w.enter(p)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.server = &http.Server{Handler: p.firehose, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }()
	if p.sink, err = proxytest.New(listener.Addr().String()); err != nil {
		return err
	}
	if p.log, err = os.Create(filepath.Join(m.w.dir, fmt.Sprintf("member-%d-process-%d.log", m.n, p.n))); err != nil {
		return err
	}
	p.cmd = exec.CommandContext(context.Background(), m.w.binary) // how it ends is the plan's
	p.cmd.Env = m.environment(p)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.follow(stderr)
		_ = p.cmd.Wait() // how it ended is in its log, or was our doing
		p.end()
	}()
	m.mu.Lock()
	m.process = p
	m.mu.Unlock()
	return nil
}

func (m *member) environment(p *process) []string {
	brokers := make([]string, 0, len(m.kafka))
	for _, way := range m.kafka {
		brokers = append(brokers, way.Addr())
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"KAFKA_BROKERS=" + strings.Join(brokers, ","), "KAFKA_TOPICS=" + topic, "KAFKA_GROUP_ID=" + group,
		"KAFKA_GROUP_PROTOCOL=" + m.w.run.protocol,
		"KAFKA_SESSION_TIMEOUT=6s", "KAFKA_REBALANCE_TIMEOUT=10s", "KAFKA_REVOKE_DRAIN_TIMEOUT=3s",
		"FIREHOSE_STREAM=" + stream, "FIREHOSE_STARTUP_CHECK=false", "FIREHOSE_BATCH_LINGER=200ms", "FIREHOSE_REQUEST_TIMEOUT=3s",
		fmt.Sprintf("RECORD_AGGREGATE=%v", m.w.run.aggregate),
		"BAD_RECORD_POLICY=skip", "MAX_BUFFERED_BYTES=64MiB", "SHUTDOWN_TIMEOUT=15s", "HTTP_ADDR=127.0.0.1:0",
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_FIREHOSE=http://" + p.sink.Addr(), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
	}
	if m.w.run.static {
		env = append(env, fmt.Sprintf("KAFKA_GROUP_INSTANCE_ID=member-%d", m.n))
	}
	return env
}

// current is the newest process.
func (m *member) current() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
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
	Msg   string `json:"msg"`
	Addr  string `json:"addr"`
	Again int    `json:"records_again"`
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
		p.sign(signLost)
	}
}

func (p *process) sign(what signKind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life.signs = append(p.life.signs, sign{time.Now().UnixMicro(), what})
}

// end enters how the process ended, and what its Firehose never told it.
func (p *process) end() {
	p.mu.Lock()
	p.life.died, p.life.clean = time.Now().UnixMicro(), p.stopped
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
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// stop asks the process to drain, and kills it if that takes too long.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
		return nil
	case <-time.After(30 * time.Second): // SHUTDOWN_TIMEOUT is 15 s
		p.kill()
		return fmt.Errorf("process %d did not end within 30 s of SIGTERM; see %s", p.n, p.log.Name())
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

// leaked reports whether the log holds the secret.
func (p *process) leaked() bool {
	log, err := os.ReadFile(p.log.Name())
	return err != nil || bytes.Contains(log, []byte(secretKey))
}
