package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"kafka-firehose/cmd/bench/broker"
)

// bench is what all runs share.
type bench struct {
	options
	dir         string // logs and binaries
	certificate *certificate
	progress    func(format string, args ...any)

	kafkas []*kafka // at most two: more would not find memory everywhere
	runs   int      // so far, which names consumer groups
}

// build makes the programs that are measured, from the source at hand.
func (b *bench) build(ctx context.Context, movers ...mover) error {
	for _, m := range movers {
		if m == moverFloor {
			continue
		}
		overlay, err := b.overlay(ctx, m)
		if err != nil {
			return err
		}
		if err := goRun(ctx, "build", "-o", b.binary(m), "-overlay", overlay, "kafka-firehose/cmd/kafka-firehose"); err != nil {
			return err
		}
	}
	return goRun(ctx, "build", "-o", filepath.Join(b.dir, "firehose-emulator"), "kafka-firehose/cmd/firehose-emulator")
}

func (b *bench) binary(m mover) string {
	return filepath.Join(b.dir, m.file())
}

func goRun(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// kafka is a broker with its topic.
type kafka struct {
	*process
	source  setup
	addrs   string // comma separated
	schemas string // URL of its Schema Registry, "" without
}

// kafka returns a broker that has what s needs.
func (b *bench) kafka(ctx context.Context, s setup) (*kafka, error) {
	source := s.source()
	for _, k := range b.kafkas {
		if k.source == source {
			return k, nil
		}
	}
	if len(b.kafkas) == 2 {
		if err := b.kafkas[0].stop(); err != nil {
			return nil, err
		}
		b.kafkas = b.kafkas[1:]
	}
	b.progress("  filling Kafka: %s of %s, %s, %d partitions, %s\n", sizeText(source.bytes), sizeText(int64(source.size)), source.codec, source.partitions, source.format)
	args := []string{
		"broker", "-size", strconv.Itoa(source.size), "-codec", source.codec, "-partitions", strconv.Itoa(source.partitions),
		"-bytes", strconv.FormatInt(source.bytes, 10), "-format", source.format, "-seed", strconv.FormatUint(b.seed, 10),
		"-batch", strconv.FormatInt(b.batch, 10), "-apache=" + strconv.FormatBool(b.apache),
	}
	p, err := start(b.dir, "broker", b.self, args, nil)
	if err != nil {
		return nil, err
	}
	k := &kafka{process: p, source: source}
	b.kafkas = append(b.kafkas, k)
	k.addrs, k.schemas, err = broker.Greeting(func() (string, error) { return p.line(ctx) })
	return k, err
}

// mover starts what s wants to be measured.
func (b *bench) mover(s setup, k *kafka, e *emulator) (*process, error) {
	if s.mover == moverFloor {
		args := []string{
			"floor", "-brokers", k.addrs, "-endpoint", e.url + "/",
			"-in-flight", strconv.Itoa(b.inFlight), "-aggregate=" + strconv.FormatBool(s.aggregate),
		}
		if s.tls {
			args = append(args, "-ca", b.certificate.cert)
		}
		return start(b.dir, string(moverFloor), b.self, args, b.profiled(s))
	}
	env := []string{
		"KAFKA_BROKERS=" + k.addrs, "KAFKA_TOPICS=" + broker.Topic, fmt.Sprintf("KAFKA_GROUP_ID=bench-%d", b.runs),
		"FIREHOSE_STREAM=" + stream, "FIREHOSE_STARTUP_CHECK=false", fmt.Sprintf("FIREHOSE_MAX_IN_FLIGHT=%d", b.inFlight),
		"AWS_REGION=" + region, "AWS_ENDPOINT_URL_FIREHOSE=" + e.url, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey,
		"RECORD_AGGREGATE=" + strconv.FormatBool(s.aggregate),
		fmt.Sprintf("MAX_BUFFERED_BYTES=%d", s.buffered), "HTTP_ADDR=127.0.0.1:0",
	}
	env = append(append(env, recordSettings()[s.format]...), s.registry(k.schemas)...)
	if s.tls {
		env = append(env, "AWS_CA_BUNDLE="+b.certificate.cert)
	}
	return start(b.dir, s.mover.file(), b.binary(s.mover), nil, append(env, b.profiled(s)...))
}

// close ends what still runs, and removes what is only of use after a failure.
func (b *bench) close(failed bool) error {
	var err error
	for _, k := range b.kafkas {
		err = errors.Join(err, k.stop())
	}
	if !failed {
		err = errors.Join(err, os.RemoveAll(b.dir))
	}
	return err
}
