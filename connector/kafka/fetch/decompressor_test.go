package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// codecZstdSized is zstd whose frame says how much it holds.
const codecZstdSized = kgo.CodecZstd | 16

// packBytes compresses as producers do.
func packBytes(codec kgo.CompressionCodecType, raw []byte) []byte {
	var out bytes.Buffer
	switch codec {
	case kgo.CodecGzip:
		w := gzip.NewWriter(&out)
		_, _ = w.Write(raw)
		_ = w.Close()
	case kgo.CodecSnappy:
		return s2.EncodeSnappy(nil, raw)
	case kgo.CodecLz4:
		w := lz4.NewWriter(&out)
		_, _ = w.Write(raw)
		_ = w.Close()
	case codecZstdSized:
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		return w.EncodeAll(raw, nil)
	case kgo.CodecZstd:
		w, _ := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10))
		_, _ = w.Write(raw) // in a stream: the frame does not say how much it holds
		_ = w.Close()
	default:
		return raw
	}
	return out.Bytes()
}

// xerialBytes compresses with snappy as Java does.
func xerialBytes(raw []byte) []byte {
	out := append(append([]byte{}, xerial...), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(raw) > 0 {
		n := min(len(raw), 32<<10)
		block := s2.EncodeSnappy(nil, raw[:n])
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
		raw = raw[n:]
	}
	return out
}

// recordsOf returns the records of a batch of about so many bytes.
func recordsOf(bytes int) []byte {
	b := batchOf{records: 1, value: []byte(strings.Repeat("noise and silence ", bytes/18+1)[:bytes])}.bytes(0)
	return b[batchHeader:]
}

// TestDecompress: every codec at the edges of the decoder's memory, against the client's own.
func TestDecompress(t *testing.T) {
	t.Parallel()
	theirs := kgo.DefaultDecompressor()
	for name, codec := range map[string]kgo.CompressionCodecType{"gzip": kgo.CodecGzip, "snappy": kgo.CodecSnappy, "xerial": kgo.CodecSnappy, "lz4": kgo.CodecLz4, "zstd": kgo.CodecZstd, "zstd with its size": codecZstdSized} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := NewBudget(testBytes(32 << 20))
			b.max = 6 << 20
			d := NewDecompressor(b, NewPool(testBytes(32<<20)))
			limit := int(b.max)
			whole := func(n int) int { return len(recordsOf(n)) - n } // what is around a value of that size
			for _, n := range []int{1, 100, 10_000, maxScratch - whole(maxScratch) - 1, maxScratch - whole(maxScratch), maxScratch - whole(maxScratch) + 1, 3 * maxScratch, 5 * maxScratch, limit - 2000, limit + 1, 2 * limit} {
				raw := recordsOf(n)
				src := packBytes(codec, raw)
				if name == "xerial" {
					src = xerialBytes(raw)
				}
				codec := codec &^ 16
				out, err := d.Decompress(src, codec)
				if n > limit {
					var large *BatchError
					if want := "more than 6MiB when it is decompressed"; !errors.As(err, &large) || !large.TooLarge || !strings.Contains(err.Error(), want) {
						t.Errorf("%d bytes: %v, want %s", n, err, want)
					}
					continue
				}
				want, other := theirs.Decompress(src, codec)
				if err != nil || other != nil || !bytes.Equal(out, want) || !bytes.Equal(out, raw) {
					t.Errorf("%d bytes: %d and %v, want %d and %v", n, len(out), err, len(want), other)
				}
				if cap(out) > len(out)+len(out)/4+1024 {
					t.Errorf("%d bytes of memory for %d", cap(out), len(out))
				}
				// The next batch gets it with something else in it.
				copy(out, bytes.Repeat([]byte("recycled"), len(out)/8+1))
				d.pool.PutDecompressBytes(out)
			}
		})
	}
}

// TestDecompressDamaged: bytes that were changed or cut off are an error or other records,
// and leave nothing behind that the next batch would see.
func TestDecompressDamaged(t *testing.T) {
	t.Parallel()
	d := NewDecompressor(NewBudget(testBytes(32<<20)), Pool{})
	rng := rand.New(rand.NewPCG(3, 3))
	raw := recordsOf(5000)
	for codec := kgo.CodecGzip; codec <= kgo.CodecZstd; codec++ {
		whole := packBytes(codec, raw)
		for i := range 200 {
			src := bytes.Clone(whole)
			if codec == kgo.CodecSnappy && i%2 == 0 {
				src = xerialBytes(raw)
			}
			src[rng.IntN(len(src))] ^= byte(1 << rng.IntN(8))
			src = src[:len(src)-rng.IntN(2)*rng.IntN(len(src))]
			_, _ = d.Decompress(src, codec)
			if out, err := d.Decompress(whole, codec); err != nil || !bytes.Equal(out, raw) {
				t.Fatalf("after a damaged one: %v", err)
			}
		}
	}
	if _, err := d.Decompress(raw, 7); err == nil || !strings.Contains(err.Error(), "unknown compression 7") {
		t.Error(err)
	}
	if out, err := d.Decompress(raw, kgo.CodecNone); err != nil || &out[0] != &raw[0] {
		t.Error("bytes that are not compressed are not returned as they are")
	}
}

