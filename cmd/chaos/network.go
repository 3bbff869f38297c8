package main

import (
	"context"
	"time"

	"kafka-firehose/connector/proxytest"
)

// toxics are what networks do, by kind of trouble.
var toxics = map[kind]proxytest.Toxic{
	kafkaSlow:   proxytest.Latency(400*time.Millisecond, 300*time.Millisecond),
	kafkaNarrow: proxytest.Bandwidth(64 << 10),
	kafkaSilent: proxytest.Silence(),
	sinkSlow:    proxytest.Latency(800*time.Millisecond, 500*time.Millisecond),
	sinkNarrow:  proxytest.Bandwidth(48 << 10),
	sinkCut:     proxytest.CutAnswers(3000),
	sinkSilent:  proxytest.LostAnswers(),
}

func disturb(ctx context.Context, ways []*proxytest.Proxy, e event) error {
	for _, way := range ways {
		switch e.kind {
		case kafkaCut:
			if err := way.Cut(); err != nil {
				return err
			}
		case kafkaApart, sinkApart:
			way.Down()
		default:
			if err := way.Add(toxics[e.kind]); err != nil {
				return err
			}
		}
	}
	wait(ctx, e.lasts)
	for _, way := range ways {
		mend := way.Renew
		if e.kind == kafkaApart || e.kind == sinkApart {
			mend = way.Up
		}
		if err := mend(); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
