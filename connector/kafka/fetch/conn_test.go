package fetch

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// peer is the other end of a watchedConn.
type peer struct {
	t *testing.T
	net.Conn
	conn *watchedConn
}

func newPeer(t *testing.T, b *Budget) *peer {
	t.Helper()
	near, far := net.Pipe()
	conn, err := b.wrapDialer(func(context.Context, string, string) (net.Conn, error) { return near, nil })(t.Context(), "tcp", "broker:9092")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = far.Close() })
	return &peer{t, far, conn.(*watchedConn)}
}

// frame puts the size in front of a message.
func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// ask has the client send requests, in pieces of at most so many bytes.
func (p *peer) ask(piece int, requests ...kmsg.Request) {
	p.t.Helper()
	var all []byte
	for i, r := range requests {
		all = append(all, kmsg.NewRequestFormatter(kmsg.FormatterClientID("me")).AppendRequest(nil, r, int32(i))...)
	}
	go func() { _, _ = io.CopyN(io.Discard, p, int64(len(all))) }()
	for _, part := range slices.Collect(slices.Chunk(all, piece)) {
		if _, err := p.conn.Write(part); err != nil {
			p.t.Fatal(err)
		}
	}
}

// fetched is a response of version 4 that has a partition for each set of batches.
func fetched(correlation int, sets ...[]byte) []byte {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 4
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic = "t"
	for i, set := range sets {
		part := kmsg.NewFetchResponseTopicPartition()
		part.Partition, part.RecordBatches = int32(i), slices.Clone(set)
		topic.Partitions = append(topic.Partitions, part)
	}
	resp.Topics = append(resp.Topics, topic)
	return frame(resp.AppendTo(binary.BigEndian.AppendUint32(nil, uint32(correlation))))
}

func fetchRequest() kmsg.Request {
	r := kmsg.NewPtrFetchRequest()
	r.Version = 4
	return r
}

// read takes a frame as the client does, with a buffer of so many bytes.
func (p *peer) read(buffer int) []byte {
	p.t.Helper()
	size := make([]byte, 4)
	if _, err := io.ReadFull(p.conn, size); err != nil {
		p.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size))
	for rest := body; len(rest) > 0; {
		n, err := p.conn.Read(rest[:min(len(rest), buffer)])
		if err != nil {
			p.t.Fatal(err)
		}
		rest = rest[n:]
	}
	return slices.Concat(size, body)
}

// TestFetchConn: what is not a fetch passes as it is, and so do fetches that are in order,
// in whatever pieces requests are written and responses read.
func TestFetchConn(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		b := NewBudget(testBytes(64 << 20))
		p := newPeer(t, b)
		p.ask(1+rng.IntN(40), kmsg.NewPtrMetadataRequest(), fetchRequest(), kmsg.NewPtrHeartbeatRequest(), fetchRequest())
		var stream [][]byte
		noise := make([]byte, rng.IntN(10_000))
		stream = append(stream, frame(append([]byte{0, 0, 0, 0}, noise...)), fetched(1, batchOf{records: rng.IntN(3000)}.bytes(0), nil),
			frame([]byte{0, 0, 0, 2}), fetched(3, batchOf{records: 2, codec: kgo.CodecZstd}.bytes(0)), frame([]byte{7}), frame(nil))
		go func() { _, _ = p.Write(bytes.Join(stream, nil)) }()
		for i, want := range stream {
			if got := p.read(1 + rng.IntN(5000)); !bytes.Equal(got, want) {
				t.Fatalf("frame %d: %d bytes %x..., want %d %x...", i, len(got), got[:min(len(got), 60)], len(want), want[:min(len(want), 60)])
			}
		}
		if b.used == 0 || len(p.conn.versions) != 0 {
			t.Errorf("the budget counts %d bytes, %d requests are without an answer", b.used, len(p.conn.versions))
		}
	}
}

