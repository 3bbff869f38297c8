package awsconfig

import (
	"context"
	"errors"
	"io"
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

// CredentialsChain fetches from the SDK's default chain and, if there is a role, assumes it
// with these credentials. An empty region is the environment's; timeout is for each request
// of either. The configuration is read again each time, so that keys that change
// in a file are picked up without a restart.
func CredentialsChain(region string, role Role, timeout time.Duration) func(context.Context) (aws.Credentials, error) {
	// It keeps no connections: an hour goes by until the next fetch. Without a
	// timeout, a service that takes the request and stays silent would be waited
	// for until the process ends.
	client := awshttp.NewBuildableClient().WithTimeout(timeout).
		WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	return func(ctx context.Context) (aws.Credentials, error) {
		shared, err := LoadConfig(ctx, client, config.WithRegion(region), config.WithRetryMaxAttempts(fetchAttempts),
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
		if name := c.Source; strings.HasPrefix(name, webIdentitySource) || strings.HasPrefix(name, assumedSource) {
			_, arn := chainRole(shared)
			c.Source = sourceWithRole(name, arn)
		}
		if role.ARN == "" {
			return c, nil
		}
		// The token service is the region's own.
		base := c.Source
		c, err = stscreds.NewAssumeRoleProvider(sts.NewFromConfig(shared), role.ARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = role.sessionName()
			if role.ExternalID != "" {
				o.ExternalID = aws.String(role.ExternalID)
			}
		}).Retrieve(ctx)
		if err != nil {
			return aws.Credentials{}, &FetchError{"assume " + role.Variable + " " + role.ARN, err}
		}
		c.Source = sourceWithRole(base, role.ARN)
		return c, nil
	}
}

// maxCredentials is more than any credentials have, in bytes; the SDK reads an error's answer to its end.
const maxCredentials = 1 << 20

// containerClient asks a container's endpoint for credentials. What answers in its place may answer without end.
type containerClient struct{ endpointcreds.HTTPClient }

// Do implements endpointcreds.HTTPClient.
func (c containerClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.HTTPClient.Do(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxCredentials), resp.Body}
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
	if name, arn := chainRole(shared); arn != "" {
		return "assume " + name + " " + arn
	}
	return op.OperationName
}

// chainRole returns the role that the chain assumes, and where its name comes from; empty for none.
func chainRole(shared aws.Config) (name, arn string) {
	for _, source := range shared.ConfigSources { // as they are asked: first the environment
		switch from := source.(type) {
		case config.EnvConfig:
			if from.RoleARN != "" {
				return "AWS_ROLE_ARN", from.RoleARN
			}
		case config.SharedConfig:
			if from.RoleARN != "" {
				return "the role of the profile " + from.Profile + ",", from.RoleARN
			}
		}
	}
	return "", ""
}

// containerStep names the container's endpoint, and the proxy if the request went by way of one: without an exception
// in NO_PROXY it does.
func containerStep() string {
	u, err := url.Parse(os.Getenv(fullURI))
	if err != nil || u.Host == "" {
		return ""
	}
	step := "ask " + origin.SchemeAndHost(u) + " (" + fullURI + ")"
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		step += " by way of the proxy " + origin.SchemeAndHost(proxy) + ", as NO_PROXY does not except it"
	}
	return step
}
