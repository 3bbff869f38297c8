// Package oauthtest is a token endpoint for tests. It takes the client credentials grant of RFC 6749 as written there,
// and nothing else.
package oauthtest

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Server is an http.Handler that gives tokens. Its fields are set before the first request.
type Server struct {
	// ClientID and Secret are those of the only client, Scope and Audience those of its requests.
	ClientID, Secret, Scope, Audience string
	// Life is how long a token is good.
	Life time.Duration

	mu       sync.Mutex
	ends     map[string]time.Time // of the tokens that are good
	requests int
	useless  bool // the tokens that are given
	status   int  // of all answers; 0 for the right ones
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	code, problem := s.examine(r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if problem != "" {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":%q}`, problem)
		return
	}
	token := fmt.Sprintf("token-%d", s.requests)
	if s.ends == nil {
		s.ends = map[string]time.Time{}
	}
	if !s.useless {
		s.ends[token] = time.Now().Add(s.Life)
	}
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, int(s.Life.Seconds()))
}

// examine returns the error of a request, in the words of RFC 6749, section 5.2.
func (s *Server) examine(r *http.Request) (code int, problem string) {
	id, secret, ok := r.BasicAuth()
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	switch {
	case r.Method != http.MethodPost, r.Header.Get("Content-Type") != "application/x-www-form-urlencoded", r.URL.RawQuery != "", r.ParseForm() != nil:
		return http.StatusBadRequest, "invalid_request"
	case !ok || idErr != nil || secretErr != nil || id != s.ClientID || secret != s.Secret:
		return http.StatusUnauthorized, "invalid_client"
	}
	want := url.Values{"grant_type": {"client_credentials"}}
	for name, value := range map[string]string{"scope": s.Scope, "audience": s.Audience} {
		if value != "" {
			want.Set(name, value)
		}
	}
	switch got := r.PostForm; {
	case got.Get("grant_type") != "client_credentials":
		return http.StatusBadRequest, "unsupported_grant_type"
	case got.Get("scope") != s.Scope:
		return http.StatusBadRequest, "invalid_scope"
	case got.Encode() != want.Encode():
		return http.StatusBadRequest, "invalid_request"
	}
	return 0, ""
}

// Accepts reports whether a request has a token that was given, is not revoked and has not ended.
func (s *Server) Accepts(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	const scheme = "Bearer "
	header := r.Header.Get("Authorization")
	return len(header) > len(scheme) && header[:len(scheme)] == scheme && time.Now().Before(s.ends[header[len(scheme):]])
}

// Revoke ends all tokens that were given.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.ends)
}

// GiveUseless has the tokens that are given from now on be no good.
func (s *Server) GiveUseless() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.useless = true
}

// Answer has all requests answered with a status and no body, from now on; 0 for the right answers.
func (s *Server) Answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// Requests returns how many requests there were.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}
