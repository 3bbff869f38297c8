package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/awsconfig"
)

// Bucket is a Store in S3: the objects whose keys begin with a prefix.
type Bucket struct {
	client         *awsconfig.BucketClient
	bucket, prefix string
}

// OpenBucket returns the Store behind s3://BUCKET/PREFIX. It reads the SDK's environment, looks up the region of the
// bucket and makes sure that objects can be listed.
func OpenBucket(ctx context.Context, place string, log *slog.Logger) (*Bucket, error) {
	bucket, prefix, err := awsconfig.ParseBucketAddress(place)
	if err != nil {
		return nil, fmt.Errorf("the place of the objects: %w", err)
	}
	client, err := awsconfig.NewBucketClient(ctx, awshttp.NewBuildableClient(), log)
	if err != nil {
		return nil, err
	}
	b := &Bucket{client: client, bucket: bucket, prefix: prefix}
	if _, err = b.firstPage(ctx); client.FollowRegion(err) {
		_, err = b.firstPage(ctx)
	}
	if err != nil {
		return nil, b.listError(err)
	}
	return b, nil
}

// firstPage lists the first object.
func (b *Bucket) firstPage(ctx context.Context) (*s3.ListObjectsV2Output, error) {
	return b.client.API().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &b.prefix, MaxKeys: aws.Int32(1)})
}

func (b *Bucket) listError(err error) error {
	return fmt.Errorf("list objects of %s: %w", b, b.explainError(err))
}

// Empty implements Store.
func (b *Bucket) Empty(ctx context.Context) (bool, error) {
	found, err := b.firstPage(ctx)
	if err != nil {
		return false, b.listError(err)
	}
	return len(found.Contents) == 0, nil
}

// String implements Store.
func (b *Bucket) String() string { return awsconfig.BucketAddress(b.bucket, b.prefix) }

// List implements Store. It skips folders of days, months and years that are outside of the window, mostly with one request for each, and
// never ends before the last key: objects of a month's folder sort behind the folders of its days.
func (b *Bucket) List(ctx context.Context, w Window, visit func(Object) error) error {
	in := s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &b.prefix}
	last, skips := "", true // last is the greatest key so far
	for {
		page, err := b.client.API().ListObjectsV2(ctx, &in)
		if err != nil {
			return b.listError(err)
		}
		next := "" // where the listing resumes if the last key of the page is outside of the window
		for _, o := range page.Contents {
			name := aws.ToString(o.Key)
			if in.StartAfter != nil && name <= last {
				skips = false // the service does not know StartAfter, and lists all once more
				continue
			}
			last = name
			if next = w.skipTo(name); next != "" {
				continue
			}
			found := Object{Name: name, Bytes: aws.ToInt64(o.Size), Written: aws.ToTime(o.LastModified), version: aws.ToString(o.ETag)}
			if err := visit(found); err != nil {
				return err
			}
		}
		switch {
		case !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextContinuationToken) == "":
			return nil
		case next != "" && skips:
			in.ContinuationToken, in.StartAfter = nil, &next
		default:
			in.ContinuationToken = page.NextContinuationToken
		}
	}
}

// Open implements Store.
func (b *Bucket) Open(ctx context.Context, o Object) (io.ReadCloser, error) {
	r := &bucketReader{ctx: ctx, bucket: b, object: o}
	if err := r.openObject(); err != nil {
		return nil, b.explainError(err)
	}
	return r, nil
}

const (
	// readTries is how often in a row an object is asked for from where its content broke off.
	readTries = 5
	// readIdle is how long a read may stall before the content counts as broken off.
	readIdle = 30 * time.Second
)

// bucketReader reads an object, and asks for the rest of one that broke off: every byte comes once.
type bucketReader struct {
	ctx    context.Context
	bucket *Bucket
	object Object
	at     int64 // bytes that were read
	failed int   // tries since then
	body   io.ReadCloser
	idle   *time.Timer
	cancel context.CancelFunc
}

func (r *bucketReader) openObject() error {
	ctx, cancel := context.WithCancel(r.ctx)
	in := &s3.GetObjectInput{Bucket: &r.bucket.bucket, Key: &r.object.Name}
	if r.object.version != "" {
		in.IfMatch = &r.object.version
	}
	if r.at > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", r.at))
	}
	idle := time.AfterFunc(readIdle, cancel)
	out, err := r.bucket.client.API().GetObject(ctx, in)
	if err != nil {
		idle.Stop()
		cancel()
		return err
	}
	r.body, r.idle, r.cancel = out.Body, idle, cancel
	return nil
}

// Read implements io.Reader.
func (r *bucketReader) Read(p []byte) (int, error) {
	for {
		if r.body == nil {
			if err := r.openObject(); err != nil {
				return 0, r.bucket.explainError(err)
			}
		}
		r.idle.Reset(readIdle)
		n, err := r.body.Read(p)
		if r.at += int64(n); n > 0 {
			r.failed = 0
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && r.at >= r.object.Bytes, r.ctx.Err() != nil:
			return n, err
		case n > 0:
			_ = r.Close()
			return n, nil
		}
		_ = r.Close()
		if r.failed++; r.failed >= readTries {
			return 0, fmt.Errorf("broke off %d times in a row behind %d of %d bytes: %w", r.failed, r.at, r.object.Bytes, err)
		}
	}
}

// Close implements io.Closer.
func (r *bucketReader) Close() error {
	if r.body == nil {
		return nil
	}
	r.idle.Stop()
	r.cancel()
	err := r.body.Close()
	r.body = nil
	return err
}

// explainError turns an error of S3 into its cause and the remedy.
func (b *Bucket) explainError(err error) error {
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	answer, answered := errors.AsType[*awshttp.ResponseError](err)
	credentials, _ := errors.AsType[*awsconfig.FetchError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case credentials != nil:
		return fmt.Errorf("%w: no AWS credentials: %w", ErrStop, credentials)
	case code == "InvalidObjectState":
		return errors.New("it is archived, in Glacier or the like: restore it first")
	case code == "NoSuchKey":
		return errors.New("it was deleted after it had been listed, for instance by a lifecycle rule")
	case code == "PreconditionFailed":
		return errors.New("it was overwritten after it had been listed")
	case code == "NoSuchBucket":
		return fmt.Errorf("%w: bucket %s does not exist", ErrStop, b.bucket)
	case code == "InvalidAccessKeyId", code == "SignatureDoesNotMatch", code == "ExpiredToken", code == "InvalidToken":
		return fmt.Errorf("%w: S3 does not accept the credentials (%s): renew them, or look at the clock of this machine", ErrStop, code)
	case code == "AccessDenied", answered && answer.HTTPStatusCode() == http.StatusForbidden:
		return fmt.Errorf("%w: access is denied: the credentials need s3:ListBucket on arn:aws:s3:::%s and s3:GetObject on arn:aws:s3:::%s/%s*, and kms:Decrypt on the key of objects that are encrypted with one", ErrStop, b.bucket, b.bucket, b.prefix)
	case strings.HasPrefix(code, "KMS."):
		return fmt.Errorf("%w: the key of the objects can't be used (%s): grant kms:Decrypt on it, or enable it", ErrStop, code)
	}
	cause := awsconfig.CleanMessage(awsconfig.RootCause(err)) // the whole message is cut before it says why
	if _, unsent := errors.AsType[*smithyhttp.RequestSendError](err); unsent {
		return fmt.Errorf("S3 can't be reached: %s: look at AWS_REGION, AWS_ENDPOINT_URL_S3, HTTPS_PROXY, AWS_CA_BUNDLE, and the network between", cause)
	}
	return errors.New(cause)
}
