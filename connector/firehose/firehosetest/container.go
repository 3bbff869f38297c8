package firehosetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ContainerPath is where a [Container] serves credentials, as EKS Pod Identity
// does: AWS_CONTAINER_CREDENTIALS_FULL_URI ends in it.
const ContainerPath = "/v1/credentials"

// ContainerOptions say what a [Container] is.
type ContainerOptions struct {
	// Tokens are what AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE may hold; see
	// [Container.SetTokens].
	Tokens []string
	// Lifetime is how long sessions last. Default 6 hours, as EKS has it.
	Lifetime time.Duration
	// Issued, if set, gets each session before the caller has it.
	Issued func(Credentials)
}

// Container is the endpoint from which a container fetches credentials: the agent
// of EKS Pod Identity. It is an [net/http.Handler].
type Container struct {
	issuer

	mu       sync.Mutex
	tokens   []string
	refusals int
}

// NewContainer returns an endpoint.
func NewContainer(o ContainerOptions) *Container {
	return &Container{issuer: issuer{lifetime: o.Lifetime, issued: o.Issued}, tokens: o.Tokens}
}

// SetTokens changes the tokens that are taken.
func (c *Container) SetTokens(tokens ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = tokens
}

// Refusals is the number of requests with a wrong token.
func (c *Container) Refusals() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusals
}

// ServeHTTP implements [net/http.Handler]. The agent's refusals are plain text.
func (c *Container) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Path != ContainerPath {
		http.NotFound(w, r)
		return
	}
	c.mu.Lock()
	known := slices.Contains(c.tokens, r.Header.Get("Authorization"))
	if !known {
		c.refusals++
	}
	c.mu.Unlock()
	if !known {
		http.Error(w, "["+emptyUUID+"]: (AccessDeniedException): Unauthorized Exception! EKS does not have permissions to assume the associated role., fault: client", http.StatusBadRequest)
		return
	}
	s := c.issue(6 * time.Hour)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{ // a client that left gets nothing
		"AccessKeyId": s.AccessKey, "SecretAccessKey": s.SecretKey, "Token": s.SessionToken,
		"Expiration": s.Expires.Format(time.RFC3339), "AccountId": "123456789012",
	})
}
