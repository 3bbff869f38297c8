package fetch

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Parts of a batch of format 2, in bytes from its start, and of the messages of the
// formats before, which share the first three:
// https://kafka.apache.org/documentation/#recordbatch
const (
	batchMagic       = 16
	batchAttributes  = 21
	batchLastDelta   = 23
	batchRecordCount = 57
	batchHeader      = 61

	messageCRC        = 12
	messageAttributes = 17
)

// newestFormat is the newest format of batches that the client reads.
const newestFormat = 2

// maxMessageCodec is the largest number of a compression in the formats 0 and 1; zstd is newer.
const maxMessageCodec = 3

// checkBatch takes the memory of a batch that is not compressed, and remembers one that is.
//
// It refuses what the client would pass over without its records: the client goes on behind the first offset of a batch
// whose format it does not know, and drops a batch whose last offset is before the offset that it wants. No checksum
// covers the format.
func (b *Budget) checkBatch(r *response, batch []byte) *BatchError {
	offset := int64(binary.BigEndian.Uint64(batch))
	switch format := batch[batchMagic]; {
	case format > newestFormat:
		return malformedBatch(offset, "has the unknown format %d", format)
	case format < newestFormat:
		return b.checkMessage(r, batch, offset)
	case len(batch) < batchHeader:
		return nil // the client says so
	}
	records := int64(int32(binary.BigEndian.Uint32(batch[batchRecordCount:])))
	payload := batch[batchHeader:]
	if last := int64(int32(binary.BigEndian.Uint32(batch[batchLastDelta:]))); last < max(records-1, 0) {
		return malformedBatch(offset, "declares %d records up to offset %d", records, offset+last)
	}
	if records < 0 || records > 0 && len(payload) == 0 {
		return malformedBatch(offset, "declares %d records in %d bytes", records, len(payload))
	}
	if batch[batchAttributes+1]&7 != 0 {
		if memory := records * RecordBytes; memory > b.max {
			return b.tooLarge(offset, memory, "has %d records, which take %s of memory", records, formatMebibytes(memory))
		}
		b.packBatch(r, payload, offset, records)
		return nil
	}
	memory, err := b.measureBatch(payload, offset, records)
	if err != nil {
		return err
	}
	if !b.countBytes(r, memory) {
		return ErrNoRoom
	}
	return nil
}

// measureBatch returns the memory of the records of a batch beside their keys and values. The
// error is also for a wrong count: if it is too small, the client would skip records; if it
// is too large, the client would wait for them without end.
func (b *Budget) measureBatch(payload []byte, offset, records int64) (int64, *BatchError) {
	found, headers, ok := countRecords(payload)
	if !ok || records >= 0 && found != records {
		return 0, malformedBatch(offset, "declares %d records and has %d that can be read", records, found)
	}
	memory := found*RecordBytes + headers*HeaderBytes + BatchBytes
	if all := memory + int64(len(payload)); all > b.max {
		return 0, b.tooLarge(offset, all, "has %d records with %d headers, which take %s of memory", found, headers, formatMebibytes(all))
	}
	return memory, nil
}

// countRecords counts the records of a batch and their headers. It is false for bytes that
// are not records.
func countRecords(in []byte) (records, headers int64, ok bool) {
	for len(in) > 0 {
		length, at := readVarint(in, 0)
		if length < 0 || length > len(in)-at {
			return records, headers, false
		}
		n := countHeaders(in[at : at+length])
		if n < 0 {
			return records, headers, false
		}
		records++
		headers += int64(n)
		in = in[at+length:]
	}
	return records, headers, true
}

// countHeaders returns the number of headers of a record, -1 for bytes that are none.
func countHeaders(in []byte) int {
	at := skipVarlong(in, 1)   // attributes, timestamp
	_, at = readVarint(in, at) // offset
	at = skipBytes(in, at)     // key
	at = skipBytes(in, at)     // value
	count, at := readVarint(in, at)
	if count < 0 || at > len(in) || count > (len(in)-at)/2 { // a header has two lengths
		return -1
	}
	for range count {
		at = skipBytes(in, skipBytes(in, at))
	}
	if at > len(in) {
		return -1
	}
	return count
}

// noVarint is where bytes that are no number end: behind all that can be read.
const noVarint = math.MaxInt32

