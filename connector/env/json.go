package env

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// EachMember calls each for every member of a JSON object, in order. Unlike package json it refuses a name that is
// there twice, of which the last one would win, and text after the object.
func EachMember(text []byte, each func(name string, value json.RawMessage)) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("is not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return fmt.Errorf("is not JSON at byte %d", d.InputOffset())
		}
		if seen[name] {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("is not JSON at byte %d", d.InputOffset())
		}
		each(name, value)
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("is not JSON at byte %d", d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("has something behind its closing brace")
	}
	return nil
}
