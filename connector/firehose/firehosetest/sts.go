package firehosetest

import (
	"cmp"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// STSOptions say what an [STS] is.
type STSOptions struct {
	// Region is what a signature must be scoped to. Default us-east-1.
	Region string
	// Callers are the keys that may sign AssumeRole. If it is empty, none may.
	Callers []Credentials
	// Roles are there from the start; see [STS.SetRole].
	Roles []Role
	// Lifetime is how long sessions last, whatever was asked for; 0 obeys.
	Lifetime time.Duration
	// Issued, if set, gets each session before the caller has it. It is where
	// [Service.AddCredentials] goes.
	Issued func(Credentials)
}

// Role is what its trust policy says.
type Role struct {
	ARN string
	// ExternalID, if set, has to come with AssumeRole.
	ExternalID string
	// Tokens are the identity tokens that AssumeRoleWithWebIdentity takes. A real
	// one is a JWT, of which the service checks signature, audience and subject.
	Tokens []string
	// Expired are tokens that were good once.
	Expired []string
}

// STSCall is one entry of the log of an [STS].
type STSCall struct {
	At     time.Time
	Action string
	Role   string
	Code   string // of the error; "" is success
}

// STS is an emulated Security Token Service: AssumeRole, for callers who sign
// with one of the Callers' keys and bring the external id, and
// AssumeRoleWithWebIdentity, for those who bring a token. It is an
// [net/http.Handler]; all methods may be called at any time from any goroutine.
type STS struct {
	issuer
	region  string
	callers keys

	mu    sync.Mutex
	roles map[string]Role // :: ARN -> role
	calls []STSCall
}

// NewSTS returns a token service.
func NewSTS(o STSOptions) *STS {
	s := &STS{
		issuer:  issuer{lifetime: o.Lifetime, issued: o.Issued},
		region:  cmp.Or(o.Region, "us-east-1"),
		callers: keys{strict: true},
		roles:   make(map[string]Role),
	}
	s.callers.add(o.Callers...)
	for _, r := range o.Roles {
		s.SetRole(r)
	}
	return s
}

// SetRole adds a role, or changes the one with that ARN.
func (s *STS) SetRole(r Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[r.ARN] = r
}

// AddCaller lets another key sign AssumeRole, or changes one that may.
func (s *STS) AddCaller(c Credentials) { s.callers.add(c) }

// Calls is the log, in order.
func (s *STS) Calls() []STSCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ServeHTTP implements [net/http.Handler].
func (s *STS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBodyBytes))
	if err != nil {
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || r.Method != http.MethodPost {
		form = nil // no action, which is answered below
	}
	call := STSCall{At: time.Now(), Action: form.Get("Action"), Role: form.Get("RoleArn")}
	c, refusal := s.assume(r, body, form)
	if refusal != nil {
		call.Code = refusal.code
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	s.mu.Unlock()
	if refusal != nil {
		writeQueryError(w, refusal)
		return
	}
	writeSession(w, call.Action, form, c)
}

// assume decides a call. As in the service, the caller is checked before the
// request.
func (s *STS) assume(r *http.Request, body []byte, form url.Values) (Credentials, *apiError) {
	var allow func(Role) *apiError
	switch form.Get("Action") {
	case "AssumeRole":
		if err := s.callers.verify(r, body, s.region, "sts", time.Now()); err != nil {
			return Credentials{}, inQueryWords(err)
		}
		allow = func(role Role) *apiError {
			if role.ARN != "" && role.ExternalID == form.Get("ExternalId") {
				return nil
			}
			return denied("User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: sts:AssumeRole on resource: %s", form.Get("RoleArn"))
		}
	case "AssumeRoleWithWebIdentity":
		allow = func(role Role) *apiError { return role.trusts(form.Get("WebIdentityToken")) }
	default:
		return Credentials{}, &apiError{code: "InvalidAction", status: http.StatusBadRequest, message: "Could not find operation " + form.Get("Action") + " for version 2011-06-15"}
	}
	duration, err := checkForm(form)
	if err != nil {
		return Credentials{}, err
	}
	s.mu.Lock()
	role := s.roles[form.Get("RoleArn")]
	s.mu.Unlock()
	if err := allow(role); err != nil {
		return Credentials{}, err
	}
	return s.issue(duration), nil
}

// trusts looks at an identity token.
func (r Role) trusts(token string) *apiError {
	switch {
	case slices.Contains(r.Tokens, token):
		return nil
	case slices.Contains(r.Expired, token):
		return &apiError{code: codeExpiredToken, status: http.StatusBadRequest, message: "Token expired: current date/time must be before the expiration date/time"}
	case r.ARN == "" || len(r.Tokens) == 0:
		return denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
	}
	return &apiError{code: "InvalidIdentityToken", status: http.StatusBadRequest, message: "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"}
}
