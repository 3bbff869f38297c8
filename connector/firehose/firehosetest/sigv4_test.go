package firehosetest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// TestSignature sends requests in the AWS CLI's shape through both transports.
func TestSignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands at 2000-01-01T00:00:00Z
		s := newService(func(o *firehosetest.Options) {
			o.Credentials = append(o.Credentials,
				firehosetest.Credentials{AccessKey: "ASIATEMP", SecretKey: "temp", SessionToken: "token"},
				firehosetest.Credentials{AccessKey: "ASIAOLD", SecretKey: "old", SessionToken: "token", Expires: time.Now()})
		})
		good := func(c call) {
			t.Helper()
			c.body = put([]byte("x")).body
			do(t, s, c).batch(t)
		}
		bad := func(c call, code, message string) {
			t.Helper()
			c.body = put([]byte("x")).body
			before := len(s.Stored("orders"))
			do(t, s, c).wantError(t, 400, code, message)
			if len(s.Stored("orders")) != before {
				t.Error("stored on a refusal")
			}
		}
		header := func(name, value string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set(name, value) }
		}
		replace := func(old, now string) func(*http.Request) {
			return func(r *http.Request) {
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, now, 1))
			}
		}
		const invalid, incomplete = "InvalidSignatureException", "IncompleteSignatureException"
		now := time.Now()

		good(call{})
		good(call{contentHash: true})
		good(call{accessKey: "ASIATEMP", secret: "temp", token: "token"})
		good(call{edit: header("User-Agent", "aws-cli/2")})
		good(call{edit: replace(", ", ",")})

		bad(call{secret: "wrong"}, invalid, mismatch)
		bad(call{accessKey: "AKIAOTHER"}, "UnrecognizedClientException", "The security token included in the request is invalid.")
		bad(call{accessKey: "ASIATEMP", secret: "temp"}, "UnrecognizedClientException", "The security token included in the request is invalid.")
		bad(call{accessKey: "ASIATEMP", secret: "temp", token: "other"}, "UnrecognizedClientException", "The security token included in the request is invalid.")
		bad(call{accessKey: "ASIAOLD", secret: "old", token: "token"}, "ExpiredTokenException", "The security token included in the request is expired")

		// Tampered: the body, a signed header, and an unsigned one that must be.
		bad(call{edit: func(r *http.Request) {
			other := put([]byte("y")).request(t)
			r.Body, r.ContentLength = other.Body, other.ContentLength
		}}, invalid, mismatch)
		bad(call{contentHash: true, edit: header("X-Amz-Content-Sha256", strings.Repeat("0", 64))}, invalid, mismatch)
		bad(call{edit: header("X-Amz-Target", "Firehose_20150804.PutRecord")}, invalid, mismatch)
		bad(call{edit: header("X-Amz-Security-Token", "smuggled")}, invalid, "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.")
		bad(call{edit: replace("content-type;host", "content-type")}, invalid, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
		bad(call{edit: replace("content-type;host", "host;content-type")}, invalid, "SignedHeaders must be in alphabetical order.")

		// Scope.
		bad(call{region: "eu-west-1"}, invalid, "Credential should be scoped to a valid region, not 'eu-west-1'. ")
		bad(call{service: "kinesis"}, invalid, "Credential should be scoped to correct service: 'firehose'. ")
		bad(call{edit: replace("aws4_request", "aws5_request")}, invalid, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'.")
		bad(call{edit: replace("/20000101/", "/19991231/")}, invalid,
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '19991231' != '20000101', from '20000101T000000Z'.")

		// Time: five minutes either way.
		good(call{date: now.Add(-5 * time.Minute)})
		good(call{date: now.Add(5 * time.Minute)})
		bad(call{date: now.Add(-5*time.Minute - time.Second)}, invalid,
			"Signature expired: 19991231T235459Z is now earlier than 19991231T235500Z (20000101T000000Z - 5 min.)")
		bad(call{date: now.Add(5*time.Minute + time.Second)}, invalid,
			"Signature not yet current: 20000101T000501Z is still later than 20000101T000500Z (20000101T000000Z + 5 min.)")

		// Form.
		bad(call{edit: func(r *http.Request) { r.Header.Del("Authorization") }}, "MissingAuthenticationTokenException", "Missing Authentication Token")
		bad(call{edit: header("Authorization", "Basic YTpi")}, incomplete, "Unsupported AWS 'algorithm'; this service takes AWS4-HMAC-SHA256.")
		bad(call{edit: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Signature=00")
			r.Header.Del("X-Amz-Date")
		}}, incomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'SignedHeaders' parameter. "+
			"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
		bad(call{edit: replace("/us-east-1/", "/")}, incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
		bad(call{edit: replace("Signature=", "Signature=zz")}, incomplete, "Signature must be 64 hexadecimal digits.")
	})
}

// TestAnySignature has a service without credentials, which still wants a
// well-formed, current signature.
func TestAnySignature(t *testing.T) {
	s := newService(func(o *firehosetest.Options) { o.Credentials = nil })
	c := put([]byte("x"))
	c.secret, c.accessKey, c.token = "whatever", "anyone", "any token"
	do(t, s, c).batch(t)
	c.region = "eu-west-1"
	do(t, s, c).wantError(t, 400, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'eu-west-1'. ")
	c.edit = func(r *http.Request) { r.Header.Del("Authorization") }
	do(t, s, c).wantError(t, 400, "MissingAuthenticationTokenException", "Missing Authentication Token")
}
