package recovery

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/longtest"
)

// TestMemory: the memory of both sides of a partition follows from the number of records: about a bit for each of them and
// set, in the order in which objects are read and not in that of the offsets, and with a hole or a copy in every thousand.
func TestMemory(t *testing.T) {
	t.Parallel()
	const object = 1000
	records := int64(longtest.Pick(2_000_000, 100_000_000))
	p := newPartitionAudit(kafka.OffsetRange{End: records}, -1)
	for o := range records {
		p.expectOffset(o, true)
	}
	p.flushOffsets()
	for _, block := range rand.New(rand.NewPCG(1, 2)).Perm(int(records / object)) {
		offsets := make([]uint64, 0, object)
		for i := range uint64(object) {
			offsets = append(offsets, uint64(block)*object+i)
		}
		offsets[0] = offsets[1] // a hole and a copy
		p.addDelivered(offsets)
	}
	size := p.expected.GetSizeInBytes() + p.delivered.GetSizeInBytes() + p.twice.GetSizeInBytes()
	t.Logf("%d records take %d bytes", records, size)
	if perRecord := float64(size) / float64(records); perRecord > 0.3 {
		t.Errorf("%.2f bytes a record", perRecord)
	}
	r := p.buildReport()
	if holes := records / object; r.Expected != records || r.Missing != holes || r.Twice != holes || r.Once != records-2*holes || !r.MissingOffsets.Cut && holes > maxRanges {
		t.Errorf("got %+v", r)
	}
}

// TestProgress: a line comes every ten seconds, or is drawn again and taken away on a terminal.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c auditCounts
		c.recordsTotal.Add(200)
		c.records.Add(100)
		c.objectsTotal.Add(3)
		c.objects.Add(2)
		c.bytes.Add(50_000_000)
		var lines, terminal strings.Builder
		stop, stopTerminal := ShowProgress(&lines, false, c.progressLine), ShowProgress(&terminal, true, c.progressLine)
		time.Sleep(25 * time.Second)
		stop()
		stopTerminal()
		const first = "audit: 10s, 100 records of Kafka (50% of the offsets); 2 of 3 objects, 50 MB, 5.0 MB/s\n"
		if got := lines.String(); strings.Count(got, "\n") != 2 || !strings.HasPrefix(got, first) {
			t.Errorf("got %q", got)
		}
		if got := terminal.String(); strings.Contains(got, "\n") || strings.Count(got, "\r") < 40 || !strings.HasSuffix(got, "\r\x1b[K") {
			t.Errorf("got %q", got)
		}
		ShowProgress(nil, false, c.progressLine)()
	})
}
