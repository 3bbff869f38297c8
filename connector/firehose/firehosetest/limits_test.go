package firehosetest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"kafka-firehose/connector/firehose/firehosetest"
)

const constraint = "' failed to satisfy constraint: Member must "

func one(value, at, must string) string {
	return "1 validation error detected: " + violation(value, at, must)
}

func violation(value, at, must string) string {
	return "Value " + value + " at '" + at + constraint + must
}

func buffer(n int) string {
	return fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", n, n)
}

// TestLimits has each documented limit at its edge, and on both sides of it.
func TestLimits(t *testing.T) {
	long := strings.Repeat("n", 64)
	mib := sized(4, 1_000_000)
	f := func(name, body, code, message string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			s := newService(func(o *firehosetest.Options) {
				o.Streams = append(o.Streams, firehosetest.Stream{Name: long}, firehosetest.Stream{Name: "a_Z.9-"})
			})
			r := do(t, s, call{body: body})
			if code == "" {
				if a := r.batch(t); *a.FailedPutCount != 0 || a.RequestResponses[0].RecordId == "" {
					t.Errorf("not accepted: %s", r.body)
				}
				return
			}
			r.wantError(t, 400, code, message)
			if st := s.Stats().Streams; len(st) != 0 {
				t.Errorf("stored on a refusal: %v", st)
			}
		})
	}
	const invalid = "ValidationException"
	data := func(n int) string { return putBody("orders", sized(1, n)...) }

	f("one record", data(1), "", "")
	f("an empty record", data(0), "", "")
	f("record at 1,024,000", data(1_024_000), "", "")
	f("record above 1,024,000", data(1_024_001), invalid,
		one("'"+buffer(1_024_001)+"'", "records.1.member.data", "have length less than or equal to 1024000"))
	f("second and third record above", putBody("orders", []byte("x"), sized(1, 1_024_001)[0], sized(1, 1_024_002)[0]), invalid,
		"2 validation errors detected: "+
			violation("'"+buffer(1_024_001)+"'", "records.2.member.data", "have length less than or equal to 1024000")+"; "+
			violation("'"+buffer(1_024_002)+"'", "records.3.member.data", "have length less than or equal to 1024000"))

	f("499 records", putBody("orders", sized(499, 1)...), "", "")
	f("500 records", putBody("orders", sized(500, 1)...), "", "")
	f("501 records", putBody("orders", sized(501, 15)...), invalid,
		one("'["+strings.Repeat("Record(data="+buffer(15)+"), ", 500)+"Record(data="+buffer(15)+")]'", "records", "have length less than or equal to 500"))
	f("no records", putBody("orders"), invalid, one("'[]'", "records", "have length greater than or equal to 1"))
	f("null records", `{"DeliveryStreamName":"orders","Records":null}`, invalid, one("null", "records", "not be null"))
	f("null data", `{"DeliveryStreamName":"orders","Records":[{"Data":null}]}`, invalid, one("null", "records.1.member.data", "not be null"))
	f("missing data", `{"DeliveryStreamName":"orders","Records":[{"Data":""},{}]}`, invalid, one("null", "records.2.member.data", "not be null"))
	f("nothing", `{}`, invalid, "2 validation errors detected: "+violation("null", "deliveryStreamName", "not be null")+"; "+violation("null", "records", "not be null"))

	f("request at 4 MiB", putBody("orders", append(mib, sized(1, 4<<20-4_000_000)...)...), "", "")
	f("request below 4 MiB", putBody("orders", append(mib, sized(1, 4<<20-4_000_001)...)...), "", "")
	f("request above 4 MiB", putBody("orders", append(mib, sized(1, 4<<20-3_999_999)...)...), "InvalidArgumentException", "Records size exceeds 4 MB limit")

	f("name of 64", putBody(long, []byte("x")), "", "")
	f("name of 65", putBody(long+"n", []byte("x")), invalid, one("'"+long+"n'", "deliveryStreamName", "have length less than or equal to 64"))
	f("every kind of character", putBody("a_Z.9-", []byte("x")), "", "")
	f("a space in the name", putBody("or ders", []byte("x")), invalid,
		one("'or ders'", "deliveryStreamName", "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"))
	f("empty name", putBody("", []byte("x")), invalid, "2 validation errors detected: "+
		violation("''", "deliveryStreamName", "have length greater than or equal to 1")+"; "+
		violation("''", "deliveryStreamName", "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"))
	f("no such stream", putBody("nope", []byte("x")), "ResourceNotFoundException", "Firehose nope not found under account 123456789012.")
}

// TestRequestLimitOptions has the two other readings of "4 MB".
func TestRequestLimitOptions(t *testing.T) {
	const tooLarge = "Records size exceeds 4 MB limit"
	decimal := newService(func(o *firehosetest.Options) { o.RequestLimitBytes = 4_000_000 })
	do(t, decimal, put(sized(4, 1_000_000)...)).batch(t)
	do(t, decimal, put(append(sized(4, 1_000_000), []byte("x"))...)).wantError(t, 400, "InvalidArgumentException", tooLarge)

	body := put(sized(10, 100)...)
	wire := newService(func(o *firehosetest.Options) { o.RequestLimitBytes, o.CountWire = len(body.body), true })
	do(t, wire, body).batch(t)
	body.body += " "
	do(t, wire, body).wantError(t, 400, "InvalidArgumentException", tooLarge)
}

