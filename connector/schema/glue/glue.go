// Package glue asks AWS Glue Schema Registry for the versions of schemas.
package glue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"kafka-firehose/connector/awsconfig"
)

const (
	// idleTimeout closes kept-alive connections: there is seldom something to ask.
	idleTimeout = 30 * time.Second
	// maxHeader is the most bytes of an answer's header.
	maxHeader = 64 << 10
)

// ClientOption changes the SDK's client: another endpoint or way to it, in tests.
type ClientOption = func(*glue.Options)

// Options are what a Client needs.
type Options struct {
	Region  string // empty for the environment's
	Role    awsconfig.Role
	Timeout time.Duration // of one request, its answer included
	Log     *slog.Logger
	Shorten func(*http.Response) // ends an answer that is too long
	Client  []ClientOption
}

// ErrNoRegion is the error of New when neither the options nor the environment name a region.
var ErrNoRegion = errors.New("no AWS region is configured for Glue")

// Client asks one region. It makes one attempt a call and is safe for concurrent use.
type Client struct {
	api  *glue.Client
	keys *awsconfig.CachedCredentials
}

// New reads the SDK's own environment (AWS_REGION, AWS_ENDPOINT_URL_GLUE, AWS_CA_BUNDLE, HTTPS_PROXY,
// the credentials chain) and connects to nothing. The role is assumed if there is one.
func New(o Options) (*Client, error) {
	transport := awshttp.NewBuildableClient().WithTimeout(o.Timeout).WithTransportOptions(func(t *http.Transport) {
		t.IdleConnTimeout = idleTimeout
		t.MaxResponseHeaderBytes = maxHeader
	})
	shared, err := awsconfig.LoadConfig(context.Background(), transport, config.WithRegion(o.Region))
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	c := &Client{keys: awsconfig.CacheCredentials(awsconfig.CredentialsChain(o.Region, o.Role, awsconfig.FetchTimeout), o.Log)}
	shared.Credentials = c.keys
	c.api = glue.NewFromConfig(shared, slices.Concat(o.Client, []ClientOption{func(to *glue.Options) {
		to.Retryer = aws.NopRetryer{} // the registry repeats, and counts
		to.HTTPClient = shortenedHTTP{to.HTTPClient, o.Shorten}
		if to.Credentials != c.keys { // an option has brought its own
			c.keys = awsconfig.CacheCredentials(to.Credentials.Retrieve, o.Log)
			to.Credentials = c.keys
		}
	}})...)
	if c.Region() == "" {
		return nil, ErrNoRegion
	}
	return c, nil
}

// Region is the one that is asked.
func (c *Client) Region() string { return c.api.Options().Region }

// shortenedHTTP ends answers that are too long.
type shortenedHTTP struct {
	glue.HTTPClient
	shorten func(*http.Response)
}

// Do implements glue.HTTPClient.
func (s shortenedHTTP) Do(r *http.Request) (*http.Response, error) {
	resp, err := s.HTTPClient.Do(r)
	if err == nil {
		s.shorten(resp)
	}
	return resp, err
}

// Version is a version of a schema.
type Version struct {
	Format string // "avro", "protobuf", "json-schema"
	Text   string
}

// GetVersion returns the version with an id, a UUID. The error is a *Failure.
func (c *Client) GetVersion(ctx context.Context, id string) (Version, error) {
	out, err := c.api.GetSchemaVersion(ctx, &glue.GetSchemaVersionInput{SchemaVersionId: &id})
	if err != nil {
		f := classifyError(err)
		if f.Kind == refused {
			c.keys.Invalidate() // the next attempt fetches others
			f.Kind = Blocked
		}
		return Version{}, f
	}
	if other := aws.ToString(out.SchemaVersionId); other != id {
		return Version{}, &Failure{Kind: Blocked, Message: "the answer is of another schema version", err: errors.New(other)}
	}
	formats := map[types.DataFormat]string{types.DataFormatAvro: "avro", types.DataFormatProtobuf: "protobuf", types.DataFormatJson: "json-schema"}
	format := cmp.Or(formats[out.DataFormat], "of a data format that is not known here")
	return Version{format, aws.ToString(out.SchemaDefinition)}, nil
}

// Credentials returns the state of the credentials that sign requests.
func (c *Client) Credentials() awsconfig.CredentialState { return c.keys.State() }

// CallerIdentity returns where the credentials come from, in words.
func (c *Client) CallerIdentity(ctx context.Context) string {
	keys, err := c.keys.Retrieve(ctx)
	if err != nil {
		return "nowhere: " + classifyError(err).Message
	}
	return awsconfig.SourceOf(keys.Source)
}
