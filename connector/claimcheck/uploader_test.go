package claimcheck_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/claimcheck/buckettest"
	"kafka-firehose/connector/logging/logtest"
	"kafka-firehose/connector/offset"
	"kafka-firehose/metrics"
)

// place is a bucket with an uploader to it.
type place struct {
	*buckettest.Bucket
	*claimcheck.Uploader
	metrics *metrics.ClaimCheck
	log     *logtest.Buffer
}

// newPlace needs AWS_REGION.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{Bucket: buckettest.New("large", "claims/", "AKIDTEST", "secret"), metrics: metrics.New(prometheus.NewRegistry()).ClaimCheck, log: &logtest.Buffer{}}
	var err error
	p.Uploader, err = claimcheck.New(t.Context(), claimcheck.Config{URL: "s3://large/claims"}, claimcheck.Options{
		Log: slog.New(slog.NewTextHandler(p.log, nil)), Metrics: p.metrics, Client: p.client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// client is the way to the bucket.
func (p *place) client() []claimcheck.ClientOption {
	return []claimcheck.ClientOption{func(o *s3.Options) {
		o.HTTPClient, o.Credentials = p.Bucket, credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", "")
	}}
}

// mustUpload uploads within seconds.
func (p *place) mustUpload(t *testing.T, o *claimcheck.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.UploadObject(ctx, o); err != nil {
		t.Fatalf("%v; wrong: %q\n%s", err, p.Wrong(), p.log.String())
	}
}

// object is that of a record of some size.
func (p *place) object(at int64) (*claimcheck.Object, *offset.Lease) {
	lease := offset.NewLease("orders", 3)
	r := &kgo.Record{Topic: "orders", Partition: 3, Offset: at, Timestamp: time.UnixMilli(1769846400123), Value: bytes.Repeat([]byte("v"), 30_000)}
	return p.NewObject(lease, r, "text/plain; charset=utf-8"), lease
}

// TestUpload: the object is at its address, byte for byte, with where it came from.
func TestUpload(t *testing.T) {
	t.Setenv("AWS_REGION", buckettest.Region)
	p := newPlace(t)
	o, _ := p.object(42)
	p.mustUpload(t, o)
	sum := fmt.Sprintf("%x", sha256.Sum256(bytes.Repeat([]byte("v"), 30_000)))
	key := "claims/orders/3/42-" + sum[:16]
	got, ok := p.Objects()[key]
	if !ok || o.URL != "s3://large/"+key || o.SHA256 != sum || o.Bytes != 30_000 {
		t.Errorf("%+v is not at its address; the bucket has %d objects", o.URL, len(p.Objects()))
	}
	want := map[string]string{"topic": "orders", "partition": "3", "offset": "42", "sha256": sum, "timestamp": "2026-01-31T08:00:00.123Z"}
	if len(got.Content) != 30_000 || got.ContentType != "text/plain; charset=utf-8" || fmt.Sprint(got.Metadata) != fmt.Sprint(want) {
		t.Errorf("%d bytes of %s, %v; want %v", len(got.Content), got.ContentType, got.Metadata, want)
	}
	p.mustUpload(t, o) // as the next owner of its partition does
	if n := testutil.ToFloat64(p.metrics.Uploads.WithLabelValues("orders")); n != 2 || len(p.Objects()) != 1 || len(p.Wrong()) != 0 {
		t.Errorf("%v uploads, %d objects, wrong: %q", n, len(p.Objects()), p.Wrong())
	}
}

// TestRegionOfTheBucket: S3 names the region of a bucket that is elsewhere, and the upload goes there at once.
func TestRegionOfTheBucket(t *testing.T) {
	t.Setenv("AWS_REGION", buckettest.Region)
	p := newPlace(t)
	p.Bucket.Region = "ap-south-1"
	for at := range int64(3) {
		o, _ := p.object(at)
		p.mustUpload(t, o)
	}
	if n, _ := p.Requests(); n != 4 || p.CurrentOutage() != nil {
		t.Errorf("%d requests, want one to the wrong region and three uploads", n)
	}
}

// TestEndpointOfAnotherService: AWS_ENDPOINT_URL_S3 leads to a service that has no host for each bucket, over the network.
func TestEndpointOfAnotherService(t *testing.T) {
	b := buckettest.New("large", "claims/", "AKIDTEST", "secret")
	server := httptest.NewServer(b)
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_REGION": buckettest.Region, "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	p := &place{Bucket: b, metrics: metrics.New(prometheus.NewRegistry()).ClaimCheck, log: &logtest.Buffer{}}
	var err error
	p.Uploader, err = claimcheck.New(t.Context(), claimcheck.Config{URL: "s3://large/claims/"}, claimcheck.Options{Log: slog.New(slog.DiscardHandler), Metrics: p.metrics})
	if err != nil {
		t.Fatal(err)
	}
	o, _ := p.object(1)
	p.mustUpload(t, o)
	if len(b.Objects()) != 1 || len(b.Wrong()) != 0 {
		t.Errorf("%d objects; wrong: %q", len(b.Objects()), b.Wrong())
	}
}

// TestFailures: each is repeated until it is over, counted by its reason, said once, and never called a success.
func TestFailures(t *testing.T) {
	t.Setenv("AWS_REGION", buckettest.Region)
	for name, test := range map[string]struct {
		refusal buckettest.Refusal
		reason  string
		final   bool
		says    string
	}{
		"no bucket":   {buckettest.NoBucket, "no_bucket", true, "bucket large does not exist: create it, or correct CLAIM_CHECK_URL"},
		"denied":      {buckettest.Denied, "authorization", true, "grant s3:PutObject on arn:aws:s3:::large/claims/*"},
		"no key":      {buckettest.NoKey, "kms", true, "grant kms:GenerateDataKey on it"},
		"disabled":    {buckettest.Disabled, "kms", true, "KMS.DisabledException"},
		"expired":     {buckettest.Refusal{Status: 400, Code: "ExpiredToken", Message: "expired"}, "credentials", true, "no AWS credentials that S3 accepts"},
		"throttled":   {buckettest.SlowDown, "throttled", false, "SlowDown: Please reduce your request rate."},
		"internal":    {buckettest.Internal, "unavailable", false, "InternalError"},
		"broken":      {buckettest.Broken, "connection", false, "unexpected EOF"},
		"lost answer": {buckettest.Lost, "connection", false, "unexpected EOF"},
		"a page":      {buckettest.Page, "other", false, "the answer has no ETag"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				p.Fault(func(string) *buckettest.Refusal { return &test.refusal })
				o, _ := p.object(1)
				done := make(chan error, 1)
				begin := time.Now()
				go func() { done <- p.UploadObject(t.Context(), o) }()
				time.Sleep(10 * time.Minute)
				trouble := p.CurrentOutage()
				if trouble == nil || trouble.Blocked != test.final || !strings.Contains(trouble.Err.Error(), test.says) || time.Since(trouble.Since) < 9*time.Minute {
					t.Fatalf("trouble is %+v, want %q", trouble, test.says)
				}
				n, _ := p.Requests()
				if got := testutil.ToFloat64(p.metrics.Errors.WithLabelValues(test.reason)); n < 50 || n > 130 || int(got) < n-1 {
					t.Errorf("%d requests in ten minutes, %v of them failed with %s", n, got, test.reason)
				}
				if got := testutil.ToFloat64(p.metrics.Blocked); got != 1 {
					t.Errorf("blocked is %v", got)
				}
				p.Fault(func(string) *buckettest.Refusal { return nil })
				if err := <-done; err != nil || time.Since(begin) > 10*time.Minute+11*time.Second {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
				if p.CurrentOutage() != nil || testutil.ToFloat64(p.metrics.Blocked) != 0 || testutil.ToFloat64(p.metrics.Pending) != 0 || len(p.Objects()) != 1 || len(p.Wrong()) != 0 {
					t.Errorf("after it: %v, %d objects, wrong: %q", p.CurrentOutage(), len(p.Objects()), p.Wrong())
				}
				log := p.log.String()
				if got := strings.Count(log, "takes no objects"); got != 1 || strings.Count(log, "after a failure any more") != 1 || strings.Contains(log, "secret") {
					t.Errorf("said %d times\n%s", got, log)
				}
			})
		})
	}
}

