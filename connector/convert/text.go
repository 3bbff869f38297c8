package convert

import (
	"unicode/utf8"

	"kafka-firehose/connector/convert/jsontext"
)

// textShape is how bytes are written into an envelope, and how long that is.
type textShape struct {
	form textForm
	size int  // without the name, with the quotes
	pack bool // JSON with blanks in it
}

type textForm uint8

const (
	null   textForm = iota
	asJSON          // as it is: it is JSON
	asText          // a string: it is UTF-8
	asBase64
)

// shapeOf finds the first of want, asText and asBase64 that b can have.
func shapeOf(b []byte, want textForm) textShape {
	switch {
	case b == nil:
		return textShape{form: null, size: len("null")}
	case want == asBase64 || !utf8.Valid(b):
		return textShape{form: asBase64, size: jsontext.Base64Size(len(b))}
	case want == asJSON:
		if blanks, ok := jsontext.ScanDocument(b); ok {
			return textShape{form: asJSON, size: len(b) - blanks, pack: blanks > 0}
		}
	}
	return textShape{form: asText, size: jsontext.TextSize(b)}
}

// appendText appends b, whose shape s is.
func (s textShape) appendText(dst, b []byte) []byte {
	switch s.form {
	case null:
		return append(dst, "null"...)
	case asText:
		return jsontext.AppendText(dst, b)
	case asBase64:
		return jsontext.AppendBase64(dst, b)
	default:
		if s.pack {
			return jsontext.AppendCompact(dst, b)
		}
		return append(dst, b...)
	}
}
