package convert

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFieldsDecode(t *testing.T) {
	var got Fields
	if err := got.Decode("id, value:text=data,key,headers=h,offset=kafka.offset"); err != nil {
		t.Fatal(err)
	}
	want := Fields{
		{"id", "", "id"}, {"value", "text", "data"}, {"key", "json", "key"}, {"headers", "text", "h"}, {"offset", "", "kafka.offset"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var again Fields
	if err := again.Decode(got.String()); err != nil || cmp.Diff(got, again) != "" {
		t.Errorf("%s reads as %v, %v", got, again, err)
	}
	const functions = "timestamp:date=day,timestamp:hour=hour,header(a=b):base64=c,const(x:y)=d"
	if err := again.Decode(functions); err != nil || again.String() != functions {
		t.Errorf("%s reads as %s, %v", functions, again, err)
	}
}

func TestFieldsDecodeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                `entry 1: "" is no field; want one of id, topic, partition, offset, timestamp, timestamp_ms, key, headers, value, tombstone`,
		"id,":                             `entry 2: "" is no field`,
		"id,Key":                          `entry 2: "Key" is no field`,
		"payload":                         `"payload" is no field`,
		"id:text":                         `id has one form only; want id without ":text"`,
		"value:":                          `value can't be written as ""; want text, base64 or, for key and value, json`,
		"value:hex":                       `value can't be written as "hex"`,
		"headers:json":                    `headers can't be written as "json"`,
		"id=":                             `"" is no name; want 1 to 128 printable ASCII characters`,
		"id=a b":                          `"a b" is no name`,
		`id="a"`:                          `is no name`,
		`id=a\`:                           `is no name`,
		"id=é":                            `is no name`,
		"id=\x00":                         `is no name`,
		"id=" + strings.Repeat("a", 129):  `is no name`,
		"id,id=b":                         `id is there twice`,
		"header()=a":                      `"header()=a" is no field; want header(NAME)=field`,
		"header(a)":                       `want header(NAME)=field`,
		"header(a,b)=c":                   `entry 1: "header(a" is no field`,
		"header(a):hex=b":                 `can't be written as "hex"`,
		"header(a)x=b":                    `is no field`,
		"const(a):text=b":                 `none for a constant`,
		"const(a)=":                       `"" is no name`,
		"timestamp:date,timestamp:date=x": `timestamp is there twice`,
		"timestamp:week":                  `timestamp can't be written as "week"; want date or hour, or timestamp alone`,
		"id=a,topic=a":                    `two fields would be called "a"`,
		"value,id=value_encoding":         `two fields would be called "value_encoding"`,
		"header(a)=h,id=h_encoding":       `two fields would be called "h_encoding"`,
	} {
		got := Fields{{"before", "", ""}}
		if err := got.Decode(in); err == nil || !strings.Contains(err.Error(), want) || len(got) != 1 {
			t.Errorf("%q: %v, %v; want %q and the fields as they were", in, got, err, want)
		}
	}
}

// The table of the documentation shows what is used when nothing is set.
func TestDefaultFields(t *testing.T) {
	var fs Fields
	if err := fs.Decode(defaultFields); err != nil {
		t.Fatal(err)
	}
	if got := strings.NewReplacer(":json", "", ":text", "").Replace(fs.String()); got != defaultFields {
		t.Errorf("%s", got)
	}
}

// TestEnvelopeName: a reader of the delivered objects finds the members by the names that the settings give them.
func TestEnvelopeName(t *testing.T) {
	t.Parallel()
	renamed := Fields{{Source: "value", Form: "json", Name: "value"}, {Source: "id", Name: "key of it"}}
	for _, test := range []struct {
		cfg    Config
		source string
		want   string
	}{
		{Config{Format: "json"}, "id", "id"},
		{Config{Format: "json"}, "timestamp_ms", ""},
		{Config{Format: "json", Fields: renamed}, "id", "key of it"},
		{Config{Format: "json", Fields: renamed}, "timestamp", ""},
		{Config{Format: "avro", Envelope: true}, "id", "id"},
		{Config{Format: "avro"}, "id", ""},
		{Config{Format: "raw"}, "id", ""},
	} {
		if got := test.cfg.EnvelopeName(test.source); got != test.want {
			t.Errorf("%+v: %s is called %q, want %q", test.cfg, test.source, got, test.want)
		}
	}
}
