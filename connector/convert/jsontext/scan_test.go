package jsontext

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// checkJSON compares Scan and AppendCompact with the standard library's, which
// allow deeper nesting.
func checkJSON(t *testing.T, b []byte) {
	t.Helper()
	blanks, ok := ScanDocument(b)
	if want := json.Valid(b); ok != want {
		if want && bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) > MaxDepth {
			return
		}
		t.Fatalf("%.200q: is JSON %v, want %v", b, ok, want)
	}
	if !ok {
		return
	}
	var want bytes.Buffer
	if err := json.Compact(&want, b); err != nil {
		t.Fatal(err)
	}
	if got := AppendCompact(nil, b); !bytes.Equal(got, want.Bytes()) || len(got) != len(b)-blanks {
		t.Fatalf("%.200q: compacts to %.200q, want %.200q; %d blanks", b, got, want.Bytes(), blanks)
	}
}

var jsonSeeds = []string{
	``, ` `, `{`, `}`, `[`, `]`, `[1`, `[1,`, `[1,]`, `[,1]`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{1:2}`, `{"a":1,2}`, `{"a" 1}`, `{"a":1]`, `[1}`,
	`{"a":{"b":[{},[],{"c":[[]]}]}} `, "\t[\r\n1 ,\n2 ]", `"`, `"a`, `"a\`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u123"`, `"\u12g4"`, `"\u1234"`, `"\u12345"`,
	`"\\"`, `"\\\"`, `"12345678\"90"`, "\"a\nb\"", "\"\x1f\"", "\"\x7f\"", "\"\x00\"", `t`, `tru`, `true`, `truer`, `false`, `fals`, `null`, `nul`, `nulll`,
	`-`, `-0`, `-01`, `0`, `01`, `1.`, `1.0`, `.1`, `1e`, `1e+`, `1E-1`, `1e1.0`, `+1`, `1 2`, `1-`, `NaN`, `Infinity`, `'a'`, `{"a":1}//`, "\ufeff{}",
	`[1.5,-0e0,"\/\b\f\n\r\t\u0000",true,false,null,{"":""}]`, `{"a":1,"a":2}`, `[{"a":1},[1,2],{"b":[{}]}]`, "\"\xff\"",
}

func TestJSON(t *testing.T) {
	for _, s := range jsonSeeds {
		checkJSON(t, []byte(s))
		checkJSON(t, []byte("[ "+s+" , "+s+" ]"))
		checkJSON(t, []byte(`{"`+strings.Repeat("x", 7)+`":`+s+`}`))
	}
}

// TestJSONDepth: each level is an object or an array of its own, and brackets must
// not be taken for one another at any of them.
func TestJSONDepth(t *testing.T) {
	for depth := 1; depth <= MaxDepth; depth++ {
		var opening, closing []byte
		for i := range depth {
			if i%3 == 0 {
				opening, closing = append(opening, `{"a":`...), append([]byte{'}'}, closing...)
			} else {
				opening, closing = append(opening, '['), append([]byte{']'}, closing...)
			}
		}
		checkJSON(t, append(append(bytes.Clone(opening), '1'), closing...))
		closing[len(closing)/2] ^= '}' ^ ']'
		checkJSON(t, append(append(opening, '1'), closing...))
	}
	if _, ok := ScanDocument([]byte(strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1))); ok {
		t.Error("nesting has no limit")
	}
}

// TestSpecial puts each byte at each place of the words that are looked at at once.
func TestSpecial(t *testing.T) {
	for at := range 20 {
		for c := range 256 {
			for _, around := range []byte{'a', ' ', 0x7f, 0x80, 0xff, '!', '#', '[', ']'} {
				b := bytes.Repeat([]byte{around}, 20)
				b[at] = byte(c)
				want := len(b)
				if c < ' ' || c == '"' || c == '\\' {
					want = at
				}
				if got := IndexSpecial(b, 0); got != want {
					t.Fatalf("byte %#x at %d among %#x: found at %d", c, at, around, got)
				}
			}
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(checkJSON)
}
