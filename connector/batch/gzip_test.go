package batch

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"kafka-firehose/connector/offset"
)

// unzip reads one or several gzip members with the standard library's reader.
func unzip(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzGzip adds values of all kinds under random limits: none is lost, doubled or
// reordered, every record is a gzip member of its own, and neither a record nor a
// batch is over its limit unless a single value is.
func FuzzGzip(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 3))
		limits := Limits{Records: 1 + rng.IntN(8), Bytes: 1 + rng.IntN(1<<rng.IntN(18))}
		pack := Aggregation{Values: 1 + rng.IntN(1<<rng.IntN(10)), Bytes: 1 + rng.IntN(1<<rng.IntN(18)), Gzip: true}
		b := NewBuilder(limits, pack)
		leases := []*offset.Lease{offset.NewLease("t", 0), offset.NewLease("t", 1)}
		next := make([]int64, len(leases))
		var want []byte
		var sealed []*Batch
		for range rng.IntN(1 << rng.IntN(12)) {
			if len(want) > 256<<10 { // an input that takes ten seconds, on a busy machine too, ends the fuzzing
				break
			}
			p := rng.IntN(len(leases))
			value := randomValue(rng, rng.IntN(1<<rng.IntN(14)))
			want = append(want, value...)
			if full := b.AddRecord(epoch, leases[p], offset.MarkAfter(next[p], 0), epoch, append(b.AppendBuffer(), value...)); full != nil {
				sealed = append(sealed, full)
			}
			next[p]++
		}
		if last := b.SealBatch(); last != nil {
			sealed = append(sealed, last)
		}
		var got []byte
		for _, s := range sealed {
			got = append(got, checkGzipped(t, s, limits, pack)...)
			s.RetainRecords(func(int) bool { return false })
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes were put in, %d come out, or others", seed, len(want), len(got))
		}
		for p, l := range leases {
			if m, ok := l.CommitMark(); ok != (next[p] > 0) || ok && m.Offset != next[p] {
				t.Fatalf("seed %d: partition %d has mark %v %v, want %d", seed, p, m, ok, next[p])
			}
		}
	})
}

// randomValue is text, noise or blanks, or a bit of each.
func randomValue(rng *rand.Rand, n int) []byte {
	value := make([]byte, 0, n)
	for len(value) < n {
		switch rng.IntN(3) {
		case 0:
			value = fmt.Appendf(value, `{"id":%d,"name":"customer"}`, rng.IntN(1000))
		case 1:
			for range rng.IntN(1000) {
				value = append(value, byte(rng.Uint32()))
			}
		default:
			value = append(value, strings.Repeat(" ", rng.IntN(1000))...)
		}
	}
	return value[:n]
}

func checkGzipped(t *testing.T, b *Batch, l Limits, a Aggregation) (all []byte) {
	t.Helper()
	return checkRecords(t, b, l, a, func(i int) (values int, text []byte) {
		n := b.RecordValues(i)
		if n == 0 {
			t.Fatal("a record without a value")
		}
		text = unzip(t, b.Record(i))
		if size := len(b.Record(i)); n == 1 && size > a.Bytes && size != GzipSize(text) {
			t.Fatalf("a record of one value has %d bytes, GzipSize admitted it with %d under a limit of %d", size, GzipSize(text), a.Bytes)
		}
		return n, text
	})
}

// TestGzipFills: records come close to their limit, however well they compress.
func TestGzipFills(t *testing.T) {
	const most = 100_000
	rng := rand.New(rand.NewPCG(1, 1))
	for name, value := range map[string]func(i int) []byte{
		"text": func(i int) []byte {
			return fmt.Appendf(nil, `{"id":%d,"customer":"c-%d","total":%d.%02d,"note":"as usual"}`+"\n", i, rng.IntN(1e6), rng.IntN(1e4), rng.IntN(100))
		},
		"noise": func(int) []byte {
			b := make([]byte, 500)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		},
	} {
		b := NewBuilder(Limits{Records: 3, Bytes: 1 << 20}, Aggregation{Values: 1 << 20, Bytes: most, Gzip: true})
		lease := offset.NewLease("t", 0)
		var full *Batch
		for i := 0; full == nil; i++ {
			full = b.AddRecord(epoch, lease, offset.MarkAfter(int64(i), 0), epoch, append(b.AppendBuffer(), value(i)...))
		}
		for i := range full.Len() {
			if n := len(full.Record(i)); n > most || n < most*9/10 {
				t.Errorf("%s: record %d of %d has %d bytes, want 90 %% of %d or more", name, i, full.Len(), n, most)
			}
		}
		t.Logf("%s: %d values in %d bytes", name, full.SubRecords(), full.Bytes())
	}
}

// TestGzipSize is exact, and never above the bound: at sizes around those of the
// pieces that noise is stored in.
func TestGzipSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	noise := make([]byte, 3<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	sizes := []int{0, 1, 2, 100, 16383, 16384, 16385, 65534, 65535, 65536, 131070, 1_024_000, 3 << 20}
	for range 50 {
		sizes = append(sizes, rng.IntN(200_000))
	}
	for _, n := range sizes {
		for name, value := range map[string][]byte{"noise": noise[:n], "zeros": make([]byte, n), "mixed": randomValue(rng, n)} {
			b := NewBuilder(Limits{Records: 9, Bytes: 9 << 20}, Aggregation{Values: 9, Bytes: 9 << 20, Gzip: true})
			b.AddRecord(epoch, offset.NewLease("t", 0), offset.MarkAfter(0, 0), epoch, append(b.AppendBuffer(), value...))
			sealed := b.SealBatch()
			if got := GzipSize(value); got != sealed.Bytes() || got > GzipBound(n) {
				t.Fatalf("%s: %d bytes take %d, GzipSize says %d, the bound is %d", name, n, sealed.Bytes(), got, GzipBound(n))
			}
		}
	}
}

