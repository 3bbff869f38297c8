package unwrap

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kafka-firehose/connector/convert/jsontext"
)

// Sources of change events as the connectors of Debezium 3 write them.
const (
	postgresSource = `{"version":"3.1.0.Final","connector":"postgresql","name":"shop","ts_ms":1767225600123,"snapshot":"false","db":"shop","sequence":"[\"33227720\",\"33227776\"]","ts_us":1767225600123456,"ts_ns":1767225600123456000,"schema":"public","table":"customers","txId":771,"lsn":33227776,"xmin":null}`
	mysqlSource    = `{"version":"3.1.0.Final","connector":"mysql","name":"shop","ts_ms":1767225600000,"snapshot":"last","db":"inventory","sequence":null,"ts_us":1767225600000000,"ts_ns":1767225600000000000,"table":"orders","server_id":223344,"gtid":null,"file":"mysql-bin.000003","pos":1546,"row":0,"thread":8,"query":"UPDATE orders SET note = 'a \"quoted\" one'"}`
	mongoSource    = `{"version":"3.1.0.Final","connector":"mongodb","name":"shop","ts_ms":1767225600000,"snapshot":"false","db":"shop","sequence":null,"ts_us":1767225600000000,"ts_ns":1767225600000000000,"collection":"carts","ord":31,"lsid":null,"txnNumber":null,"wallTime":1767225600100}`
	connectSchema  = `{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"}],"optional":false,"name":"shop.public.customers.Envelope","version":2}`
)

// front returns the members in front of a row's columns.
func front(operation, ms, source string) string {
	return `{"__op":"` + operation + `","__offset":42,"__ts_ms":` + ms + `,"__source":` + source
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ value, want string }{
		{`{"schema":` + connectSchema + `,"payload":{"id":7,"name":"Ann"}}`, `{"id":7,"name":"Ann"}`},
		{`{"payload":{"id":7},"schema":null}`, `{"id":7}`},
		{`{"schema":{"type":"string","optional":false},"payload":"a \u0041 \ud800"}`, `"a \u0041 \ud800"`},
		{`{"schema":{"type":"bytes"},"payload":12345678901234567890.1234567890e-400}`, `12345678901234567890.1234567890e-400`},
		{`{"schema":null,"payload":[1,{"a":1,"a":2}]}`, `[1,{"a":1,"a":2}]`},
		{`{"schema":null,"payload":{"schema":null,"payload":1}}`, `{"schema":null,"payload":1}`},
		{`{"schema":null,"\u0070ayload":1}`, `1`},
		{`{"schema":null,"payload":1,"payload":2}`, `2`},
		{`{"schema":{"type":"string","optional":true},"payload":null}`, "null"},
		{`null`, "null"},
		{`{"payload":1}`, "not an envelope of Kafka Connect: it has no member schema"},
		{`{"schema":null}`, "not an envelope of Kafka Connect: it has no member payload"},
		{`{}`, "not an envelope of Kafka Connect: it has no member schema"},
		{`{"schema":null,"payload":"planted","x":1}`, "not an envelope of Kafka Connect: it has a member beside schema and payload"},
		{`{"schema":"planted","payload":1}`, "not an envelope of Kafka Connect: schema is neither an object nor null"},
		{`[{"schema":null,"payload":1}]`, "not an envelope of Kafka Connect: the value is no object"},
		{`"planted"`, "not an envelope of Kafka Connect: the value is no object"},
	} {
		got, err := Payload([]byte(test.value))
		text := string(got)
		if errors.Is(err, ErrNull) {
			text = "null"
		} else if err != nil {
			text = err.Error()
		}
		if text != test.want {
			t.Errorf("%s: %s, want %s", test.value, text, test.want)
		}
	}
}

