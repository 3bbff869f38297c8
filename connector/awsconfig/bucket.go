package awsconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucketScheme begins the address of a bucket.
const bucketScheme = "s3://"

// IsBucketAddress reports whether an address is one of S3.
func IsBucketAddress(address string) bool { return strings.HasPrefix(address, bucketScheme) }

// ParseBucketAddress returns the bucket and the prefix of s3://BUCKET/PREFIX.
func ParseBucketAddress(address string) (bucket, prefix string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme+"://" != bucketScheme || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return "", "", errors.New("it is no address in S3; want s3://BUCKET/PREFIX")
	}
	return u.Host, strings.TrimPrefix(strings.TrimPrefix(address, bucketScheme+u.Host), "/"), nil
}

// BucketAddress is the address of a key, or of a prefix, in a bucket.
func BucketAddress(bucket, key string) string { return bucketScheme + bucket + "/" + key }

// BucketOption changes the SDK's client: another endpoint or way to it, in tests.
type BucketOption = func(*s3.Options)

// BucketClient is the SDK's client of one bucket. It follows the bucket to its region and is safe for concurrent use.
type BucketClient struct {
	options   []BucketOption
	keys      *CachedCredentials
	connected atomic.Pointer[connectedBucket]
}

// connectedBucket is a client of one region, with the configuration that it was made of.
type connectedBucket struct {
	shared aws.Config
	api    *s3.Client
}

// defaultBucketRegion is asked for a bucket when the environment names no region; it answers with the bucket's.
const defaultBucketRegion = "us-east-1"

// NewBucketClient reads the SDK's environment (AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_CA_BUNDLE, HTTPS_PROXY, the chain of
// credentials) and connects to nothing.
func NewBucketClient(ctx context.Context, transport *awshttp.BuildableClient, log *slog.Logger, options ...BucketOption) (*BucketClient, error) {
	shared, err := LoadConfig(ctx, transport)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	shared.Region = cmp.Or(shared.Region, defaultBucketRegion)
	c := &BucketClient{options: options, keys: CacheCredentials(CredentialsChain(shared.Region, Role{}, FetchTimeout), log)}
	shared.Credentials = c.keys
	c.connect(shared)
	return c, nil
}

func (c *BucketClient) connect(shared aws.Config) {
	c.connected.Store(&connectedBucket{shared, s3.NewFromConfig(shared, append([]BucketOption{func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // another service's host has no name for each bucket
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}}, c.options...)...)})
}

// API makes requests to the region where the bucket is, as far as that is known.
func (c *BucketClient) API() *s3.Client { return c.connected.Load().api }

// FollowRegion reports whether an error says that the bucket is in another region. The next request goes there.
func (c *BucketClient) FollowRegion(err error) bool {
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || answer.HTTPStatusCode() == http.StatusForbidden {
		return false
	}
	shared := c.connected.Load().shared
	region := answer.Response.Header.Get("X-Amz-Bucket-Region")
	if region == "" || region == shared.Region {
		return false
	}
	shared.Region = region
	c.connect(shared)
	return true
}

// InvalidateCredentials makes the next request fetch new ones.
func (c *BucketClient) InvalidateCredentials() { c.keys.Invalidate() }
