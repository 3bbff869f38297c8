// Package buckettest is a bucket of S3 for tests, in the process or behind a listener. It is strict: it knows the two requests that
// claim checks need, for those whom a policy allows nothing else, and refuses one that differs from the service's protocol in anything.
package buckettest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Region is the one that buckets are in, unless told otherwise.
const Region = "eu-central-1"

// Object is what the bucket stores.
type Object struct {
	Content     string
	ContentType string
	Metadata    map[string]string
}

// Refusal is an answer with an error, or none.
type Refusal struct {
	Status  int    // 0 for a connection that breaks
	Code    string // the error's name; empty for an answer that is not the service's
	Message string
	Stores  bool // the object is stored nevertheless
	Hangs   bool // no answer before the client gives up
}

// Refusals of the real service.
var (
	NoBucket = Refusal{Status: http.StatusNotFound, Code: "NoSuchBucket", Message: "The specified bucket does not exist"}
	Denied   = Refusal{Status: http.StatusForbidden, Code: "AccessDenied", Message: "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: s3:PutObject"}
	NoKey    = Refusal{Status: http.StatusForbidden, Code: "AccessDenied", Message: "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-central-1:123456789012:key/k"}
	Disabled = Refusal{Status: http.StatusBadRequest, Code: "KMS.DisabledException", Message: "k is disabled"}
	SlowDown = Refusal{Status: http.StatusServiceUnavailable, Code: "SlowDown", Message: "Please reduce your request rate."}
	Internal = Refusal{Status: http.StatusInternalServerError, Code: "InternalError", Message: "We encountered an internal error. Please try again."}
	Lost     = Refusal{Stores: true} // the answer, and not the object
	Broken   = Refusal{}
	Hang     = Refusal{Hangs: true}
	Page     = Refusal{Status: http.StatusOK, Message: "<html>log in</html>"}
)

// Bucket is the service with one bucket. It is an [net/http.Handler] and, with Do, the HTTP client of an AWS SDK.
type Bucket struct {
	Name   string
	Prefix string // objects may be written below it alone
	Region string
	Lists  bool // the bucket may be looked at

	accessKey, secretKey string

	mu       sync.Mutex
	objects  map[string]Object
	fault    func(key string) *Refusal
	stored   func(key string)
	wrong    []string // what a correct client never does
	requests int
	under    int // at a time
	most     int
}

// New returns an empty bucket for requests that are signed with these keys.
func New(name, prefix, accessKey, secretKey string) *Bucket {
	return &Bucket{Name: name, Prefix: prefix, Region: Region, accessKey: accessKey, secretKey: secretKey, objects: map[string]Object{}}
}

// Fault has the bucket answer with the result of f, unless that is nil. f may wait.
func (b *Bucket) Fault(f func(key string) *Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = f
}

// OnStored has f called whenever an object is stored, before the answer.
func (b *Bucket) OnStored(f func(key string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored = f
}

// Objects returns all objects by key.
func (b *Bucket) Objects() map[string]Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.objects)
}

// Wrong returns what a correct client never does: requests that are no requests of S3, that the policy does not allow, or that
// replace an object by another content.
func (b *Bucket) Wrong() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.wrong...)
}

// Requests returns how many there were, and how many at a time at most.
func (b *Bucket) Requests() (all, atATime int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.requests, b.most
}

// Do is the HTTP client of an AWS SDK. It takes some milliseconds, as the service does.
func (b *Bucket) Do(req *http.Request) (*http.Response, error) {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	rec := httptest.NewRecorder()
	status := b.serve(rec, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return rec.Result(), nil
}

// ServeHTTP implements http.Handler.
func (b *Bucket) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if b.serve(w, req) == 0 {
		panic(http.ErrAbortHandler)
	}
}

