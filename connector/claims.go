package connector

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/offset"
)

// fallbackPolicy is the policy for bad records that no claim check helps.
func (c Config) fallbackPolicy() string {
	switch {
	case c.BadRecordPolicy != policyClaimCheck:
		return c.BadRecordPolicy
	case c.DeadLetter.Topic != "":
		return policyDeadLetter
	}
	return policyStop
}

// openClaimChecks makes the way to the claim-check bucket, if there is one.
func (c *Connector) openClaimChecks(ctx context.Context, o Options) (err error) {
	if c.cfg.ClaimCheck.URL != "" { // also in a replay, whose policy for other bad records is its own
		c.uploader, err = claimcheck.New(ctx, c.cfg.ClaimCheck, claimcheck.Options{Log: c.log, Metrics: o.Metrics.ClaimCheck, Client: o.S3})
	}
	if err != nil {
		return fmt.Errorf("claim-check bucket: %w", err)
	}
	return nil
}

// claimUpload is the upload of a value that is too large for Firehose. It is an error as well: the record can't be
// packed before the bucket has it. All but uploaded is the batcher's alone.
type claimUpload struct {
	object   *claimcheck.Object
	uploaded atomic.Bool // the bucket has acknowledged it
	cancel   context.CancelFunc
}

func (u *claimUpload) Error() string { return "the value is not uploaded to " + u.object.URL + " yet" }

// packClaimCheck appends the envelope with a claim check for record i of fetched records, which could not be converted because of err. Until
// the bucket has the value the error is a *claimUpload. Where a claim check does not help, the error is err, and the policy for other
// bad records decides: the record has no value, or its key and headers are too large themselves.
func (b *batcher) packClaimCheck(c fetchedRecords, i int, err error) ([]byte, error) {
	r := c.records[i]
	if b.uploader == nil || !hasClaimCheck(r, err) {
		return nil, err
	}
	upload := b.claims[c.lease]
	if upload == nil || !upload.object.IsOf(r) {
		r = withoutPool(r)
		upload = &claimUpload{object: b.uploader.NewObject(c.lease, r, b.convert.ContentType(r.Value)), cancel: func() {}}
	}
	buf, err := appendClaimCheck(b.convert, b.builder.AppendBuffer(), r, claimCheckOf(upload.object), err)
	if err != nil {
		return nil, err
	}
	if !upload.uploaded.Load() {
		c.records[i], b.claims[c.lease] = r, upload
		return nil, upload
	}
	delete(b.claims, c.lease)
	return buf, nil
}

// convertWithClaim appends what a pipeline would send of r to dst, with a claim check if the value is too large and there is a
// bucket. Nothing is uploaded. The error is that of the conversion where a claim check does not help.
func convertWithClaim(made *convert.Converter, bucket *claimcheck.Config, dst []byte, r *kgo.Record) ([]byte, *convert.ClaimCheck, error) {
	out, err := made.Append(dst, r)
	if bucket.URL == "" || !hasClaimCheck(r, err) {
		return out, nil, err
	}
	claim := claimCheckOf(bucket.NewObject(nil, r, made.ContentType(r.Value)))
	if out, err = appendClaimCheck(made, dst, r, claim, err); err != nil {
		return out, nil, err
	}
	return out, &claim, nil
}

// appendClaimCheck appends the envelope with a claim check for a record that could not be converted because of err. The error is err
// where the key and the headers alone are too large.
func appendClaimCheck(made *convert.Converter, dst []byte, r *kgo.Record, claim convert.ClaimCheck, err error) ([]byte, error) {
	out, full := made.AppendClaimCheck(dst, r, claim)
	if _, large := errors.AsType[*convert.BadRecord](full); large {
		return out, err
	}
	return out, full
}

// hasClaimCheck reports whether the error of a record's conversion is that its value is too large.
func hasClaimCheck(r *kgo.Record, err error) bool {
	bad, ok := errors.AsType[*convert.BadRecord](err)
	return ok && bad.Reason == convert.TooLarge && r.Value != nil
}

func claimCheckOf(o *claimcheck.Object) convert.ClaimCheck {
	return convert.ClaimCheck{URL: o.URL, Bytes: o.Bytes, SHA256: o.SHA256, ContentType: o.ContentType}
}

// withoutPool returns a copy of a record whose bytes never go back to the Kafka client's pools. The HTTP client may still read them after
// a request has failed.
func withoutPool(r *kgo.Record) *kgo.Record {
	return &kgo.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Attrs: r.Attrs, Timestamp: r.Timestamp,
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}

// startUpload returns a channel that is closed when the bucket has the value, or when the upload was given up. In the second case the
// partition is not this process's any more, or ctx is over.
func (b *batcher) startUpload(ctx context.Context, u *claimUpload) <-chan struct{} {
	uploading, cancel := context.WithCancel(ctx)
	u.cancel = cancel
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		u.uploaded.Store(b.uploader.UploadObject(uploading, u.object) == nil)
	}()
	return ended
}

// cancelUploads ends the uploads of the given leases.
func (b *batcher) cancelUploads(of func(*offset.Lease) bool) {
	for lease, u := range b.claims {
		if of(lease) {
			u.cancel()
			delete(b.claims, lease)
		}
	}
}
