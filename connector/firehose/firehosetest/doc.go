// Package firehosetest is an emulated Amazon Data Firehose for tests and local
// work: what net/http/httptest is to net/http, for PutRecordBatch.
//
// It is strict. It speaks the wire format, so the real AWS client is what a
// test exercises; it verifies Signature Version 4, parses JSON and base64
// without mercy, enforces every documented limit with the service's own words
// and in the service's own order, and meters a stream's quota record by record.
// The limits are written down here once more, on purpose: a judge that shares
// constants with the judged cannot find a wrong one.
//
// It is breakable. A script of [Fault] values, changeable at any time, makes it
// throttle single records, answer 200 without having stored anything, store
// everything and then reset the connection, stall, lie about its clock, or be
// down for an hour.
//
// It remembers. [Service.Stored] is every record it accepted, in order, with the
// request that brought it and whether the client received the answer;
// [Service.Requests] is the log of calls. A [Directory] writes stored records
// the way an S3 destination would.
//
// # Usage
//
// A [Service] is used as the HTTP client of the AWS SDK, which needs no socket
// and so works inside a testing/synctest bubble, an hour of outage included:
//
//	svc := firehosetest.New(firehosetest.Options{
//		Credentials: []firehosetest.Credentials{{AccessKey: "AKID", SecretKey: "secret"}},
//		Streams:     []firehosetest.Stream{{Name: "orders"}},
//	})
//	client := firehose.New(firehose.Options{
//		Region:      "us-east-1",
//		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
//		HTTPClient:  svc,
//	})
//	svc.SetFaults([]firehosetest.Fault{
//		// The second request is stored, and its answer destroyed.
//		{Effect: firehosetest.Reset, Stored: true, From: 2, To: 2},
//		// One record in ten is throttled during the first minute.
//		{Effect: firehosetest.RefuseRecords, Share: 0.1, Until: time.Minute},
//	})
//	// ... run the code under test with client ...
//	for _, rec := range svc.Stored("orders") {
//		// rec.Data, rec.Call, rec.Index, rec.Answered
//	}
//
// The same value is an [net/http.Handler]: httptest.NewServer(svc) or any other
// server puts it behind a real listener, where the faults act on the real
// connection. [Service.Admin] is the handler that shows and changes the script
// over HTTP, and [ParseFaults] reads the script's JSON form.
//
// Temporary credentials come from where they come from in production: an [STS] and
// a [Container] are emulated here too, and tell the Service of each session they
// hand out.
//
// # Checks, in this order
//
//  1. Method, path, content type and operation: UnknownOperationException.
//  2. The signature, its scope and its time (±5 minutes).
//  3. JSON and base64: SerializationException.
//  4. Authorization: AccessDeniedException.
//  5. The model's limits, all violations in one ValidationException.
//  6. The stream: there, of type DirectPut, ACTIVE.
//  7. The request's size: InvalidArgumentException.
//  8. The quota, record by record, inside a 200.
//
// # Limits of the emulation
//
// Streams are not created over the wire (see [Service.AddStream]), data is not
// transformed, converted or partitioned, and only HTTP/1.1 is spoken. Where the
// real service's behaviour is not known in public, the comment at the code says
// which behaviour was chosen.
package firehosetest
