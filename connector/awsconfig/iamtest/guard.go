package iamtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// HTTPClient is the client of an AWS SDK.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

// Guard stands in front of emulated services and refuses each request that its policy does not allow, as the service itself would.
// Its methods may be called from any goroutine.
type Guard struct {
	policy  Policy
	account string

	mu      sync.Mutex
	keys    map[string]string // :: ARN of a stream or bucket -> ARN of the KMS key that encrypts it
	allowed []Call
	denied  []Call
}

// NewGuard returns a guard of the services of an account.
func NewGuard(account string, p Policy) *Guard {
	return &Guard{policy: p, account: account, keys: map[string]string{}}
}

// Encrypt sets the key of KMS that encrypts a stream or a bucket. The service uses it in the name of the caller, who needs the permission.
func (g *Guard) Encrypt(arn, key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys[arn] = key
}

// Allowed returns the calls that were let through.
func (g *Guard) Allowed() []Call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.allowed)
}

// Denied returns the calls that were refused.
func (g *Guard) Denied() []Call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.denied)
}

// Client guards the client of an emulated service.
func (g *Guard) Client(next HTTPClient) HTTPClient { return guardedClient{g, next} }

type guardedClient struct {
	guard *Guard
	next  HTTPClient
}

// Do implements HTTPClient.
func (c guardedClient) Do(r *http.Request) (*http.Response, error) {
	if refusal := c.guard.refusal(r); refusal != nil {
		return refusal.Result(), nil
	}
	return c.next.Do(r)
}

// Handler guards an emulated service behind a listener.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refusal := g.refusal(r); refusal != nil {
			maps.Copy(w.Header(), refusal.Header())
			w.WriteHeader(refusal.Code)
			_, _ = w.Write(refusal.Body.Bytes())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refusal returns the answer to a request that is not allowed, nil for one that is.
func (g *Guard) refusal(r *http.Request) *httptest.ResponseRecorder {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return refuse("", Call{"unreadable", err.Error()})
		}
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	service, calls := g.callsOf(r, body)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range calls {
		if !g.policy.Allows(c) {
			g.denied = append(g.denied, c)
			return refuse(service, c)
		}
	}
	g.allowed = append(g.allowed, calls...)
	return nil
}

var scope = regexp.MustCompile(`Credential=[^/]+/\d{8}/([\w-]+)/([\w-]+)/aws4_request`)

// callsOf returns the calls that a request needs. The region and the service are those that it is signed for.
func (g *Guard) callsOf(r *http.Request, body []byte) (service string, calls []Call) {
	signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if signed == nil {
		return "", []Call{{"unsigned", r.URL.String()}}
	}
	region := signed[1]
	service = signed[2]
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch service {
	case "firehose":
		var in struct {
			Stream string `json:"DeliveryStreamName"`
		}
		_ = json.Unmarshal(body, &in) // without a name there is no stream that a policy could allow
		arn := fmt.Sprintf("arn:aws:firehose:%s:%s:deliverystream/%s", region, g.account, in.Stream)
		calls = []Call{{"firehose:" + operation, arn}}
		if key := g.keyOf(arn); key != "" && strings.HasPrefix(operation, "Put") {
			calls = append(calls, Call{"kms:GenerateDataKey", key}, Call{"kms:Decrypt", key})
		}
	case "glue":
		calls = []Call{{"glue:" + operation, "*"}} // a version that is asked for by its id names no schema
	case "monitoring":
		_, operation, _ = strings.Cut(r.URL.Path, "/operation/")
		calls = []Call{{"cloudwatch:" + operation, "*"}}
	case "s3":
		calls = g.objectCalls(r)
	case "sts":
		form, _ := url.ParseQuery(string(body)) // a form that can't be read names no role
		calls = []Call{{"sts:" + form.Get("Action"), form.Get("RoleArn")}}
	default:
		calls = []Call{{service + ":unknown", "*"}}
	}
	return service, calls
}

func (g *Guard) keyOf(arn string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.keys[arn]
}

// objectCalls are the calls of a request to S3, with the bucket in the path or in the name of the host.
func (g *Guard) objectCalls(r *http.Request) []Call {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name, _, ok := strings.Cut(r.URL.Host, ".s3."); ok {
		bucket, key = name, strings.TrimPrefix(r.URL.Path, "/")
	}
	arn, q := "arn:aws:s3:::"+bucket, r.URL.Query()
	object := arn + "/" + key
	encrypted := func(c Call, action string) []Call {
		if k := g.keyOf(arn); k != "" {
			return []Call{c, {action, k}}
		}
		return []Call{c}
	}
	plain := r.Header.Get("X-Amz-Acl")+r.Header.Get("X-Amz-Tagging")+r.Header.Get("X-Amz-Copy-Source") == "" && !q.Has("acl") && !q.Has("tagging") && !q.Has("versionId")
	switch {
	case r.Method == http.MethodHead && key == "", r.Method == http.MethodGet && key == "" && q.Get("list-type") == "2":
		return []Call{{"s3:ListBucket", arn}}
	case r.Method == http.MethodGet && key != "" && plain, r.Method == http.MethodHead && key != "" && plain:
		return encrypted(Call{"s3:GetObject", object}, "kms:Decrypt")
	case r.Method == http.MethodPut && key != "" && plain && !q.Has("partNumber"):
		return encrypted(Call{"s3:PutObject", object}, "kms:GenerateDataKey")
	}
	return []Call{{"s3:unknown", r.Method + " " + r.URL.String()}}
}

// refuse is the answer of a service to a caller who may not make the call.
func refuse(service string, c Call) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	text := fmt.Sprintf("User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action", c.Action, c.Resource, c.Action)
	switch service {
	case "s3":
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>%s</Message></Error>", text)
	case "sts":
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>%s</Message></Error></ErrorResponse>", text)
	case "monitoring":
		w.Header().Set("Content-Type", "application/cbor")
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.WriteHeader(http.StatusForbidden)
		w.Body.Write(cborText(cborText(cborText(cborText([]byte{0xa2}, "__type"), "AccessDenied"), "message"), text))
	default:
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "AccessDeniedException", "message": text})
	}
	return w
}

// cborText appends a text of less than 65,536 bytes.
func cborText(dst []byte, text string) []byte {
	return append(append(dst, 0x79, byte(len(text)>>8), byte(len(text))), text...)
}