// allocated returns the bytes that f allocates. Nothing may run beside it.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestZstdWindow: a frame names a window of up to 2 GiB around 100 bytes, as those of
// levels 19 to 22 do, and is read with the least memory that can be configured.
func TestZstdWindow(t *testing.T) {
	d := NewDecompressor(NewBudget(testBytes(26<<20)), Pool{})
	raw := recordsOf(100)
	for exponent := 23; exponent <= 31; exponent++ {
		src := windowed(raw, exponent)
		var h zstd.Header
		if err := h.Decode(src); err != nil || h.WindowSize != 1<<exponent || h.HasFCS {
			t.Fatalf("the frame has a window of %d: %v", h.WindowSize, err)
		}
		var out []byte
		var err error
		took := allocated(func() { out, err = d.Decompress(src, kgo.CodecZstd) })
		if err != nil || !bytes.Equal(out, raw) || took > 4*mebi {
			t.Errorf("a window of %d MiB: %v, and it took %d KiB", 1<<(exponent-20), err, took>>10)
		}
	}
}

// windowed is a frame of one block that is not compressed, with a window of 1<<exponent
// bytes: https://datatracker.ietf.org/doc/html/rfc8878#name-frame-header
func windowed(raw []byte, exponent int) []byte {
	src := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, byte((exponent - 10) << 3)}
	head := len(raw)<<3 | 1 // last, raw
	return append(append(src, byte(head), byte(head>>8), byte(head>>16)), raw...)
}

// TestWrongSize: a batch that says another size than it has is read as one that says none.
func TestWrongSize(t *testing.T) {
	t.Parallel()
	d := NewDecompressor(NewBudget(testBytes(32<<20)), NewPool(testBytes(32<<20)))
	raw := recordsOf(100_000)
	half := len(raw) / 2
	// Two frames: the first says its own size.
	frames := append(packBytes(codecZstdSized, raw[:half]), packBytes(codecZstdSized, raw[half:])...)
	if out, err := d.Decompress(frames, kgo.CodecZstd); err != nil || !bytes.Equal(out, raw) {
		t.Errorf("two frames: %d bytes and %v, want %d", len(out), err, len(raw))
	}
	// The size is behind the window: https://datatracker.ietf.org/doc/html/rfc8878#name-frame-header
	small := recordsOf(1000)
	for _, size := range []int{1, len(small) - 1, len(small), len(small) + 1, maxScratch, 1 << 31} {
		src := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x58}
		src = binary.LittleEndian.AppendUint32(src, uint32(size))
		block := len(small)<<3 | 1 // last, raw
		src = append(append(src, byte(block), byte(block>>8), byte(block>>16)), small...)
		if out, err := d.Decompress(src, kgo.CodecZstd); (err == nil) != (size == len(small)) || err == nil && !bytes.Equal(out, small) {
			t.Errorf("%d bytes that say to be %d: %d bytes and %v", len(small), size, len(out), err)
		}
		if out, err := d.Decompress(packBytes(codecZstdSized, raw), kgo.CodecZstd); err != nil || !bytes.Equal(out, raw) {
			t.Errorf("the next batch: %v", err)
		}
	}
}

// TestDecompressAllocates: a batch costs the memory of its output, however it is compressed, and none if the one before
// was recycled.
func TestDecompressAllocates(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector has pools lose what they keep; the run without it has this")
	}
	b := NewBudget(testBytes(256 << 20))
	d := NewDecompressor(b, NewPool(testBytes(256<<20)))
	raw := recordsOf(100_000)
	for codec := kgo.CodecGzip; codec <= kgo.CodecZstd; codec++ {
		const n = 100
		src := packBytes(codec, raw)
		decompress := func(recycle bool) {
			for range n {
				out, err := d.Decompress(src, codec)
				if err != nil {
					t.Fatal(err)
				}
				if recycle {
					d.pool.PutDecompressBytes(out)
				}
			}
		}
		decompress(false)
		blocks := int64(0)
		if codec == kgo.CodecLz4 {
			blocks = int64(len(raw)) * 9 / 8 // that the library keeps no longer than the collector allows
		}
		if took := allocated(func() { decompress(false) }) / n; took > int64(len(raw)*9/8)+blocks {
			t.Errorf("compression %d: %d bytes for %d", codec, took, len(raw))
		}
		if took := allocated(func() { decompress(true) }) / n; took > int64(len(raw)/8)+blocks {
			t.Errorf("compression %d: %d bytes for %d that are there again", codec, took, len(raw))
		}
	}
}

// TestLargeOnesTakeTurns: batches that decode to much are decompressed one after the other
// beside small ones, and all of them are.
func TestLargeOnesTakeTurns(t *testing.T) {
	t.Parallel()
	b := NewBudget(testBytes(64 << 20))
	d := NewDecompressor(b, Pool{})
	small, large := recordsOf(1000), recordsOf(3*mebi)
	var wg sync.WaitGroup
	for i := range 6 {
		raw := small
		if i%2 == 0 {
			raw = large
		}
		src := packBytes(kgo.CodecZstd, raw)
		wg.Go(func() {
			broker := fmt.Sprint(i)
			for done := 0; done < 3; {
				r := b.beginResponse(broker, int64(len(src)))
				b.packBatch(r, src, 0, 1)
				out, err := d.Decompress(src, kgo.CodecZstd)
				switch {
				case err == nil && bytes.Equal(out, raw):
					done++
				case err == nil || !errors.Is(err, ErrNoRoom):
					t.Errorf("%d bytes and %v", len(out), err)
					return
				}
				b.countRequest(broker)
			}
		})
	}
	wg.Wait()
}
