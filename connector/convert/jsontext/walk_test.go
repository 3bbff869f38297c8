package jsontext

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// rebuild decodes valid JSON with ObjectMembers and ArrayElements alone.
func rebuild(t *testing.T, b []byte) any {
	t.Helper()
	switch b[0] {
	case '{':
		all := map[string]any{}
		for name, value := range ObjectMembers(b) {
			text := string(UnquoteText(name))
			if !IsText(name, text) {
				t.Fatalf("%q is not the text %q", name, text)
			}
			all[text] = rebuild(t, value)
		}
		return all
	case '[':
		all := []any{}
		for value := range ArrayElements(b) {
			all = append(all, rebuild(t, value))
		}
		return all
	case '"':
		return string(UnquoteText(b))
	}
	var scalar any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&scalar); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return scalar
}

// checkWalk compares ObjectMembers and ArrayElements with the standard library.
func checkWalk(t *testing.T, b []byte) {
	t.Helper()
	if _, ok := ScanDocument(b); !ok || !utf8.Valid(b) {
		return
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var want any
	if err := d.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if got := rebuild(t, TrimSpace(b)); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: %#v, want %#v", b, got, want)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	for _, s := range jsonSeeds {
		checkWalk(t, []byte(s))
		checkWalk(t, []byte(" [ "+s+" , "+s+"\n]\t"))
		checkWalk(t, []byte(`{ "\u0061\"" :`+s+`, "b":`+s+" }"))
	}
}

// TestMember: the last member of a name counts, however the name is written.
func TestMember(t *testing.T) {
	t.Parallel()
	object := []byte(`{"a":1,"b":{"a":2},"\u0061":[3, 4] , "c" : null}`)
	for name, want := range map[string]string{"a": "[3, 4]", "b": `{"a":2}`, "c": "null"} {
		if got, ok := FindMember(object, name); !ok || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", name, got, ok, want)
		}
	}
	if got, ok := FindMember(object, "d"); ok {
		t.Errorf("d: %s", got)
	}
}

func FuzzWalk(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(checkWalk)
}
