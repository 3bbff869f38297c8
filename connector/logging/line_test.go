package logging

import (
	"strings"
	"testing"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"plain":                         "plain",
		" two\r\n\tlines\x00\x1b[31m ":  "two lines [31m",
		"not\xffUTF-8":                  "not?UTF-8",
		strings.Repeat("é", mostLine):   strings.Repeat("é", mostLine),
		strings.Repeat("é", mostLine+1): strings.Repeat("é", mostLine) + "…",
		"\n":                            "",
	} {
		if got := Line(said); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}
