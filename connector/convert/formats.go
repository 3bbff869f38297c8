package convert

import (
	"fmt"
	"slices"

	"kafka-firehose/connector/convert/unwrap"
	"kafka-firehose/connector/env"
)

const (
	formatRaw        = "raw"
	formatJSON       = "json"
	formatAvro       = "avro"
	formatProtobuf   = "protobuf"
	formatJSONSchema = "json-schema"
)

// decoded are the formats whose records name a schema.
var decoded = []string{formatAvro, formatProtobuf, formatJSONSchema}

// hasEnvelope reports whether records are sent in an envelope.
func (c Config) hasEnvelope() bool {
	return c.Format == formatJSON || c.Envelope && slices.Contains(decoded, c.Format)
}

// Summary describes the records in some words for people, such as "avro in an envelope, aggregated, gzip".
func (c Config) Summary() string {
	text := c.Format
	if c.hasEnvelope() && c.Format != formatJSON {
		text += " in an envelope"
	}
	if c.Unwraps() {
		text += ", unwrapped from " + c.Unwrap
	}
	if c.Delimiter != "\n" {
		text += ", delimiter " + c.Delimiter.String()
	}
	if c.Aggregate {
		text += ", aggregated"
	}
	if c.Compression != "none" {
		text += ", " + c.Compression
	}
	return text
}

// ConversionCores is the number of cores from which on it pays to convert records on all of them,
// 0 where it never does. Output of another core takes longer to copy: some
// 10 % more CPU for a record of 1 KiB, on its whole way. To compare JSON with its schema
// takes longer than all the rest. Other conversions of a record take a quarter of its CPU
// at most, so that up to four cores have enough to do without this, and one that copies a
// value has nothing to share.
func (c Config) ConversionCores() int {
	switch {
	case c.SendsAsIs() && !c.Filter.IsSet():
		return 0
	case slices.Contains(c.SchemaFormats(), formatJSONSchema):
		return 2
	default:
		return 5
	}
}

// SchemaFormats are the formats of values and of keys that can't be converted without a
// registry.
func (c Config) SchemaFormats() (formats []string) {
	for i, f := range []string{c.Format, c.KeyFormat} {
		if c.needsSchema(f) && !slices.Contains(formats, f) && (i == 0 || c.hasEnvelope()) {
			formats = append(formats, f)
		}
	}
	return formats
}

// NeedsSchema reports whether values or keys are in a format whose serializers name a schema, although it may
// be read without.
func (c Config) NeedsSchema() bool {
	return slices.Contains(decoded, c.Format) || slices.Contains(decoded, c.KeyFormat) && c.hasEnvelope()
}

// needsSchema reports whether records of a format are read with their schema. JSON can
// be read without.
func (c Config) needsSchema(format string) bool {
	return slices.Contains(decoded, format) && (format != formatJSONSchema || c.Validated)
}

// validateFormats checks the formats, and the settings that need an envelope or JSON.
func (c Config) validateFormats(check *env.Check) {
	const format, delimiter, keyFormat = "RECORD_FORMAT", "RECORD_DELIMITER", "RECORD_KEY_FORMAT"
	check.OneOf(format, c.Format, append([]string{formatRaw, formatJSON}, decoded...))
	check.OneOf(keyFormat, c.KeyFormat, append([]string{formatJSON}, decoded...))
	if c.hasEnvelope() {
		c.validateForms(check)
	} else if c.Tombstones == "envelope" {
		check.AddFault(env.HoldsFault("RECORD_TOMBSTONES", c.Tombstones, "there is no envelope; want "+c.envelopeWanted()+" too, or skip or bad here").WithSettings(format, "RECORD_ENVELOPE"))
	}
	// A comma or a brace as a delimiter would cut a line in two wherever a value holds one.
	if !c.SendsAsIs() && c.Delimiter.isInJSON() {
		check.AddFault(env.HoldsFault(delimiter, c.Delimiter, "JSON can contain it, so that the lines could not be told apart; want control characters such as \\n, or none").WithSettings(format, "RECORD_MASK", unwrapName))
	}
}

const unwrapName = "RECORD_UNWRAP"

// Unwraps reports whether values are taken out of an envelope.
func (c Config) Unwraps() bool { return c.Unwrap != "" && c.Unwrap != unwrap.None }

// SendsAsIs reports whether values are sent as they are, JSON or not.
func (c Config) SendsAsIs() bool { return c.Format == formatRaw && !c.Unwraps() && len(c.Mask) == 0 }

// SendsChanges reports whether the records are changes of rows, each with its operation.
func (c Config) SendsChanges() bool { return c.Unwrap == unwrap.Debezium }

