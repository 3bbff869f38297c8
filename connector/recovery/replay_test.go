package recovery

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/kafka"
)

var (
	replayFrom = time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	replayTo   = replayFrom.Add(time.Hour)
)

// TestShards: whatever the number of shards, each partition is in one of them, and the partitions of a topic are spread evenly.
func TestShards(t *testing.T) {
	t.Parallel()
	for count := range 20 {
		count++
		held := make([]int, count)
		for n := range int32(10 * count) {
			owners := 0
			for i := range count {
				if (Shard{i, count}).HoldsPartition("orders", n) {
					owners++
					held[i]++
				}
			}
			if owners != 1 {
				t.Fatalf("%d of %d shards hold partition %d", owners, count, n)
			}
		}
		for i, n := range held {
			if n != 10 {
				t.Errorf("shard %d of %d holds %d of %d partitions, want 10", i, count, n, 10*count)
			}
		}
	}
	for text, want := range map[string]Shard{"0/1": {0, 1}, "3/4": {3, 4}} {
		if got, err := ParseShard(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "4/4", "-1/4", "0/0", "0/1001", "1/4x", "a/b", "1/ 4/5"} {
		if got, err := ParseShard(text); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

// TestReplayMarker: what was written is what is read, and nothing else is taken for it.
func TestReplayMarker(t *testing.T) {
	t.Parallel()
	m := replayMarker{key: "0123456789abcdef", topic: [16]byte{1, 0xff}, begin: 3, end: 1 << 60, bad: 7, expired: 2, from: replayFrom.Local(), to: replayTo.Local()}
	got, ok := parseReplayMarker(m.String())
	if !ok || got.key != m.key || got.topic != m.topic || got.begin != 3 || got.end != 1<<60 || got.bad != 7 || got.expired != 2 || !got.from.Equal(m.from) || !got.to.Equal(m.to) {
		t.Errorf("got %+v, %v of %s", got, ok, m)
	}
	text := m.String()
	for _, bad := range []string{"", "x", "kafka-firehose/1 cluster=a", text[:len(text)-2*13], "x" + text, strings.Replace(text, "topic=A", "topic=?", 1), strings.Replace(text, "/1", "/2", 1)} {
		if got, ok := parseReplayMarker(bad); ok {
			t.Errorf("%q is taken for %+v", bad, got)
		}
	}
}

func offsetFile(t *testing.T, stretches string) *OffsetFile {
	t.Helper()
	records := 0
	for stretch := range strings.SplitSeq(stretches, "],[") {
		var first, last int
		if _, err := fmt.Sscanf(strings.Trim(stretch, "[]"), "%d,%d", &first, &last); err != nil {
			t.Fatal(err)
		}
		records += last - first + 1
	}
	f, err := ReadOffsetFile(strings.NewReader(fmt.Sprintf(`{"version":1,"partitions":[{"topic":"t","partition":0,"records":%d,"offsets":[%s]}]}`, records, stretches)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestOffsetFileFaults(t *testing.T) {
	t.Parallel()
	partition := func(topic, records, offsets string) string {
		return `{"version":1,"cluster":"c","from":"2026-01-31T00:00:00Z","to":"2026-02-01T00:00:00Z","partitions":[{"topic":"` + topic + `","partition":0,"records":` + records + `,"offsets":[` + offsets + `]}]}`
	}
	for content, want := range map[string]string{
		"":                                 "want the JSON that",
		"[]":                               "want the JSON that",
		`{"version":2}`:                    "its version is 2; this program reads version 1",
		`{"version":1,"more":1}`:           "unknown field",
		`{"version":1,"partitions":[]}`:    "nothing is missing",
		partition("t", "1", "[1,1]") + "x": "behind the JSON object",
		partition("", "1", "[1,1]"):        "want the name of a topic",
		partition("t", "0", ""):            "it has no offsets",
		partition(`t","topic_id":"x`, "1", "[1,1]"): `its topic_id is "x"`,
		partition("t", "2", "[2,1]"):                "[2,1] is no stretch",
		partition("t", "2", "[-1,1]"):               "[-1,1] is no stretch",
		partition("t", "4", "[1,2],[2,3]"):          "[2,3] overlaps",
		partition("t", "9", "[1,2]"):                "hold 2 offsets, and its member records says 9",
		`{"version":1,"partitions":[{"topic":"t","partition":0,"records":1,"offsets":[[1,1]]},{"topic":"t","partition":0,"records":1,"offsets":[[1,1]]}]}`: "is there twice",
	} {
		if _, err := ReadOffsetFile(strings.NewReader(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", content, err, want)
		}
	}
}

// TestOffsetsBehindATransaction: an open transaction matters to a file if it holds back offsets of the file, and else not.
func TestOffsetsBehindATransaction(t *testing.T) {
	t.Parallel()
	g := kafka.OffsetRange{Topic: "t", End: 10, HeldBack: 10, OpenTransaction: 10}
	for offsets, held := range map[string]bool{"[3,9]": false, "[3,10]": true, "[3,5],[19,19]": true, "[3,20]": false} {
		file := offsetFile(t, offsets)
		g.Topic, g.Partition = file.Partitions[0].Topic, file.Partitions[0].Partition
		r := ReplayRequest{Offsets: file, Shard: Shard{0, 1}}
		_, err := PlanReplay(r, "", []kafka.OffsetRange{g}, nil)
		if got := errors.As(err, new(*kafka.OpenTransactionError)); got != held || (err == nil) != (offsets == "[3,9]") {
			t.Errorf("%s: got %v", offsets, err)
		}
	}
}

// TestOffsetFileModel compares the search in stretches with a set.
func TestOffsetFileModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var stretches []string
		set := map[int64]bool{}
		for at, n := int64(rng.IntN(3)), 1+rng.IntN(6); n > 0; n-- {
			last := at + int64(rng.IntN(4))
			stretches = append(stretches, fmt.Sprintf("[%d,%d]", at, last))
			for ; at <= last; at++ {
				set[at] = true
			}
			at += 1 + int64(rng.IntN(4))
		}
		p := offsetFile(t, strings.Join(stretches, ",")).Partitions[0]
		for from := range int64(50) {
			next := from
			for next < 100 && !set[next] {
				next++
			}
			if got := p.nextOffset(from); got != next && (next < 100 || got < 100) {
				t.Fatalf("seed %d: %v from %d on: got %d, want %d", seed, stretches, from, got, next)
			}
			to, n := from+int64(rng.IntN(20)), int64(0)
			for at := from; at < to; at++ {
				if set[at] {
					n++
				}
			}
			if got := p.countOffsets(from, to); got != n {
				t.Fatalf("seed %d: %v from %d to %d: got %d, want %d", seed, stretches, from, to, got, n)
			}
		}
	}
}

// ofTopic is a request with the offsets of a topic with an id.
func ofTopic(r ReplayRequest, id byte) ReplayRequest {
	file := *r.Offsets
	file.Partitions = slices.Clone(file.Partitions)
	file.Partitions[0].TopicID = kafka.FormatTopicID([16]byte{id})
	r.Offsets = &file
	return r
}

// TestPlanReplay: where a replay begins, where it continues, and what it refuses.
func TestPlanReplay(t *testing.T) {
	t.Parallel()
	whole := kafka.OffsetRange{Topic: "t", TopicID: [16]byte{1}, Begin: 100, End: 200, LogStart: 50, First: replayFrom}
	span := ReplayRequest{From: replayFrom, To: replayTo}
	file := ReplayRequest{Offsets: offsetFile(t, "[110,119],[150,159]")}
	marker := func(r ReplayRequest, change func(*replayMarker)) string {
		m := replayMarker{key: r.rangeKey(), topic: [16]byte{1}, begin: 90, end: 180, bad: 3, from: r.From, to: r.To}
		if change != nil {
			change(&m)
		}
		return m.String()
	}
	nothing := func(*replayMarker) {}
	for name, test := range map[string]struct {
		request                           ReplayRequest
		change                            func(*kafka.OffsetRange, *ReplayRequest)
		at                                int64 // of the progress, with metadata
		metadata                          string
		begin, end, reached, bad, removed int64
		err                               string
	}{
		"first start":           {request: span, begin: 100, end: 200, reached: 100},
		"first start of a file": {request: file, begin: 110, end: 160, reached: 110},
		"the end stays":         {request: span, at: 120, metadata: marker(span, nothing), begin: 90, end: 180, reached: 120, bad: 3},
		"complete":              {request: span, at: 180, metadata: marker(span, nothing), begin: 90, end: 180, reached: 180, bad: 3},
		"a file continues":      {request: file, at: 155, metadata: marker(file, func(m *replayMarker) { m.begin, m.end = 110, 160 }), begin: 110, end: 160, reached: 155, bad: 3},
		"retention was there": {request: span, change: func(g *kafka.OffsetRange, _ *ReplayRequest) {
			g.Expired, g.LogStart, g.First = true, 100, replayFrom.Add(20*time.Minute)
		}, err: "topic t partition 0: its log begins at offset 100 with a record of 2026-01-31T10:20:00Z, so up to 20m0s of the range are gone; -allow-gaps"},
		"retention took all": {request: span, change: func(g *kafka.OffsetRange, _ *ReplayRequest) {
			g.Expired, g.LogStart, g.First, g.Begin = true, 200, replayTo, 200
		}, err: "all of the range, up to 200 offsets"},
		"retention is allowed":    {request: span, change: func(g *kafka.OffsetRange, r *ReplayRequest) { g.Expired, g.LogStart, r.AllowGaps = true, 100, true }, begin: 100, end: 200, reached: 100},
		"retention since then":    {request: span, at: 120, metadata: marker(span, nothing), change: func(g *kafka.OffsetRange, _ *ReplayRequest) { g.LogStart = 130 }, err: "10 offsets before offset 130"},
		"and it is allowed":       {request: span, at: 120, metadata: marker(span, nothing), change: func(g *kafka.OffsetRange, r *ReplayRequest) { g.LogStart, r.AllowGaps = 130, true }, begin: 90, end: 180, reached: 130, bad: 3, removed: 10},
		"behind the end":          {request: span, at: 180, metadata: marker(span, nothing), change: func(g *kafka.OffsetRange, _ *ReplayRequest) { g.LogStart = 500 }, begin: 90, end: 180, reached: 180, bad: 3},
		"retention between":       {request: file, change: func(g *kafka.OffsetRange, _ *ReplayRequest) { g.LogStart = 110 }, begin: 110, end: 160, reached: 110},
		"retention of a file":     {request: file, change: func(g *kafka.OffsetRange, _ *ReplayRequest) { g.LogStart = 152 }, err: "12 offsets before offset 152"},
		"the log is shorter":      {request: file, change: func(g *kafka.OffsetRange, _ *ReplayRequest) { g.End = 159 }, err: "ends before offset 159 of the file, at offset 159"},
		"another range":           {request: span, at: 120, metadata: marker(ReplayRequest{From: replayFrom, To: replayTo.Add(1)}, func(m *replayMarker) { m.key = "other" }), err: "its progress is of another range, from 2026-01-31T10:00:00Z to 2026-01-31T11:00:00Z"},
		"something else":          {request: span, at: 120, metadata: "kafka-firehose/1 cluster=", err: "was not committed by a replay"},
		"not in the file":         {request: file, change: func(_ *kafka.OffsetRange, r *ReplayRequest) { r.Topics = []string{"other"} }, err: "-offsets: the file has no offsets of the topics and partitions"},
		"its partition is not":    {request: file, change: func(g *kafka.OffsetRange, r *ReplayRequest) { g.Partition, r.Partitions = 4, []int32{4} }, err: "-offsets: topic t has no partition 0"},
		"a file of the topic":     {request: ofTopic(file, 1), begin: 110, end: 160, reached: 110},
		"a file of an older one":  {request: ofTopic(file, 2), err: "-offsets: topic t was deleted and created again since the file was written"},
		"a file without ids now":  {request: ofTopic(file, 2), change: func(g *kafka.OffsetRange, _ *ReplayRequest) { g.TopicID = [16]byte{} }, begin: 110, end: 160, reached: 110},
		"the topic is a new one":  {request: span, at: 120, metadata: marker(span, func(m *replayMarker) { m.topic[0] = 2 }), err: "was deleted and created again"},
		"brokers without ids":     {request: span, at: 120, metadata: marker(span, func(m *replayMarker) { m.topic[0] = 0 }), begin: 90, end: 180, reached: 120, bad: 3},
		"a partition is not here": {request: span, change: func(_ *kafka.OffsetRange, r *ReplayRequest) { r.Partitions = []int32{4} }, err: "-partitions names 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, r := whole, test.request
			if test.change != nil {
				test.change(&g, &r)
			}
			var progress []kafka.RangeCommit
			if test.metadata != "" {
				progress = append(progress, kafka.RangeCommit{Topic: "t", Offset: test.at, Metadata: test.metadata})
			}
			plan, err := PlanReplay(r, "c", []kafka.OffsetRange{g}, progress)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p := plan[0]; p.Begin != test.begin || p.End != test.end || p.Reached != test.reached || p.Bad != test.bad || p.Removed != test.removed {
				t.Errorf("got %+v", p)
			}
			if again, ok := parseReplayMarker(plan[0].Metadata()); !ok || again.key != r.rangeKey() || again.end != test.end {
				t.Errorf("its metadata is %s", plan[0].Metadata())
			}
		})
	}
	if _, err := PlanReplay(ReplayRequest{Offsets: &OffsetFile{Cluster: "a"}}, "b", nil, nil); err == nil {
		t.Error("a file of another cluster is taken")
	}
	var gap *GapError
	expired := whole
	expired.Expired = true
	if _, err := PlanReplay(span, "c", []kafka.OffsetRange{expired, expired, expired, expired, expired, expired, expired}, nil); !errors.As(err, &gap) || !strings.Contains(err.Error(), "and 2 more partitions") {
		t.Errorf("got %v", err)
	}
}

// TestEmptyReplay: a report without records says whether the range or the shard is empty.
func TestEmptyReplay(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]ReplayReport{
		"shard 7/9 has none of the partitions":    {Empty: true, Done: true, Shard: Shard{7, 9}},
		"Kafka has no record of this range: look": {Empty: true, Done: true, Partitions: 3},
	} {
		var table strings.Builder
		if err := r.WriteTable(&table); err != nil || !strings.Contains(table.String(), want) || strings.Count(table.String(), "\n") != 4 {
			t.Errorf("%v: %q, want %q", err, table.String(), want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"0%":                                   ProgressBar(false, 0, 0, time.Minute),
		"25%, 3m0s left":                       ProgressBar(false, 0, 0.25, time.Minute),
		"75%, 30s left":                        ProgressBar(false, 0.25, 0.75, time.Minute),
		"[##########----------] 50%":           ProgressBar(true, 0.5, 0.5, time.Minute),
		"[####################] 100%":          ProgressBar(true, 0, 1, time.Minute),
		"[###############-----] 75%, 20s left": ProgressBar(true, 0, 0.75, time.Minute),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestBadOffsets: neighbours become one stretch, whatever the order of stretches is, and a partition names only so many of them.
func TestBadOffsets(t *testing.T) {
	b := BadOffsets{Topic: "t", Partition: 3}
	for _, offset := range []int64{7, 8, 9, 20, 4} {
		b.AddRecord(offset, 1)
	}
	b.AddRecord(21, 5)
	if want := "t/3: offsets 4, 7-9, 20, 21 (the first of 5 values in one record)"; b.String() != want {
		t.Errorf("got %q, want %q", b, want)
	}
	for i := range int64(2 * maxBadStretches) {
		b.AddRecord(100+2*i, 1)
	}
	if got := b.String(); !strings.HasSuffix(got, ", and more") || strings.Count(got, ", ") != maxBadStretches {
		t.Errorf("got %q", got)
	}
}
