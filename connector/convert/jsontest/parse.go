// Package jsontest reads JSON for comparisons in tests.
package jsontest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Parse returns the value of a JSON text, with numbers as float64, which compares them by their value. Unlike encoding/json it refuses a
// name that an object has twice.
func Parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	v, err := readValue(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	if d.More() {
		return nil, fmt.Errorf("more than one value: %s", text)
	}
	return v, nil
}

func readValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	switch {
	case err != nil:
		return nil, err
	case token == json.Delim('{'):
		return readObject(d)
	case token == json.Delim('['):
		return readArray(d)
	}
	return token, nil
}

func readObject(d *json.Decoder) (any, error) {
	members := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := readValue(d)
		if err != nil {
			return nil, err
		}
		if _, found := members[fmt.Sprint(name)]; found {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		members[fmt.Sprint(name)] = value
	}
	_, err := d.Token()
	return members, err
}

func readArray(d *json.Decoder) (any, error) {
	items := []any{}
	for d.More() {
		value, err := readValue(d)
		if err != nil {
			return nil, err
		}
		items = append(items, value)
	}
	_, err := d.Token()
	return items, err
}
