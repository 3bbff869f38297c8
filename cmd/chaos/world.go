package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/kafka/kafkatest"
	"kafka-firehose/connector/proxytest"
)

const (
	topic         = "chaos"
	group         = "chaos"
	partitions    = 12
	members       = 3
	brokers       = 3
	topicMaxBytes = 2_000_000
)

// world is the cluster, the members and what is known of them.
type world struct {
	run     options
	log     *slog.Logger
	dir     string // data and logs
	binary  string
	cluster *kafkatest.Cluster
	admin   *kadm.Client
	members []*member          // the last one is only there now and then
	proxies []*proxytest.Proxy // between the members and the brokers
	books   *books

	mu        sync.Mutex
	busy      map[[2]int]bool // :: place and target -> trouble is there now
	trouble   []string        // what members did wrong beside the books
	processes []*process
	incidents []incident
	audited   map[int32]int64      // :: partition -> the offset that the audit reads next
	faults    []firehosetest.Fault // what Firehose does wrong now, to all members
	throttled bool
}

// newWorld builds the connector, starts the cluster and creates the topic. A world that it
// returns beside an error is to be closed.
func newWorld(ctx context.Context, run options, log *slog.Logger) (*world, error) {
	w := &world{run: run, log: log, books: newBooks(), busy: map[[2]int]bool{}, audited: map[int32]int64{}, dir: run.dir}
	if err := os.MkdirAll(w.dir, 0o750); err != nil {
		return nil, err
	}
	w.binary = filepath.Join(w.dir, "kafka-firehose")
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", w.binary, "kafka-firehose/cmd/kafka-firehose").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the connector: %w: %s", err, out)
	}
	ways := map[string]*proxytest.Proxy{} // :: broker and listener -> proxy
	var listeners []kafkatest.Listener
	for n := range members + 1 {
		listeners = append(listeners, kafkatest.Listener{Name: listenerOf(n), Protocol: "PLAINTEXT"})
		w.members = append(w.members, &member{w: w, n: n})
	}
	var err, proxyErr error
	w.cluster, err = kafkatest.Start(ctx, kafkatest.Options{
		Brokers: brokers, Listeners: listeners, Dir: filepath.Join(w.dir, "kafka"),
		Properties: map[string]string{"message.max.bytes": fmt.Sprint(topicMaxBytes)},
		Advertise: func(broker int, listener, addr string) string {
			if listener == "PLAINTEXT" {
				return addr
			}
			key := fmt.Sprint(broker, listener)
			if ways[key] == nil {
				way, err := proxytest.New(addr)
				if err != nil {
					proxyErr = err
					return addr
				}
				ways[key] = way
				w.proxies = append(w.proxies, way)
			}
			return ways[key].Addr()
		},
	})
	if err = errors.Join(err, proxyErr); err != nil {
		return w, fmt.Errorf("start Kafka: %w", err)
	}
	for _, m := range w.members {
		for b := range brokers {
			m.kafka = append(m.kafka, ways[fmt.Sprint(b, listenerOf(m.n))])
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.Addrs("PLAINTEXT")...))
	if err != nil {
		return w, err
	}
	w.admin = kadm.NewClient(client)
	if _, err := w.admin.CreateTopic(ctx, partitions, -1, nil, topic); err != nil {
		return w, fmt.Errorf("create the topic: %w", err)
	}
	return w, nil
}

func listenerOf(member int) string { return fmt.Sprintf("MEMBER%d", member) }

// close ends everything that runs.
func (w *world) close() {
	for _, p := range w.all() {
		if p.cmd != nil && p.cmd.Process != nil && p.alive() {
			p.kill()
		}
	}
	if w.cluster != nil {
		w.cluster.Close()
	}
	for _, way := range w.proxies {
		way.Close()
	}
	if w.admin != nil {
		w.admin.Close()
	}
}

// enter gives a process its number, and what Firehose does wrong now.
func (w *world) enter(p *process) (number int) {
	w.mu.Lock()
	w.processes = append(w.processes, p)
	number = len(w.processes) - 1
	faults, throttled := w.faults, w.throttled
	w.mu.Unlock()
	p.suffer(faults, throttled)
	return number
}

func (w *world) all() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*process(nil), w.processes...)
}

// begin enters an incident and returns what ends it.
func (w *world) begin(e event) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.incidents = append(w.incidents, incident{kind: e.kind, place: e.place, target: e.target, from: time.Now().UnixMicro()})
	n := len(w.incidents) - 1
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.incidents[n].to = time.Now().UnixMicro()
	}
}

// inquest hands out what is known of the processes and of what was done to them.
// Everything has ended by then.
func (w *world) inquest() *inquest {
	in := &inquest{incidents: w.incidents, aggregate: w.run.aggregate}
	for _, p := range w.all() {
		p.mu.Lock()
		in.lives = append(in.lives, p.life)
		p.mu.Unlock()
	}
	return in
}
