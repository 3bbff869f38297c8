package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/proxytest"
	"kafka-firehose/connector/retry"
)

// make has an event happen and returns when its effects have been taken back. Its
// error is about the world, not about the connector.
func (w *world) make(ctx context.Context, e event) error {
	// On a slow machine everything takes longer than was planned.
	if !w.occupy(e.spot()) {
		w.log.Info("left out: the one before is not over", "kind", string(e.kind), "target", e.target)
		return nil
	}
	defer w.leave(e.spot())
	end := w.begin(e)
	defer end()
	switch e.place {
	case atMember:
		return w.members[e.target].suffer(ctx, e)
	case atExtra:
		m := w.members[e.target]
		if err := m.launch(ctx); err != nil {
			return err
		}
		_ = retry.Sleep(ctx, e.lasts)
		w.blame(m.current().stop())
		return nil
	case atBroker:
		return w.brokerTrouble(ctx, e)
	case atKafka:
		return disturb(ctx, w.members[e.target].kafka, e)
	case atSink:
		p := w.members[e.target].current()
		return disturb(ctx, []*proxytest.Proxy{p.sink}, e)
	case atService:
		w.misbehave(script[e.kind], e.kind == throttle)
		_ = retry.Sleep(ctx, e.lasts)
		w.misbehave(nil, false)
		return nil
	}
	panic("unreachable: all places are there")
}

// occupy takes a spot unless there is trouble already, whatever the plan had thought.
func (w *world) occupy(spot [2]int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[spot] {
		return false
	}
	w.busy[spot] = true
	return true
}

func (w *world) leave(spot [2]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, spot)
}

// blame enters what a member did wrong. The run goes on: the books may say more.
func (w *world) blame(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = append(w.trouble, err.Error())
}

// misbehave changes what all members get from Firehose, until it is called again.
func (w *world) misbehave(faults []firehosetest.Fault, throttled bool) {
	w.mu.Lock()
	w.faults, w.throttled = faults, throttled
	processes := append([]*process(nil), w.processes...)
	w.mu.Unlock()
	for _, p := range processes {
		if p.alive() {
			p.suffer(faults, throttled)
		}
	}
}

// suffer has a process's Firehose misbehave.
func (p *process) suffer(faults []firehosetest.Fault, throttled bool) {
	p.firehose.SetFaults(faults)
	var quota firehosetest.Quota
	if throttled {
		quota = firehosetest.Quota{BytesPerSecond: 100_000, Scatter: true}
	}
	p.firehose.SetQuota(stream, quota)
}

// script is how Firehose misbehaves.
var script = map[kind][]firehosetest.Fault{
	refuseSome:   {{Effect: firehosetest.RefuseRecords, Share: 0.3}, {Effect: firehosetest.RefuseRecords, Share: 0.05, Code: "InternalFailure"}},
	unavailable:  {{Effect: firehosetest.RefuseRequest, Probability: 0.9}},
	lostAnswers:  {{Effect: firehosetest.Reset, Stored: true, Probability: 0.3}, {Effect: firehosetest.CutBody, Stored: true, Probability: 0.2}},
	lateAnswers:  {{Effect: firehosetest.Delay, Stored: true, Delay: 4 * time.Second, Probability: 0.5}},
	emptyAnswers: {{Effect: firehosetest.EmptyObject, Stored: true, Probability: 0.4}, {Effect: firehosetest.EmptyBody, Probability: 0.2}},
	shortAnswers: {{Effect: firehosetest.ShortAnswer, Stored: true, Probability: 0.3}, {Effect: firehosetest.BlankEntries, Share: 0.2, Probability: 0.5}},
	expired:      {{Effect: firehosetest.RefuseRequest, Code: "ExpiredTokenException"}},
	wrongClock:   {{Effect: firehosetest.ClockSkew, Skew: time.Hour}},
}

// launch starts a process in a member's place, and its scraping.
func (m *member) launch(ctx context.Context) error {
	if err := m.start(); err != nil {
		return fmt.Errorf("start member %d: %w", m.n, err)
	}
	go m.current().scrape(ctx)
	return nil
}

func (m *member) suffer(ctx context.Context, e event) error {
	p := m.current()
	switch e.kind {
	case killMember:
		p.kill()
		_ = retry.Sleep(ctx, e.lasts)
		return m.launch(ctx)
	case stopMember:
		m.w.blame(p.stop())
		_ = retry.Sleep(ctx, e.lasts)
		return m.launch(ctx)
	case freezeMember:
		_ = p.cmd.Process.Signal(syscall.SIGSTOP)
		_ = retry.Sleep(ctx, e.lasts)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		return nil
	default:
		panic("unreachable: " + string(e.kind) + " is no trouble of a member")
	}
}

func (w *world) brokerTrouble(ctx context.Context, e event) error {
	back := func(n int) error { return w.cluster.Launch(ctx, n) }
	switch n := e.target; e.kind {
	case killBroker:
		_ = w.cluster.Kill(n)
		_ = retry.Sleep(ctx, e.lasts)
		return back(n)
	case stopBroker:
		_ = w.cluster.Stop(n)
		_ = retry.Sleep(ctx, e.lasts)
		return back(n)
	case freezeBroker:
		_ = w.cluster.Pause(n)
		_ = retry.Sleep(ctx, e.lasts)
		return w.cluster.Resume(n)
	case rollBrokers:
		for i := range brokers {
			n := (n + i) % brokers
			_ = w.cluster.Stop(n)
			if err := back(n); err != nil {
				return err
			}
			_ = retry.Sleep(ctx, e.lasts)
		}
		return nil
	case moveLeaders:
		return w.moveLeaders(ctx, e)
	case addPartition:
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if _, err := w.admin.CreatePartitions(ctx, 1, topic); err != nil {
			w.log.Info("no partition was added", "error", err) // the controller may have just moved
		}
		return nil
	default:
		panic("unreachable: " + string(e.kind) + " is no trouble of a broker")
	}
}

// moveLeaders puts the replicas of each partition in another order and has the first
// of them lead. That Kafka refuses some of it, with a broker just back, is no matter.
func (w *world) moveLeaders(ctx context.Context, e event) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	topics, err := w.admin.ListTopics(ctx, topic)
	if err != nil {
		return nil // a broker may be away
	}
	rng := rand.New(rand.NewPCG(uint64(e.at), 3))
	var req kadm.AlterPartitionAssignmentsReq
	elect := kadm.TopicsSet{}
	for _, p := range topics[topic].Partitions.Sorted() {
		replicas := append([]int32(nil), p.Replicas...)
		rng.Shuffle(len(replicas), func(i, j int) { replicas[i], replicas[j] = replicas[j], replicas[i] })
		req.Assign(topic, p.Partition, replicas)
		elect.Add(topic, p.Partition)
	}
	if _, err := w.admin.AlterPartitionAssignments(ctx, req); err == nil {
		_, _ = w.admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, elect)
	}
	return nil
}
