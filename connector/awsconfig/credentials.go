package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"kafka-firehose/connector/origin"
)

const (
	// renewEarly is the time before the end of credentials at which they are refreshed, up to
	// half of it less by chance so that a fleet does not refresh in the same second.
	// Credentials that live shorter than four times that are refreshed in their last quarter.
	renewEarly = 5 * time.Minute
	// renewAgain is the time between two tries while the old ones are still good.
	renewAgain = 20 * time.Second
	// shortest is how long credentials are used before new ones are asked for, even
	// if they seem to have ended: a clock may be wrong, and an endpoint that hands
	// out old ones must not be asked before each request.
	shortest = time.Second

	// FetchTimeout is for one request. A token service answers within a second; it is
	// given up early enough for a second try to fit into the time of the request that
	// waits for it.
	FetchTimeout  = 3 * time.Second
	fetchAttempts = 2
)

// credentialsKeyring fetches credentials for a cache, and decides how long they are used.
// The cache sees to it that one goroutine at a time is in here.
type credentialsKeyring struct {
	fetch   func(context.Context) (aws.Credentials, error)
	log     *slog.Logger
	end     time.Time // of the newest credentials; zero if they have none
	failing bool      // the last fetch failed, and the old ones are in use
	state   atomic.Pointer[CredentialState]
}

// Retrieve implements aws.CredentialsProvider. The expiry of the returned credentials is the
// time of their refresh.
func (k *credentialsKeyring) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := k.fetch(ctx)
	if err == nil && !c.HasKeys() {
		err = errors.New("what came has no keys in it")
	}
	if err != nil {
		if _, ok := errors.AsType[*FetchError](err); !ok {
			err = &FetchError{err: err}
		}
		k.publish(c, err)
		return aws.Credentials{}, err
	}
	k.publish(c, nil)
	k.end = time.Time{}
	if c.CanExpire {
		k.end = c.Expires
		c.Expires = renewalTime(time.Now(), c.Expires)
	}
	if k.failing {
		k.failing = false
		k.log.Info("the credentials are renewed again")
	}
	return c, nil
}

// renewalTime returns the refresh time of credentials that end at some time.
func renewalTime(now, end time.Time) time.Time {
	early := renewEarly - time.Duration(rand.Float64()/2*float64(renewEarly))
	at := end.Add(-min(early, end.Sub(now)/4))
	if first := now.Add(shortest); at.Before(first) {
		return first
	}
	return at
}

// HandleFailToRefresh keeps the old credentials to their end: a token
// service that is down for a minute stops nothing.
func (k *credentialsKeyring) HandleFailToRefresh(_ context.Context, old aws.Credentials, err error) (aws.Credentials, error) {
	now := time.Now()
	if !old.HasKeys() || !now.Before(k.end) {
		k.failing = false // the stream says so from here on
		return aws.Credentials{}, err
	}
	if !k.failing {
		k.failing = true
		k.log.Warn("the credentials can't be renewed; the old ones are used to their end", "end", k.end.UTC().Format(time.RFC3339), "error", CleanMessage(err.Error()))
	}
	old.Expires = now.Add(renewAgain)
	if old.Expires.After(k.end) {
		old.Expires = k.end
	}
	return old, nil
}

// FetchError says why there are no credentials.
type FetchError struct {
	step string // "" is the chain's
	err  error
}

// Error leaves out the SDK's story of who called whom.
func (e *FetchError) Error() string {
	text := RootCause(e.err)
	api, coded := errors.AsType[smithy.APIError](e.err)
	answer, answered := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](e.err)
	switch {
	case coded && api.ErrorCode() != UnknownError && api.ErrorCode() != "":
		text = strings.TrimPrefix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	case answered && answer.HTTPStatusCode() >= http.StatusMultipleChoices: // the message may be any page, or none
		text = fmt.Sprintf("it answers %d %s", answer.HTTPStatusCode(), http.StatusText(answer.HTTPStatusCode()))
	case coded:
		text = api.ErrorMessage()
	}
	if strings.Contains(e.err.Error(), "no EC2 IMDS role found") { // the end of the chain
		text = "the environment, a profile, a token file and a container's endpoint hold none, and the instance has no role: " + text
	}
	if e.step != "" {
		text = fmt.Sprintf("%s: %s", e.step, text)
	}
	return origin.BareMessage(text)
}

func (e *FetchError) Unwrap() error { return e.err }
