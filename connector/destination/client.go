package destination

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/smithy-go"

	"kafka-firehose/connector/awsconfig"
)

const (
	// attemptTimeout is for one attempt, its answer included, and askTimeout for all requests of one AskOnce.
	attemptTimeout = 10 * time.Second
	askTimeout     = 30 * time.Second
	// idleTimeout is shorter than the interval: a connection that waits for a minute is often dead.
	idleTimeout = 30 * time.Second
	// maxValue is above any age of a record in seconds: a year.
	maxValue = 365 * 24 * 60 * 60
)

// ClientOption changes the SDK's client: another endpoint or way to it, in tests.
type ClientOption = func(*cloudwatch.Options)

// Access is where a stream is and who reaches it: as for Firehose, so for CloudWatch.
type Access struct {
	Region      string
	Credentials aws.CredentialsProvider
	// Invalidate makes the next request fetch new credentials.
	Invalidate func()
}

// cloudWatchClient asks CloudWatch in one region.
type cloudWatchClient struct {
	*cloudwatch.Client
	invalidate func()
}

// newClient reads the SDK's own environment (AWS_ENDPOINT_URL_CLOUDWATCH, AWS_CA_BUNDLE, HTTPS_PROXY) and connects to
// nothing.
func newClient(ctx context.Context, access Access, opts []ClientOption) (*cloudWatchClient, error) {
	transport := awshttp.NewBuildableClient().WithTimeout(attemptTimeout).
		WithTransportOptions(func(t *http.Transport) { t.IdleConnTimeout = idleTimeout })
	shared, err := awsconfig.LoadConfig(ctx, transport, config.WithRegion(access.Region))
	if err != nil {
		return nil, fmt.Errorf("client of CloudWatch: %w", err)
	}
	shared.Credentials = access.Credentials
	return &cloudWatchClient{cloudwatch.NewFromConfig(shared, opts...), access.Invalidate}, nil
}

// getValues makes one request, follows the pages of its answer, and calls found with each result.
func (c *cloudWatchClient) getValues(ctx context.Context, in *cloudwatch.GetMetricDataInput, found func(id string, newest MetricValue)) error {
	for pages := cloudwatch.NewGetMetricDataPaginator(c.Client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return c.explainError(err)
		}
		for _, r := range page.MetricDataResults {
			for i := range min(len(r.Timestamps), len(r.Values)) {
				if v := r.Values[i]; v >= 0 && v < maxValue {
					found(aws.ToString(r.Id), MetricValue{v, r.Timestamps[i]})
				}
			}
		}
	}
	return nil
}

// Codes of refusals, in the words of both protocols that the service speaks.
var (
	deniedCodes  = []string{"AccessDenied", "AccessDeniedException"}
	refusedCodes = []string{"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"}
)

// DeniedError is the error if a policy does not allow GetMetricData.
type DeniedError struct{ Message string }

// Error names the permission.
func (d *DeniedError) Error() string {
	return "CloudWatch denies the request: allow cloudwatch:GetMetricData on all resources (" + d.Message + ")"
}

// explainError turns an error of the SDK into its cause, on one line and without secrets.
func (c *cloudWatchClient) explainError(err error) error {
	if fetch, ok := errors.AsType[*awsconfig.FetchError](err); ok {
		return fmt.Errorf("there are no credentials for CloudWatch: %s", awsconfig.CleanMessage(fetch.Error()))
	}
	answer, ok := errors.AsType[smithy.APIError](err)
	switch {
	case !ok || answer.ErrorCode() == awsconfig.UnknownError:
		return fmt.Errorf("CloudWatch can't be asked: %s", awsconfig.CleanMessage(awsconfig.RootCause(err)))
	case slices.Contains(deniedCodes, answer.ErrorCode()):
		return &DeniedError{awsconfig.CleanMessage(answer.ErrorMessage())}
	case slices.Contains(refusedCodes, answer.ErrorCode()):
		c.invalidate()
	}
	return fmt.Errorf("CloudWatch refuses the request: %s: %s", awsconfig.CleanMessage(answer.ErrorCode()), awsconfig.CleanMessage(answer.ErrorMessage()))
}
