package batch

import (
	"testing"
	"time"

	"kafka-firehose/connector/offset"
)

// TestFail: a record that is given up keeps its partition's mark before its batch, and neither the
// other partition's nor the memory.
func TestFail(t *testing.T) {
	bad, good := offset.NewLease("t", 0), offset.NewLease("t", 1)
	b := NewBuilder(Limits{Records: 10, Bytes: 1000, Linger: time.Second}, Aggregation{Values: 1})
	add := func(lease *offset.Lease, at int64) {
		t.Helper()
		lease.RegisterRecords(at, at, 1)
		b.AddRecord(time.Time{}, lease, offset.MarkAfter(at, 0), time.Time{}, append(b.AppendBuffer(), 'x'))
	}
	add(bad, 0)
	first := b.SealBatch()
	for at := int64(1); at < 4; at++ {
		add(bad, at)
		add(good, at)
	}
	second := b.SealBatch()
	held := second.HeldBytes()
	second.OnRelease(func(n int64) { held -= n })
	second.FailRecord(2) // offset 2 of the bad partition
	second.RetainRecords(func(int) bool { return false })
	first.RetainRecords(func(int) bool { return false })
	if m, ok := bad.CommitMark(); !ok || m.Offset != 1 {
		t.Errorf("the mark of the partition is %v %v, want 1, before the batch with the record", m, ok)
	}
	if m, ok := good.CommitMark(); !ok || m.Offset != 4 {
		t.Errorf("the mark of the other partition is %v %v, want 4", m, ok)
	}
	if held != 0 || second.Len() != 0 {
		t.Errorf("%d bytes and %d records are still held", held, second.Len())
	}
	select {
	case <-bad.Drained():
	default:
		t.Error("a revoke would wait for the record")
	}
	add(bad, 4) // after it nothing counts
	third := b.SealBatch()
	if n := third.DropRevoked(); n != 1 || third.Len() != 0 {
		t.Errorf("%d records behind it are fenced, want the 1", n)
	}
	if m, _ := bad.CommitMark(); m.Offset != 1 {
		t.Errorf("the mark is %d after a later record, want 1", m.Offset)
	}
}