// readVarint returns the number at in[at:] and where it ends.
func readVarint(in []byte, at int) (value, end int) {
	if at < len(in) && in[at] < 0x80 {
		b := int(in[at])
		return b>>1 ^ -(b & 1), at + 1
	}
	return longVarint(in, at)
}

// longVarint is readVarint for numbers of any length. Those of two bytes are lengths of most
// records, keys and values.
func longVarint(in []byte, at int) (value, end int) {
	if at >= len(in) {
		return 0, noVarint
	}
	if at+1 < len(in) && in[at+1] < 0x80 {
		b := int(in[at]&0x7f) | int(in[at+1])<<7
		return b>>1 ^ -(b & 1), at + 2
	}
	v, n := kbin.Varint(in[at:])
	if n <= 0 {
		return 0, noVarint
	}
	return int(v), at + n
}

// skipVarlong returns where the number of up to 64 bits ends that is at in[at:].
func skipVarlong(in []byte, at int) int {
	if at < len(in) && in[at] < 0x80 {
		return at + 1
	}
	if at >= len(in) {
		return noVarint
	}
	_, n := kbin.Varlong(in[at:])
	if n <= 0 {
		return noVarint
	}
	return at + n
}

// skipBytes returns where bytes end that are at in[at:] behind their length, which is
// negative for null.
func skipBytes(in []byte, at int) int {
	length, at := readVarint(in, at)
	return at + max(length, 0)
}

// checkMessage is checkBatch for a message of the formats 0 and 1. A compressed one has a set
// of messages as its value.
func (b *Budget) checkMessage(r *response, message []byte, offset int64) *BatchError {
	value, ok := messageValue(message)
	if !ok {
		return nil // the client says so
	}
	switch codec := codecOf(message); {
	case codec > maxMessageCodec: // the client takes the first two bits of it for another one
		return malformedBatch(offset, "has the unknown compression %d", codec)
	case codec != 0:
		b.packBatch(r, value, offset, inMessageSet)
		return nil
	case !b.countBytes(r, messageBytes+RecordBytes):
		return ErrNoRoom
	}
	return nil
}

// codecOf returns the compression of a message of format 0 or 1.
func codecOf(message []byte) byte { return message[messageAttributes] & 7 }

// messageValue returns the value of a message of format 0 or 1.
func messageValue(message []byte) (value []byte, ok bool) {
	at := messageAttributes + 1
	if len(message) > batchMagic && message[batchMagic] == 1 {
		at += 8 // timestamp
	}
	for range 2 { // key, value
		if len(message) < at+4 {
			return nil, false
		}
		n := int(int32(binary.BigEndian.Uint32(message[at:])))
		at += 4
		if n > len(message)-at {
			return nil, false
		}
		value = message[at : at+max(n, 0)]
		at += max(n, 0)
	}
	return value, true
}

// measureSet is measureBatch for a set of messages. Messages in it are not compressed once more. The client counts the offsets
// of the others from the last message that it can read, so a damaged one refuses all of them.
func (b *Budget) measureSet(set []byte, offset int64) (int64, *BatchError) {
	messages := int64(0)
	for rest := set; len(rest) > messageAttributes; messages++ {
		length := 12 + int(int32(binary.BigEndian.Uint32(rest[8:])))
		if length <= messageAttributes || length > len(rest) {
			break // the client reads no further
		}
		switch message := rest[:length]; {
		case message[batchMagic] >= newestFormat:
			return 0, malformedBatch(offset, "has a message of the unknown format %d inside of a compressed message", message[batchMagic])
		case codecOf(message) != 0:
			return 0, malformedBatch(offset, "has compressed messages inside of a compressed message")
		case crc32.ChecksumIEEE(message[batchMagic:]) != binary.BigEndian.Uint32(message[messageCRC:]):
			return 0, malformedBatch(offset, "has a damaged message inside of a compressed message")
		}
		rest = rest[length:]
	}
	memory := messages*(messageBytes+RecordBytes) + BatchBytes
	if all := memory + int64(len(set)); all > b.max {
		return 0, b.tooLarge(offset, all, "has %d messages, which take %s of memory", messages, formatMebibytes(all))
	}
	return memory, nil
}
