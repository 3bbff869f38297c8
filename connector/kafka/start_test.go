package kafka

import (
	"testing"
	"time"
)

// TestMarker: what is written is read again, and nothing else is taken for a marker.
func TestMarker(t *testing.T) {
	for _, m := range []commitMarker{
		{},
		{cluster: "n0T-Xy_9AAAAAAAAAAAAAA", topic: [16]byte{1, 2, 255}, subscription: 0xfedcba98, partitions: 1 << 20, since: 1_800_000_000_000},
	} {
		if got, ok := parseMarker(m.String()); !ok || got != m {
			t.Errorf("%q is read as %+v, %v", m, got, ok)
		}
		if n := len(m.String()); n > 200 {
			t.Errorf("%q has %d bytes", m, n)
		}
	}
	for _, text := range []string{"", "kafka-firehose", "kafka-firehose/2 cluster=x", `{"a":1}`, "kafka-firehose/1 topic=AAAA", "kafka-firehose/1 topic=%", "kafka-firehose/1 partitions=x", "kafka-firehose/1 since="} {
		if m, ok := parseMarker(text); ok {
			t.Errorf("%q is read as %+v", text, m)
		}
	}
}

// TestDecide is the table of where a partition starts.
func TestDecide(t *testing.T) {
	const (
		none    = -1
		mine    = 7
		joined  = youngGroup + 1000
		started = joined - 500 // when the group first saw the topic
	)
	here, gone := [16]byte{1}, [16]byte{2}
	now := commitMarker{cluster: "c", topic: here, subscription: mine}
	seen := commitMarker{cluster: "c", topic: here, subscription: mine, partitions: 4, since: started}
	of := func(topic [16]byte) committedOffset {
		m := seen
		m.topic = topic
		return committedOffset{offset: 10, marker: m, marked: true}
	}
	old := of(gone)
	old.marker.since = joined - youngGroup - 1
	elsewhere := of(gone)
	elsewhere.marker.cluster = "other"
	byHand := committedOffset{offset: 10}
	no := committedOffset{offset: none}
	for name, c := range map[string]struct {
		own              committedOffset
		others, group    []committedOffset
		partition        int32
		appeared, late   bool
		withoutIDs       bool
		latest, noneMode startFrom
	}{
		"the group's offset":                          {own: of(here), latest: fromCommit, noneMode: fromCommit},
		"set by hand":                                 {own: byHand, latest: fromCommit, noneMode: fromCommit},
		"translated from another cluster":             {own: elsewhere, latest: fromCommit, noneMode: fromCommit},
		"of a topic that was deleted":                 {own: of(gone), latest: fromBeginning, noneMode: fromBeginning},
		"brokers without ids":                         {own: of(gone), withoutIDs: true, latest: fromCommit, noneMode: fromCommit},
		"a new group":                                 {own: no, latest: fromEnd, noneMode: fromNowhere},
		"a new group, asked late":                     {own: no, late: true, latest: fromTime, noneMode: fromNowhere},
		"the topic appeared":                          {own: no, appeared: true, latest: fromBeginning, noneMode: fromBeginning},
		"another member saw it first":                 {own: no, others: []committedOffset{of(here)}, partition: 3, latest: fromTime, noneMode: fromNowhere},
		"added later":                                 {own: no, others: []committedOffset{of(here)}, partition: 4, latest: fromBeginning, noneMode: fromBeginning},
		"others were set by hand":                     {own: no, others: []committedOffset{byHand}, partition: 3, latest: fromBeginning, noneMode: fromNowhere},
		"some by hand, some marked":                   {own: no, others: []committedOffset{byHand, of(here), byHand}, partition: 3, latest: fromTime, noneMode: fromNowhere},
		"others are of a deleted topic":               {own: no, others: []committedOffset{of(gone)}, partition: 3, latest: fromBeginning, noneMode: fromNowhere},
		"others have none":                            {own: no, others: []committedOffset{no, no}, latest: fromEnd, noneMode: fromNowhere},
		"another topic of this subscription":          {own: no, group: []committedOffset{old}, latest: fromBeginning, noneMode: fromNowhere},
		"another topic, of a group that is new":       {own: no, group: []committedOffset{of(gone)}, latest: fromTime, noneMode: fromNowhere},
		"another topic, before the setting changed":   {own: no, group: []committedOffset{{offset: 1, marked: true, marker: commitMarker{cluster: "c", subscription: mine + 1}}}, latest: fromEnd, noneMode: fromNowhere},
		"another topic, on the cluster of the backup": {own: no, group: []committedOffset{{offset: 1, marked: true, marker: commitMarker{cluster: "o", subscription: mine}}}, latest: fromEnd, noneMode: fromNowhere},
	} {
		t.Run(name, func(t *testing.T) {
			now := now
			if c.withoutIDs {
				now.topic = [16]byte{}
			}
			sighting, err := findSighting(now, append(append([]committedOffset{}, c.others...), c.own), func() ([]committedOffset, error) { return c.group, nil })
			if err != nil {
				t.Fatal(err)
			}
			q := startQuestion{now: now, partition: c.partition, partitions: 4, joined: joined, appeared: c.appeared, late: c.late, own: c.own, sighting: sighting}
			at := time.UnixMilli(77)
			fallback := map[bool]startFrom{true: fromCommit, false: fromBeginning}[c.latest == fromCommit]
			byTime := map[bool]startFrom{true: fromCommit, false: fromTime}[c.latest == fromCommit]
			for mode, want := range map[string]startFrom{"latest": c.latest, "none": c.noneMode, "earliest": fallback, "time": byTime} {
				q.reset = OffsetReset{Mode: mode, At: at}
				got := q.decideStart()
				if got.from != want {
					t.Errorf("%s: starts from %d, want %d", mode, got.from, want)
				}
				if got.from == fromTime && mode == "latest" && got.since != started && got.since != joined {
					t.Errorf("%s: since %d", mode, got.since)
				}
				if got.from != fromNowhere && (got.marker.cluster != now.cluster || got.marker.topic != now.topic) {
					t.Errorf("%s: the marker is %+v", mode, got.marker)
				}
			}
		})
	}
}