// TestRevoked: no request is made for a partition that is not assigned any more, and one that is under way ends with its context.
func TestRevoked(t *testing.T) {
	t.Setenv("AWS_REGION", buckettest.Region)
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		b := p.Bucket
		b.Fault(func(string) *buckettest.Refusal { return &buckettest.Internal })
		o, lease := p.object(1)
		done := make(chan error, 1)
		go func() { done <- p.UploadObject(t.Context(), o) }()
		time.Sleep(time.Minute)
		lease.Close()
		before, _ := b.Requests()
		select {
		case err := <-done:
			if err == nil {
				t.Error("an object of a revoked partition counts as uploaded")
			}
		case <-time.After(time.Minute):
			t.Fatal("an object of a revoked partition is still tried after a minute")
		}
		b.Fault(func(string) *buckettest.Refusal { time.Sleep(time.Hour); return &buckettest.Internal })
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		open, _ := p.object(2)
		if err := p.UploadObject(ctx, open); err == nil || len(b.Objects()) != 0 {
			t.Errorf("%v, %d objects", err, len(b.Objects()))
		}
		if after, _ := b.Requests(); after != before+1 || p.CurrentOutage() != nil {
			t.Errorf("%d requests, and %d before; %v", after, before, p.CurrentOutage())
		}
		time.Sleep(2 * time.Hour)
	})
}

// TestUploadsAreBounded: however many partitions wait, so many requests are made at a time.
func TestUploadsAreBounded(t *testing.T) {
	t.Setenv("AWS_REGION", buckettest.Region)
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		b := p.Bucket
		b.Fault(func(string) *buckettest.Refusal { time.Sleep(time.Second); return nil })
		done := make(chan error)
		for at := range int64(40) {
			o, _ := p.object(at)
			go func() { done <- p.UploadObject(t.Context(), o) }()
		}
		for range 40 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if all, most := b.Requests(); all != 40 || most != 8 {
			t.Errorf("%d requests, %d at a time; want 40, 8", all, most)
		}
	})
}
