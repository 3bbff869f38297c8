package firehosetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// MarshalJSON writes the form that [ParseFaults] reads. Refuse is left out.
func (f Fault) MarshalJSON() ([]byte, error) {
	out := make(map[string]any)
	for _, d := range f.fields() {
		if d.set {
			out[d.name] = plain(d.to)
		}
	}
	return json.Marshal(out)
}

// ParseFaults reads a script: a JSON array of objects whose members are named
// like the fields of [Fault], in lower case, with durations as strings:
//
//	[
//	  {"effect": "reset", "stored": true, "from": 2, "to": 2},
//	  {"effect": "refuse-records", "share": 0.1, "until": "1m"}
//	]
//
// The error names every member that is wrong, with its value and the accepted
// ones.
func ParseFaults(r io.Reader) ([]Fault, error) {
	var list []map[string]json.RawMessage
	dec := json.NewDecoder(r)
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("faults must be a JSON array of objects: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("faults must be one JSON array, and something follows it")
	}
	faults := make([]Fault, len(list))
	var errs []error
	for i, members := range list {
		prefix := fmt.Sprintf("faults[%d].", i)
		if bad := faults[i].decode(prefix, members); len(bad) > 0 {
			errs = append(errs, bad...)
			continue
		}
		errs = append(errs, faults[i].faults(prefix)...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return faults, nil
}

// decode sets f's fields from the members of a JSON object.
func (f *Fault) decode(prefix string, members map[string]json.RawMessage) (errs []error) {
	var names []string
	for _, d := range f.fields() {
		names = append(names, d.name)
		raw, ok := members[d.name]
		if !ok {
			continue
		}
		delete(members, d.name)
		if !decodeField(raw, d.to) {
			errs = append(errs, fmt.Errorf("%s%s is %s; it must be %s", prefix, d.name, bytes.TrimSpace(raw), d.allowed))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		errs = append(errs, fmt.Errorf("%s%s is %s, but there is no such member; there are: %s", prefix, name, members[name], strings.Join(names, ", ")))
	}
	return errs
}

// decodeField decodes one value; a null is as wrong as a value of another type.
func decodeField(raw json.RawMessage, to any) bool {
	if bytes.Equal(raw, []byte("null")) {
		return false
	}
	d, ok := to.(*time.Duration)
	if !ok {
		return json.Unmarshal(raw, to) == nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return false
	}
	var err error
	*d, err = time.ParseDuration(text)
	return err == nil
}
