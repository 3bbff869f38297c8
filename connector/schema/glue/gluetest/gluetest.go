// Package gluetest is AWS Glue Schema Registry for tests, in the process or behind a listener. It is
// strict: it knows one operation, for those whom a policy allows nothing else, and refuses a request
// that differs from the service's protocol in anything.
package gluetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"time"
)

// Region is the one that the registry is in.
const Region = "eu-central-1"

// Registry is the service. It is an [net/http.Handler] and, with Do, the HTTP client of an AWS SDK.
type Registry struct {
	mu       sync.Mutex
	keys     map[string]string  // :: access key -> secret key
	versions map[string]version // :: UUID -> version
	fault    func(id string) *Refusal
	asked    []string // ids, in the order of the requests
	under    int      // requests at a time
	most     int
}

type version struct{ format, text string }

// Refusal is an answer with an error, or none.
type Refusal struct {
	Status  int    // 0 for a connection that breaks
	Code    string // the error's name; empty for an answer that is not the service's
	Message string
}

// Refusals of the real service.
var (
	NotFound  = Refusal{http.StatusBadRequest, "EntityNotFoundException", "Schema version is not found."}
	Throttled = Refusal{http.StatusBadRequest, "ThrottlingException", "Rate exceeded"}
	Denied    = Refusal{http.StatusBadRequest, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: glue:GetSchemaVersion"}
	Internal  = Refusal{http.StatusInternalServerError, "InternalServiceException", "Internal service failure"}
)

// New returns a registry without schemas, for requests that are signed with these keys.
func New(accessKey, secretKey string) *Registry {
	return &Registry{keys: map[string]string{accessKey: secretKey}, versions: map[string]version{}}
}

// SetKeys replaces the keys that requests may be signed with.
func (r *Registry) SetKeys(accessKey, secretKey string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = map[string]string{accessKey: secretKey}
}

// Add registers a version. The format is AVRO, JSON or PROTOBUF.
func (r *Registry) Add(id, format, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions[id] = version{format, text}
}

// Fault has the registry answer with the result of f, unless that is nil. f may wait.
func (r *Registry) Fault(f func(id string) *Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

// Asked returns the ids that were asked for, in their order.
func (r *Registry) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.asked...)
}

// Most returns how many requests there were at a time, at most.
func (r *Registry) Most() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// Do is the HTTP client of an AWS SDK. It takes some milliseconds, as the service does.
func (r *Registry) Do(req *http.Request) (*http.Response, error) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	rec := httptest.NewRecorder()
	status := r.serve(rec, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return rec.Result(), nil
}

// ServeHTTP implements http.Handler.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.serve(w, req) == 0 {
		panic(http.ErrAbortHandler)
	}
}

var legalID = regexp.MustCompile(`\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z`)

// serve answers, and returns the status.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request) int {
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		return refuse(w, Refusal{http.StatusBadRequest, "SerializationException", err.Error()})
	}
	if err := r.verify(req, body, time.Now()); err != nil {
		return refuse(w, Refusal{http.StatusBadRequest, "InvalidSignatureException", err.Error()})
	}
	switch target := req.Header.Get("X-Amz-Target"); {
	case req.Method != http.MethodPost, req.URL.Path != "/", req.URL.RawQuery != "", req.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		return refuse(w, Refusal{http.StatusNotFound, "UnknownOperationException", "not a request of JSON 1.1"})
	case target != "AWSGlue.GetSchemaVersion":
		return refuse(w, Refusal{http.StatusBadRequest, "AccessDeniedException", "not authorized to perform: " + target})
	}
	var in struct {
		ID string `json:"SchemaVersionId"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil || !legalID.MatchString(in.ID) {
		return refuse(w, Refusal{http.StatusBadRequest, "InvalidInputException", fmt.Sprintf("1 validation error detected: SchemaVersionId, %v", err)})
	}
	return r.answer(w, in.ID)
}

func (r *Registry) answer(w http.ResponseWriter, id string) int {
	r.mu.Lock()
	r.asked = append(r.asked, id)
	r.under++
	r.most = max(r.most, r.under)
	fault := r.fault
	v, ok := r.versions[id]
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.under--
	}()
	if fault != nil {
		if refusal := fault(id); refusal != nil {
			return refuse(w, *refusal)
		}
	}
	if !ok {
		return refuse(w, NotFound)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"CreatedTime": "2026-01-31T08:00:00Z", "DataFormat": v.format, "SchemaDefinition": v.text, "SchemaVersionId": id,
		"SchemaArn": "arn:aws:glue:" + Region + ":123456789012:schema/default-registry/s", "Status": "AVAILABLE", "VersionNumber": 1,
	})
	return http.StatusOK
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
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(refusal.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": refusal.Code, "Message": refusal.Message})
	return refusal.Status
}
