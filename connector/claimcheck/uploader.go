package claimcheck

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/retry"
	"kafka-firehose/metrics"
)

const (
	// maxUploads limits the requests at a time, of all streams. The values are in the queues of the streams: an upload takes no
	// more memory than its connection.
	maxUploads = 8
	// idleTimeout closes kept-alive connections before S3 does.
	idleTimeout = 15 * time.Second
	// attemptTimeout is for an attempt, beside the time that its bytes take at minUploadRate bytes a second.
	attemptTimeout = 30 * time.Second
	minUploadRate  = 256 << 10
)

// backoff is between the attempts of one object.
var backoff = retry.Backoff{Min: 250 * time.Millisecond, Max: 10 * time.Second}

// ClientOption changes the SDK's client: another endpoint or way to it, in tests.
type ClientOption = awsconfig.BucketOption

// Options are what an Uploader needs beside its configuration.
type Options struct {
	Log     *slog.Logger
	Metrics *metrics.ClaimCheck
	Client  []ClientOption
}

// Uploader uploads objects to one bucket. It is safe for concurrent use.
type Uploader struct {
	cfg            Config
	bucket, prefix string
	client         *awsconfig.BucketClient
	log            *slog.Logger
	metrics        *metrics.ClaimCheck
	permits        chan struct{} // holds a place for each request

	mu      sync.Mutex
	failing map[*Object]*retry.Outage // of the objects whose last attempt failed
	logged  loggedOutage              // of all of them together
}

// New reads the SDK's environment and connects to nothing.
func New(ctx context.Context, cfg Config, o Options) (*Uploader, error) {
	client, err := newClient(ctx, o.Log, o.Client)
	if err != nil {
		return nil, err
	}
	u := &Uploader{cfg: cfg, client: client, log: o.Log.With("claim_check_url", cfg.URL), metrics: o.Metrics, permits: make(chan struct{}, maxUploads), failing: map[*Object]*retry.Outage{}}
	u.bucket, u.prefix = cfg.bucketPlace()
	return u, nil
}

func newClient(ctx context.Context, log *slog.Logger, options []ClientOption) (*awsconfig.BucketClient, error) {
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = maxUploads
		t.IdleConnTimeout = idleTimeout
	})
	once := func(o *s3.Options) { o.Retryer = aws.NopRetryer{} } // UploadObject sees and counts each attempt
	return awsconfig.NewBucketClient(ctx, transport, log, slices.Concat(options, []ClientOption{once})...)
}

// errRevoked says that the partition of an object is no longer assigned: its next owner uploads it.
var errRevoked = errors.New("the partition was revoked")

// UploadObject returns nil once the bucket has acknowledged the object. It repeats attempts that fail until ctx is over or the object's
// partition is revoked, and the error says which.
func (u *Uploader) UploadObject(ctx context.Context, o *Object) error {
	u.metrics.Pending.Inc()
	defer u.metrics.Pending.Dec()
	defer u.endOutage(o)
	begin := time.Now()
	for failures := 1; ; failures++ {
		err := u.attemptUpload(ctx, o)
		switch {
		case err == nil:
			u.metrics.Uploads.WithLabelValues(o.topic).Inc()
			u.metrics.Bytes.Add(float64(len(o.value)))
			u.metrics.Latency.Observe(time.Since(begin).Seconds())
			return nil
		case ctx.Err() != nil, errors.Is(err, errRevoked):
			return err
		}
		u.noteFailure(o, failures, err)
		if retry.Sleep(ctx, backoff.Jittered(failures-1)) != nil {
			return ctx.Err()
		}
	}
}

// attemptUpload makes a request, or a second one if the first has told the bucket's region.
func (u *Uploader) attemptUpload(ctx context.Context, o *Object) error {
	select {
	case u.permits <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-u.permits }()
	if o.lease.Closed() {
		return errRevoked
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout+time.Duration(len(o.value)/minUploadRate)*time.Second)
	defer cancel()
	err := u.putObject(ctx, o)
	if u.client.FollowRegion(err) {
		err = u.putObject(ctx, o)
	}
	return err
}

// putObject makes a request. Only an answer that S3 alone gives proves that the object is stored.
func (u *Uploader) putObject(ctx context.Context, o *Object) error {
	out, err := u.client.API().PutObject(ctx, &s3.PutObjectInput{
		Bucket: &u.bucket, Key: &o.key, Body: bytes.NewReader(o.value), ContentLength: aws.Int64(int64(len(o.value))),
		ContentType: &o.ContentType, Metadata: o.metadata, ChecksumSHA256: &o.checksum,
	})
	switch {
	case err != nil:
		return err
	case aws.ToString(out.ETag) == "":
		return errNoProof
	case out.ChecksumSHA256 != nil && *out.ChecksumSHA256 != o.checksum:
		return errOtherContent
	}
	return nil
}