// TestChangeEvents: rows keep their bytes, whatever database they are of, and the operation is in Firehose's words.
func TestChangeEvents(t *testing.T) {
	t.Parallel()
	const row = `{"id":7,"name":"Ann \u0041 \ud800 \/","balance":12345678901234567890.120,"tags":[{"a":1,"a":2}],"note":"__debezium_unavailable_value"}`
	columns := "," + row[1:]
	for _, test := range []struct{ name, value, want string }{
		{"Postgres, created", `{"before":null,"after":` + row + `,"source":` + postgresSource + `,"transaction":null,"op":"c","ts_ms":1767225600500,"ts_us":1767225600500123,"ts_ns":1767225600500123456}`, front("insert", "1767225600123", postgresSource) + columns},
		{"Postgres, updated", `{"before":{"id":7,"name":"An"},"after":` + row + `,"source":` + postgresSource + `,"op":"u"}`, front("update", "1767225600123", postgresSource) + columns},
		{"Postgres, deleted, with the key alone", `{"before":{"id":7,"name":null},"after":null,"source":` + postgresSource + `,"op":"d"}`, front("delete", "1767225600123", postgresSource) + `,"id":7,"name":null}`},
		{"with Connect's schema", `{"schema":` + connectSchema + `,"payload":{"before":null,"after":` + row + `,"source":` + postgresSource + `,"op":"c"}}`, front("insert", "1767225600123", postgresSource) + columns},
		{"without Connect's schema, in its envelope", `{"payload":{"before":null,"after":` + row + `,"source":` + postgresSource + `,"op":"c"},"schema":null}`, front("insert", "1767225600123", postgresSource) + columns},
		{"MySQL, a snapshot", `{"before":null,"after":` + row + `,"source":` + mysqlSource + `,"op":"r","ts_ms":1}`, front("insert", "1767225600000", mysqlSource) + columns},
		{"MySQL, updated", `{"op":"u","source":` + mysqlSource + `,"after":` + row + `,"before":{"id":1}}`, front("update", "1767225600000", mysqlSource) + columns},
		{"MongoDB, a document in a string", `{"before":null,"after":"{\"_id\": {\"$oid\": \"6596e7a0c5f3\"}, \"name\": \"A \\\"nn\\\"\", \"total\": {\"$numberLong\": \"3\"}}","updateDescription":null,"source":` + mongoSource + `,"op":"c"}`, front("insert", "1767225600000", mongoSource) + `,"_id":{"$oid":"6596e7a0c5f3"},"name":"A \"nn\"","total":{"$numberLong":"3"}}`},
		{"MongoDB, deleted with a pre-image", `{"before":"{\"_id\":1}","after":null,"source":` + mongoSource + `,"op":"d"}`, front("delete", "1767225600000", mongoSource) + `,"_id":1}`},
		{"Protobuf's JSON", `{"after":{"id":"7"},"source":{"tsMs":"1767225600123"},"op":"c"}`, front("insert", "1767225600123", `{"tsMs":"1767225600123"}`) + `,"id":"7"}`},
		{"a row without columns", `{"after":{},"source":null,"op":"c"}`, front("insert", "null", "null") + `}`},
		{"without a source", `{"after":{"op":"x"},"op":"u"}`, front("update", "null", "null") + `,"op":"x"}`},
		{"a source without a time", `{"after":{"a":1},"source":{"ts_ms":"soon"},"op":"u"}`, front("update", "null", `{"ts_ms":"soon"}`) + `,"a":1}`},
		{"names with escapes", `{"\u0061fter":{"a":1},"o\u0070":"\u0063"}`, front("insert", "null", "null") + `,"a":1}`},
		{"members that come twice", `{"op":"c","after":{"a":1},"after":{"a":2},"op":"u"}`, front("update", "null", "null") + `,"a":2}`},
		{"an event whose row has schema and payload", `{"op":"c","after":{"schema":1,"payload":2}}`, front("insert", "null", "null") + `,"schema":1,"payload":2}`},
	} {
		for range 2 {
			got, err := AppendRow([]byte("before "), []byte(test.value), 42)
			if err != nil || string(got) != "before "+test.want {
				t.Errorf("%s: %s, %v\nwant %s", test.name, got, err, test.want)
			}
		}
	}
}

