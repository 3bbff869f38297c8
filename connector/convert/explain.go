package convert

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert/filter"
	"kafka-firehose/connector/convert/mask"
)

// ValueAlone returns the settings that convert a record to its value as the filter and the mask read it: decoded and unwrapped, neither
// filtered nor masked, without envelope and delimiter.
func (c Config) ValueAlone() Config {
	c.Filter, c.Mask, c.Fields, c.Envelope, c.Delimiter = filter.Filter{}, nil, nil, false, ""
	if c.Format == formatJSON {
		c.Format = formatRaw
	}
	c.Tombstones = "skip"
	return c
}

// AppendUntransformed appends the value of a record as the filter and the mask read it, for settings of Config.ValueAlone. It may be larger than
// what Firehose takes: the filter may leave it out, and the mask may make it smaller. The errors are those of Append.
func (c *Converter) AppendUntransformed(dst []byte, r *kgo.Record) ([]byte, error) {
	if c.value == nil && !c.unwraps() {
		return append(dst, r.Value...), nil
	}
	t := transformation{c: c, record: r}
	defer t.schema.releaseBuffers()
	value, err := t.Value()
	return append(dst, value...), err
}

// EnvelopeNames returns the names of the envelope's members, none without an envelope.
func (c Config) EnvelopeNames() (names []string) {
	if c.hasEnvelope() {
		for _, f := range c.envelopeFields() {
			names = append(names, f.Name)
		}
	}
	return names
}

// CountMasked returns how many members of a value each rule of RECORD_MASK masks. ok is false for a value that is not JSON.
func (c Config) CountMasked(value []byte) (counts []int, ok bool) {
	json, _, ok := readJSON(value)
	if !ok {
		return nil, false
	}
	counts, err := mask.New(c.Mask, "").CountMasked(json)
	return counts, err == nil
}
