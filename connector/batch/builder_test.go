package batch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kafka-firehose/connector/offset"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fill adds values of the given sizes as records of one lease, and returns the
// batches that were sealed on the way and the last one.
func fill(b *Builder, lease *offset.Lease, sizes ...int) (out []*Batch) {
	for i, n := range sizes {
		value := bytes.Repeat([]byte{byte('a' + i%26)}, n)
		if full := b.AddRecord(epoch, lease, offset.MarkAfter(int64(i), 0), epoch, append(b.AppendBuffer(), value...)); full != nil {
			out = append(out, full)
		}
	}
	if last := b.SealBatch(); last != nil {
		out = append(out, last)
	}
	return out
}

// shape is the sizes of the records of each batch.
func shape(batches []*Batch) (out [][]int) {
	for _, b := range batches {
		var sizes []int
		for i := range b.Len() {
			sizes = append(sizes, len(b.Record(i)))
		}
		out = append(out, sizes)
	}
	return out
}

// TestEdges puts values at, below and above each limit.
func TestEdges(t *testing.T) {
	one := Aggregation{Values: 1}
	f := func(name string, l Limits, a Aggregation, sizes []int, want [][]int) {
		t.Helper()
		if got := shape(fill(NewBuilder(l, a), offset.NewLease("t", 0), sizes...)); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: sizes %v gave %v, want %v", name, sizes, got, want)
		}
	}
	f("below both", Limits{Records: 3, Bytes: 10}, one, []int{3, 3}, [][]int{{3, 3}})
	f("at the record limit", Limits{Records: 2, Bytes: 99}, one, []int{1, 1}, [][]int{{1, 1}})
	f("above the record limit", Limits{Records: 2, Bytes: 99}, one, []int{1, 1, 1}, [][]int{{1, 1}, {1}})
	f("at the byte limit", Limits{Records: 9, Bytes: 10}, one, []int{6, 4}, [][]int{{6, 4}})
	f("above the byte limit", Limits{Records: 9, Bytes: 10}, one, []int{6, 5}, [][]int{{6}, {5}})
	f("one record above the byte limit", Limits{Records: 9, Bytes: 10}, one, []int{2, 15, 2}, [][]int{{2}, {15}, {2}})
	f("nothing", Limits{Records: 9, Bytes: 10}, one, nil, nil)
	f("values that are empty", Limits{Records: 2, Bytes: 10}, one, []int{0, 0, 0}, [][]int{{0, 0}, {0}})
	f("packed by values", Limits{Records: 9, Bytes: 99}, Aggregation{Values: 2, Bytes: 99}, []int{1, 1, 1, 1, 1}, [][]int{{2, 2, 1}})
	f("packed by bytes", Limits{Records: 9, Bytes: 99}, Aggregation{Values: 9, Bytes: 4}, []int{2, 2, 1, 4, 5}, [][]int{{4, 1, 4, 5}})
	f("packed over batches", Limits{Records: 2, Bytes: 99}, Aggregation{Values: 2, Bytes: 99}, []int{1, 1, 1, 1, 1}, [][]int{{2, 2}, {1}})
	f("packed at the byte limit of a batch", Limits{Records: 9, Bytes: 5}, Aggregation{Values: 9, Bytes: 99}, []int{2, 2, 2}, [][]int{{4}, {2}})
}

func TestDueCountsFromTheFirstRecord(t *testing.T) {
	b := NewBuilder(Limits{Records: 9, Bytes: 99, Linger: time.Second}, Aggregation{Values: 1})
	if _, ok := b.LingerDue(); ok {
		t.Fatal("an empty builder is due")
	}
	lease := offset.NewLease("t", 0)
	b.AddRecord(epoch, lease, offset.MarkAfter(0, 0), epoch, append(b.AppendBuffer(), 'x'))
	b.AddRecord(epoch.Add(time.Minute), lease, offset.MarkAfter(1, 0), epoch, append(b.AppendBuffer(), 'x'))
	if due, ok := b.LingerDue(); !ok || due != epoch.Add(time.Second) {
		t.Errorf("due %v %v, want a second after the first record", due, ok)
	}
}

// TestSettlesWhenAllHas: a mark moves only when the last record of the batch is
// gone, in whatever parts that happens.
func TestSettlesWhenAllHas(t *testing.T) {
	lease := offset.NewLease("t", 0)
	b := fill(NewBuilder(Limits{Records: 9, Bytes: 99}, Aggregation{Values: 1}), lease, 1, 1, 1, 1, 1)[0]
	var freed int64
	held := b.HeldBytes()
	b.OnRelease(func(n int64) { freed += n })
	b.RetainRecords(func(i int) bool { return i != 2 })
	head, tail := b.SplitHalves()
	tail.RetainRecords(func(int) bool { return false })
	if m, ok := lease.CommitMark(); ok {
		t.Fatalf("mark %v with two records left", m)
	}
	head.RetainRecords(func(int) bool { return false })
	if m, ok := lease.CommitMark(); !ok || m.Offset != 5 {
		t.Errorf("mark %v %v, want 5", m, ok)
	}
	if freed != held {
		t.Errorf("%d of %d bytes released", freed, held)
	}
}