// TestNoChangeEvents: a value that is no change of a row is an error that says why and holds nothing of the value.
func TestNoChangeEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, value, want string }{
		{"a truncated table", `{"source":` + postgresSource + `,"op":"t","ts_ms":1}`, "its op is t: the table was truncated, which Firehose has no operation for"},
		{"a logical decoding message", `{"source":` + postgresSource + `,"op":"m","message":{"prefix":"planted","content":"cGxhbnRlZA=="}}`, "its op is m: a message, which has no row"},
		{"another operation", `{"op":"planted","after":{}}`, "its op is none of c, r, u and d"},
		{"an operation that is no text", `{"op":1,"after":{}}`, "its op is no string"},
		{"no operation", `{"op":null,"after":{}}`, "its op is no string"},
		{"a row alone", `{"id":7,"name":"planted"}`, "it has no member op, nor schema and payload"},
		{"a heartbeat", `{"ts_ms":1767225600123}`, "it has no member op, nor schema and payload"},
		{"a row in Connect's envelope", `{"schema":` + connectSchema + `,"payload":{"id":7}}`, "its payload has no member op"},
		{"Connect's envelope twice", `{"schema":null,"payload":{"schema":null,"payload":{"op":"c","after":{}}}}`, "its payload has no member op"},
		{"a text in Connect's envelope", `{"schema":null,"payload":"planted"}`, "its payload is no object"},
		{"no object", `["planted"]`, "the value is no object"},
		{"a source that is none", `{"op":"c","after":{},"source":"planted"}`, "its source is no object"},
		{"an update of MongoDB without the document", `{"after":null,"updateDescription":{"updatedFields":"{\"a\":\"planted\"}"},"op":"u"}`, "an update without after has no row; have the connector send whole rows"},
		{"an insert without a row", `{"op":"c"}`, "an insert without after has no row; have the connector send whole rows"},
		{"a delete without the row", `{"op":"d","before":null,"after":{"planted":1}}`, "a delete without before doesn't say which row; have the database log the keys of deleted rows"},
		{"a row that is a number", `{"op":"c","after":7}`, "its row is neither an object nor a string with one"},
		{"a row that is a text", `{"op":"c","after":"planted"}`, "its row is a string without JSON, or nested too deep"},
		{"a row that is a text of JSON", `{"op":"c","after":"[\"planted\"]"}`, "its row is a string with JSON that is no object"},
		{"a column with the name of the operation", `{"op":"c","after":{"a":1,"__op":"planted"}}`, "its row has a column __op, which is the name of a member that is added"},
		{"a column with that name in escapes", `{"op":"c","after":{"\u005f_ts_ms":1}}`, "its row has a column __ts_ms, which is the name of a member that is added"},
		{"a deleted row with such a column", `{"op":"d","before":{"__source":1}}`, "its row has a column __source, which is the name of a member that is added"},
		{"a document with such a member", `{"op":"d","before":"{\"__offset\":1}"}`, "its row has a column __offset, which is the name of a member that is added"},
	} {
		got, err := AppendRow([]byte("before "), []byte(test.value), 42)
		if string(got) != "before " || err == nil || err.Error() != errNoEvent+test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
	for _, value := range []string{`null`, `{"schema":{"type":"struct"},"payload":null}`} {
		if got, err := AppendRow(nil, []byte(value), 42); !errors.Is(err, ErrNull) || got != nil {
			t.Errorf("%s: %s, %v", value, got, err)
		}
	}
}