// validateUnwrap checks the envelope that values are taken out of.
func (c Config) validateUnwrap(check *env.Check) {
	const format = "RECORD_FORMAT"
	check.OneOf(unwrapName, c.Unwrap, unwrap.Modes())
	if c.Unwrap == unwrap.Connect && (c.Format == formatAvro || c.Format == formatProtobuf) {
		check.AddFault(env.HoldsFault(unwrapName, c.Unwrap, "values in "+c.Format+" have their schema in the registry and not in an envelope; want debezium or none").WithSettings(format))
	}
	for _, f := range c.Fields {
		if c.Unwraps() && f.Source == "value" && f.Form != "json" && !slices.Contains(decoded, c.Format) {
			check.AddFault(env.HoldsFault("RECORD_FIELDS", c.Fields, "value is unwrapped and so is JSON; want it without :"+f.Form).WithSettings(unwrapName))
		}
	}
}

// minMaskSecret is the length of a key that can't be guessed, in bytes.
const minMaskSecret = 16

// validateMask checks the mask and its key.
func (c Config) validateMask(check *env.Check) {
	const name, digestKey = "RECORD_MASK", "RECORD_MASK_SECRET"
	switch digest := c.Mask.HasDigest(); {
	case digest && !c.MaskSecret.IsSet():
		check.AddFault(env.MissingFault(digestKey, fmt.Sprintf("want a key of %d bytes or more, because %s has sha256 and digests without a key can be guessed", minMaskSecret, name)).WithSettings(name))
	case !digest && c.MaskSecret.IsSet():
		check.AddFault(env.HoldsFault(digestKey, "", "no rule of "+name+" is sha256; want one, or nothing here").WithSettings(name))
	case digest:
		if key, err := c.MaskSecret.ReadValue(); err == nil && len(key) < minMaskSecret {
			check.AddFault(env.HoldsFault(digestKey, "", fmt.Sprintf("it has %d bytes; want %d or more", len(key), minMaskSecret)))
		}
	}
	for _, f := range c.Fields {
		if len(c.Mask) > 0 && f.Source == "value" && f.Form != "json" && !slices.Contains(decoded, c.Format) {
			check.AddFault(env.HoldsFault("RECORD_FIELDS", c.Fields, "value is masked and so is JSON; want it without :"+f.Form).WithSettings(name))
		}
	}
}

// Unused returns the faults of settings that have no effect on these records.
func (c Config) Unused() error {
	const format, keyFormat, envelope = "RECORD_FORMAT", "RECORD_KEY_FORMAT", "RECORD_ENVELOPE"
	var check env.Check
	if c.Envelope && c.Format == formatRaw {
		check.AddFault(env.HoldsFault(envelope, c.Envelope, "values go into the envelope as they are with "+format+" json; want that, or false here").WithSettings(format))
	}
	if c.Validated && c.Format != formatJSONSchema && c.KeyFormat != formatJSONSchema {
		check.AddFault(env.HoldsFault("RECORD_SCHEMA_VALIDATE", c.Validated, "what is decoded with a schema agrees with it; want "+format+" json-schema too, or false here").WithSettings(format, keyFormat))
	}
	if !c.hasEnvelope() {
		c.withoutEnvelope(&check)
	}
	c.withoutProtobuf(&check)
	return check.Err()
}

// envelopeWanted is the setting that puts the records into an envelope.
func (c Config) envelopeWanted() string {
	if slices.Contains(decoded, c.Format) {
		return "RECORD_ENVELOPE=true"
	}
	return "RECORD_FORMAT json"
}

// withoutEnvelope reports settings that have no effect without an envelope.
func (c Config) withoutEnvelope(check *env.Check) {
	const format, envelope = "RECORD_FORMAT", "RECORD_ENVELOPE"
	want := c.envelopeWanted()
	if len(c.Fields) > 0 {
		check.AddFault(env.HoldsFault("RECORD_FIELDS", c.Fields, "there is no envelope to choose them for; want "+want+" too, or nothing here").WithSettings(format, envelope))
	}
	if slices.Contains(decoded, c.KeyFormat) {
		check.AddFault(env.HoldsFault("RECORD_KEY_FORMAT", c.KeyFormat, "there is no envelope with a key; want "+want+" too, or nothing here").WithSettings(format, envelope))
	}
}

// validateForms reports forms for decoded members, which are JSON.
func (c Config) validateForms(check *env.Check) {
	for _, f := range c.Fields {
		format := map[string]string{"key": c.KeyFormat, "value": c.Format}[f.Source]
		if slices.Contains(decoded, format) && f.Form != "json" {
			check.AddFault(env.HoldsFault("RECORD_FIELDS", c.Fields, f.Source+" is decoded and so is JSON; want it without :"+f.Form).WithSettings("RECORD_FORMAT", "RECORD_KEY_FORMAT"))
		}
	}
}
