package firehosetest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kafka-firehose/connector/firehose/firehosetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "wJalrXUtnFEMI"
)

// doer is both ways to reach a service.
type doer interface {
	Do(*http.Request) (*http.Response, error)
}

// newService is a strict service with the stream "orders", changed by edit.
func newService(edit func(*firehosetest.Options)) *firehosetest.Service {
	o := firehosetest.Options{
		Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Streams:     []firehosetest.Stream{{Name: "orders"}},
	}
	if edit != nil {
		edit(&o)
	}
	return firehosetest.New(o)
}

// listen puts a service behind a real listener.
func listen(t *testing.T, h http.Handler) (base string, client *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Start()
	t.Cleanup(srv.Close)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return srv.URL, &http.Client{Transport: tr}
}

// call is a request as the AWS CLI shapes it: signed are content-type, host and
// the x-amz- headers, and nothing else.
type call struct {
	op          string
	body        string
	base        string // default https://firehose.us-east-1.amazonaws.com
	accessKey   string
	secret      string
	token       string
	region      string // default us-east-1
	service     string // default firehose
	date        time.Time
	contentHash bool                // send X-Amz-Content-SHA256
	edit        func(*http.Request) // after signing
	ctx         context.Context
}

// request signs by the book, independently of the code under test.
func (c call) request(t testing.TB) *http.Request {
	t.Helper()
	or := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	ctx := c.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	base := or(c.base, "https://firehose.us-east-1.amazonaws.com")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/", strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.date.IsZero() {
		c.date = time.Now()
	}
	sum := sha256.Sum256([]byte(c.body))
	date := c.date.UTC().Format("20060102T150405Z")
	h := map[string]string{
		"content-type": "application/x-amz-json-1.1",
		"x-amz-date":   date,
		"x-amz-target": "Firehose_20150804." + or(c.op, "PutRecordBatch"),
	}
	if c.token != "" {
		h["x-amz-security-token"] = c.token
	}
	if c.contentHash {
		h["x-amz-content-sha256"] = hex.EncodeToString(sum[:])
	}
	for name, v := range h {
		r.Header.Set(name, v)
	}
	h["host"] = r.URL.Host
	var names []string
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	canonical := "POST\n/\n\n"
	for _, name := range names {
		canonical += name + ":" + h[name] + "\n"
	}
	signed := strings.Join(names, ";")
	canonical += "\n" + signed + "\n" + hex.EncodeToString(sum[:])
	hash := sha256.Sum256([]byte(canonical))
	scope := []string{date[:8], or(c.region, "us-east-1"), or(c.service, "firehose"), "aws4_request"}
	key := []byte("AWS4" + or(c.secret, secretKey))
	for _, s := range append(scope, "AWS4-HMAC-SHA256\n"+date+"\n"+strings.Join(scope, "/")+"\n"+hex.EncodeToString(hash[:])) {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(s))
		key = m.Sum(nil)
	}
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		or(c.accessKey, accessKey), strings.Join(scope, "/"), signed, hex.EncodeToString(key)))
	if c.edit != nil {
		c.edit(r)
	}
	return r
}

// result is an answer, read.
type result struct {
	status int
	header http.Header
	body   []byte
	err    error // of Do or of reading the body
}

func do(t testing.TB, d doer, c call) result {
	t.Helper()
	resp, err := d.Do(c.request(t))
	if err != nil {
		return result{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return result{status: resp.StatusCode, header: resp.Header, body: body, err: err}
}

// batchAnswer is the answer to a PutRecordBatch.
type batchAnswer struct {
	FailedPutCount   *int
	Encrypted        *bool
	RequestResponses []struct{ RecordId, ErrorCode, ErrorMessage string }
}

func (r result) batch(t testing.TB) batchAnswer {
	t.Helper()
	var a batchAnswer
	if r.err != nil || r.status != 200 {
		t.Fatalf("got status %d, error %v, body %s", r.status, r.err, r.body)
	}
	if err := json.Unmarshal(r.body, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// wantError checks an error answer, word for word.
func (r result) wantError(t testing.TB, status int, code, message string) {
	t.Helper()
	var got map[string]string
	if r.err != nil {
		t.Fatal(r.err)
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	text := got["message"]
	if code == "AccessDeniedException" || code == "MissingAuthenticationTokenException" {
		text = got["Message"]
	}
	if r.status != status || got["__type"] != code || text != message {
		t.Errorf("got  %d %s\nwant %d %s: %s", r.status, r.body, status, code, message)
	}
}

// putBody is the body of a PutRecordBatch.
func putBody(stream string, records ...[]byte) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"DeliveryStreamName": %q, "Records": [`, stream)
	for i, r := range records {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`{"Data": "` + base64.StdEncoding.EncodeToString(r) + `"}`)
	}
	b.WriteString("]}")
	return b.String()
}

// sized makes n records of size bytes.
func sized(n, size int) [][]byte {
	recs := make([][]byte, n)
	for i := range recs {
		recs[i] = bytes.Repeat([]byte{byte('a' + i%26)}, size)
	}
	return recs
}

// put is a call that puts records into "orders".
func put(records ...[]byte) call { return call{body: putBody("orders", records...)} }

// text makes records of strings.
func text(s ...string) [][]byte {
	recs := make([][]byte, len(s))
	for i := range s {
		recs[i] = []byte(s[i])
	}
	return recs
}

// stored is the data of what a stream stored.
func stored(s *firehosetest.Service, stream string) []string {
	out := []string{}
	for _, r := range s.Stored(stream) {
		out = append(out, string(r.Data))
	}
	return out
}

// wantURLError checks that an error comes as http.Client's do.
func wantURLError(t testing.TB, err error) {
	t.Helper()
	if u, ok := errors.AsType[*url.Error](err); !ok || u.Op != "Post" {
		t.Errorf("got %T %v, want a *url.Error of a Post", err, err)
	}
}
