package recovery

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
)

// maxLayers of compression are taken off: the stream's, and the one of RECORD_COMPRESSION below it.
const maxLayers = 3

// readBuffer is the size of reads from a store and of pieces that are scanned, in bytes.
const readBuffer = 64 << 10

// formats are the beginnings of content that no ids can be read from.
var formats = []struct{ magic, name, advice string }{
	{"PK\x03\x04", "ZIP", "set the stream's compression to GZIP or none, or unpack a copy of the objects"},
	{"PAR1", "Parquet", "an audit needs JSON: use the source record backup of the stream"},
	{"ORC", "ORC", "an audit needs JSON: use the source record backup of the stream"},
}

// contentOf takes compression off: gzip, as a stream or a record may have it, and framed Snappy.
// The format follows from the first bytes of the content, because the name of an object need not tell it.
func contentOf(r io.Reader) (io.Reader, error) {
	for range maxLayers {
		in := bufio.NewReaderSize(r, readBuffer)
		head, err := in.Peek(10)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		switch {
		case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
			if r, err = gzip.NewReader(in); err != nil {
				return nil, fmt.Errorf("gzip: %w", err)
			}
		case bytes.Equal(head, []byte("\xff\x06\x00\x00sNaPpY")):
			r = s2.NewReader(in)
		default:
			for _, f := range formats {
				if bytes.HasPrefix(head, []byte(f.magic)) {
					return nil, fmt.Errorf("it is in the format %s: %s", f.name, f.advice)
				}
			}
			return in, nil
		}
	}
	return nil, fmt.Errorf("it is compressed more than %d times", maxLayers-1)
}

// checkText returns an error for content whose first bytes are no text. It is compressed in a way that contentOf does not know, and
// its records would seem to be missing.
func checkText(content io.Reader) error {
	in, ok := content.(*bufio.Reader)
	if !ok {
		return nil
	}
	head, err := in.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(head) > 0 && head[0] < ' ' && !unicode.IsSpace(rune(head[0])) || !startsAsUTF8(head) {
		return errors.New("it is no text, and in no format that is known: an audit reads JSON that is not compressed, or with gzip or framed Snappy")
	}
	return nil
}

// startsAsUTF8 reports whether b is UTF-8, or the beginning of it.
func startsAsUTF8(b []byte) bool {
	for len(b) > 0 && utf8.FullRune(b) {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return false
		}
		b = b[size:]
	}
	return true
}
