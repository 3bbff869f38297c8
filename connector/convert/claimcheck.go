package convert

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/env"
)

// ClaimCheck says where the value of a record is that Firehose doesn't take.
type ClaimCheck struct {
	URL         string
	Bytes       int
	SHA256      string // of the bytes, in hexadecimal digits
	ContentType string
}

// ClaimCheckName is the member of an envelope that holds a claim check.
const ClaimCheckName = "claim_check"

const (
	// claimCheckFields are the other members where records have no envelope.
	claimCheckFields = "id,topic,partition,offset,timestamp"
	// claimedValue is the source of a value that the claim check stands for.
	claimedValue = "claimed value"
)

// newClaimEnvelope is the envelope of a record with a claim check. Its value is null.
func newClaimEnvelope(cfg Config) *envelope {
	var fields Fields
	if cfg.hasEnvelope() {
		fields = slices.Clone(cfg.envelopeFields())
	} else if err := fields.Decode(claimCheckFields); err != nil {
		panic("convert: " + err.Error())
	}
	for i := range fields {
		if fields[i].Source == "value" {
			fields[i].Source = claimedValue
		}
	}
	return newEnvelope(fields)
}

// ClaimCheckConflicts are the settings that envelopes with claim checks can't be told apart with.
func (c Config) ClaimCheckConflicts() (faults []*env.Fault) {
	for _, f := range c.Fields {
		if f.Name == ClaimCheckName {
			faults = append(faults, env.HoldsFault("RECORD_FIELDS", c.Fields, "envelopes have a member "+ClaimCheckName+" for claim checks; want another name for "+f.Source))
		}
	}
	if len(c.Mask) > 0 {
		faults = append(faults, env.HoldsFault("RECORD_MASK", c.Mask, "objects of claim checks hold values as Kafka has them, not masked; want no mask, or another policy"))
	}
	if c.Delimiter.isInJSON() {
		faults = append(faults, env.HoldsFault("RECORD_DELIMITER", c.Delimiter, "the JSON of claim checks can contain it; want control characters such as \\n, or none"))
	}
	return faults
}

// AppendClaimCheck appends the envelope of r with a claim check in the place of its value, delimiter included, to dst. The error is
// that of Append: key and headers may be too large themselves, or the key's schema may be missing.
func (c *Converter) AppendClaimCheck(dst []byte, r *kgo.Record, claim ClaimCheck) ([]byte, error) {
	var m measuredRecord
	defer m.releasePayloads()
	if err := c.decodedKey(&m, r, c.claim); err != nil {
		return dst, err
	}
	c.claim.measureRecord(&m, r)
	member := claim.append(nil)
	room := batch.MaxRecordBytes - m.size - len(member) - len(c.delimiter)
	if room < 0 {
		return dst, &BadRecord{Reason: TooLarge, Size: batch.MaxRecordBytes - room}
	}
	out, err := c.claim.appendRecord(dst, r, &m, room)
	if err != nil {
		return dst, badRecordError(err, len(r.Key))
	}
	out = append(append(out[:len(out)-len("}")], member...), '}')
	return c.requireCompressed(dst, append(out, c.delimiter...))
}

// append appends the claim check as the last member of an object. None of its texts needs to be escaped.
func (c ClaimCheck) append(dst []byte) []byte {
	dst = append(dst, `,"`+ClaimCheckName+`":{"url":"`+c.URL+`","bytes":`...)
	dst = strconv.AppendInt(dst, int64(c.Bytes), 10)
	return append(dst, `,"sha256":"`+c.SHA256+`","content_type":"`+c.ContentType+`"}`...)
}

// ContentType is the media type of a value as Kafka holds it.
func (c *Converter) ContentType(value []byte) string {
	if c.value == nil {
		switch shapeOf(value, asJSON).form {
		case asJSON:
			return "application/json"
		case asText:
			return "text/plain; charset=utf-8"
		case null, asBase64:
		}
	}
	return "application/octet-stream"
}
