package logging

import (
	"strings"
	"testing"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"plain":                        "plain",
		" two\r\n\tlines\x00\x1b[31m ": "two lines [31m",
		"not\xffUTF-8":                 "not?UTF-8",
		strings.Repeat("é", maxLine):   strings.Repeat("é", maxLine),
		strings.Repeat("é", maxLine+1): strings.Repeat("é", maxLine) + "…",
		"\n":                           "",
	} {
		if got := SingleLine(said); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}