// TestGzipAtTheLimit: the compressed size of some values is the limit, or a few bytes
// less, and they have neighbours of any size. No record is over the limit, and no value
// is left out.
func TestGzipAtTheLimit(t *testing.T) {
	for seed := range uint64(80) {
		rng := rand.New(rand.NewPCG(seed, 7))
		pack := Aggregation{Values: 1 << 20, Bytes: 500 + rng.IntN(90_000), Gzip: true}
		limits := Limits{Records: 500, Bytes: 4 * pack.Bytes}
		b := NewBuilder(limits, pack)
		lease := offset.NewLease("t", 0)
		var want, got []byte
		take := func(full *Batch) {
			if full == nil {
				return
			}
			for i := range full.Len() {
				if n := len(full.Record(i)); n > pack.Bytes {
					t.Fatalf("seed %d: a record has %d bytes, the limit is %d", seed, n, pack.Bytes)
				}
			}
			got = append(got, checkGzipped(t, full, limits, pack)...)
		}
		for i := range 12 {
			value := randomValue(rng, rng.IntN(pack.Bytes/4))
			if rng.IntN(3) == 0 {
				value = valueOfSize(rng, pack.Bytes-rng.IntN(12))
			}
			want = append(want, value...)
			take(b.AddRecord(epoch, lease, offset.MarkAfter(int64(i), 0), epoch, append(b.AppendBuffer(), value...)))
		}
		take(b.SealBatch())
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes were put in, %d come out, or others", seed, len(want), len(got))
		}
	}
}

// valueOfSize returns a value that takes size bytes when it is compressed alone, or a few
// bytes less: text that compresses well, and as much noise as fits behind it.
func valueOfSize(rng *rand.Rand, size int) []byte {
	noise := make([]byte, size)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	text := bytes.Repeat([]byte("x"), rng.IntN(2*size))
	low, high := 0, size // GzipSize with low bytes of noise is not above size
	for low+1 < high {
		if middle := (low + high) / 2; GzipSize(append(slices.Clip(text), noise[:middle]...)) <= size {
			low = middle
		} else {
			high = middle
		}
	}
	return append(text, noise[:low]...)
}

// TestGzipHeld: a value far above the usual does not stay in memory.
func TestGzipHeld(t *testing.T) {
	b := NewBuilder(Limits{Records: 9, Bytes: 1 << 20}, Aggregation{Values: 9, Bytes: 1 << 20, Gzip: true})
	lease := offset.NewLease("t", 0)
	b.AddRecord(epoch, lease, offset.MarkAfter(0, 0), epoch, append(b.AppendBuffer(), make([]byte, 9<<20)...))
	b.AddRecord(epoch, lease, offset.MarkAfter(1, 0), epoch, append(b.AppendBuffer(), 'x'))
	if held := b.HeldBytes(); held > 1<<20 {
		t.Errorf("%d bytes are held after a value of 9 MiB of zeros", held)
	}
	b.AddRecord(epoch, lease, offset.MarkAfter(2, 0), epoch, append(b.AppendBuffer(), randomValue(rand.New(rand.NewPCG(1, 1)), 100_000)...))
	if held := b.HeldBytes(); held < 100_000 {
		t.Errorf("%d bytes are held with a value of 100,000", held)
	}
}

// BenchmarkGzip is one record of 200 bytes of JSON:
//
//	go test ./connector/batch -run '^$' -bench Gzip -benchmem
func BenchmarkGzip(b *testing.B) {
	builder := NewBuilder(Limits{Records: 500, Bytes: 4_000_000}, Aggregation{Values: 500, Bytes: 1_024_000, Gzip: true})
	lease := offset.NewLease("t", 0)
	rng := rand.New(rand.NewPCG(1, 1))
	var values [][]byte
	for range 1000 {
		values = append(values, fmt.Appendf(nil, `{"order":"%08x","customer":{"id":%d,"name":"Mustermann"},"lines":[{"sku":"a-%d","n":1},{"sku":"b-%d","n":2}],"created":"2026-01-31T08:%02d:%02d.000Z","total":%d.50}`+"\n",
			rng.Uint32(), rng.IntN(1e6), rng.IntN(1e4), rng.IntN(1e4), rng.IntN(60), rng.IntN(60), rng.IntN(1e3)))
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(values[0])))
	var n, in, out int64
	ratio := 0.0
	for b.Loop() {
		value := values[n%1000]
		n, in = n+1, in+int64(len(value))
		if full := builder.AddRecord(epoch, lease, offset.MarkAfter(n, 0), epoch, append(builder.AppendBuffer(), value...)); full != nil {
			out += int64(full.Bytes())
			ratio = float64(in) / float64(out)
			full.RetainRecords(func(int) bool { return false })
		}
	}
	b.ReportMetric(ratio, "ratio")
}
