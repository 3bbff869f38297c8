package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/longtest"
)

// TestMemoryOfHostileBatches: batches that stand for far more memory than there is lie in
// eight partitions, of one broker. The process stays within three times MAX_BUFFERED_BYTES,
// is alive all the time, and delivers what comes in at the other partitions. The batches
// with room for one of them at a time are passed.
func TestMemoryOfHostileBatches(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	const setting, limit = 64 << 20, 192 << 20
	h := newHost(t)
	h.binary()
	large := "104857600"
	made, err := h.admin.CreateTopic(t.Context(), 8, -1, map[string]*string{"max.message.bytes": &large}, "hostile")
	if err != nil {
		t.Fatal(err)
	}
	h.judge.name(made.ID, "hostile")
	zeros := func(int) []byte { return make([]byte, 1_000_000) }
	for partition, kind := range []struct {
		rawBatch
		times int
	}{
		{rawBatch{records: 1_500_000, codec: kgo.CodecZstd, pack: zstdPack(128 << 20)}, 2},
		{rawBatch{records: 150_000, codec: kgo.CodecZstd, pack: zstdPack(1 << 20)}, 4},
		{rawBatch{records: 150_000, codec: kgo.CodecGzip, pack: gzipPack}, 4},
		{rawBatch{records: 100_000}, 4},
		{rawBatch{records: 400_000}, 1},
		{rawBatch{records: 100, value: zeros, codec: kgo.CodecZstd, pack: zstdPack(1 << 20)}, 1},
		{rawBatch{records: 1, headers: 5_000_000, codec: kgo.CodecGzip, pack: gzipPack}, 1},
		{rawBatch{records: 40, value: noise}, 1},
	} {
		batch := kind.bytes()
		for range kind.times {
			writeBatch(t, h.producer, "hostile", int32(partition), batch)
		}
	}
	const passed = 2*4*150_000 + 4*100_000
	c := h.start("KAFKA_SESSION_TIMEOUT=15s", "KAFKA_TOPICS=in,hostile", fmt.Sprintf("MAX_BUFFERED_BYTES=%d", setting))
	const each, ticks = 200, 100
	begin := time.Now()
	for range ticks {
		h.produce(each)
		if status, body := c.probe(t, "/livez"); status != http.StatusOK {
			t.Errorf("/livez says %d: %s", status, body)
		}
		<-time.After(50 * time.Millisecond)
	}
	sent := h.sent()
	if want := ticks * each * 9 / 10; sent < want {
		t.Errorf("%d of %d records were delivered within %v, want %d", sent, ticks*each, time.Since(begin), want)
	}
	h.until(c, "all partitions that can be read are", func() bool { return h.judge.progress() == int64(h.produced+passed) })
	for _, partition := range []int{0, 4, 5, 6, 7} {
		h.until(c, fmt.Sprintf("the log says why partition %d stands still", partition), func() bool {
			return len(c.lines(`"error":"batch `, fmt.Sprintf(`"topic":"hostile","partition":%d,`, partition))) > 0
		})
	}
	c.wantMemory(t, limit)
	h.drain(c)
	h.wantAll(0)
}
