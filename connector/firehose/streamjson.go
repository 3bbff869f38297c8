package firehose

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kafka-firehose/connector/env"
)

const wantOptions = `want {"stream": {"region": "eu-west-1", ...}, ...}, or the path of a file with that`

// maxOptionsFile bounds the file. Options of a thousand streams take a quarter of it.
const maxOptionsFile = env.MiB

// Decode reads the JSON, or the file with it; envconfig calls it. All entries that it can't use are
// in the one error.
func (o *StreamOptions) Decode(s string) error {
	text := []byte(s)
	if !strings.HasPrefix(strings.TrimSpace(s), "{") {
		var err error
		if text, err = env.ReadFile(s, maxOptionsFile); err != nil {
			return fmt.Errorf("the file can't be read: %w; %s", err, wantOptions)
		}
	}
	of := map[string]StreamOption{}
	var problems []string
	err := env.EachMember(text, func(stream string, value json.RawMessage) {
		var option StreamOption
		if err := env.EachMember(value, option.decodeField(&problems, stream)); err != nil {
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

// rateNames are the fields of an option that may change while the process runs.
var rateNames = []string{"max_bytes_per_second", "max_records_per_second", "quota_bytes_per_second", "quota_records_per_second"}

// optionNames are the fields of an option, in the order of its struct.
var optionNames = slices.Concat([]string{"region", "endpoint_url", "role_arn", "role_external_id", "role_session_name", "max_in_flight"}, rateNames, recordOptions)

// recordOptions are the options in the place of variables that begin with recordPrefix.
var recordOptions = []string{"format", "envelope", "fields", "key_format", "unwrap", "tombstones", "delimiter", "aggregate", "aggregate_max_bytes", "aggregate_max_records", "compression"}

const recordPrefix = "RECORD_"

// decodeField returns a function that sets one field and adds unreadable values to problems.
func (o *StreamOption) decodeField(problems *[]string, stream string) func(string, json.RawMessage) {
	return func(name string, value json.RawMessage) {
		err := o.setField(name, value)
		if err != nil {
			*problems = append(*problems, fmt.Sprintf("stream %q: %v", stream, err))
		}
	}
}

func (o *StreamOption) setField(name string, value json.RawMessage) error {
	switch name {
	case "region":
		return fillValue(name, value, &o.Region, "a text")
	case "endpoint_url":
		return fillValue(name, value, &o.EndpointURL, "a text")
	case "role_arn":
		return fillValue(name, value, &o.RoleARN, "a text")
	case "role_external_id":
		return fillValue(name, value, &o.RoleExternalID, "a text")
	case "role_session_name":
		return fillValue(name, value, &o.RoleSessionName, "a text")
	case "max_in_flight":
		o.MaxInFlight = new(int)
		return fillValue(name, value, o.MaxInFlight, "a whole number")
	case "max_records_per_second":
		o.MaxRecordsPerSecond = new(int)
		return fillValue(name, value, o.MaxRecordsPerSecond, "a whole number")
	case "max_bytes_per_second":
		return fillBytes(name, value, &o.MaxBytesPerSecond)
	case "quota_records_per_second":
		o.QuotaRecordsPerSecond = new(int)
		return fillValue(name, value, o.QuotaRecordsPerSecond, "a whole number")
	case "quota_bytes_per_second":
		return fillBytes(name, value, &o.QuotaBytesPerSecond)
	}
	if slices.Contains(recordOptions, name) {
		return o.setRecord(name, value)
	}
	upperName := strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(name), recordPrefix), "FIREHOSE_")
	if meant, ok := env.SuggestMember(upperName, optionNames); ok {
		return fmt.Errorf("there is no option %q; did you mean %s?", name, meant)
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

// fillValue reads a value that must not be empty: "" or null has no documented
// meaning.
func fillValue[T string | int](name string, value json.RawMessage, to *T, want string) error {
	if trimmed := string(value); trimmed == "null" || trimmed == `""` || json.Unmarshal(value, to) != nil {
		return fmt.Errorf("%s: want %s", name, want)
	}
	return nil
}
