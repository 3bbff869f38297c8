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
	// objectsEvery is how long an object that doesn't fill waits; the real destination's five
	// minutes would leave a short run with nothing to look at.
	objectsEvery = 10 * time.Second
)

// emulator is the emulated Firehose behind its own listener, as the real one is, with the
// directory that it delivers to.
type emulator struct {
	service   *firehosetest.Service
	directory *firehosetest.Directory
	objects   string // the directory's path
	server    *http.Server
	addr      string

	lines atomic.Int64 // that were stored
	// Stored records whose answer was destroyed on purpose, and their lines. That a client left before
	// the answer is known only later, and only as a count of records: see unanswered.
	silent, silentLines atomic.Int64
}

// openEmulator starts it. An object that can't be written is reported on standard error, and its lines are lost to the proof.
func openEmulator(w world, o options, dir string) (*emulator, error) {
	e := &emulator{objects: filepath.Join(dir, "objects")}
	tell := func(err error) { fmt.Fprintf(w.stderr, "the emulated Firehose: %v\n", err) }
	var err error
	e.directory, err = firehosetest.NewDirectory(e.objects, firehosetest.DirectoryOptions{BufferInterval: objectsEvery, GZIP: o.gzip, OnError: tell})
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
		OnStored:     func(r firehosetest.Stored) { e.countLines(r); store(r) },
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

// countLines is called for each record, from many requests at once.
func (e *emulator) countLines(r firehosetest.Stored) {
	n := int64(bytes.Count(r.Data, []byte{'\n'}))
	e.lines.Add(n)
	if !r.Answered {
		e.silent.Add(1)
		e.silentLines.Add(n)
	}
}

// unanswered is how many lines were stored without the connector being told: all that a proof may
// find twice, because what has no answer has to be sent again. perRecord is the most lines in one
// Firehose record.
func (e *emulator) unanswered(perRecord int64) int64 {
	left := int64(e.stats().Unanswered) - e.silent.Load()
	return e.silentLines.Load() + max(left, 0)*perRecord
}

func (e *emulator) stats() firehosetest.StreamStats { return e.service.Stats().Streams[stream] }

func (e *emulator) close() { _ = errors.Join(e.server.Close(), e.directory.Close()) }
