package firehose

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// application is how we introduce ourselves: in the user agent and as the
// session name of an assumed role, where audit logs show it.
const application = "kafka-firehose"

const (
	// idleTimeout closes kept-alive connections before the service does, which
	// would cost the next request an attempt.
	idleTimeout = 30 * time.Second
	// refreshEarly is how long before their end credentials are fetched anew,
	// half of it by chance so that a fleet does not do it at the same second.
	refreshEarly       = 5 * time.Minute
	refreshEarlyJitter = 0.5
)

// Client is the SDK's client, set up for a [Stream]: one attempt a call, enough
// connections, credentials that can be thrown away.
type Client struct {
	*firehose.Client
	caches []*aws.CredentialsCache // the ones that sign, outermost first
}

// ClientOption changes the SDK's client: another endpoint or way to it, in tests.
type ClientOption = func(*firehose.Options)

// NewClient makes the client of the streams that have no options of their own. It
// reads the SDK's own environment (AWS_REGION, AWS_ENDPOINT_URL_FIREHOSE,
// AWS_CA_BUNDLE, HTTPS_PROXY, the credentials chain) and connects to nothing. The
// options come last, but what a Stream relies on can't be undone by them. cfg's
// role is assumed if there is one.
func NewClient(ctx context.Context, cfg Config, opts ...ClientOption) (*Client, error) {
	return newClient(ctx, cfg, way{role: cfg.RoleARN, externalID: cfg.RoleExternalID}, opts...)
}

func newClient(ctx context.Context, cfg Config, w way, opts ...ClientOption) (*Client, error) {
	shared, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(w.region), // empty is the environment's
		config.WithAppID(application),
		config.WithHTTPClient(transport(cfg)),
		config.WithCredentialsCacheOptions(refresh),
		config.WithLogger(logging.Nop{}), // it would write lines of its own to our log
	)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	c := &Client{}
	c.keep(shared.Credentials)
	if w.role != "" {
		role := assume(shared, w)
		c.keep(role)
		shared.Credentials = role
	}
	c.Client = firehose.NewFromConfig(shared, append(append([]ClientOption{w.endpointURL}, opts...), c.settle)...)
	if c.Options().Region == "" {
		return nil, errors.New("no AWS region is configured: set AWS_REGION, or the stream's region in FIREHOSE_STREAM_OPTIONS")
	}
	return c, nil
}

// settle sets what a Stream relies on.
func (c *Client) settle(o *firehose.Options) {
	o.Retryer = aws.NopRetryer{} // the stream's loop sees and counts each attempt
	o.HTTPClient = plainBody{o.HTTPClient}
	o.Protocol = protocol{o.Protocol}
	if _, ok := o.Credentials.(*aws.CredentialsCache); !ok && o.Credentials != nil {
		o.Credentials = aws.NewCredentialsCache(o.Credentials, refresh)
	}
	c.keep(o.Credentials)
}

func (c *Client) keep(p aws.CredentialsProvider) {
	if cache, ok := p.(*aws.CredentialsCache); ok {
		c.caches = append(c.caches, cache)
	}
}

// InvalidateCredentials makes the next request fetch new ones.
func (c *Client) InvalidateCredentials() {
	for _, cache := range c.caches {
		cache.Invalidate()
	}
}

// transport is built, not made: LoadDefaultConfig adds AWS_CA_BUNDLE to a
// BuildableClient and refuses everything else.
func transport(cfg Config) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		// With the default of 10, more requests in flight than that would make a
		// TLS handshake each. Every stream has its own and they share the host.
		perHost := 0
		for _, stream := range cfg.Streams() {
			perHost += cfg.For(stream).MaxInFlight
		}
		perHost = max(perHost, cfg.MaxInFlight)
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, perHost)
		t.MaxIdleConns = max(t.MaxIdleConns, 2*perHost)
		t.IdleConnTimeout = idleTimeout
	})
}

func refresh(o *aws.CredentialsCacheOptions) {
	o.ExpiryWindow = refreshEarly
	o.ExpiryWindowJitterFrac = refreshEarlyJitter
}

// endpointURL is a ClientOption.
func (w way) endpointURL(o *firehose.Options) {
	if w.endpoint != "" {
		o.BaseEndpoint = &w.endpoint
	}
}

// assume returns the credentials of a role. The security token service is the
// region's own.
func assume(shared aws.Config, w way) *aws.CredentialsCache {
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(shared), w.role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = application
		if w.externalID != "" {
			o.ExternalID = &w.externalID
		}
	})
	return aws.NewCredentialsCache(provider, refresh)
}
