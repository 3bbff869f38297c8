package e2e_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pieces is a connection that reads what it is given, in pieces of random size,
// and swallows what is written.
type pieces struct {
	net.Conn
	rest []byte
	rng  *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.rest[:min(1+p.rng.IntN(40), len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error) { return len(b), nil }

// answer is a response as brokers send it.
func answer(id int32, r kmsg.Response) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(id))
	if r.IsFlexible() && r.Key() != kmsg.ApiVersions.Int16() {
		body = append(body, 0)
	}
	body = r.AppendTo(body)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// TestTap: commits among other requests, in versions with and without tags, whose
// bytes come in pieces and whose answers do not come in order.
func TestTap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, seed))
		var heard []string
		conn := &pieces{rng: rng}
		tapped := newTap(conn, func(r kmsg.Request) func(kmsg.Response) {
			commit := r.(*kmsg.OffsetCommitRequest)
			heard = append(heard, fmt.Sprintf("asked %d", commit.Topics[0].Partitions[0].Offset))
			return func(r kmsg.Response) {
				heard = append(heard, fmt.Sprintf("answered %d", r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode))
			}
		}, kmsg.OffsetCommit)
		var out []byte
		var in [][]byte
		var want, answers []string
		for id := range int32(30) {
			if rng.IntN(2) == 0 {
				r := kmsg.NewPtrFetchRequest()
				r.Version = int16(4 + rng.IntN(10))
				out = append(out, kmsg.NewRequestFormatter().AppendRequest(nil, r, id)...)
				a := r.ResponseKind().(*kmsg.FetchResponse)
				a.Topics = make([]kmsg.FetchResponseTopic, rng.IntN(3))
				in = append(in, answer(id, a))
				continue
			}
			r, a := commitOf(id, int16(2+rng.IntN(9)))
			out = append(out, kmsg.NewRequestFormatter(kmsg.FormatterClientID("me")).AppendRequest(nil, r, id)...)
			want = append(want, fmt.Sprintf("asked %d", id))
			in = append(in, answer(id, a))
			answers = append(answers, fmt.Sprintf("answered %d", id))
		}
		for _, p := range cut(rng, out) {
			if n, err := tapped.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		rng.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
		conn.rest = slices.Concat(in...)
		for buf := make([]byte, 64); len(conn.rest) > 0; {
			if _, err := tapped.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(answers)
		slices.Sort(heard[len(want):])
		if diff := cmp.Diff(append(want, answers...), heard); diff != "" {
			t.Fatalf("seed %d: (-want +got)\n%s", seed, diff)
		}
	}
}

// commitOf is a commit of the given offset, and an answer with that for a code.
func commitOf(offset int32, version int16) (kmsg.Request, kmsg.Response) {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.MemberID = version, "g", "m"
	part := kmsg.NewOffsetCommitRequestTopicPartition()
	part.Offset = int64(offset)
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = "t", append(topic.Partitions, part)
	r.Topics = append(r.Topics, topic)
	a := r.ResponseKind().(*kmsg.OffsetCommitResponse)
	code := kmsg.NewOffsetCommitResponseTopicPartition()
	code.ErrorCode = int16(offset)
	at := kmsg.NewOffsetCommitResponseTopic()
	at.Topic, at.Partitions = "t", append(at.Partitions, code)
	a.Topics = append(a.Topics, at)
	return r, a
}

// cut takes bytes apart at random.
func cut(rng *rand.Rand, b []byte) (parts [][]byte) {
	for len(b) > 0 {
		n := min(1+rng.IntN(100), len(b))
		parts = append(parts, b[:n])
		b = b[n:]
	}
	return parts
}
