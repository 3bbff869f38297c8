package firehose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

const everyOption = `{
	"orders": {
		"region": "eu-west-3", "endpoint_url": "https://vpce-1.firehose.eu-west-3.vpce.amazonaws.com",
		"role_arn": "arn:aws:iam::123456789012:role/writer", "role_external_id": "x123", "role_session_name": "of-orders",
		"max_in_flight": 3, "max_bytes_per_second": "5MiB", "max_records_per_second": 1000,
		"quota_bytes_per_second": 5242880, "quota_records_per_second": 500000
	},
	"clicks": {"max_bytes_per_second": 0, "format": "json", "aggregate": true, "aggregate_max_records": 100, "delimiter": "\t"}
}`

func TestStreamOptions(t *testing.T) {
	want := map[string]StreamOption{
		"orders": {
			Region: "eu-west-3", EndpointURL: "https://vpce-1.firehose.eu-west-3.vpce.amazonaws.com",
			RoleARN: "arn:aws:iam::123456789012:role/writer", RoleExternalID: "x123", RoleSessionName: "of-orders",
			MaxInFlight: new(3), MaxBytesPerSecond: new(5 * env.MiB), MaxRecordsPerSecond: new(1000),
			QuotaBytesPerSecond: new(5 * env.MiB), QuotaRecordsPerSecond: new(500_000),
		},
		"clicks": {MaxBytesPerSecond: new(env.Bytes(0)), Record: map[string]string{
			"RECORD_FORMAT": "json", "RECORD_AGGREGATE": "true", "RECORD_AGGREGATE_MAX_RECORDS": "100", "RECORD_DELIMITER": "	",
		}},
	}
	file := filepath.Join(t.TempDir(), "options.json")
	if err := os.WriteFile(file, []byte(everyOption), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, held := range []string{everyOption, file} {
		var got StreamOptions
		if err := got.Decode(held); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Of); diff != "" || got.String() != held {
			t.Errorf("%s: %s", got, diff)
		}
		c := configForValidate()
		c.StreamOptions, c.Routes = got, Routes{{Topic: "c", Stream: "clicks"}}
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// TestFor: a stream without an option has what is there for all, and a role of its own
// does not take the external id of another.
func TestFor(t *testing.T) {
	c := configForValidate()
	c.RoleARN, c.RoleExternalID, c.RoleSessionName, c.MaxBytesPerSecond = "all", "all's", "of-all", 7
	c.StreamOptions.Of = map[string]StreamOption{
		"role": {RoleARN: "own"}, "session": {RoleARN: "own", RoleSessionName: "own"}, "pace": {MaxBytesPerSecond: new(env.Bytes(0)), MaxRecordsPerSecond: new(5), MaxInFlight: new(2)},
		"quota": {QuotaBytesPerSecond: new(env.Bytes(9)), QuotaRecordsPerSecond: new(8)},
	}
	if diff := cmp.Diff(c, c.ForStream("other")); diff != "" {
		t.Error(diff)
	}
	if got := c.ForStream("role"); got.RoleARN != "own" || got.RoleExternalID != "" || got.RoleSessionName != "of-all" || got.MaxBytesPerSecond != 7 {
		t.Errorf("%+v", got)
	}
	if got := c.ForStream("session").assumedRole(); got.SessionName != "own" {
		t.Errorf("%+v", got)
	}
	if got := c.ForStream("quota"); got.QuotaBytesPerSecond != 9 || got.QuotaRecordsPerSecond != 8 {
		t.Errorf("%+v", got)
	}
	if got := c.ForStream("pace"); got.RoleARN != "all" || got.MaxBytesPerSecond != 0 || got.MaxRecordsPerSecond != 5 || got.MaxInFlight != 2 {
		t.Errorf("%+v", got)
	}
}

func TestStreamOptionsRefuses(t *testing.T) {
	const want = `; want {"stream": {"region": "eu-west-1", ...}, ...}, or the path of a file with that`
	for held, problem := range map[string]string{
		"/does/not/exist":                              "the file can't be read: no such file or directory" + want,
		`{"a": {"region": "x"}`:                        "is not JSON at byte 21" + want,
		`{"a"}`:                                        "is not JSON at byte 4" + want,
		`{} {}`:                                        "has something behind its closing brace" + want,
		`{"a": {}, "a": {}}`:                           `"a" is there twice` + want,
		`{"a": 1}`:                                     `stream "a": is not a JSON object`,
		`{"a": {"region": "x", "region": "y"}}`:        `stream "a": "region" is there twice`,
		`{"a": {"regoin": "x"}}`:                       `stream "a": there is no option "regoin"; did you mean region?`,
		`{"a": {"Region": "x"}}`:                       `stream "a": there is no option "Region"; did you mean region?`,
		`{"a": {"RECORD_FORMAT": "raw"}}`:              `stream "a": there is no option "RECORD_FORMAT"; did you mean format?`,
		`{"a": {"format": ""}}`:                        `stream "a": format: want a text, a number, true or false, as in RECORD_FORMAT`,
		`{"a": {"delimiter": null}}`:                   `stream "a": delimiter: want a text, a number, true or false, as in RECORD_DELIMITER`,
		`{"a": {"aggregate": {}}}`:                     `stream "a": aggregate: want a text, a number, true or false, as in RECORD_AGGREGATE`,
		`{"a": {"region": 1}}`:                         `stream "a": region: want a text`,
		`{"a": {"role_arn": ""}}`:                      `stream "a": role_arn: want a text`,
		`{"a": {"region": null}}`:                      `stream "a": region: want a text`,
		`{"a": {"max_in_flight": "3"}}`:                `stream "a": max_in_flight: want a whole number`,
		`{"a": {"max_in_flight": 1.5}}`:                `stream "a": max_in_flight: want a whole number`,
		`{"a": {"max_bytes_per_second": "5MB"}}`:       `stream "a": max_bytes_per_second: want a size: plain bytes such as 4000000, or KiB, MiB or GiB such as 256MiB`,
		`{"a": {"x": 1}, "b": {"max_in_flight": 0.1}}`: `stream "a": there is no option "x"; want region, endpoint_url, role_arn, role_external_id, role_session_name, max_in_flight, max_bytes_per_second, max_records_per_second, quota_bytes_per_second, quota_records_per_second, format, envelope, fields, key_format, unwrap, tombstones, delimiter, aggregate, aggregate_max_bytes, aggregate_max_records, compression; stream "b": max_in_flight: want a whole number`,
	} {
		var o StreamOptions
		if err := o.Decode(held); err == nil || err.Error() != problem {
			t.Errorf("%s: %v\nwant %s", held, err, problem)
		}
	}
}

func TestStreamOptionsValidate(t *testing.T) {
	for option, problem := range map[string]string{
		`"orders": {"region": "Paris"}`:                                                               `stream "orders": region is "Paris": want a region such as eu-west-1`,
		`"orders": {"region": "us-gov-west-1"}`:                                                       "",
		`"order": {"max_in_flight": 1}`:                                                               `stream "order" is in neither FIREHOSE_STREAM nor FIREHOSE_ROUTES; want one of ["orders"]`,
		`"orders": {"endpoint_url": "localhost:4566"}`:                                                `stream "orders": endpoint_url: want http:// or https:// and a host, and no more`,
		`"orders": {"endpoint_url": "http://me:hunter2@host"}`:                                        `stream "orders": endpoint_url: want http:// or https:// and a host, and no more`,
		`"orders": {"endpoint_url": "http://localhost:4566"}`:                                         "",
		`"orders": {"role_arn": "writer"}`:                                                            `stream "orders": role_arn holds "writer": want the ARN of a role such as arn:aws:iam::123456789012:role/name`,
		`"orders": {"role_external_id": "x123"}`:                                                      `stream "orders": role_external_id holds "x123": it has no effect without role_arn`,
		`"orders": {"role_session_name": "me"}`:                                                       `stream "orders": role_session_name holds "me": it has no effect without role_arn`,
		`"orders": {"role_arn": "arn:aws:iam::123456789012:role/writer", "role_session_name": "a b"}`: `stream "orders": role_session_name holds "a b": want 2 to 64 of a-z A-Z 0-9 _ + = , . @ -`,
		`"orders": {"max_in_flight": 0}`:                                                              `stream "orders": max_in_flight is 0: want 1 to 1000`,
		`"orders": {"max_in_flight": 1001}`:                                                           `stream "orders": max_in_flight is 1001: want 1 to 1000`,
		`"orders": {"max_records_per_second": -1}`:                                                    `stream "orders": max_records_per_second is -1: want 0 or more`,
		`"orders": {"quota_records_per_second": -5}`:                                                  `stream "orders": quota_records_per_second is -5: want 0 or more`,
	} {
		c := configForValidate()
		if err := c.StreamOptions.Decode("{" + option + "}"); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := c.Validate(); err != nil {
			got = err.Error()
		}
		if (problem == "") != (got == "") || !strings.HasSuffix(got, problem) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q, want %q", option, got, problem)
		}
	}
}
