package firehose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"kafka-firehose/connector/env"
)

const wantOptions = `want {"stream": {"region": "eu-west-1", ...}, ...}, or the path of a file with that`

// Decode reads the JSON, or the file with it; envconfig calls it. All entries that it can't use are
// in the one error.
func (o *StreamOptions) Decode(s string) error {
	text := []byte(s)
	if !strings.HasPrefix(strings.TrimSpace(s), "{") {
		var err error
		if text, err = os.ReadFile(s); err != nil {
			if at, ok := errors.AsType[*fs.PathError](err); ok {
				err = at.Err // the path is in the message already
			}
			return fmt.Errorf("the file can't be read: %w; %s", err, wantOptions)
		}
	}
	of := map[string]StreamOption{}
	var problems []string
	err := object(text, func(stream string, value json.RawMessage) {
		var option StreamOption
		if err := object(value, option.field(&problems, stream)); err != nil {
			problems = append(problems, fmt.Sprintf("stream %q: %v", stream, err))
		}
		of[stream] = option
	})
	if err != nil {
		return fmt.Errorf("%w; %s", err, wantOptions)
	}
	if problems != nil {
		return errors.New(strings.Join(problems, "; "))
	}
	*o = StreamOptions{Source: s, Of: of}
	return nil
}

// optionNames are the fields of an option, in the order of its struct.
var optionNames = append([]string{"region", "endpoint_url", "role_arn", "role_external_id", "max_in_flight", "max_bytes_per_second", "max_records_per_second", "quota_bytes_per_second", "quota_records_per_second"}, recordOptions...)

// recordOptions are the options in the place of variables that begin with recordPrefix.
var recordOptions = []string{"format", "envelope", "fields", "key_format", "tombstones", "delimiter", "aggregate", "aggregate_max_bytes", "aggregate_max_records", "compression"}

const recordPrefix = "RECORD_"

// field returns a function that sets one field and adds unreadable values to problems.
func (o *StreamOption) field(problems *[]string, stream string) func(string, json.RawMessage) {
	return func(name string, value json.RawMessage) {
		err := o.set(name, value)
		if err != nil {
			*problems = append(*problems, fmt.Sprintf("stream %q: %v", stream, err))
		}
	}
}

func (o *StreamOption) set(name string, value json.RawMessage) error {
	switch name {
	case "region":
		return fill(name, value, &o.Region, "a text")
	case "endpoint_url":
		return fill(name, value, &o.EndpointURL, "a text")
	case "role_arn":
		return fill(name, value, &o.RoleARN, "a text")
	case "role_external_id":
		return fill(name, value, &o.RoleExternalID, "a text")
	case "max_in_flight":
		o.MaxInFlight = new(int)
		return fill(name, value, o.MaxInFlight, "a whole number")
	case "max_records_per_second":
		o.MaxRecordsPerSecond = new(int)
		return fill(name, value, o.MaxRecordsPerSecond, "a whole number")
	case "max_bytes_per_second":
		return fillBytes(name, value, &o.MaxBytesPerSecond)
	case "quota_records_per_second":
		o.QuotaRecordsPerSecond = new(int)
		return fill(name, value, o.QuotaRecordsPerSecond, "a whole number")
	case "quota_bytes_per_second":
		return fillBytes(name, value, &o.QuotaBytesPerSecond)
	}
	if slices.Contains(recordOptions, name) {
		return o.setRecord(name, value)
	}
	upperName := strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(name), recordPrefix), "FIREHOSE_")
	if meant, ok := env.Suggest(upperName, upper(optionNames)); ok {
		return fmt.Errorf("there is no option %q; did you mean %s?", name, strings.ToLower(meant))
	}
	return fmt.Errorf("there is no option %q; want %s", name, strings.Join(optionNames, ", "))
}

// setRecord keeps the value of an option as the text that its variable would hold.
func (o *StreamOption) setRecord(name string, value json.RawMessage) error {
	text := string(value) // of a number, true or false
	if err := json.Unmarshal(value, &text); text == "" || text == "null" || err != nil && strings.ContainsAny(text, "{[") {
		return fmt.Errorf("%s: want a text, a number, true or false, as in %s", name, recordPrefix+strings.ToUpper(name))
	}
	if o.Record == nil {
		o.Record = map[string]string{}
	}
	o.Record[recordPrefix+strings.ToUpper(name)] = text
	return nil
}

// fillBytes reads a number of bytes: 1048576, or "1MiB".
func fillBytes(name string, value json.RawMessage, to **env.Bytes) error {
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value) // a number
	}
	*to = new(env.Bytes)
	if err := (*to).Decode(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// fill reads a value that must not be empty: "" or null has no documented
// meaning.
func fill[T string | int](name string, value json.RawMessage, to *T, want string) error {
	if trimmed := string(value); trimmed == "null" || trimmed == `""` || json.Unmarshal(value, to) != nil {
		return fmt.Errorf("%s: want %s", name, want)
	}
	return nil
}

func upper(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToUpper(n)
	}
	return out
}

// object calls each for every member of a JSON object. Unlike package json it takes no name twice,
// of which the last would win, and nothing behind the object.
func object(text []byte, each func(name string, value json.RawMessage)) error {
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