// serve answers, and returns the status.
func (b *Bucket) serve(w http.ResponseWriter, req *http.Request) int {
	b.mu.Lock()
	b.requests++
	b.under++
	b.most = max(b.most, b.under)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.under--
	}()
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return refuse(w, Refusal{Status: http.StatusBadRequest, Code: "IncompleteBody", Message: err.Error()})
		}
	}
	bucket, key := bucketAndKey(req)
	switch err := b.verify(req, body); {
	case err != nil && strings.Contains(err.Error(), "signed for region"):
		w.Header().Set("X-Amz-Bucket-Region", b.Region)
		return refuse(w, Refusal{Status: http.StatusMovedPermanently, Code: "PermanentRedirect", Message: err.Error()})
	case err != nil:
		return refuse(w, Refusal{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch", Message: err.Error()})
	case bucket != b.Name:
		return refuse(w, NoBucket)
	case req.Method == http.MethodHead && key == "":
		return b.look(w)
	}
	return b.put(w, req, key, body)
}

// bucketAndKey reads an address of either style: the bucket in the path, or in the host's name.
func bucketAndKey(req *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(req.URL.Path, "/")
	if name, _, ok := strings.Cut(req.URL.Host, ".s3."); ok {
		return name, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

func (b *Bucket) look(w http.ResponseWriter) int {
	if !b.Lists {
		w.WriteHeader(http.StatusForbidden)
		return http.StatusForbidden
	}
	w.WriteHeader(http.StatusOK)
	return http.StatusOK
}

// put stores an object if everything about the request is right.
func (b *Bucket) put(w http.ResponseWriter, req *http.Request, key string, body []byte) int {
	b.mu.Lock()
	fault := b.fault
	b.mu.Unlock()
	var refusal *Refusal
	if fault != nil {
		refusal = fault(key)
	}
	if refusal != nil && refusal.Hangs {
		<-req.Context().Done()
	}
	if refusal != nil && !refusal.Stores {
		return refuse(w, *refusal)
	}
	if wrong := b.wrongWith(req, key, body); wrong != "" {
		b.mu.Lock()
		b.wrong = append(b.wrong, wrong)
		b.mu.Unlock()
		return refuse(w, Refusal{Status: http.StatusForbidden, Code: "AccessDenied", Message: wrong})
	}
	b.store(key, req.Header, string(body))
	if refusal != nil {
		return refuse(w, *refusal)
	}
	w.Header().Set("ETag", `"`+digestOf(body)[:32]+`"`)
	w.Header().Set("X-Amz-Checksum-Sha256", req.Header.Get("X-Amz-Checksum-Sha256"))
	w.WriteHeader(http.StatusOK)
	return http.StatusOK
}

// allowedHeaders are those of a PutObject that leaves encryption, ownership and storage class to the bucket.
var allowedHeaders = map[string]bool{"x-amz-content-sha256": true, "x-amz-checksum-sha256": true, "x-amz-sdk-checksum-algorithm": true, "x-amz-date": true, "x-amz-security-token": true}

// wrongWith returns the fault of a request, empty if it has none.
func (b *Bucket) wrongWith(req *http.Request, key string, body []byte) string {
	sum := sha256.Sum256(body)
	for name := range req.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !strings.HasPrefix(name, "x-amz-meta-") && !allowedHeaders[name] {
			return "the policy does not allow header " + name
		}
	}
	query := req.URL.Query()
	query.Del("x-id")
	switch {
	case req.Method != http.MethodPut, len(query) > 0:
		return fmt.Sprintf("not authorized to perform: %s %s", req.Method, req.URL)
	case !strings.HasPrefix(key, b.Prefix):
		return "not authorized to perform: s3:PutObject on " + key
	case req.ContentLength != int64(len(body)):
		return fmt.Sprintf("Content-Length is %d, the body has %d bytes", req.ContentLength, len(body))
	case req.Header.Get("X-Amz-Checksum-Sha256") != base64.StdEncoding.EncodeToString(sum[:]):
		return "the checksum is of another body"
	case req.Header.Get("Content-Type") == "", req.Header.Get("Content-Encoding") != "":
		return "no content type, or an encoding"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if old, ok := b.objects[key]; ok && old.Content != string(body) {
		return "another object replaces " + key
	}
	return ""
}

func (b *Bucket) store(key string, h http.Header, content string) {
	o := Object{Content: content, ContentType: h.Get("Content-Type"), Metadata: map[string]string{}}
	for name := range h {
		if meta, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			o.Metadata[meta] = h.Get(name)
		}
	}
	b.mu.Lock()
	b.objects[key] = o
	stored := b.stored
	b.mu.Unlock()
	if stored != nil {
		stored(key)
	}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func refuse(w http.ResponseWriter, refusal Refusal) int {
	if refusal.Status == 0 {
		return 0
	}
	if refusal.Code == "" { // of something that stands between
		w.WriteHeader(refusal.Status)
		_, _ = io.WriteString(w, refusal.Message)
		return refusal.Status
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(refusal.Status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: refusal.Code, Message: refusal.Message})
	return refusal.Status
}
