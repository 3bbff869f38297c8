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
	// key is the access key and the secret of the emulator.
	key = "sandbox"
)

// emulator is the emulated Firehose with its HTTP server and the directory that it delivers to.
type emulator struct {
	service   *firehosetest.Service
	directory *firehosetest.Directory
	objects   string // the directory's path
	server    *http.Server
	addr      string

	lines      atomic.Int64 // stored lines
	unanswered atomic.Int64 // stored lines whose answer did not reach the connector, which has to send them again
}

// openEmulator starts the server. Objects that can't be written are reported on standard error; the proof finds their lines lost.
func openEmulator(w world, o options, dir string) (*emulator, error) {
	e := &emulator{objects: filepath.Join(dir, "objects")}
	tell := func(err error) { fmt.Fprintf(w.stderr, "the emulated Firehose: %v\n", err) }
	var err error
	// The default interval of five minutes would leave a short run without objects.
	e.directory, err = firehosetest.NewDirectory(e.objects, firehosetest.DirectoryOptions{BufferInterval: 10 * time.Second, GZIP: o.gzip, OnError: tell})
	if err != nil {
		return nil, err
	}
	l, err := o.openListener("tcp", o.firehose, "firehose")
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
		Streams:      []firehosetest.Stream{{Name: stream, Quota: o.preset.quota}},
		Faults:       o.preset.faults,
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

func (e *emulator) streamStats() firehosetest.StreamStats { return e.service.Stats().Streams[stream] }

func (e *emulator) close() { _ = errors.Join(e.server.Close(), e.directory.Close()) }