// TestHostileEvents: work grows with the size of a value and with nothing else.
func TestHostileEvents(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	for name, value := range map[string]string{
		"names in escapes":   `{` + strings.Repeat(`"\u006fp":"c",`, size/14) + `"after":{}}`,
		"long names":         `{"` + strings.Repeat(`\u0061`, size/6) + `":1,"op":"c","after":{}}`,
		"nested":             `{"op":"c","after":{"a":` + strings.Repeat(`[`, 500) + strings.Repeat(`]`, 500) + `}}`,
		"rows in strings":    `{"op":"c","after":"{\"a\":\"` + strings.Repeat(`\\\\`, size/4) + `\"}"}`,
		"columns in escapes": `{"op":"c","after":{` + strings.Repeat(`"\u005fx":1,`, size/12) + `"a":1}}`,
	} {
		if _, ok := jsontext.ScanDocument([]byte(value)); !ok {
			t.Fatalf("%s: that is no JSON", name)
		}
		began := time.Now()
		out, err := AppendRow(nil, []byte(value), 1)
		if took := time.Since(began); took > 10*time.Second { // some ms: a square would take an hour
			t.Errorf("%s: %v", name, took)
		}
		if err != nil || len(out) > len(value)+100 {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
}

// TestAllocations: to unwrap costs no memory.
func TestAllocations(t *testing.T) {
	event := []byte(`{"schema":` + connectSchema + `,"payload":{"before":null,"after":{"id":7,"name":"Ann"},"source":` + postgresSource + `,"op":"c"}}`)
	buf := make([]byte, 0, 4<<10)
	n := testing.AllocsPerRun(100, func() {
		var err error
		if buf, err = AppendRow(buf[:0], event, 42); err != nil {
			t.Fatal(err)
		}
		if _, err = Payload(event); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// object is the model of an object: the last member of a name counts.
type object map[string]json.RawMessage

func (o object) null(name string) bool { return o[name] == nil || string(o[name]) == "null" }

func decodeObject(raw []byte) (o object, ok bool) {
	return o, len(raw) > 0 && raw[0] == '{' && json.Unmarshal(raw, &o) == nil
}

// modelRow is AppendRow by encoding/json. It returns "" for a value that is no change of a row.
func modelRow(value []byte) string {
	o, ok := decodeObject(value)
	if !ok {
		return ""
	}
	if o["op"] == nil {
		if o["schema"] == nil || o["payload"] == nil {
			return ""
		}
		if o, ok = decodeObject(o["payload"]); !ok {
			return ""
		}
	}
	var op string
	if o["op"] == nil || o["op"][0] != '"' || json.Unmarshal(o["op"], &op) != nil {
		return ""
	}
	raw, operation := o["after"], map[string]string{"c": "insert", "r": "insert", "u": "update", "d": "delete"}[op]
	if op == "d" {
		raw = o["before"]
	}
	var text string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		raw = []byte(text)
	}
	row, ok := decodeObject(bytes.TrimSpace(raw))
	if _, shallow := jsontext.ScanDocument(raw); operation == "" || !ok || !shallow {
		return ""
	}
	for _, name := range []string{"__op", "__offset", "__ts_ms", "__source"} {
		if _, shadowed := row[name]; shadowed {
			return ""
		}
	}
	source := object{}
	if !o.null("source") {
		if source, ok = decodeObject(o["source"]); !ok {
			return ""
		}
	} else {
		o["source"] = []byte("null")
	}
	ms := "null"
	if source["tsMs"] == nil {
		if n := digitsOf(append(source["ts_ms"], ' ')[:max(len(source["ts_ms"]), 1)]); n != nil {
			ms = string(n)
		}
	} else {
		ms = "any"
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return ""
	}
	columns := compact.String()[1:]
	if columns != "}" {
		columns = "," + columns
	}
	return front(operation, ms, string(o["source"])) + columns
}

// FuzzAppendRow compares rows with those of the model.
func FuzzAppendRow(f *testing.F) {
	for _, value := range []string{
		`{"op":"c","after":{"a":1},"source":{"ts_ms":5}}`, `{"schema":null,"payload":{"op":"d","before":{"a":[1,{"b":"\ud800"}]},"source":null}}`,
		`{"op":"u","after":"{\"a\" : 1}"}`, `{"op":"c","after":{"\u005f_op":1}}`, `{"op":"c","op":"x","after":{}}`, `{"payload":1,"schema":2}`, `null`, `{"op":"r","after":{"":{}},"source":{"ts_ms":"007"}}`,
	} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if _, ok := jsontext.ScanDocument(value); !ok || !utf8.Valid(value) {
			return
		}
		value = jsontext.AppendCompact(nil, value)
		got, err := AppendRow([]byte("x"), value, 42)
		want := modelRow(value)
		if strings.Contains(want, `"__ts_ms":any,`) && err == nil { // two names for one fact: either may come last
			return
		}
		if (err == nil) != (want != "") || err == nil && string(got) != "x"+want {
			t.Fatalf("%s: %s, %v; want %s", value, got, err, want)
		}
		if err != nil {
			if string(got) != "x" {
				t.Fatalf("%s: %q with an error", value, got)
			}
			return
		}
		if blanks, ok := jsontext.ScanDocument(got[1:]); !ok || blanks > 0 {
			t.Fatalf("%s: %s is no JSON without blanks", value, got)
		}
	})
}

// FuzzPayload: a payload is a part of its value, and JSON.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"schema":null,"payload":{"a":1}}`))
	f.Add([]byte(`{"schema":{},"payload":"x","\u0070ayload":[]}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		if _, ok := jsontext.ScanDocument(value); !ok || !utf8.Valid(value) {
			return
		}
		value = jsontext.AppendCompact(nil, value)
		got, err := Payload(value)
		o, ok := decodeObject(value)
		ok = ok && len(o) == 2 && o["schema"] != nil && o["payload"] != nil && (o.null("schema") || o["schema"][0] == '{')
		switch {
		case errors.Is(err, ErrNull):
			if string(value) != "null" && (!ok || !o.null("payload")) {
				t.Fatalf("%s is null", value)
			}
		case (err == nil) != ok, err == nil && !bytes.Equal(got, o["payload"]):
			t.Fatalf("%s: %s, %v", value, got, err)
		}
	})
}
