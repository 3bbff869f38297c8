package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	e.addr = l.Addr().String()
	e.server = &http.Server{Handler: e.service.Handler(), ReadHeaderTimeout: 10 * time.Second}
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

// faultPreset is a script of faults and a quota of the emulated Firehose.
type faultPreset struct {
	text   string // for the list of flags
	faults []firehosetest.Fault
	quota  firehosetest.Quota
}

// smallRegion is the lower of the two default quotas of a new stream.
var smallRegion = firehosetest.DefaultQuota("eu-central-1")

var presets = map[string]faultPreset{
	"none": {text: "it does what it should"},
	"flaky": {text: "a fifth of all records fail, one by one", faults: []firehosetest.Fault{
		{Effect: firehosetest.RefuseRecords, Share: 0.2},
	}},
	"throttle": {text: "the quota of a small region: 1 MiB/s", quota: smallRegion},
	"ambiguous": {text: "some answers are destroyed after the records were stored", faults: []firehosetest.Fault{
		{Effect: firehosetest.CutBody, Stored: true, Probability: 0.02, Seed: 1},
		{Effect: firehosetest.Reset, Stored: true, Probability: 0.02, Seed: 2},
		{Effect: firehosetest.EmptyObject, Stored: true, Probability: 0.02, Seed: 3},
	}},
	"outage": {text: "nothing answers for 15 s, from the 5th second on", faults: []firehosetest.Fault{
		{Effect: firehosetest.Outage, After: 5 * time.Second, Until: 20 * time.Second},
	}},
	"chaos": {text: "all of that at once, the outage shorter", quota: smallRegion, faults: []firehosetest.Fault{
		{Effect: firehosetest.RefuseRecords, Share: 0.1},
		{Effect: firehosetest.CutBody, Stored: true, Probability: 0.01, Seed: 1},
		{Effect: firehosetest.Reset, Stored: true, Probability: 0.01, Seed: 2},
		{Effect: firehosetest.EmptyObject, Stored: true, Probability: 0.01, Seed: 3},
		{Effect: firehosetest.Outage, After: 6 * time.Second, Until: 10 * time.Second},
		{Effect: firehosetest.RefuseRequest, Probability: 0.02, Seed: 4},
		{Effect: firehosetest.RefuseRecords, Share: 0.05, Code: "InternalFailure", Probability: 0.3, Seed: 5},
		{Effect: firehosetest.Delay, Delay: 300 * time.Millisecond, Probability: 0.1, Seed: 6},
	}},
}

func presetNames() []string { return slices.Sorted(maps.Keys(presets)) }

// presetsText lists the presets, a line each.
func presetsText() string {
	var lines []string
	for _, name := range presetNames() {
		lines = append(lines, fmt.Sprintf("  %-9s  %s", name, presets[name].text))
	}
	return strings.Join(lines, "\n")
}

// parseFaults returns the preset of that name, or else the script of the file of that name.
func parseFaults(name string) (faultPreset, error) {
	if preset, ok := presets[name]; ok {
		return preset, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return faultPreset{}, fmt.Errorf("-faults is %q; want %s, or a file with a JSON script (%w)", name, strings.Join(presetNames(), ", "), err)
	}
	defer f.Close()
	faults, err := firehosetest.ParseFaults(f)
	if err != nil {
		return faultPreset{}, fmt.Errorf("-faults: %s: %w", name, err)
	}
	return faultPreset{faults: faults}, nil
}