// TestFetchConnShortens: a response for which there is no room is read to its end and
// handed over without the batch that makes it large. The partition gets the reason.
func TestFetchConnShortens(t *testing.T) {
	t.Parallel()
	for _, buffer := range []int{1, 4096, 1 << 30} {
		b := NewBudget(testBytes(32 << 20))
		p := newPeer(t, b)
		p.ask(1000, fetchRequest(), kmsg.NewPtrMetadataRequest())
		small, large := batchOf{records: 2}.bytes(5), batchOf{records: 1, value: make([]byte, 17*mebi)}.bytes(9)
		stream := [][]byte{fetched(0, small, large, small), frame([]byte{0, 0, 0, 1, 9})}
		go func() { _, _ = p.Write(bytes.Join(stream, nil)) }()
		got := p.read(buffer)
		resp := kmsg.NewPtrFetchResponse()
		resp.Version = 4
		if err := resp.ReadFrom(got[8:]); err != nil || len(got) > 1000 {
			t.Fatalf("%d bytes: %v", len(got), err)
		}
		parts := resp.Topics[0].Partitions
		for i, want := range []struct {
			set  []byte
			code int16
		}{{small, 0}, {nil, errBatchRefused.Code}, {small, 0}} {
			if !bytes.Equal(parts[i].RecordBatches, want.set) || parts[i].ErrorCode != want.code {
				t.Errorf("partition %d: code %d and %d bytes", i, parts[i].ErrorCode, len(parts[i].RecordBatches))
			}
		}
		fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "t", Partitions: []kgo.FetchPartition{{Partition: 1, Err: errBatchRefused}}}}}}
		b.ExplainFetches(fetches)
		if got, want := fmt.Sprint(fetches.Errors()[0].Err), "batch at offset 9 has 18MiB: MAX_BUFFERED_BYTES=32MiB allows a batch of 16MiB; set MAX_BUFFERED_BYTES to 35MiB"; !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if got := p.read(buffer); !bytes.Equal(got, stream[1]) {
			t.Errorf("the next response is %x", got)
		}
	}
}

// TestOtherResponsesAreBounded: a response that is not to a fetch is none of 100 MiB,
// whatever the first bytes say. They may be TLS or HTTP, which has to be told.
func TestOtherResponsesAreBounded(t *testing.T) {
	t.Parallel()
	for head, says := range map[string]string{
		"\x06\x40\x00\x00":             "",
		"\x06\x40\x00\x01":             "a response of 104857601 bytes, want at most 104857600",
		"\x15\x03\x03\x00\x02\x02\x28": "the beginning of a tls alert record",
		"HTTP/1.1 400":                 "",
	} {
		b := NewBudget(testBytes(1 << 30))
		p := newPeer(t, b)
		go func() { _, _ = p.Write([]byte(head)) }()
		n, err := p.conn.Read(make([]byte, 4096))
		if says == "" && (err != nil || n != 4) || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %d bytes and %v", head, n, err)
		}
	}
}

// TestRequestHeader finds the fetches among requests and tokens of logins, in any pieces.
func TestRequestHeader(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		var stream []byte
		var want []int32
		for i := range int32(20) {
			body := make([]byte, rng.IntN(40))
			key := int16(rng.IntN(3))
			if len(body) >= 8 {
				binary.BigEndian.PutUint16(body, uint16(key))
				binary.BigEndian.PutUint32(body[4:], uint32(i))
				if key == 1 {
					want = append(want, i)
				}
			}
			stream = append(stream, frame(body)...)
		}
		var h requestHeader
		var got []int32
		for len(stream) > 0 {
			n := min(1+rng.IntN(30), len(stream))
			h.readRequests(stream[:n], func(key, _ int16, correlation int32) {
				if key == 1 {
					got = append(got, correlation)
				}
			})
			stream = stream[n:]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("found %d, want %d", got, want)
		}
	}
}

// TestSlowResponse: a large response that takes minutes is read, and one that stops arriving
// is not waited for. Who gives up on it is obeyed at once.
func TestSlowResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		whole := fetched(0, batchOf{records: 10, value: make([]byte, mebi)}.bytes(0))
		for name, test := range map[string]struct {
			size   int           // that arrives
			giveUp time.Duration // 0 for never
			took   time.Duration
		}{
			"steady": {len(whole), 0, 100 * time.Second},
			"stops":  {len(whole) / 2, 0, 50*time.Second + steadyTime},
			"unused": {len(whole), 33 * time.Second, 33 * time.Second},
		} {
			p := newPeer(t, NewBudget(testBytes(64<<20)))
			p.ask(1000, fetchRequest())
			begin := time.Now()
			var writer sync.WaitGroup
			writer.Go(func() {
				for part := range slices.Chunk(whole[:test.size], len(whole)/1000) {
					if _, err := p.Write(part); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
			_ = p.conn.SetReadDeadline(begin.Add(steadyTime))
			if test.giveUp > 0 {
				time.AfterFunc(test.giveUp, func() { _ = p.conn.SetReadDeadline(time.Now()) })
			}
			n, err := io.ReadFull(p.conn, make([]byte, len(whole)))
			if took := time.Since(begin); (took-test.took).Abs() > 10*time.Second || err == nil != (name == "steady") {
				t.Errorf("%s: read %d bytes and %v after %v, want it after about %v", name, n, err, took, test.took)
			}
			_ = p.conn.Close()
			writer.Wait()
		}
	})
}
