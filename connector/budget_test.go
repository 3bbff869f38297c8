package connector

import (
	"fmt"
	"strconv"
	"testing"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/kafka/fetch"
)

// TestBudgetSumsToOne: the shares that don't overlap are the whole, of MAX_BUFFERED_BYTES, and no part of a share is more than
// the share. Every share that is no part of the sum has a reason.
func TestBudgetSumsToOne(t *testing.T) {
	t.Parallel()
	const whole = 64
	sum, names := int64(0), map[string]bool{"": true}
	for _, s := range budgetShares() {
		if s.n <= 0 || s.n > s.d || s.use == "" || !names[s.within] || names[s.name] {
			t.Errorf("%+v is no part of a row before it, or has no use", s)
		}
		if names[s.name] = true; s.within == "" && s.overlap == "" {
			sum += s.of(whole)
		}
	}
	if sum != whole {
		t.Errorf("the shares sum to %d/%d of MAX_BUFFERED_BYTES", sum, whole)
	}
}

// TestBudgetOfLargeBatches: the pipelines can give up what fetched records may take beyond their shares, so that
// all of it is within the setting, but for the least that a batch of 10 MB needs.
func TestBudgetOfLargeBatches(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Firehose.Stream = "s"
	for _, setting := range []env.Bytes{64 * env.MiB, 256 * env.MiB, env.GiB, 16 * env.GiB} {
		cfg.MaxBufferedBytes = setting
		b := cfg.budget(1)
		if b.pipeline < pipelinesShare.of(int64(setting)) {
			t.Errorf("with %s the pipelines have %d bytes, less than their share", setting, b.pipeline)
		}
		if kept := b.pipeline - lentShare.of(b.pipeline); b.fetch.Max+b.fetch.Pooled()+int64(b.buffers)+kept > int64(setting) {
			t.Errorf("with %s, fetched records and pipelines take %d and %d bytes at most", setting, b.fetch.Max, kept)
		}
	}
}

// TestFetchBytes: a client's part at the settings where a minimum or a maximum begins.
func TestFetchBytes(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for setting, want := range map[int64]fetch.Bytes{
		16 * mib:       {Setting: 16 * mib, SettingPerMax: 2, Aim: 13 * mib / 4, PooledRecords: mib / 4, PooledBatches: mib / 2, Max: 16 * mib, Response: 2 * mib, Uncompressed: 12 * mib},
		256 * mib:      {Setting: 256 * mib, SettingPerMax: 2, Aim: 52 * mib, PooledRecords: 4 * mib, PooledBatches: 8 * mib, Max: 128 * mib, Response: 16 * mib, Uncompressed: 96 * mib},
		8 * 1024 * mib: {Setting: 8192 * mib, SettingPerMax: 2, Aim: 2032 * mib, PooledRecords: 8 * mib, PooledBatches: 8 * mib, Max: 1024 * mib, Response: 128 * mib, Uncompressed: 768 * mib},
	} {
		if got := fetchBytes(setting, fetchedMaxShare); got != want {
			t.Errorf("of %d MiB: %+v, want %+v", setting/mib, got, want)
		}
	}
}

// TestMemoryIsDivided: what the client, the pool and the pipelines may hold is within the bound,
// with what is converted in parallel where that pays.
func TestMemoryIsDivided(t *testing.T) {
	for format, least := range map[string]int{"raw": 1 << 30, "json": 5, "avro": 5, "json-schema": 2} {
		for _, cores := range []int{1, 2, 4, 5, 200} {
			for _, streams := range []int{1, 2, 20} {
				cfg := DefaultConfig()
				cfg.Record.Format, cfg.Record.Validated = format, format == "json-schema"
				for i := range streams {
					cfg.Firehose.Routes = append(cfg.Firehose.Routes, firehose.Route{Topic: "t", Stream: strconv.Itoa(i)})
				}
				for _, more := range []env.Bytes{0, 1, env.MiB, 16 * env.MiB, env.GiB} {
					cfg.MaxBufferedBytes = cfg.minBuffered() + more
					b := cfg.budget(cores)
					pool, ahead, share := b.buffers, b.ahead, b.pipeline
					what := fmt.Sprintf("%s, %d cores, %d streams, %s: %d bytes pooled, %d ahead and %d each", format, cores, streams, cfg.MaxBufferedBytes, pool, ahead, share)
					if all := b.fetch.Aim + b.fetch.Pooled() + int64(pool) + int64(streams)*(int64(ahead)+share); all > int64(cfg.MaxBufferedBytes) || all < int64(cfg.MaxBufferedBytes)-int64(2*streams) {
						t.Errorf("%s, %d in all", what, all)
					}
					if (ahead > 0) != (cores >= least && pool >= streams) {
						t.Error(what)
					}
					parts := 0
					if a := newParallelConverter(nil, nobodyCalls, cores, ahead); a != nil {
						for _, p := range a.parts {
							parts += cap(p)
						}
					}
					if parts > ahead || parts == 0 && ahead >= 2*minPart {
						t.Errorf("%s, %d of them used", what, parts)
					}
				}
			}
		}
	}
}
