package claimcheck

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"kafka-firehose/connector/preflight/check"
)

// inspectTimeout limits the look at the bucket.
const inspectTimeout = 10 * time.Second

// Inspect looks at the bucket and writes nothing to it. So it finds a bucket that is missing or out of reach and missing credentials, but not
// whether S3 accepts them (its answer to HeadBucket has no code), objects may be written and a key of KMS may be used.
func Inspect(ctx context.Context, cfg Config, log *slog.Logger, options []ClientOption) (found check.Findings) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	client, err := newClient(ctx, log, options)
	if err != nil {
		found.AddError(check.ClaimCheck, cfg.URL, err.Error(), "")
		return found
	}
	u := &Uploader{client: client}
	u.bucket, u.prefix = cfg.bucketPlace()
	head := func() error {
		_, err := client.API().HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &u.bucket})
		return err
	}
	if err = head(); client.FollowRegion(err) {
		err = head()
	}
	const unproved = "; objects are not written to try it: the first large record shows whether s3:PutObject, and the use of the bucket's key, are granted"
	answer, answered := errors.AsType[*awshttp.ResponseError](err)
	switch reason := reasonOf(err); {
	case err == nil:
		found.AddOK(check.ClaimCheck, cfg.URL, "bucket "+u.bucket+" is there"+unproved)
	case answered && answer.HTTPStatusCode() == http.StatusNotFound:
		found.AddError(check.ClaimCheck, cfg.URL, "bucket "+u.bucket+" does not exist", "create it, or correct "+urlName)
	case reason == reasonDenied:
		found.AddNote(check.ClaimCheck, cfg.URL, "S3 does not say whether bucket "+u.bucket+" may not be looked at or the credentials are wrong"+unproved, "grant s3:ListBucket on it to have it looked at; the service needs s3:PutObject alone")
	default:
		found.AddError(check.ClaimCheck, cfg.URL, "can't be looked at: "+u.explainError(reason, err).Error(), "")
	}
	return found
}
