package awsconfig

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// CredentialState says where credentials come from and until when they are valid. It holds no key and no token.
type CredentialState struct {
	Source  string    // in words; empty before the first fetch
	Role    string    // ARN of the assumed role, empty for none
	Expires time.Time // zero for credentials without an end
	Failure string    // why the last fetch failed; empty if it succeeded
}

// CachedCredentials are credentials that are renewed before they end.
type CachedCredentials struct {
	*aws.CredentialsCache
	state *atomic.Pointer[CredentialState]
}

// CacheCredentials caches the credentials that fetch returns. It refreshes them early, and uses them to their
// end when that fails. Invalidate forces a refresh on the next request.
func CacheCredentials(fetch func(context.Context) (aws.Credentials, error), log *slog.Logger) *CachedCredentials {
	k := &credentialsKeyring{fetch: fetch, log: log}
	k.state.Store(&CredentialState{})
	return &CachedCredentials{aws.NewCredentialsCache(k), &k.state}
}

// State returns the state after the last fetch. It fetches nothing.
func (c *CachedCredentials) State() CredentialState { return *c.state.Load() }

// publish makes the result of a fetch known. After a failure the source, the role and the end stay those of the
// credentials before.
func (k *credentialsKeyring) publish(c aws.Credentials, err error) {
	if err != nil {
		failed := *k.state.Load()
		failed.Failure = CleanMessage(err.Error())
		k.state.Store(&failed)
		return
	}
	source, role := splitSource(c.Source)
	now := CredentialState{Source: SourceOf(source), Role: CleanMessage(role)}
	if c.CanExpire {
		now.Expires = c.Expires
	}
	k.state.Store(&now)
}

// roleMark separates the source of credentials from the role that was assumed, in aws.Credentials.Source: there is no
// other field for it.
const roleMark = " with role "

// sourceWithRole returns a source that tells the role, too. The role that was assumed last replaces one before.
func sourceWithRole(source, role string) string {
	source, _ = splitSource(source)
	if role == "" {
		return source
	}
	return source + roleMark + role
}

func splitSource(source string) (name, role string) {
	name, role, _ = strings.Cut(source, roleMark)
	return name, role
}