// TestPartitionsSettleApart: a record that is refused holds back the mark of its
// own partition and of no other in the batch.
func TestPartitionsSettleApart(t *testing.T) {
	ours, stuck := offset.NewLease("t", 0), offset.NewLease("t", 1)
	b := NewBuilder(Limits{Records: 9, Bytes: 99}, Aggregation{Values: 2, Bytes: 99})
	for i, l := range []*offset.Lease{ours, ours, ours, stuck, stuck, ours} { // ours+ours, ours+stuck, stuck+ours
		b.AddRecord(epoch, l, offset.MarkAfter(int64(i), 0), epoch, append(b.AppendBuffer(), byte('0'+i)))
	}
	sealed := b.SealBatch()
	sealed.RetainRecords(func(i int) bool { return i == 1 })
	if m, ok := ours.CommitMark(); ok {
		t.Errorf("mark %v, but a record that holds one of ours is left", m)
	}
	sealed.RetainRecords(func(int) bool { return false })
	if m, ok := ours.CommitMark(); !ok || m.Offset != 6 {
		t.Errorf("mark %v %v, want 6", m, ok)
	}

	b = NewBuilder(Limits{Records: 9, Bytes: 99}, Aggregation{Values: 1})
	for i, l := range []*offset.Lease{stuck, ours, stuck} {
		b.AddRecord(epoch, l, offset.MarkAfter(int64(10+i), 0), epoch, append(b.AppendBuffer(), 'x'))
	}
	sealed = b.SealBatch()
	sealed.RetainRecords(func(i int) bool { return i == 2 })
	if m, ok := ours.CommitMark(); !ok || m.Offset != 12 {
		t.Errorf("mark %v %v, want 12 beside a partition that is stuck", m, ok)
	}
	if m, _ := stuck.CommitMark(); m.Offset != 5 {
		t.Errorf("mark %v of the partition that is stuck, want 5", m)
	}
}

// TestRetainKeepsTheRight: the records that are left are those, whatever became
// of the buffer.
func TestRetainKeepsTheRight(t *testing.T) {
	sizes := make([]int, 100)
	for i := range sizes {
		sizes[i] = 1 + i
	}
	b := fill(NewBuilder(Limits{Records: 500, Bytes: 1 << 20}, Aggregation{Values: 1}), offset.NewLease("t", 0), sizes...)[0]
	held := b.HeldBytes()
	b.RetainRecords(func(i int) bool { return i == 7 || i == 50 })
	if b.Len() != 2 || string(b.Record(0)) != "hhhhhhhh" || len(b.Record(1)) != 51 || b.Record(1)[0] != 'a'+50%26 {
		t.Fatalf("kept %v", shape([]*Batch{b}))
	}
	if b.Bytes() != 59 || b.SubRecords() != 2 {
		t.Errorf("%d bytes, %d values; want 59 and 2", b.Bytes(), b.SubRecords())
	}
	if b.HeldBytes() >= held {
		t.Errorf("59 bytes hold %d, as much as the whole batch did (%d)", b.HeldBytes(), held)
	}
}

// TestFence: records of closed leases leave; an aggregated record that mixes
// partitions stays while one of them is ours.
func TestFence(t *testing.T) {
	gone, ours := offset.NewLease("t", 0), offset.NewLease("t", 1)
	b := NewBuilder(Limits{Records: 9, Bytes: 99}, Aggregation{Values: 2, Bytes: 99})
	for i, l := range []*offset.Lease{gone, gone, gone, ours, ours} { // gone+gone, gone+ours, ours
		b.AddRecord(epoch, l, offset.MarkAfter(int64(i), 0), epoch, append(b.AppendBuffer(), byte('0'+i)))
	}
	sealed := b.SealBatch()
	if n := sealed.DropRevoked(); n != 0 || sealed.Len() != 3 {
		t.Fatalf("nothing is closed, yet %d values left, %d records remain", n, sealed.Len())
	}
	gone.Close()
	if n := sealed.DropRevoked(); n != 2 || sealed.Len() != 2 || string(sealed.Record(0)) != "23" {
		t.Fatalf("%d values left, %v remain", n, shape([]*Batch{sealed}))
	}
	sealed.RetainRecords(func(int) bool { return false })
	if m, ok := ours.CommitMark(); !ok || m.Offset != 5 {
		t.Errorf("mark of the partition that stayed: %v %v, want 5", m, ok)
	}
	if m, ok := gone.CommitMark(); ok {
		t.Errorf("mark %v of a closed lease", m)
	}
}

