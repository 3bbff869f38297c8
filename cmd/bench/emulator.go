package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

const (
	stream    = "bench"
	region    = "us-east-1"
	accessKey = "emulator"
	secretKey = "emulator-secret"
)

// emulator is the Firehose of one run.
type emulator struct {
	*process
	url    string
	client *http.Client
}

// startEmulator runs the emulator as it is for everybody: it checks each signature and
// every limit. What that costs is no part of what is measured.
func startEmulator(ctx context.Context, dir, binary string, latency time.Duration, certificate *certificate) (*emulator, error) {
	args := []string{"-listen", "127.0.0.1:0", "-stream", stream, "-region", region, "-latency", latency.String(), "-access-key", accessKey, "-secret-key", secretKey}
	if certificate != nil {
		args = append(args, "-tls-cert", certificate.cert, "-tls-key", certificate.key)
	}
	p, err := start(dir, "emulator", binary, args, nil)
	if err != nil {
		return nil, err
	}
	e := &emulator{process: p, client: &http.Client{Transport: &http.Transport{TLSClientConfig: certificate.client()}}}
	line, err := p.line(ctx)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	var ok bool
	if _, e.url, ok = strings.Cut(line, "listening on "); !ok {
		return nil, errors.Join(fmt.Errorf("the emulator said %q", line), p.stop())
	}
	return e, nil
}

// stats are what the stream has stored.
func (e *emulator) stats(ctx context.Context) (s firehosetest.StreamStats, err error) {
	var all firehosetest.Stats
	text, err := e.ask(ctx, http.MethodGet, "/_emulator/stats", "")
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all.Streams[stream], err
}

// script sets what it does wrong; an empty list ends it.
func (e *emulator) script(ctx context.Context, faults string) error {
	_, err := e.ask(ctx, http.MethodPut, "/_emulator/faults", faults)
	return err
}

func (e *emulator) ask(ctx context.Context, method, path, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, e.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	answer, err := e.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the emulator answers %s to %s %s: %s", answer.Status, method, path, text)
	}
	return text, err
}