// TestOrder breaks a request in more and more ways; the first that the service
// looks at decides.
func TestOrder(t *testing.T) {
	synctest.Test(t, testOrder) // the quota's second does not pass
}

func testOrder(t *testing.T) {
	s := newService(func(o *firehosetest.Options) {
		o.Streams = append(o.Streams,
			firehosetest.Stream{Name: "denied", Refusal: "AccessDeniedException"},
			firehosetest.Stream{Name: "msk", Type: "MSKAsSource"},
			firehosetest.Stream{Name: "tiny", Quota: firehosetest.Quota{RequestsPerSecond: 1, WholeRequest: true}},
		)
	})
	f := func(c call, status int, code, message string) {
		t.Helper()
		do(t, s, c).wantError(t, status, code, message)
	}
	huge := sized(501, 9_000) // too many, and above 4 MB
	wrongSecret := func(c call) call { c.secret = "wrong"; return c }
	denied := func(op, stream string) string {
		return "User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: firehose:" + op +
			" on resource: arn:aws:firehose:us-east-1:123456789012:deliverystream/" + stream + " because no identity-based policy allows the firehose:" + op + " action"
	}

	// The operation comes before the signature,
	f(wrongSecret(call{op: "Nonsense", body: "{"}), 400, "UnknownOperationException", "")
	// which comes before the JSON,
	f(wrongSecret(call{body: "{"}), 400, "InvalidSignatureException", mismatch)
	// which comes before the authorization,
	f(call{body: `{"DeliveryStreamName":"denied"]`}, 400, "SerializationException", `byte 30 of the body is ']' where ',' or '}' was expected`)
	// which comes before the model,
	f(call{body: putBody("denied", huge...)}, 400, "AccessDeniedException", denied("PutRecordBatch", "denied"))
	arn := "arn:aws:firehose:us-east-1:123456789012:deliverystream/orders"
	f(call{body: putBody(arn, []byte("x"))}, 400, "AccessDeniedException", denied("PutRecordBatch", arn))
	// which comes before the stream,
	if r := do(t, s, call{body: putBody("nope", huge...)}); !strings.Contains(string(r.body), "ValidationException") {
		t.Errorf("got %.200s", r.body)
	}
	// which comes before the size,
	f(call{body: putBody("msk", huge[:500]...)}, 400, "InvalidArgumentException", "This operation is not permitted on MSKAsSource delivery stream type.")
	// which comes before the quota.
	do(t, s, call{body: putBody("tiny", []byte("x"))}).batch(t)
	f(call{body: putBody("tiny", huge[:500]...)}, 400, "InvalidArgumentException", "Records size exceeds 4 MB limit")
	f(call{body: putBody("tiny", []byte("x"))}, 503, "ServiceUnavailableException", "Slow down.")
	if got := stored(s, "tiny"); len(got) != 1 {
		t.Errorf("stored %d records, want 1", len(got))
	}
}

// TestHTTPBodyBound has a body that no request can need.
func TestHTTPBodyBound(t *testing.T) {
	s := newService(nil)
	r := do(t, s, call{body: strings.Repeat(" ", 16<<20+1)})
	if r.err != nil || r.status != 413 || len(r.body) != 0 {
		t.Errorf("got %d %q %v, want a bare 413", r.status, r.body, r.err)
	}
	if got := s.Requests()[0].Code; got != "RequestEntityTooLarge" {
		t.Errorf("logged as %q", got)
	}
}

func TestStreamStates(t *testing.T) {
	for _, tc := range []struct {
		stream        firehosetest.Stream
		code, message string
	}{
		{firehosetest.Stream{Status: "CREATING"}, "ResourceNotFoundException", "Firehose orders not found under account 123456789012."},
		{firehosetest.Stream{Status: "DELETING"}, "", ""},
		{firehosetest.Stream{Type: "KinesisStreamAsSource"}, "InvalidArgumentException", "This operation is not permitted on KinesisStreamAsSource delivery stream type."},
		{firehosetest.Stream{Refusal: "InvalidKMSResourceException"}, "InvalidKMSResourceException", "The grant for the CMK to this delivery stream might have been revoked or caller might not have sufficient permissions for the CMK."},
		{firehosetest.Stream{Refusal: "InvalidSourceException"}, "InvalidSourceException", "InvalidSourceException, as the emulator was told."},
	} {
		s := newService(nil)
		tc.stream.Name = "orders"
		s.AddStream(tc.stream)
		r := do(t, s, put([]byte("x")))
		if tc.code == "" {
			r.batch(t)
			continue
		}
		r.wantError(t, 400, tc.code, tc.message)
		if len(stored(s, "orders")) != 0 {
			t.Errorf("%v: stored", tc.stream)
		}
	}
}
