package firehosetest

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDecodePut has what the decoder takes and what it refuses.
func TestDecodePut(t *testing.T) {
	good := func(body, stream string, want ...string) {
		t.Helper()
		in, err := decodePut(opPutRecordBatch, []byte(body))
		if err != nil || in.stream == nil || *in.stream != stream || len(in.records) != len(want) {
			t.Errorf("%s: got %+v, %v", body, in, err)
			return
		}
		for i, r := range in.records {
			if string(r.data) != want[i] || r.null {
				t.Errorf("%s: record %d is %q", body, i, r.data)
			}
		}
	}
	bad := func(body, want string) {
		t.Helper()
		_, err := decodePut(opPutRecordBatch, []byte(body))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
	with := func(data string) string { return `{"DeliveryStreamName":"s","Records":[{"Data":"` + data + `"}]}` }

	good(with("YWI="), "s", "ab")
	good(with(""), "s", "")
	good(with(`\u0059WI=`), "s", "ab")
	good(with(`\/\/8=`), "s", "\xff\xff")
	good(" {\t\"Records\" :\r\n[ {\"Data\":\"YQ==\"} , {\"Data\":\"Yg==\"} ] , \"DeliveryStreamName\" : \"\\u0073\" } ", "s", "a", "b")
	good(`{"DeliveryStreamName":"s","X":[1,-2.5e3,true,null,{"y":"\""}],"Records":[{"Z":{},"Data":"YQ=="}]}`, "s", "a")
	good(`{"DeliveryStreamName":"r","DeliveryStreamName":"s","Records":[{"Data":"YQ=="}],"Records":[{"Data":"Yg==","Data":"Yw=="}]}`, "s", "c")
	good(`{"DeliveryStreamName":"s","records":[{"Data":"YQ=="}],"Records":[]}`, "s") // names are matched in their case

	const notBase64 = "is not base64"
	bad(with("YWI"), notBase64)          // no padding
	bad(with("YWI=="), notBase64)        // too much of it
	bad(with("YWJ="), notBase64)         // stray bits
	bad(with("-_8="), notBase64)         // URL alphabet
	bad(with(`YW\nI=`), notBase64)       // white space
	bad(with(`YW\n\n\n\nI=`), notBase64) // as long as base64 is
	bad(with(`YW\r\r\r\rI=`), notBase64)
	bad(with("YW\n\n\n\nI="), notBase64)
	bad(with("YW I="), notBase64)
	bad(with("YWI=YWI="), notBase64)
	bad(with("YW\nI="), notBase64) // not even JSON
	bad(with(`\q`), "is not valid")
	bad(`{"Records":[{"Data":1}]}`, `is '1' where '"' was expected`)
	bad(`{"Records":{}}`, `where '[' was expected`)
	bad(`{"Records":[[]]}`, `where '{' was expected`)
	bad(`{"DeliveryStreamName":5}`, `where '"' was expected`)
	bad(`{"DeliveryStreamName":"a`+"\x01"+`"}`, "where a valid string was expected")
	bad(`{"X":"a`+"\x01"+`"}`, "where a valid string was expected")
	bad(`{"X":tru}`, "where a value was expected")
	bad(`{"X":}`, "where a value was expected")
	bad(`{"X":1`, "ends at byte 6")
	bad(`{"X`, "ends at byte 3")
	bad(`{"X\`, "ends at byte 4")
	bad(`{"X\"`, "ends at byte 5")
	bad(`{,}`, `where '"' was expected`)
	bad(`{"X":1,}`, `where '"' was expected`)
	bad(`{} {}`, "where the end was expected")
	bad(``, "ends at byte 0")
	bad("\xef\xbb\xbf{}", "where '{' was expected") // byte order mark
	bad("{\"\xff\":1}", "not UTF-8")
	bad(`{"X":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`, "nests deeper than 100")
}

// FuzzDecodePut compares the decoder with encoding/json, which accepts more:
// whatever it calls invalid must be refused, and what both accept must agree.
func FuzzDecodePut(f *testing.F) {
	for _, s := range []string{
		`{"DeliveryStreamName":"s","Records":[{"Data":"YWI="},{"Data":null},null,{}]}`,
		`{"DeliveryStreamName":null,"Records":null,"X":{"y":[1,2e9,true]}}`,
		`{"Records":[{"Data":"\u0059WI="}]} `, `{"\ud800":"\\"}`, `[`, `{"Records":[{"Data":"YW\nI="}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodePut(opPutRecordBatch, body)
		if err != nil {
			if asAPI(err).code != codeSerialization {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		var members map[string]json.RawMessage
		if e := json.Unmarshal(body, &members); e != nil {
			t.Fatalf("accepted what is no JSON object: %v", e)
		}
		var want []struct{ Data []byte }
		if raw, ok := members["Records"]; ok {
			if e := json.Unmarshal(raw, &want); e != nil {
				t.Fatalf("accepted Records that encoding/json does not: %v", e)
			}
		}
		if len(want) != len(in.records) {
			t.Fatalf("%d records, encoding/json has %d", len(in.records), len(want))
		}
		total := 0
		for _, r := range in.records {
			total += len(r.data)
		}
		if total > len(body) {
			t.Fatalf("%d bytes of data out of %d", total, len(body))
		}
	})
}

// BenchmarkDecodePut is the decoder alone:
//
//	go test -run '^$' -bench DecodePut ./connector/firehose/firehosetest
func BenchmarkDecodePut(b *testing.B) {
	body := []byte(`{"DeliveryStreamName":"s","Records":[` + strings.Repeat(`{"Data":"`+strings.Repeat("YWJj", 341)+`"},`, 499) + `{"Data":""}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodePut(opPutRecordBatch, body); err != nil {
			b.Fatal(err)
		}
	}
}
