package firehose

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/putbatch"
)

// idleTimeout closes kept-alive connections before the service does, which would
// cost the next request an attempt.
const idleTimeout = 30 * time.Second

// Sizes of a connection's write buffer, in bytes. With the 4 KiB of net/http a
// body is read in pieces of 32 KiB into a new buffer, each written by a system call of
// its own; so is the part beyond these 256 KiB, of which a request of 500 records of 200
// bytes takes half. (With TLS there is one for each 16 KiB anyway.) All connections
// together take no more than writeAll for it.
const (
	maxWrite, minWrite = 256 << 10, 4 << 10
	writeAll           = 4 << 20
)

// Client is the SDK's client, set up for a [Stream]: one attempt a call, enough
// connections, credentials that can be thrown away.
type Client struct {
	*firehose.Client
	keys *awsconfig.CachedCredentials // what signs
	http aws.HTTPClient               // what connects
}

// ClientOption changes the SDK's client: another endpoint or way to it, in tests. An HTTP
// client that is not net/http's has to tell the request's httptrace of each connection and
// of each end of writing, or buffers are not used again.
type ClientOption = func(*firehose.Options)

// newClient makes the client of the streams with this access. It
// reads the SDK's own environment (AWS_REGION, AWS_ENDPOINT_URL_FIREHOSE,
// AWS_CA_BUNDLE, HTTPS_PROXY, the credentials chain) and connects to nothing. The
// options come last, but what a Stream relies on can't be undone by them. The
// role is assumed if there is one.
func newClient(ctx context.Context, cfg Config, w streamAccess, log *slog.Logger, opts ...ClientOption) (*Client, error) {
	shared, err := awsconfig.LoadConfig(ctx, newTransport(cfg), config.WithRegion(w.region)) // empty is the environment's
	if err != nil {
		return nil, err
	}
	c := &Client{keys: awsconfig.CacheCredentials(awsconfig.CredentialsChain(w.region, w.role, awsconfig.FetchTimeout), log)}
	shared.Credentials = c.keys
	c.Client = firehose.NewFromConfig(shared, slices.Concat([]ClientOption{w.applyTo}, opts, []ClientOption{func(o *firehose.Options) { c.configureOptions(o, log) }})...)
	if c.Options().Region == "" {
		return nil, env.MissingFault("AWS_REGION", "want the region of the delivery streams, or a region for each of them in "+streamOptionsName)
	}
	return c, checkEndpoint(c.Options())
}

// endpointName is the variable that holds the address of Firehose for all streams without one of their own.
const endpointName = "AWS_ENDPOINT_URL_FIREHOSE"

// checkEndpoint finds the addresses that the SDK takes and can't use.
func checkEndpoint(o firehose.Options) error {
	if o.BaseEndpoint == nil {
		return nil
	}
	if u, err := url.Parse(*o.BaseEndpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return env.HoldsFault(endpointName, *o.BaseEndpoint, "want the address of Firehose with http:// or https://")
	}
	if o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled {
		return env.HoldsFault("AWS_USE_FIPS_ENDPOINT", true, "the SDK has no FIPS endpoint at an address that is given; unset this variable, or "+endpointName).WithSettings(endpointName)
	}
	return nil
}

// CheckEnvironment returns the faults of the SDK's own environment and files that keep clients from being made: no
// region, no such profile, no address. It connects to nothing.
func (c Config) CheckEnvironment(ctx context.Context) (faults []*env.Fault) {
	for _, stream := range c.StreamNames() {
		_, err := newClient(ctx, c, c.accessOf(stream), slog.New(slog.DiscardHandler))
		for _, f := range env.FaultsOf(err) {
			if !slices.ContainsFunc(faults, func(known *env.Fault) bool { return known.Error() == f.Error() }) {
				faults = append(faults, f)
			}
		}
	}
	return faults
}

// configureOptions sets what a Stream relies on.
func (c *Client) configureOptions(o *firehose.Options, log *slog.Logger) {
	o.Retryer = aws.NopRetryer{} // the stream's loop sees and counts each attempt
	c.http = o.HTTPClient
	putbatch.ConfigureClient(o)
	if o.Credentials != c.keys { // an option has brought its own
		c.keys = awsconfig.CacheCredentials(o.Credentials.Retrieve, log)
		o.Credentials = c.keys
	}
}

// Credentials returns the state of the credentials that sign requests.
func (c *Client) Credentials() awsconfig.CredentialState { return c.keys.State() }

// InvalidateCredentials makes the next request fetch new ones.
func (c *Client) InvalidateCredentials() { c.keys.Invalidate() }

// newTransport is built, not made: LoadDefaultConfig adds AWS_CA_BUNDLE to a
// BuildableClient and refuses everything else.
func newTransport(cfg Config) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		// With the default of 10, more requests in flight than that would make a
		// TLS handshake each. Every stream has its own and they share the host.
		perHost := 0
		for _, stream := range cfg.StreamNames() {
			perHost += cfg.ForStream(stream).MaxInFlight
		}
		perHost = max(perHost, cfg.MaxInFlight)
		t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, perHost)
		t.MaxIdleConns = max(t.MaxIdleConns, 2*perHost)
		t.IdleConnTimeout = idleTimeout
		t.WriteBufferSize = min(maxWrite, max(writeAll/max(perHost, 1), minWrite))
	})
}
