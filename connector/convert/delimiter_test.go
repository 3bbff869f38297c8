package convert

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDelimiterDecode(t *testing.T) {
	for in, want := range map[string]string{
		`none`:             "",
		`\n`:               "\n",
		"\n":               "\n",
		`\r\n`:             "\r\n",
		"\r\n":             "\r\n",
		`\t`:               "\t",
		`\0`:               "\x00",
		`\0\0`:             "\x00\x00",
		`\0x`:              "\x00x",
		`\x1E`:             "\x1e",
		`\x1e`:             "\x1e",
		`\xff`:             "\xff",
		`\\`:               `\`,
		`\\n`:              `\n`,
		` `:                " ",
		`,`:                ",",
		`None`:             "None",
		`\x6eone`:          "none",
		`é`:                "é",
		`; `:               "; ",
		`\x00000`:          "\x00000",
		"abcdefghijklmnop": "abcdefghijklmnop",
	} {
		var got Delimiter
		if err := got.Decode(in); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v; want %q", in, string(got), err, want)
		}
	}
}

func TestDelimiterDecodeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`\`:                 "no other escapes",
		`\\\`:               "no other escapes",
		`\a`:                "no other escapes",
		`\N`:                "no other escapes",
		`\u000a`:            "no other escapes",
		`\012`:              "no other escapes",
		`\x`:                "no other escapes",
		`\x1`:               "no other escapes",
		`\xg0`:              "no other escapes",
		`\x+1`:              "no other escapes",
		`n`:                 "put it in quotes",
		`r`:                 "put it in quotes",
		`t`:                 "put it in quotes",
		`0`:                 "put it in quotes",
		"abcdefghijklmnopq": "16 bytes",
	} {
		got := Delimiter("before")
		if err := got.Decode(in); err == nil || !strings.Contains(err.Error(), want) || got != "before" {
			t.Errorf("%q: %q, %v; want %q and the value as it was", in, string(got), err, want)
		}
	}
}

func TestDelimiterRoundTrip(t *testing.T) {
	check := func(t rapid.TB, want Delimiter) {
		var got Delimiter
		text := want.String()
		if err := got.Decode(text); err != nil || got != want {
			t.Fatalf("%q prints as %s, which reads as %q, %v", string(want), text, string(got), err)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q prints as %q", string(want), text)
		}
	}
	for _, d := range []Delimiter{"", "n", "r", "t", "0", "none", "\x00012", `\`} {
		check(t, d)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, Delimiter(rapid.SliceOfN(rapid.Byte(), 0, maxDelimiter).Draw(t, "delimiter")))
	})
}
