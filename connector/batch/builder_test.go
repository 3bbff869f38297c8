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
		if full := b.Add(epoch, lease, offset.After(int64(i), 0), epoch, append(b.Buffer(), value...)); full != nil {
			out = append(out, full)
		}
	}
	if last := b.Seal(); last != nil {
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
	if _, ok := b.Due(); ok {
		t.Fatal("an empty builder is due")
	}
	lease := offset.NewLease("t", 0)
	b.Add(epoch, lease, offset.After(0, 0), epoch, append(b.Buffer(), 'x'))
	b.Add(epoch.Add(time.Minute), lease, offset.After(1, 0), epoch, append(b.Buffer(), 'x'))
	if due, ok := b.Due(); !ok || due != epoch.Add(time.Second) {
		t.Errorf("due %v %v, want a second after the first record", due, ok)
	}
}

// TestSettlesWhenAllHas: a mark moves only when the last record of the batch is
// gone, in whatever parts that happens.
func TestSettlesWhenAllHas(t *testing.T) {
	lease := offset.NewLease("t", 0)
	b := fill(NewBuilder(Limits{Records: 9, Bytes: 99}, Aggregation{Values: 1}), lease, 1, 1, 1, 1, 1)[0]
	var freed int64
	held := b.Held()
	b.OnRelease(func(n int64) { freed += n })
	b.Retain(func(i int) bool { return i != 2 })
	head, tail := b.Split()
	tail.Retain(func(int) bool { return false })
	if m, ok := lease.Mark(); ok {
		t.Fatalf("mark %v with two records left", m)
	}
	head.Retain(func(int) bool { return false })
	if m, ok := lease.Mark(); !ok || m.Offset != 5 {
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
		b.Add(epoch, l, offset.After(int64(i), 0), epoch, append(b.Buffer(), byte('0'+i)))
	}
	sealed := b.Seal()
	sealed.Retain(func(i int) bool { return i == 1 })
	if m, ok := ours.Mark(); ok {
		t.Errorf("mark %v, but a record that holds one of ours is left", m)
	}
	sealed.Retain(func(int) bool { return false })
	if m, ok := ours.Mark(); !ok || m.Offset != 6 {
		t.Errorf("mark %v %v, want 6", m, ok)
	}

	b = NewBuilder(Limits{Records: 9, Bytes: 99}, Aggregation{Values: 1})
	for i, l := range []*offset.Lease{stuck, ours, stuck} {
		b.Add(epoch, l, offset.After(int64(10+i), 0), epoch, append(b.Buffer(), 'x'))
	}
	sealed = b.Seal()
	sealed.Retain(func(i int) bool { return i == 2 })
	if m, ok := ours.Mark(); !ok || m.Offset != 12 {
		t.Errorf("mark %v %v, want 12 beside a partition that is stuck", m, ok)
	}
	if m, _ := stuck.Mark(); m.Offset != 5 {
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
	held := b.Held()
	b.Retain(func(i int) bool { return i == 7 || i == 50 })
	if b.Len() != 2 || string(b.Record(0)) != "hhhhhhhh" || len(b.Record(1)) != 51 || b.Record(1)[0] != 'a'+50%26 {
		t.Fatalf("kept %v", shape([]*Batch{b}))
	}
	if b.Bytes() != 59 || b.Values() != 2 {
		t.Errorf("%d bytes, %d values; want 59 and 2", b.Bytes(), b.Values())
	}
	if b.Held() >= held {
		t.Errorf("59 bytes hold %d, as much as the whole batch did (%d)", b.Held(), held)
	}
}

// TestFence: records of closed leases leave; an aggregated record that mixes
// partitions stays while one of them is ours.
func TestFence(t *testing.T) {
	gone, ours := offset.NewLease("t", 0), offset.NewLease("t", 1)
	b := NewBuilder(Limits{Records: 9, Bytes: 99}, Aggregation{Values: 2, Bytes: 99})
	for i, l := range []*offset.Lease{gone, gone, gone, ours, ours} { // gone+gone, gone+ours, ours
		b.Add(epoch, l, offset.After(int64(i), 0), epoch, append(b.Buffer(), byte('0'+i)))
	}
	sealed := b.Seal()
	if n := sealed.Fence(); n != 0 || sealed.Len() != 3 {
		t.Fatalf("nothing is closed, yet %d values left, %d records remain", n, sealed.Len())
	}
	gone.Close()
	if n := sealed.Fence(); n != 2 || sealed.Len() != 2 || string(sealed.Record(0)) != "23" {
		t.Fatalf("%d values left, %v remain", n, shape([]*Batch{sealed}))
	}
	sealed.Retain(func(int) bool { return false })
	if m, ok := ours.Mark(); !ok || m.Offset != 5 {
		t.Errorf("mark of the partition that stayed: %v %v, want 5", m, ok)
	}
	if m, ok := gone.Mark(); ok {
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
			if full := b.Add(epoch, leases[p], offset.After(next[p], 0), epoch, append(b.Buffer(), value...)); full != nil {
				sealed = append(sealed, full)
			}
			next[p]++
			if rng.IntN(10) == 0 {
				b.Flush()
			}
		}
		if last := b.Seal(); last != nil {
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
			s.Retain(func(int) bool { return false })
		}
		for p, l := range leases {
			if m, ok := l.Mark(); ok != (next[p] > 0) || ok && m.Offset != next[p] {
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
	if b.Len() == 0 || b.Len() > l.Records || b.Bytes() > l.Bytes && b.Values() > 1 {
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
		if full := builder.Add(epoch, lease, offset.After(n, 0), epoch, append(builder.Buffer(), value...)); full != nil {
			full.Retain(func(int) bool { return false })
		}
	}
}

// TestLeases: a record that is packed across partitions belongs to all of them.
func TestLeases(t *testing.T) {
	b := NewBuilder(Limits{Records: 10, Bytes: 100}, Aggregation{Values: 3, Bytes: 100})
	l := []*offset.Lease{offset.NewLease("t", 0), offset.NewLease("t", 1), offset.NewLease("t", 2)}
	for i, lease := range []*offset.Lease{l[0], l[1], l[0], l[2]} { // three in the first record
		b.Add(epoch, lease, offset.After(int64(i), 0), epoch, append(b.Buffer(), 'a'))
	}
	batch := b.Seal()
	if got := batch.Leases(0); !slices.Equal(got, l[:2]) {
		t.Errorf("the first record belongs to %d leases", len(got))
	}
	if got := batch.Leases(1); !slices.Equal(got, l[2:]) {
		t.Errorf("the second record belongs to %d leases", len(got))
	}
}
