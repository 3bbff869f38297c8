package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
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

// keyring fetches credentials for a cache, and decides how long they are used.
// The cache sees to it that one goroutine at a time is in here.
type keyring struct {
	fetch   func(context.Context) (aws.Credentials, error)
	log     *slog.Logger
	end     time.Time // of the newest credentials; zero if they have none
	failing bool      // the last fetch failed, and the old ones are in use
}

// Cache caches the credentials that fetch returns. It refreshes them early, and uses them to their
// end when that fails. Invalidate forces a refresh on the next request.
func Cache(fetch func(context.Context) (aws.Credentials, error), log *slog.Logger) *aws.CredentialsCache {
	return aws.NewCredentialsCache(&keyring{fetch: fetch, log: log})
}

// Retrieve implements aws.CredentialsProvider. The expiry of the returned credentials is the
// time of their refresh.
func (k *keyring) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := k.fetch(ctx)
	if err == nil && !c.HasKeys() {
		err = errors.New("what came has no keys in it")
	}
	if err != nil {
		if _, ok := errors.AsType[*FetchError](err); !ok {
			err = &FetchError{err: err}
		}
		return aws.Credentials{}, err
	}
	k.end = time.Time{}
	if c.CanExpire {
		k.end = c.Expires
		c.Expires = renewal(time.Now(), c.Expires)
	}
	if k.failing {
		k.failing = false
		k.log.Info("the credentials are renewed again")
	}
	return c, nil
}

// renewal returns the refresh time of credentials that end at some time.
func renewal(now, end time.Time) time.Time {
	early := renewEarly - time.Duration(rand.Float64()/2*float64(renewEarly))
	at := end.Add(-min(early, end.Sub(now)/4))
	if first := now.Add(shortest); at.Before(first) {
		return first
	}
	return at
}

// HandleFailToRefresh keeps the old credentials to their end: a token
// service that is down for a minute stops nothing.
func (k *keyring) HandleFailToRefresh(_ context.Context, old aws.Credentials, err error) (aws.Credentials, error) {
	now := time.Now()
	if !old.HasKeys() || !now.Before(k.end) {
		k.failing = false // the stream says so from here on
		return aws.Credentials{}, err
	}
	if !k.failing {
		k.failing = true
		k.log.Warn("the credentials can't be renewed; the old ones are used to their end", "end", k.end.UTC().Format(time.RFC3339), "error", Clean(err.Error()))
	}
	old.Expires = now.Add(renewAgain)
	if old.Expires.After(k.end) {
		old.Expires = k.end
	}
	return old, nil
}

// Chain fetches from the SDK's default chain and, if there is a role, assumes it
// with these credentials. An empty region is the environment's; timeout is for each request
// of either. The configuration is read again each time, so that keys that change
// in a file are picked up without a restart.
func Chain(region string, role Role, timeout time.Duration) func(context.Context) (aws.Credentials, error) {
	// It keeps no connections: an hour goes by until the next fetch. Without a
	// timeout, a service that takes the request and stays silent would be waited
	// for until the process ends.
	client := awshttp.NewBuildableClient().WithTimeout(timeout).
		WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	return func(ctx context.Context) (aws.Credentials, error) {
		shared, err := Load(ctx, client, config.WithRegion(region), config.WithRetryMaxAttempts(fetchAttempts),
			config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) {
				o.HTTPClient = containerClient{client.WithTransportOptions(origin.KeepTransport)}
			}))
		if err != nil {
			return aws.Credentials{}, &FetchError{"read the AWS configuration", errors.New(err.Error())}
		}
		c, err := shared.Credentials.Retrieve(ctx)
		if err != nil {
			return aws.Credentials{}, &FetchError{chainStep(shared, err), err}
		}
		if role.ARN == "" {
			return c, nil
		}
		// The token service is the region's own.
		c, err = stscreds.NewAssumeRoleProvider(sts.NewFromConfig(shared), role.ARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = role.sessionName()
			if role.ExternalID != "" {
				o.ExternalID = aws.String(role.ExternalID)
			}
		}).Retrieve(ctx)
		if err != nil {
			return aws.Credentials{}, &FetchError{"assume " + role.Variable + " " + role.ARN, err}
		}
		return c, nil
	}
}

// mostCredentials is more than any credentials have, in bytes; the SDK reads an error's answer to its end.
const mostCredentials = 1 << 20

// containerClient asks a container's endpoint for credentials. What answers in its place may answer without end.
type containerClient struct{ endpointcreds.HTTPClient }

// Do implements endpointcreds.HTTPClient.
func (c containerClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.HTTPClient.Do(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, mostCredentials), resp.Body}
	}
	return resp, err
}

// chainStep names the role if it was the chain that could not assume one: the
// token service's own words don't.
func chainStep(shared aws.Config, err error) string {
	if _, ok := errors.AsType[interface {
		error
		smithy.APIError
		HTTPStatusCode() int
	}](err); ok {
		return containerStep()
	}
	op, ok := errors.AsType[*smithy.OperationError](err)
	if !ok || op.ServiceID != sts.ServiceID {
		return ""
	}
	for _, source := range shared.ConfigSources { // as they are asked: first the environment
		switch from := source.(type) {
		case config.EnvConfig:
			if from.RoleARN != "" {
				return "assume AWS_ROLE_ARN " + from.RoleARN
			}
		case config.SharedConfig:
			if from.RoleARN != "" {
				return "assume the role of the profile " + from.Profile + ", " + from.RoleARN
			}
		}
	}
	return op.OperationName
}

// containerStep names the container's endpoint, and the proxy if the request went by way of one: without an exception
// in NO_PROXY it does.
func containerStep() string {
	u, err := url.Parse(os.Getenv(fullURI))
	if err != nil || u.Host == "" {
		return ""
	}
	step := "ask " + origin.Of(u) + " (" + fullURI + ")"
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		step += " by way of the proxy " + origin.Of(proxy) + ", as NO_PROXY does not except it"
	}
	return step
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
		text = "there are none in the environment, a profile, a token file or a container's endpoint, and the instance has no role: " + text
	}
	if e.step != "" {
		text = fmt.Sprintf("%s: %s", e.step, text)
	}
	return origin.Bare(text)
}

func (e *FetchError) Unwrap() error { return e.err }
