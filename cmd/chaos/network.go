package main

import (
	"context"
	"time"

	"kafka-firehose/connector/proxytest"
	"kafka-firehose/connector/retry"
)

// faults are those of networks, by kind of trouble.
var faults = map[kind]proxytest.Fault{
	kafkaSlow:   proxytest.Latency(400*time.Millisecond, 300*time.Millisecond),
	kafkaNarrow: proxytest.Bandwidth(64 << 10),
	kafkaSilent: proxytest.Silence(),
	sinkSlow:    proxytest.Latency(800*time.Millisecond, 500*time.Millisecond),
	sinkNarrow:  proxytest.Bandwidth(48 << 10),
	sinkCut:     proxytest.CutAnswers(3000),
	sinkSilent:  proxytest.LostAnswers(),
}

// disturb has the ways misbehave for the time of the event. Its error is about the world.
func disturb(ctx context.Context, ways []*proxytest.Proxy, e event) error {
	for _, way := range ways {
		switch e.kind {
		case kafkaCut:
			way.Cut()
		case kafkaApart, sinkApart:
			way.Down()
		default:
			way.Add(faults[e.kind])
		}
	}
	_ = retry.Sleep(ctx, e.lasts)
	for _, way := range ways {
		way.Heal()
		way.Cut() // the connections of the time of trouble are not to outlast it
		if err := way.Up(); err != nil {
			return err
		}
	}
	return nil
}
