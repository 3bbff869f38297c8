package claimcheck

import (
	"context"
	"errors"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The answers of FindBucket about a bucket that can be reached.
var (
	ErrNoBucket = errors.New("the bucket does not exist")
	ErrDenied   = errors.New("the bucket may not be looked at")
)

// FindBucket asks whether the bucket is there and writes nothing to it. So it finds a bucket that is missing or out of reach and credentials
// that S3 does not accept, but not whether objects may be written and a key of KMS may be used.
func (u *Uploader) FindBucket(ctx context.Context) error {
	head := func() error {
		_, err := u.client.API().HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &u.bucket})
		return err
	}
	err := head()
	if u.client.FollowRegion(err) {
		err = head()
	}
	answer, answered := errors.AsType[*awshttp.ResponseError](err)
	switch reason := reasonOf(err); {
	case err == nil:
		return nil
	case answered && answer.HTTPStatusCode() == http.StatusNotFound:
		return ErrNoBucket
	case reason == reasonDenied:
		return ErrDenied
	default:
		return u.explainError(reason, err)
	}
}