// FuzzBuilder adds random values from random partitions under random limits: no
// value is lost, doubled, reordered within its partition or cut, and no batch is
// over a limit unless a single record is.
func FuzzBuilder(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 2))
		limits := Limits{Records: 1 + rng.IntN(8), Bytes: 1 + rng.IntN(60)}
		pack := Aggregation{Values: 1 + rng.IntN(4), Bytes: 1 + rng.IntN(40)}
		b := NewBuilder(limits, pack)
		leases := []*offset.Lease{offset.NewLease("t", 0), offset.NewLease("t", 1), offset.NewLease("t", 2)}
		next := make([]int64, len(leases))
		var want []byte
		var sealed []*Batch
		for range rng.IntN(200) {
			p := rng.IntN(len(leases))
			value := fmt.Appendf(nil, "%d:%d%s\n", p, next[p], bytes.Repeat([]byte{'.'}, rng.IntN(12)))
			want = append(want, value...)
			if full := b.AddRecord(epoch, leases[p], offset.MarkAfter(next[p], 0), epoch, append(b.AppendBuffer(), value...)); full != nil {
				sealed = append(sealed, full)
			}
			next[p]++
			if rng.IntN(10) == 0 {
				b.FlushRecord()
			}
		}
		if last := b.SealBatch(); last != nil {
			sealed = append(sealed, last)
		}
		var got []byte
		for _, s := range sealed {
			got = append(got, check(t, s, limits, pack)...)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: the records say\n%q, want\n%q", seed, got, want)
		}
		rng.Shuffle(len(sealed), func(i, j int) { sealed[i], sealed[j] = sealed[j], sealed[i] })
		for _, s := range sealed {
			s.RetainRecords(func(int) bool { return false })
		}
		for p, l := range leases {
			if m, ok := l.CommitMark(); ok != (next[p] > 0) || ok && m.Offset != next[p] {
				t.Fatalf("seed %d: partition %d has mark %v %v, want %d", seed, p, m, ok, next[p])
			}
		}
	})
}

func check(t *testing.T, b *Batch, l Limits, a Aggregation) (all []byte) {
	t.Helper()
	return checkRecords(t, b, l, a, func(i int) (values int, text []byte) {
		r := b.Record(i)
		return bytes.Count(r, []byte{'\n'}), r
	})
}

// checkRecords returns the text of all records of a batch, after a look at its limits;
// read says what one of them holds.
func checkRecords(t *testing.T, b *Batch, l Limits, a Aggregation, read func(i int) (values int, text []byte)) (all []byte) {
	t.Helper()
	if b.Len() == 0 || b.Len() > l.Records || b.Bytes() > l.Bytes && b.SubRecords() > 1 {
		t.Fatalf("%d records, %d bytes under limits %+v", b.Len(), b.Bytes(), l)
	}
	sum := 0
	for i := range b.Len() {
		size := len(b.Record(i))
		n, text := read(i)
		if n > a.Values || size > a.Bytes && n > 1 {
			t.Fatalf("a record of %d values and %d bytes under %+v", n, size, a)
		}
		sum += size
		all = append(all, text...)
	}
	if sum != b.Bytes() {
		t.Fatalf("%d bytes, the records have %d", b.Bytes(), sum)
	}
	return all
}

// BenchmarkAdd is one record of 200 bytes into a batch:
//
//	go test ./connector/batch -bench . -benchmem
func BenchmarkAdd(b *testing.B) {
	builder := NewBuilder(Limits{Records: 500, Bytes: 4_000_000}, Aggregation{Values: 1})
	lease, value := offset.NewLease("t", 0), bytes.Repeat([]byte{'x'}, 200)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	var n int64
	for b.Loop() {
		n++
		if full := builder.AddRecord(epoch, lease, offset.MarkAfter(n, 0), epoch, append(builder.AppendBuffer(), value...)); full != nil {
			full.RetainRecords(func(int) bool { return false })
		}
	}
}

// TestLeases: a record that is packed across partitions belongs to all of them.
func TestLeases(t *testing.T) {
	b := NewBuilder(Limits{Records: 10, Bytes: 100}, Aggregation{Values: 3, Bytes: 100})
	l := []*offset.Lease{offset.NewLease("t", 0), offset.NewLease("t", 1), offset.NewLease("t", 2)}
	for i, lease := range []*offset.Lease{l[0], l[1], l[0], l[2]} { // three in the first record
		b.AddRecord(epoch, lease, offset.MarkAfter(int64(i), 0), epoch, append(b.AppendBuffer(), 'a'))
	}
	batch := b.SealBatch()
	if got := batch.Leases(0); !slices.Equal(got, l[:2]) {
		t.Errorf("the first record belongs to %d leases", len(got))
	}
	if got := batch.Leases(1); !slices.Equal(got, l[2:]) {
		t.Errorf("the second record belongs to %d leases", len(got))
	}
}
