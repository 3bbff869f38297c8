package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kafka-firehose/connector/childtest"
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
	mu      sync.Mutex
	process *process // the newest
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
	childtest.DieWithParent(p.cmd)
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
