package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestChanges: an outage, the connector in it, what is switched meanwhile and the recovery are each told once.
func TestChanges(t *testing.T) {
	failing := errors.New("stream sandbox: nothing was accepted for 30s\nand more")
	c := stateChanges{}
	var got []string
	for at := range 100 {
		var active []firehosetest.Effect
		ready := error(nil)
		switch {
		case at < 2:
			ready = errors.New("starting")
		case at >= 35 && at < 70:
			ready = failing
		}
		switch {
		case at >= 5 && at < 65:
			active = append(active, firehosetest.Outage)
		case at >= 80 && at < 90:
			active = append(active, firehosetest.Delay, firehosetest.Reset)
		}
		got = append(got, c.observeState(time.Duration(at)*time.Second, active, ready)...)
	}
	want := []string{
		"00:05  fault begins: outage",
		"00:35  the connector is not ready: stream sandbox: nothing was accepted for 30s",
		"01:05  fault ends: outage",
		"01:10  the connector is ready again, after 35s",
		"01:20  fault begins: delay",
		"01:20  fault begins: reset",
		"01:30  fault ends: delay",
		"01:30  fault ends: reset",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
