package preflight

import (
	"context"
	"errors"
	"time"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/preflight/check"
)

// bucketTimeout limits the look at the bucket.
const bucketTimeout = 10 * time.Second

// inspectBucket looks at the bucket and writes nothing to it.
func inspectBucket(ctx context.Context, cfg claimcheck.Config, o claimcheck.Options) (found check.Findings) {
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	u, err := claimcheck.New(ctx, cfg, o)
	if err != nil {
		found.AddError(check.ClaimCheck, cfg.URL, err.Error(), "")
		return found
	}
	bucket, _, _ := awsconfig.ParseBucketAddress(cfg.URL) // Validate has seen it
	const unproved = "; objects are not written to try it: the first large record shows whether s3:PutObject, and the use of the bucket's key, are granted"
	switch err = u.FindBucket(ctx); {
	case err == nil:
		found.AddOK(check.ClaimCheck, cfg.URL, "bucket "+bucket+" is there"+unproved)
	case errors.Is(err, claimcheck.ErrNoBucket):
		found.AddError(check.ClaimCheck, cfg.URL, "bucket "+bucket+" does not exist", "create it, or correct CLAIM_CHECK_URL")
	case errors.Is(err, claimcheck.ErrDenied):
		found.AddNote(check.ClaimCheck, cfg.URL, "bucket "+bucket+" may not be looked at"+unproved, "grant s3:ListBucket on it to have it looked at; the service needs s3:PutObject alone")
	default:
		found.AddError(check.ClaimCheck, cfg.URL, "can't be looked at: "+err.Error(), "")
	}
	return found
}
