package broker

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// Schema is what values in the format avro are written with, as schema 1 of the registry.
const Schema = `{"type":"record","name":"Event","namespace":"bench","fields":[
{"name":"id","type":"string"},{"name":"time","type":{"type":"long","logicalType":"timestamp-millis"}},
{"name":"user","type":"long"},{"name":"action","type":"string"},{"name":"amount","type":"double"},
{"name":"tags","type":{"type":"array","items":"string"}},{"name":"text","type":"string"}]}`

// values makes events as they are found in topics: some of each one is new, most of it
// has been seen before. With zstd they shrink to about a quarter or a third.
type values struct {
	rand *rand.Rand
	size int // of each, in bytes
	buf  []byte
	time int64
}

func newValues(seed uint64, size int) *values {
	return &values{rand: rand.New(rand.NewPCG(seed, uint64(size))), size: size, time: 1_767_225_600_000}
}

var (
	actions = []string{"view", "search", "add_to_cart", "remove_from_cart", "checkout", "refund"}
	tags    = []string{"mobile", "desktop", "eu-west", "us-east", "trial", "returning", "campaign-17", "beta"}
	words   = []string{
		"order", "customer", "payment", "shipped", "warehouse", "delayed", "confirmed", "from", "with", "the", "and", "of", "address",
		"street", "express", "standard", "return", "label", "printed", "received", "item", "quantity", "price", "discount", "total",
		"currency", "invoice", "number", "pending", "review", "support", "ticket", "opened", "closed", "agent", "reply", "email",
	}
)

// event is one value before it is written in a format.
type event struct {
	id     uint64
	time   int64
	user   int64
	action string
	amount float64
	tags   [2]string
}

func (v *values) event() event {
	v.time += v.rand.Int64N(50)
	return event{
		id: v.rand.Uint64(), time: v.time, user: v.rand.Int64N(1_000_000), action: pick(v.rand, actions),
		amount: float64(v.rand.IntN(100_000)) / 100, tags: [2]string{pick(v.rand, tags), pick(v.rand, tags)},
	}
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// json is the next value as JSON, valid until the next call.
func (v *values) json() []byte {
	v.buf = v.row(v.buf[:0], v.event(), v.size)
	return v.buf
}

// row appends an event as JSON, up to a size of everything.
func (v *values) row(b []byte, e event, size int) []byte {
	begin := len(b)
	b = fmt.Appendf(b, `{"id":"%016x","time":%d,"user":%d,"action":"%s",`, e.id, e.time, e.user, e.action)
	if size-begin >= 180 {
		b = fmt.Appendf(b, `"amount":%.2f,"tags":["%s","%s"],`, e.amount, e.tags[0], e.tags[1])
	}
	b = append(b, `"text":"`...)
	return append(v.fill(b, size-len(`"}`)), `"}`...)
}

// debezium is the next value as the row of a change event, valid until the next call.
func (v *values) debezium() []byte {
	e := v.event()
	end := fmt.Sprintf(`,"source":{"version":"3.1.0.Final","connector":"postgresql","name":"shop","ts_ms":%d,"snapshot":"false","db":"shop","schema":"public","table":"events","txId":%d,"lsn":%d,"xmin":null},"op":"c","ts_ms":%d}`,
		e.time, e.user, e.time>>8, e.time+40)
	v.buf = append(v.buf[:0], `{"before":null,"after":`...)
	v.buf = append(v.row(v.buf, e, v.size-len(end)), end...)
	return v.buf
}

// avro is the next value as the registry's schema 1 has it, in the wire format of
// Confluent, valid until the next call.
func (v *values) avro() []byte {
	return v.appendAvro(append(v.buf[:0], 0, 0, 0, 0, 1))
}

// glueVersion is the schema's version in AWS Glue.
const glueVersion = "ab000000-0000-0000-0000-000000000001"

// glue is avro in the framing of AWS Glue, not compressed.
func (v *values) glue() []byte {
	return v.appendAvro(append(v.buf[:0], 3, 0, 0xab, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
}

// appendAvro appends the next value to its framing.
func (v *values) appendAvro(b []byte) []byte {
	e := v.event()
	text := func(b []byte, s string) []byte { return append(binary.AppendVarint(b, int64(len(s))), s...) }
	b = text(b, strconv.FormatUint(e.id, 16))
	b = binary.AppendVarint(binary.AppendVarint(b, e.time), e.user)
	b = text(b, e.action)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(e.amount))
	b = binary.AppendVarint(b, int64(len(e.tags)))
	for _, tag := range e.tags {
		b = text(b, tag)
	}
	b = append(b, 0)
	left := v.size - len(b)
	left -= len(binary.AppendVarint(nil, int64(left)))
	b = binary.AppendVarint(b, int64(left))
	b = v.fill(b, len(b)+left)
	v.buf = b
	return b
}

// fill appends words until b has so many bytes. A number stands between them now and then.
func (v *values) fill(b []byte, size int) []byte {
	for len(b) < size {
		if v.rand.IntN(8) == 0 {
			b = strconv.AppendUint(b, v.rand.Uint64N(1_000_000), 10)
		} else {
			b = append(b, pick(v.rand, words)...)
		}
		b = append(b, ' ')
	}
	return b[:size]
}
