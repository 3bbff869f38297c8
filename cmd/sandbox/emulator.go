package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

const (
	stream, region = "sandbox", "us-east-1"
	// key signs requests, and is the secret too: it opens nothing but the emulator.
	key = "sandbox"
)

// emulator is the emulated Firehose behind its own listener, as the real one is, with the
// directory that it delivers to.
type emulator struct {
	service   *firehosetest.Service
	directory *firehosetest.Directory
	objects   string // the directory's path
	server    *http.Server
	addr      string

	lines      atomic.Int64 // that were stored
	unanswered atomic.Int64 // of them, those of which the connector was not told: it has to send them again
}

// openEmulator starts it. An object that can't be written is reported on standard error, and its lines are lost to the proof.
func openEmulator(w world, o options, dir string) (*emulator, error) {
	e := &emulator{objects: filepath.Join(dir, "objects")}
	tell := func(err error) { fmt.Fprintf(w.stderr, "the emulated Firehose: %v\n", err) }
	var err error
	// Five minutes, as the real destination waits, would leave a short run with nothing to look at.
	e.directory, err = firehosetest.NewDirectory(e.objects, firehosetest.DirectoryOptions{BufferInterval: 10 * time.Second, GZIP: o.gzip, OnError: tell})
	if err != nil {
		return nil, err
	}
	l, err := o.listen("tcp", o.firehose, "firehose")
	if err != nil {
		return nil, fmt.Errorf("start the emulated Firehose: %w", err)
	}
	store := e.directory.Store
	if w.store != nil {
		store = func(r firehosetest.Stored) { w.store(r, e.directory.Store) }
	}
	e.service = firehosetest.New(firehosetest.Options{
		Region:       region,
		Credentials:  []firehosetest.Credentials{{AccessKey: key, SecretKey: key}},
		Streams:      []firehosetest.Stream{{Name: stream, Quota: o.trouble.quota}},
		Faults:       o.trouble.faults,
		Keep:         firehosetest.KeepCounts,
		KeepRequests: 1000,
		OnStored:     func(r firehosetest.Stored) { e.lines.Add(countLines(r)); store(r) },
		OnUnanswered: func(r firehosetest.Stored) { e.unanswered.Add(countLines(r)) },
	})
	mux := http.NewServeMux()
	mux.Handle("/_emulator/", e.service.Admin())
	mux.Handle("/", e.service)
	e.addr = l.Addr().String()
	e.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := e.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			tell(err)
		}
	}()
	return e, nil
}

func countLines(r firehosetest.Stored) int64 { return int64(bytes.Count(r.Data, []byte{'\n'})) }

func (e *emulator) stats() firehosetest.StreamStats { return e.service.Stats().Streams[stream] }

func (e *emulator) close() { _ = errors.Join(e.server.Close(), e.directory.Close()) }
